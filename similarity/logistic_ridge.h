// LogisticRidge: does a target unit respond at all, and if so, how much? For targets
// after their ReLU, which are zero on part of the stimuli. Per target unit:
//
//   p(x)    = P(y > 0 | x), an L2 logistic regression on the standardised source
//   r(x)    = a ridge fitted on the fit stimuli with y > 0 only
//   logistic_ridge        y_hat = [p >= 0.5] r     (hard gate, the paper's reading)
//   logistic_ridge_soft   y_hat = p r
//   logistic_ridge_tuned  y_hat = [p >= gate_threshold] r
//
// Everything is chosen inside the fit stimuli, per target unit:
// - logistic_penalty by summed log-loss over num_folds folds; stimulus i of the active
//   (the inactive) ones, in row order, belongs to fold i modulo the number of folds. A
//   unit with fewer active or inactive stimuli than folds gets that many folds, so that
//   each has both classes; with one, the strongest penalty is taken. Penalties are tried
//   from the strongest down, warm; a unit's path ends once its loss has risen twice in a
//   row or by 1 %, for it does not come back.
// - ridge_penalty by exact leave-one-out on the active fit stimuli; the grid scales with
//   trace(Xc'Xc)/p of those stimuli (similarity/ridge.h).
// - gate_threshold by the squared error of gated predictions of the fit stimuli, p from
//   the folds at the chosen penalty and r by leave-one-out (inactive stimuli never
//   entered r); equal errors: the threshold nearest 0.5. 0.5 where there is one fold.
//
// Units that are never active are predicted 0. Always active: p = 1, so the mapping is
// the ridge. Fewer than min_active active stimuli: r is their mean. Predictions are not
// clamped. Targets that are not post_relu are refused: predicting 0 has no meaning there.
//
// The three gates share their fits. Source: the paper names the mapping; the reading is
// ours.

#ifndef IAT_SIMILARITY_LOGISTIC_RIDGE_H_
#define IAT_SIMILARITY_LOGISTIC_RIDGE_H_

#include <Eigen/Core>
#include <memory>

#include "absl/status/statusor.h"
#include "similarity/logistic_ridge_options.h"
#include "similarity/mapping.h"

namespace iat {

// The logistic half for all target units of a problem.
struct GateFit {
  LinearMap margins;                 // predicts log(p / (1 - p)); infinite when certain
  Eigen::VectorXd logistic_penalty;  // NaN for units that are never or always active
  int64_t num_at_edge = 0;
  // log(p / (1 - p)) of every fit stimulus from the folds that left it out, at the
  // chosen penalty: stimuli x units. Columns without folds are NaN.
  Eigen::MatrixXf out_of_fold;
};
// `target` is stimuli x units; only its sign matters.
absl::StatusOr<GateFit> FitGates(SourceData& source, const Eigen::MatrixXd& target,
                                 const LogisticRidgeOptions& options);

// The ridge half.
struct ActiveRidgeFit {
  LinearMap map;
  Eigen::VectorXd ridge_penalty;  // NaN where there were too few active stimuli
  int64_t num_at_edge = 0;
  // Predictions of every fit stimulus from fits that left it out: stimuli x units.
  Eigen::MatrixXd out_of_sample;
};
absl::StatusOr<ActiveRidgeFit> FitActiveRidges(SourceData& source,
                                               const Eigen::MatrixXd& target,
                                               const RidgeOptions& ridge,
                                               const LogisticRidgeOptions& options);

// Makers for the registry.
std::unique_ptr<Mapping> MakeLogisticRidgeMapping(const MappingOptions& options);
std::unique_ptr<Mapping> MakeLogisticRidgeSoftMapping(const MappingOptions& options);
std::unique_ptr<Mapping> MakeLogisticRidgeTunedMapping(const MappingOptions& options);

}  // namespace iat

#endif  // IAT_SIMILARITY_LOGISTIC_RIDGE_H_
