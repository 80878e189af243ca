// Pearson correlations between all source and all target units over the fit stimuli,
// which the mappings that pick source units share.
//
//   r_ij = xc_i' yc_j / (||xc_i|| ||yc_j||),  0 where either unit is constant
//
// Cost     One product of n x p by n x t.

#ifndef IAT_SIMILARITY_UNIT_CORRELATION_H_
#define IAT_SIMILARITY_UNIT_CORRELATION_H_

#include <Eigen/Core>
#include <memory>

#include "absl/status/statusor.h"
#include "similarity/mapping.h"

namespace iat {

struct UnitCorrelation {
  Eigen::MatrixXd r;  // source units x target units
  Eigen::RowVectorXd source_mean, target_mean;
  Eigen::RowVectorXd source_norm, target_norm;  // ||xc_i||, ||yc_j||

  // Slope of the least-squares line of a target unit on one source unit.
  double Slope(Eigen::Index source, Eigen::Index target) const {
    return r(source, target) * target_norm(target) / source_norm(source);
  }
};

// InvalidArgument as CheckResponses (similarity/centring.h).
absl::StatusOr<UnitCorrelation> CorrelateUnits(const Eigen::MatrixXd& source,
                                               const Eigen::MatrixXd& target);
// The problem's, made once.
absl::StatusOr<std::shared_ptr<const UnitCorrelation>> CorrelationOf(FitProblem& problem);

}  // namespace iat

#endif  // IAT_SIMILARITY_UNIT_CORRELATION_H_
