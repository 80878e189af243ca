// (H + 2 penalty I)^-1 in float32 as good as it is cheap, H = sum_i w_i z_i z_i' with
// w_i = p_i (1 - p_i): about the inverse Hessian of a logistic regression's objective at
// a point, to take steps with.
//
// What couples coefficients are stimuli near the boundary between the classes, and the
// axes along which the source varies most:
// - the largest w_i that make up 99 % of their sum, and at least 1,024, enter as they
//   are; the rest as if their w_i did not depend on z_i, which makes their part diagonal;
// - along the 160 largest axes and the intercept H is whole, along the others diagonal.
//
// Cost, with 384 axes and 8,000 stimuli: that of twelve evaluations of the objective. All
// of H would take four times as much, and save a third of the steps that follow.

#ifndef IAT_SIMILARITY_LOGISTIC_HESSIAN_H_
#define IAT_SIMILARITY_LOGISTIC_HESSIAN_H_

#include <Eigen/Core>
#include <utility>

#include "absl/status/statusor.h"
#include "similarity/logistic_design.h"

namespace iat {

class LogisticHessian {
 public:
  // `weights` are the w_i. FailedPrecondition where float64 cannot factor it.
  // `num_coupled` axes instead of 160 where steps are many otherwise.
  static absl::StatusOr<LogisticHessian> Create(const LogisticDesign& design,
                                                const Eigen::ArrayXf& weights,
                                                double penalty,
                                                Eigen::Index num_coupled = 160);
  // (H + 2 penalty I)^-1 g.
  Eigen::VectorXd Solve(const Eigen::VectorXd& g) const;

 private:
  LogisticHessian(Eigen::ArrayXf inverse, Eigen::MatrixXf cholesky)
      : inverse_(std::move(inverse)), cholesky_(std::move(cholesky)) {}

  Eigen::ArrayXf inverse_;    // along the axes that come first, the small ones
  Eigen::MatrixXf cholesky_;  // of the whole part
};

// The summed w_i that a diagonal stands for, at least what keeps the intercept finite: a
// separated class has no curvature left.
double FlooredCurvature(double curvature, const LogisticDesign& design);

}  // namespace iat

#endif  // IAT_SIMILARITY_LOGISTIC_HESSIAN_H_
