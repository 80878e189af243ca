// Undo the source's ReLU, map linearly, apply the ReLU again: the two animals may be
// alike before a nonlinearity that hides it. What the ReLU removed is estimated, not
// recovered:
//
//   1. h_hat = E[h | x], the source before its ReLU (similarity/censored_gaussian.h):
//      what active units show, and for silent ones what the others make likely.
//   2. u_j   = xs w_j + b_j + noise of deviation sigma_j, xs: h_hat standardised; y_j =
//      max(u_j, 0). A Tobit regression: active responses are read as values, silent ones
//      as "u <= 0", so that how far below 0 the linear map goes costs nothing.
//   3. y_hat_j = E[max(u_j, 0)] = eta Phi(eta / sigma) + sigma phi(eta / sigma): the ReLU
//      again, in the mean over what the map leaves open, which has the least squared
//      error. It becomes max(eta, 0) as the noise vanishes.
//
//   w, b, sigma = argmin  -mean_i log p(y_i | eta_i, sigma) + penalty ||w||^2 / 2
//      log p = log phi((y - eta) / sigma) - log sigma   where y > 0
//              log Phi(-eta / sigma)                    where y = 0
//
// Shapes   X: stimuli x source units.  Y: stimuli x target units.
// Stages   Source units that are not rectified (before a ReLU, recordings with negative
//          values) are used as they are. Targets before a ReLU, or recordings with a
//          negative value, have no ReLU to apply again: step 2 is then a ridge on h_hat,
//          with the options of the table `ridge`.
// Penalty  Chosen among `penalties` by the held-out squared error of y_hat, with targets
//          in units of their root mean square; similarity/response_model.h says how, and
//          what it costs.
// Chosen   inverse_nonlinear_penalty, or ridge_penalty; NaN for targets that never vary,
//          which are predicted by their value.
// Source   The idea is that of the inverse-linear-nonlinear maps of Thobani et al.
//          (arXiv:2510.02523), whose construction is not published; this one is ours.
//          Tobin (1958) for step 2.

#ifndef IAT_SIMILARITY_INVERSE_NONLINEAR_H_
#define IAT_SIMILARITY_INVERSE_NONLINEAR_H_

#include <memory>

#include "similarity/mapping.h"

namespace iat {

// Maker for the registry.
std::unique_ptr<Mapping> MakeInverseNonlinearMapping(const MappingOptions& options);

}  // namespace iat

#endif  // IAT_SIMILARITY_INVERSE_NONLINEAR_H_
