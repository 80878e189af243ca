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
// - logistic_penalty by the log-loss of stratified folds (similarity/gate.h).
// - ridge_penalty by exact leave-one-out on the active fit stimuli
//   (similarity/active_ridge.h).
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

#include <memory>

#include "similarity/mapping.h"

namespace iat {

// Makers for the registry.
std::unique_ptr<Mapping> MakeLogisticRidgeMapping(const MappingOptions& options);
std::unique_ptr<Mapping> MakeLogisticRidgeSoftMapping(const MappingOptions& options);
std::unique_ptr<Mapping> MakeLogisticRidgeTunedMapping(const MappingOptions& options);

}  // namespace iat

#endif  // IAT_SIMILARITY_LOGISTIC_RIDGE_H_
