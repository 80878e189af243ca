#include "similarity/soft_matching.h"

#include <utility>
#include <vector>

#include "base/status.h"
#include "similarity/centring.h"
#include "similarity/fitted_linear_map.h"
#include "similarity/linear_algebra.h"
#include "similarity/optimal_transport.h"

namespace iat {
namespace {

std::vector<Eigen::Index> Responsive(const Eigen::RowVectorXd& norm) {
  std::vector<Eigen::Index> units;
  for (Eigen::Index i = 0; i < norm.size(); ++i) {
    if (norm(i) > 0.0) units.push_back(i);
  }
  return units;
}

class SoftMatchingMapping : public Mapping {
 public:
  absl::StatusOr<std::unique_ptr<FittedMapping>> Fit(FitProblem& problem) const override {
    IAT_ASSIGN_OR_RETURN(const std::shared_ptr<const UnitCorrelation> correlation,
                         CorrelationOf(problem));
    IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd plan, MatchSoftly(*correlation));
    const Eigen::MatrixXd& source = problem.source().values();
    // On responses of unit norm, up to a factor a target that b_j takes up.
    Eigen::MatrixXd weights = plan.cwiseProduct(correlation->r);
    for (Eigen::Index i = 0; i < weights.rows(); ++i) {
      const double norm = correlation->source_norm(i);
      if (norm > 0.0) weights.row(i) /= norm;
    }
    const Eigen::MatrixXd matched =
        Product(source.rowwise() - correlation->source_mean, weights);
    Chosen chosen;
    Eigen::VectorXd& fitted_correlation = chosen.values["correlation"];
    fitted_correlation = Eigen::VectorXd::Zero(weights.cols());
    for (Eigen::Index j = 0; j < weights.cols(); ++j) {
      const double size = matched.col(j).norm();
      if (!(size > 0.0)) continue;
      const double shared =
          matched.col(j).dot(
              (problem.target().col(j).array() - correlation->target_mean(j)).matrix()) /
          size;
      fitted_correlation(j) = shared / correlation->target_norm(j);
      weights.col(j) *= shared / size;
    }
    return std::make_unique<FittedLinearMap>(
        LinearMap{correlation->source_mean, std::move(weights), correlation->target_mean},
        std::move(chosen));
  }
};

}  // namespace

absl::StatusOr<Eigen::MatrixXd> MatchSoftly(const UnitCorrelation& correlation) {
  const std::vector<Eigen::Index> sources = Responsive(correlation.source_norm);
  const std::vector<Eigen::Index> targets = Responsive(correlation.target_norm);
  Eigen::MatrixXd plan =
      Eigen::MatrixXd::Zero(correlation.r.rows(), correlation.r.cols());
  if (sources.empty() || targets.empty()) return plan;
  IAT_ASSIGN_OR_RETURN(
      const Eigen::MatrixXd part,
      UniformTransport((1.0 - correlation.r(sources, targets).array()).matrix()));
  for (size_t j = 0; j < targets.size(); ++j) {
    for (size_t i = 0; i < sources.size(); ++i) {
      plan(sources[i], targets[j]) = part(i, j);
    }
  }
  return plan;
}

std::unique_ptr<Mapping> MakeSoftMatchingMapping(const MappingOptions&) {
  return std::make_unique<SoftMatchingMapping>();
}

}  // namespace iat
