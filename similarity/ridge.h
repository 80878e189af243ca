// Ridge mapping: predict every unit of a target animal from all units of a source
// animal, over the same stimuli, each target unit with a penalty of its own.
//
//   Y_hat = (X - x_mean) W + y_mean
//   w_j   = argmin_w ||Xc w - yc_j||^2 + ridge_penalty_j ||w||^2
//
// Shapes   X: stimuli x source units.  Y: stimuli x target units.
//          W: source units x target units (transpose of sklearn's coef_).
// Units    Raw activation units. The data term sums over stimuli, as in sklearn's
//          Ridge(alpha=...). The intercept is unpenalised.
// Penalty  Per target unit, the smallest squared error inside the fit stimuli, from
//          num_penalties log-spaced values between min_ and max_relative_penalty
//          times trace(Xc'Xc)/p; equal errors: the smaller penalty.
//          "loo": leave-one-out in closed form. With Xc = Z V', Z'Z = diag(s):
//            h_i  = 1/n + sum_k z_ik^2 / (s_k + penalty)
//            e_i  = (y_i - y_hat_i) / (1 - h_i)
//          "kfold": stimulus i belongs to fold i modulo num_folds; every fold is
//          predicted from the others, centred on their own mean.
// Cost     One eigendecomposition a source (similarity/source_basis.h), then two or three
//          products of n x r by r x targets (similarity/leave_one_out.h).
// Accuracy Leave-one-out errors are float32 products summed in float64 where a target's
//          training error at the smallest penalty is above 1e-4 of its variance, so that
//          a choice can differ from that of float64 only where two penalties' errors
//          agree to about 1e-6 (1e-5 at that bound); float64 below. Weights and
//          predictions are float64.
// Source   Hoerl & Kennard, Technometrics 12 (1970); arXiv:2510.02523.
//
// ridge_clamped is max(ridge, 0): the cheap way to respect that a target after its
// ReLU is never negative. Refused for other targets.

#ifndef IAT_SIMILARITY_RIDGE_H_
#define IAT_SIMILARITY_RIDGE_H_

#include <Eigen/Core>
#include <memory>

#include "absl/status/statusor.h"
#include "similarity/mapping.h"
#include "similarity/ridge_options.h"
#include "similarity/source_basis.h"

namespace iat {

struct RidgeFit {
  LinearMap map;
  Eigen::VectorXd ridge_penalty;  // one a target unit, absolute
  int64_t num_at_edge = 0;        // choices at an end of the grid
};

// InvalidArgument: row counts differ, or the target is not finite.
absl::StatusOr<RidgeFit> FitRidge(const SourceBasis& basis, const Eigen::MatrixXd& target,
                                  const RidgeOptions& options);

// The same at given penalties (>= 0), one a target unit.
absl::StatusOr<LinearMap> SolveRidge(const SourceBasis& basis,
                                     const Eigen::MatrixXd& target,
                                     const Eigen::VectorXd& ridge_penalty);

// One target on rows of its own, in float64 for any shape and fit.
struct SingleRidgeFit {
  Eigen::RowVectorXd source_mean;
  Eigen::VectorXd weights;  // one a source unit
  double target_mean = 0.0;
  double ridge_penalty = 0.0;
  bool at_edge = false;
  Eigen::VectorXd leave_one_out;  // prediction of every stimulus without itself
};
// Always by leave-one-out. The grid scales with trace(Xc'Xc) / num_units; `source` may
// be given in coordinates where it has fewer columns than units. At least one row.
absl::StatusOr<SingleRidgeFit> FitSingleRidge(Eigen::MatrixXd source,
                                              const Eigen::VectorXd& target,
                                              const RidgeOptions& options,
                                              Eigen::Index num_units);

// Makers for the registry.
std::unique_ptr<Mapping> MakeRidgeMapping(const MappingOptions& options);
std::unique_ptr<Mapping> MakeRidgeClampedMapping(const MappingOptions& options);

}  // namespace iat

#endif  // IAT_SIMILARITY_RIDGE_H_
