// A generalised linear model of targets that are never negative: Poisson noise about a
// rate that is the softplus of a linear map.
//
//   rate_j = gain_j log(1 + exp(eta_j)),   eta_j = xs w_j + b_j
//   w_j, b_j = argmin mean_i (rate_ij - y_ij log rate_ij) / gain_j + penalty ||w||^2 / 2
//   y_hat  = rate
//
// Shapes   X: stimuli x source units, xs: standardised on the fit stimuli.
//          Y: stimuli x target units, >= 0, whole numbers or not.
// Scaling  `source_scaling` "standard", or "yeo_johnson": the power transform of
//          similarity/yeo_johnson.h first.
//          `target_scaling` "mean": gain_j is the target's mean, so that the bend of the
//          softplus does not depend on the unit of measure; "none": gain 1, for spike
//          counts.
// Penalty  Chosen among `penalties` by the held-out Poisson loss; similarity/
//          response_model.h says how, and what it costs.
// Chosen   glm_penalty; NaN for a target that is 0 throughout, which is predicted as 0.
// Errors   InvalidArgument: pre-ReLU targets, or any negative response.
// Source   The best inter-animal transform of "Inter-animal transforms as a guide to
//          model-brain comparison" (Cosyne 2023); sklearn's PoissonRegressor, whose link
//          is the exponential, for the units of the penalty.

#ifndef IAT_SIMILARITY_GLM_POISSON_SOFTPLUS_H_
#define IAT_SIMILARITY_GLM_POISSON_SOFTPLUS_H_

#include <memory>

#include "similarity/mapping.h"

namespace iat {

// Maker for the registry.
std::unique_ptr<Mapping> MakeGlmPoissonSoftplusMapping(const MappingOptions& options);

}  // namespace iat

#endif  // IAT_SIMILARITY_GLM_POISSON_SOFTPLUS_H_
