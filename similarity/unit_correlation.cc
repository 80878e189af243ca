#include "similarity/unit_correlation.h"

#include "base/status.h"
#include "similarity/centring.h"
#include "similarity/linear_algebra.h"

namespace iat {
namespace {

// Divides columns by their norms, which it returns; a column of zeros stays.
Eigen::RowVectorXd Normalise(Eigen::MatrixXd& columns) {
  const Eigen::RowVectorXd norm = columns.colwise().norm();
  for (Eigen::Index j = 0; j < columns.cols(); ++j) {
    if (norm(j) > 0.0) columns.col(j) /= norm(j);
  }
  return norm;
}

}  // namespace

absl::StatusOr<UnitCorrelation> CorrelateUnits(const Eigen::MatrixXd& source,
                                               const Eigen::MatrixXd& target) {
  IAT_RETURN_IF_ERROR(CheckResponses(source, target));
  CentredUnits x = CentreUnits(source), y = CentreUnits(target);
  UnitCorrelation result;
  result.source_norm = Normalise(x.values);
  result.target_norm = Normalise(y.values);
  result.r = TransposedProduct(x.values, y.values).cwiseMax(-1.0).cwiseMin(1.0);
  result.source_mean = std::move(x.mean);
  result.target_mean = std::move(y.mean);
  return result;
}

absl::StatusOr<std::shared_ptr<const UnitCorrelation>> CorrelationOf(
    FitProblem& problem) {
  return problem.Shared<UnitCorrelation>(
      [&] { return CorrelateUnits(problem.source().values(), problem.target()); });
}

}  // namespace iat
