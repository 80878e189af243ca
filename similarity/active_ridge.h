// The ridge half of LogisticRidge: every target unit's ridge on the stimuli that it
// responds to, y > 0.
//
//   w_j = argmin_w  sum_{i: y_ij > 0} (y_ij - mean_j - (x_i - x_mean_j)' w)^2
//                   + ridge_penalty_j ||w||^2
//
// with both means over the active stimuli, and ridge_penalty_j the one of the grid with
// the smallest exact leave-one-out error on them (equal errors: the smaller penalty).
// The grid scales with trace(Xc'Xc)/p of the active stimuli (similarity/ridge.h).
//
// Method   In the source's eigenbasis, where a target's Gram matrix A over its m active
//          stimuli is close to diagonal. Per target: A in float32 tiles summed in
//          float64, over the active or the inactive stimuli, whichever are fewer; its
//          tridiagonal form in float32 (rows in order of their size, so that small ones
//          keep their accuracy), which gives the weights and the sum of leverages at
//          every penalty in O(units), and so generalised cross-validation, which passes
//          over penalties that are 10 % above its best. Leave-one-out divides a residual
//          by 1 - 1/m - h_i; exact leverages of all stimuli, h_i = x_i' (A + penalty
//          I)^-1 x_i, would cost most of the fit, so they are first estimated as
//            h_i = c g_i / (1 + c g_i),  g_i = sum_k x_ik^2 / (A_kk + penalty),
//          with the c that makes their sum exact. A quadratic form in the inverse of a
//          sample's Gram matrix scatters by sqrt(2 / (m - units)) about that, and only
//          the part that goes along with the squared residuals enters the summed error.
//          Penalties whose error could, with three times that uncertainty (and 1e-4
//          at least), be the smallest are then compared by their exact leverages.
//          The weights at the chosen penalties are refined for a block of targets at
//          once, by float64 products with the source, until predictions are good to
//          1e-10 of the target's deviation.
// Accuracy Exact errors are computed in float32 and rank penalties to about 1e-6.
//          Targets that a float32 Gram matrix cannot tell enough about (training error
//          below 1e-4 of the variance at the smallest penalty, fewer active stimuli than
//          axes, a refinement that does not settle) take the float64 road of
//          FitSingleRidge.

#ifndef IAT_SIMILARITY_ACTIVE_RIDGE_H_
#define IAT_SIMILARITY_ACTIVE_RIDGE_H_

#include <Eigen/Core>

#include "absl/status/statusor.h"
#include "similarity/logistic_ridge_options.h"
#include "similarity/mapping.h"
#include "similarity/ridge_options.h"

namespace iat {

struct ActiveRidgeFit {
  LinearMap map;
  // NaN where there were fewer than min_active active stimuli: the map is their mean,
  // or 0 without any.
  Eigen::VectorXd ridge_penalty;
  int64_t num_at_edge = 0;
  // Predictions of every fit stimulus from fits that left it out: stimuli x units. Where
  // the estimated leverages decided, active stimuli have them: good to a few per cent of
  // the difference that leaving a stimulus out makes.
  Eigen::MatrixXd out_of_sample;
};

// `target` is stimuli x units. InvalidArgument: row counts differ.
absl::StatusOr<ActiveRidgeFit> FitActiveRidges(SourceData& source,
                                               const Eigen::MatrixXd& target,
                                               const RidgeOptions& ridge,
                                               const LogisticRidgeOptions& options);

}  // namespace iat

#endif  // IAT_SIMILARITY_ACTIVE_RIDGE_H_
