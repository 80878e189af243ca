// Lasso and elastic net: linear maps that use few source units.
//
//   Y_hat = (X - x_mean) W + y_mean
//   w_j   = argmin_w ||yc_j - Xc w||^2 / 2n
//                    + penalty_j (l1_ratio ||w||_1 + (1 - l1_ratio) b_j ||w||^2 / 2)
//   b_j   = s_x / s_j,  s_x^2: mean variance of the source units,  s_j: deviation of yc_j
//
// lasso is l1_ratio = 1; elastic_net has l1_ratio = 0.5 unless told otherwise.
//
// Shapes   X: stimuli x source units (n x p).  Y: stimuli x target units (n x t).
//          W: p x t, sparse.
// Units    Raw activation units; the data term is a mean over stimuli, so that the
//          penalty is sklearn's alpha. The intercept is unpenalised. sklearn's ElasticNet
//          has b_j = 1, which makes the balance of the two norms depend on the units of
//          measure; ours is what it gives where s_x = s_j = 1.
// Penalty  A target's grid falls from the least penalty that leaves W at 0,
//          max_i |xc_i' yc_j| / (n l1_ratio), by num_penalties log-spaced steps to
//          min_relative_penalty of it. Chosen is the least squared error over num_folds
//          folds (stimulus i in fold i modulo num_folds, each predicted from the others,
//          centred on their own mean) of the grid of all fit stimuli; a tie goes to the
//          larger. A target's path ends after two rises of its error in a row.
// Chosen   lasso_penalty or elastic_net_penalty, absolute; NaN for a target that no
//          source unit covaries with, which is predicted by its mean.
// Method   Coordinate descent (similarity/coordinate_descent.h) on the Gram matrices of
//          the folds, which are differences of Grams; errors come from the held-out
//          Grams. Nothing touches the stimuli after the first.
// Accuracy On folds steps end below 1e-9 of the target's variance, which can change a
//          choice only between penalties that are about equally good; the final map
//          satisfies the optimality conditions to 1e-9.
// Cost     Memory: (3 num_folds + 2) p^2 doubles. benchmarks/similarity/time_mappings.py
//          measures seconds beside sklearn's.
// Source   Tibshirani (1996); Zou & Hastie (2005); sklearn's LassoCV, ElasticNetCV.

#ifndef IAT_SIMILARITY_LASSO_H_
#define IAT_SIMILARITY_LASSO_H_

#include <memory>

#include "similarity/mapping.h"

namespace iat {

struct ElasticNetFit {
  LinearMap map;
  Eigen::VectorXd penalty;  // one a target unit, absolute
  int64_t num_at_edge = 0;  // choices at an end of the grid
};
// l1_ratio in (0, 1]. InvalidArgument as CheckResponses (similarity/centring.h).
absl::StatusOr<ElasticNetFit> FitElasticNet(const Eigen::MatrixXd& source,
                                            const Eigen::MatrixXd& target,
                                            double l1_ratio, const LassoOptions& options);

// The same at given penalties (> 0), one a target unit.
absl::StatusOr<LinearMap> SolveElasticNet(const Eigen::MatrixXd& source,
                                          const Eigen::MatrixXd& target, double l1_ratio,
                                          const Eigen::VectorXd& penalty);

// Makers for the registry.
std::unique_ptr<Mapping> MakeLassoMapping(const MappingOptions& options);
std::unique_ptr<Mapping> MakeElasticNetMapping(const MappingOptions& options);

}  // namespace iat

#endif  // IAT_SIMILARITY_LASSO_H_
