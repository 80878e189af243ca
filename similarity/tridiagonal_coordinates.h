// A ridge's source in coordinates where its Gram matrix is tridiagonal: all that
// leave-one-out needs, at a seventh of the cost of an eigendecomposition.
//
//   Xc'Xc = Q T Q',  Z = Xc Q,  Z'Z = T
//
// Shapes   Xc: stimuli x units (n x p).  Q: p x p, orthogonal.  T: tridiagonal.
// Cost     10 p^3 / 3 for T and Q, 2 n p^2 for Z; then a penalty costs 3 n p operations
//          for its leverages and 8 p for the coefficients of a target.

#ifndef IAT_SIMILARITY_TRIDIAGONAL_COORDINATES_H_
#define IAT_SIMILARITY_TRIDIAGONAL_COORDINATES_H_

#include <Eigen/Core>
#include <vector>

#include "absl/status/statusor.h"
#include "similarity/leave_one_out.h"
#include "similarity/linear_algebra.h"

namespace iat {

class TridiagonalCoordinates : public RidgeCoordinates {
 public:
  // `centred` is Xc, `lower_gram` the lower triangle of Xc'Xc. Internal where the
  // reduction fails (not finite input).
  static absl::StatusOr<TridiagonalCoordinates> Make(const Eigen::MatrixXd& centred,
                                                     Eigen::MatrixXd lower_gram);

  const Eigen::MatrixXd& rotated() const override { return rotated_; }
  double mean_eigenvalue() const override { return mean_eigenvalue_; }
  Eigen::MatrixXd Solve(double penalty, Eigen::MatrixXd b) const override;
  Eigen::MatrixXd Freedom(const std::vector<double>& penalties) const override;
  Eigen::MatrixXd TrainingErrors(const Eigen::RowVectorXd& total,
                                 const Eigen::MatrixXd& projected,
                                 const std::vector<double>& penalties) const override;

  // Q' (Xc'Y) = Z'Y.
  Eigen::MatrixXd Project(const Eigen::MatrixXd& cross) const;
  // Q b: coefficients of coordinates as weights of units.
  Eigen::MatrixXd Weights(const Eigen::MatrixXd& coefficients) const;

 private:
  TridiagonalCoordinates() = default;
  Tridiagonal form_;
  Eigen::MatrixXd axes_, rotated_;  // Q, Z
  double mean_eigenvalue_ = 0.0;
};

}  // namespace iat

#endif  // IAT_SIMILARITY_TRIDIAGONAL_COORDINATES_H_
