#include "similarity/percentile.h"

#include <map>
#include <utility>

#include "base/status.h"
#include "similarity/centring.h"
#include "similarity/r2.h"
#include "similarity/ridge.h"

namespace iat {
namespace {

// Targets that share a set of source units.
struct Group {
  std::vector<Eigen::Index> source_units, target_units;
  LinearMap map;
};

class FittedPercentile : public FittedMapping {
 public:
  FittedPercentile(Eigen::Index num_source_units, std::vector<Group> groups,
                   Chosen chosen)
      : num_source_units_(num_source_units),
        groups_(std::move(groups)),
        chosen_(std::move(chosen)) {}

  absl::StatusOr<Eigen::MatrixXd> Predict(const Eigen::MatrixXd& source) const override {
    IAT_RETURN_IF_ERROR(CheckNumUnits(source, num_source_units_));
    Eigen::MatrixXd predicted(source.rows(), chosen_.values.at("ridge_penalty").size());
    for (const Group& group : groups_) {
      IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd part,
                           group.map.Predict(source(Eigen::all, group.source_units)));
      for (size_t k = 0; k < group.target_units.size(); ++k) {
        predicted.col(group.target_units[k]) = part.col(k);
      }
    }
    return predicted;
  }
  const Chosen& chosen() const override { return chosen_; }

 private:
  const Eigen::Index num_source_units_;
  const std::vector<Group> groups_;
  const Chosen chosen_;
};

class PercentileMapping : public Mapping {
 public:
  PercentileMapping(PercentileOptions options, RidgeOptions ridge)
      : options_(options), ridge_(std::move(ridge)) {}

  bool FitsUnitsAlone() const override { return true; }

  absl::StatusOr<std::unique_ptr<FittedMapping>> Fit(FitProblem& problem) const override {
    IAT_ASSIGN_OR_RETURN(const std::shared_ptr<const UnitCorrelation> correlation,
                         CorrelationOf(problem));
    const Eigen::MatrixXd& source = problem.source().values();
    const Eigen::Index num_targets = problem.target().cols();
    std::map<std::vector<Eigen::Index>, std::vector<Eigen::Index>> targets_of;
    for (Eigen::Index j = 0; j < num_targets; ++j) {
      targets_of[SelectUnits(*correlation, j, options_)].push_back(j);
    }
    Chosen chosen;
    Eigen::VectorXd& penalty = chosen.values["ridge_penalty"];
    Eigen::VectorXd& num_selected = chosen.values["num_selected_units"];
    int64_t& num_at_edge = chosen.num_at_edge["ridge_penalty"];
    penalty.resize(num_targets);
    num_selected.resize(num_targets);
    std::vector<Group> groups;
    for (auto& [source_units, target_units] : targets_of) {
      IAT_ASSIGN_OR_RETURN(const SourceBasis basis,
                           SourceBasis::Make(source(Eigen::all, source_units)));
      IAT_ASSIGN_OR_RETURN(
          RidgeFit fit,
          FitRidge(basis, problem.target()(Eigen::all, target_units), ridge_));
      for (size_t k = 0; k < target_units.size(); ++k) {
        penalty(target_units[k]) = fit.ridge_penalty(k);
        num_selected(target_units[k]) = static_cast<double>(source_units.size());
      }
      num_at_edge += fit.num_at_edge;
      groups.push_back({source_units, std::move(target_units), std::move(fit.map)});
    }
    return std::make_unique<FittedPercentile>(source.cols(), std::move(groups),
                                              std::move(chosen));
  }

 private:
  const PercentileOptions options_;
  const RidgeOptions ridge_;
};

}  // namespace

void PercentileOptions::Describe(OptionVisitor& visitor) {
  visitor.Number("percentile", percentile, {.min = 0.0, .max = 100.0},
                 "a target's source units are those whose correlation with it reaches "
                 "this percentile: 0 takes all, 100 the best alone");
  visitor.Flag("absolute", absolute,
               "rank source units by the size of their correlation, whatever its sign");
}

std::vector<Eigen::Index> SelectUnits(const UnitCorrelation& correlation,
                                      Eigen::Index target,
                                      const PercentileOptions& options) {
  std::vector<double> r(correlation.r.rows());
  for (size_t i = 0; i < r.size(); ++i) {
    const double value = correlation.r(static_cast<Eigen::Index>(i), target);
    r[i] = options.absolute ? std::abs(value) : value;
  }
  const double least = Quantile(r, options.percentile / 100.0);
  std::vector<Eigen::Index> units;
  for (size_t i = 0; i < r.size(); ++i) {
    if (r[i] >= least) units.push_back(static_cast<Eigen::Index>(i));
  }
  return units;
}

std::unique_ptr<Mapping> MakePercentileMapping(const MappingOptions& options) {
  return std::make_unique<PercentileMapping>(options.percentile, options.ridge);
}

}  // namespace iat
