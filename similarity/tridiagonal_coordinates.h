// A ridge's source in coordinates where its Gram matrix or its kernel is tridiagonal: all
// that leave-one-out needs, at a fifth of the cost of an eigendecomposition.
//
//   units <= stimuli  Xc'Xc = Q T Q',  Z = Xc Q,  Z'Z = T
//   units > stimuli   Xc Xc' = Q T Q',  Z = Q
//
// For a kernel, with z = Z'y,
//
//   y_hat   = Z (z - penalty (T + penalty I)^-1 z)
//   1 - h_i = penalty q_i' (T + penalty I)^-1 q_i - 1/n
//
// Shapes   Xc: stimuli x units (n x p).  Q: orthogonal.  T: tridiagonal.
// Cost     8 p^3 / 3 for T and Q, 2 n p^2 for Z, in float32 unless float64 is asked for;
//          then a penalty costs 5 n p operations for its leverages and 8 p for a target.

#ifndef IAT_SIMILARITY_TRIDIAGONAL_COORDINATES_H_
#define IAT_SIMILARITY_TRIDIAGONAL_COORDINATES_H_

#include <Eigen/Core>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "similarity/leave_one_out.h"
#include "similarity/linear_algebra.h"

namespace iat {

class TridiagonalCoordinates : public RidgeCoordinates {
 public:
  // Xc twice. `scaled` is Xc / scale in its first p columns and outlives what is made
  // from it; `centred` is called at most once, if float64 turns out to be needed.
  struct Source {
    const Eigen::MatrixXf& scaled;
    double scale;
    std::function<Eigen::MatrixXd()> centred;
  };
  // `lower_gram` is the lower triangle of Xc'Xc. Internal where the reduction fails (not
  // finite input).
  static absl::StatusOr<TridiagonalCoordinates> Make(Source source,
                                                     Eigen::MatrixXd lower_gram);

  const Eigen::MatrixXd& rotated() const override;
  double mean_eigenvalue() const override { return mean_eigenvalue_; }
  Eigen::MatrixXd Solve(double penalty, Eigen::MatrixXd projected) const override;
  Eigen::MatrixXd Freedom(const std::vector<double>& penalties) const override;
  Eigen::MatrixXd TrainingErrors(const Eigen::RowVectorXd& total,
                                 const Eigen::MatrixXd& projected,
                                 const std::vector<double>& penalties) const override;
  // Leverages in float32 where each stimulus keeps 5 % of its freedom, so that their
  // rounding is small beside it.
  FloatCoordinates InFloat(double scale,
                           const std::vector<double>& penalties) const override;

  // Q: Q' (Xc'Y) = Z'Y, and Q b are the weights of units for coefficients b.
  const Eigen::MatrixXd& axes() const { return axes_; }

 private:
  explicit TridiagonalCoordinates(Source source) : source_(std::move(source)) {}
  Source source_;
  Tridiagonal form_;
  Eigen::MatrixXd axes_;
  mutable std::optional<Eigen::MatrixXd> rotated_;  // Z, when first asked for
  double mean_eigenvalue_ = 0.0;
};

class KernelCoordinates : public RidgeCoordinates {
 public:
  // The lower triangle of Xc Xc' over num_units units. Internal as above.
  static absl::StatusOr<KernelCoordinates> Make(Eigen::MatrixXd lower_kernel,
                                                Eigen::Index num_units);

  const Eigen::MatrixXd& rotated() const override { return axes_; }
  double mean_eigenvalue() const override { return mean_eigenvalue_; }
  Eigen::MatrixXd Solve(double penalty, Eigen::MatrixXd projected) const override;
  Eigen::MatrixXd Freedom(const std::vector<double>& penalties) const override;
  Eigen::MatrixXd TrainingErrors(const Eigen::RowVectorXd& total,
                                 const Eigen::MatrixXd& projected,
                                 const std::vector<double>& penalties) const override;

  // (T + penalty I)^-1 Z'y: Z times it are the weights of the kernel's stimuli.
  Eigen::MatrixXd Dual(double penalty, const Eigen::MatrixXd& projected) const;

 private:
  KernelCoordinates() = default;
  Tridiagonal form_;
  Eigen::MatrixXd axes_;
  double mean_eigenvalue_ = 0.0;
  double constant_eigenvalue_ = 0.0;  // that the constant direction was given
};

}  // namespace iat

#endif  // IAT_SIMILARITY_TRIDIAGONAL_COORDINATES_H_
