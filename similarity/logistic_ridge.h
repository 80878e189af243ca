// LogisticRidge: does a target unit respond at all, and if so, how much? For targets
// after their ReLU, which are zero on part of the stimuli, and for recorded ones. Per
// target unit, with its stimuli active where y > activity_threshold:
//
//   p(x)    = P(active | x), an L2 logistic regression on the standardised source
//   r(x)    = a ridge fitted on the active fit stimuli only
//   o       = the mean of the inactive fit stimuli: 0 after a ReLU at threshold 0
//   logistic_ridge        y_hat = r where p >= 0.5, else o   (the paper's reading)
//   logistic_ridge_soft   y_hat = p r + (1 - p) o
//   logistic_ridge_tuned  y_hat = r where p >= gate_threshold, else o
//
// Everything is chosen inside the fit stimuli, per target unit:
// - logistic_penalty by the log-loss of stratified folds (similarity/gate.h).
// - ridge_penalty by exact leave-one-out on the active fit stimuli
//   (similarity/active_ridge.h).
// - gate_threshold by the squared error of gated predictions of the fit stimuli, p from
//   the folds at the chosen penalty and r by leave-one-out (inactive stimuli never
//   entered r); equal errors: the threshold nearest 0.5. 0.5 where there is one fold.
//
// Units that are never active are predicted o. Always active: p = 1, so the mapping is
// the ridge. Fewer than min_active active stimuli: r is their mean. Predictions are not
// clamped. Targets before their ReLU are refused: they have no inactive state.
//
// A recording's threshold is in its own units and the same for all its neurons. Where
// nearly all responses are above it there is nothing to gate; read the active share
// beside every such score.
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
