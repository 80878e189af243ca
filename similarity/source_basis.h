// A centred source matrix in the basis of its own principal axes, where every
// penalty of a ridge costs a division instead of a solve.
//
//   Xc = X - mean = Z V',   Z'Z = diag(s),   s > 0
//
// Shapes   X: stimuli x source units (n x p).  Z: n x r, r = rank <= min(n - 1, p).
//          V: p x r, orthonormal columns.
// Units    s in squared activation units, summed over stimuli.
// Cost     O(n p min(n, p) + min(n, p)^3): the p x p Gram matrix where p <= n, else
//          the n x n one (the dual). Both give the same Z up to signs.
// Rank     Axes with s below the rounding of the largest are left out: a constant
//          or duplicate unit costs nothing and breaks nothing.

#ifndef IAT_SIMILARITY_SOURCE_BASIS_H_
#define IAT_SIMILARITY_SOURCE_BASIS_H_

#include <Eigen/Core>

#include "absl/status/statusor.h"

namespace iat {

class SourceBasis {
 public:
  // InvalidArgument: no rows, no columns, or values that are not finite.
  static absl::StatusOr<SourceBasis> Make(Eigen::MatrixXd source);

  Eigen::Index num_stimuli() const { return rotated_.rows(); }
  Eigen::Index num_units() const { return mean_.size(); }
  Eigen::Index rank() const { return rotated_.cols(); }

  const Eigen::RowVectorXd& mean() const { return mean_; }
  const Eigen::MatrixXd& rotated() const { return rotated_; }          // Z
  const Eigen::MatrixXd& axes() const { return axes_; }                // V
  const Eigen::VectorXd& eigenvalues() const { return eigenvalues_; }  // s
  // trace(Xc'Xc) / p: what penalty grids scale with.
  double mean_eigenvalue() const { return mean_eigenvalue_; }
  // 1 / (s + penalty).
  Eigen::ArrayXd InverseCurvature(double penalty) const {
    return (eigenvalues_.array() + penalty).inverse();
  }

 private:
  SourceBasis() = default;
  Eigen::RowVectorXd mean_;
  Eigen::MatrixXd rotated_, axes_;
  Eigen::VectorXd eigenvalues_;
  double mean_eigenvalue_ = 0.0;
};

}  // namespace iat

#endif  // IAT_SIMILARITY_SOURCE_BASIS_H_
