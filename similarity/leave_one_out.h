// Which penalty of a grid has the smallest leave-one-out error, for many targets of one
// source.
//
//   h_i = 1/n + sum_k z_ik^2 / (s_k + penalty),  error = sum_i (y_i - y_hat_i)^2 / (1 -
//   h_i)^2
//
// with Xc = Z V', Z'Z = diag(s) (similarity/source_basis.h).
//
// Cost     An evaluation is a product of n x r by r x targets, each target at its own
//          penalty. Only penalties that could be best are evaluated. Training errors are
//          known at every penalty without predictions, and the squared residuals at one
//          penalty weighted by 1 / (1 - h)^2 at another say how much larger than the
//          training error there the leave-one-out error is. The search starts where
//          generalised cross-validation is smallest, goes to the smallest of these
//          estimates until it stays, then evaluates the best's neighbour with the smaller
//          estimate. At the other one the excess is extrapolated from what the residuals
//          at the best and at its neighbour say, and it is evaluated too unless that is
//          above the best by more than twice what they differ. So both neighbours of
//          the chosen penalty are worse; of several minima it may be the second best.
//          Against brute force, real activations of 192 to 384 units and 50 to 8,000
//          stimuli: no neighbour of 2,016 targets was better, one other minimum was.
// Accuracy Errors are float32 products summed in float64 where a target's training error
//          at the smallest penalty is above 1e-4 of its variance, float64 below. Z and
//          its leverages are made in float64 only where the former take it or the latter
//          need it (RidgeCoordinates::InFloat).

#ifndef IAT_SIMILARITY_LEAVE_ONE_OUT_H_
#define IAT_SIMILARITY_LEAVE_ONE_OUT_H_

#include <Eigen/Core>
#include <optional>
#include <vector>

#include "similarity/source_basis.h"

namespace iat {

// Z / scale in float32, and 1 - h from it; none where Freedom is to be taken.
struct FloatCoordinates {
  Eigen::MatrixXf rotated;
  std::optional<Eigen::MatrixXd> freedom;
};

// What choosing needs of a source: coordinates Z of its stimuli, stimuli x r, in which
// fits at many penalties are cheap. PrincipalCoordinates make Z'Z diagonal,
// TridiagonalCoordinates (similarity/tridiagonal_coordinates.h) tridiagonal.
class RidgeCoordinates {
 public:
  virtual ~RidgeCoordinates() = default;
  virtual const Eigen::MatrixXd& rotated() const = 0;  // Z; may be made when asked for
  virtual double mean_eigenvalue() const = 0;          // trace(Xc'Xc) / p
  // What Z is multiplied by to fit targets at a penalty, from projected = Z'y: r x any
  // number of columns.
  virtual Eigen::MatrixXd Solve(double penalty, Eigen::MatrixXd projected) const = 0;
  // 1 - h: stimuli x penalties.
  virtual Eigen::MatrixXd Freedom(const std::vector<double>& penalties) const = 0;
  // ||y - y_hat||^2, penalties x targets, from projected = Z'y and total = ||y||^2;
  // uncertain by rounding of ||y||^2, not below 0.
  virtual Eigen::MatrixXd TrainingErrors(const Eigen::RowVectorXd& total,
                                         const Eigen::MatrixXd& projected,
                                         const std::vector<double>& penalties) const = 0;
  virtual FloatCoordinates InFloat(double scale,
                                   const std::vector<double>& penalties) const;
};

// Along the source's principal axes: Z'Z = diag(eigenvalues). What it is given must
// outlive it.
class PrincipalCoordinates : public RidgeCoordinates {
 public:
  explicit PrincipalCoordinates(const SourceBasis& basis)
      : PrincipalCoordinates(basis.rotated(), basis.eigenvalues(),
                             basis.mean_eigenvalue()) {}
  PrincipalCoordinates(const Eigen::MatrixXd& rotated, const Eigen::VectorXd& eigenvalues,
                       double mean_eigenvalue)
      : rotated_(rotated), eigenvalues_(eigenvalues), mean_eigenvalue_(mean_eigenvalue) {}

  const Eigen::MatrixXd& rotated() const override { return rotated_; }
  double mean_eigenvalue() const override { return mean_eigenvalue_; }
  Eigen::MatrixXd Solve(double penalty, Eigen::MatrixXd projected) const override;
  Eigen::MatrixXd Freedom(const std::vector<double>& penalties) const override;
  Eigen::MatrixXd TrainingErrors(const Eigen::RowVectorXd& total,
                                 const Eigen::MatrixXd& projected,
                                 const std::vector<double>& penalties) const override;

 private:
  const Eigen::MatrixXd& rotated_;
  const Eigen::VectorXd& eigenvalues_;
  const double mean_eigenvalue_;
};

// 1 - h: stimuli x penalties.
Eigen::MatrixXd Freedom(const SourceBasis& basis, const std::vector<double>& penalties);

// Position in the grid of each target's smallest error; equal errors: the smaller
// position. `target` is centred, `projected` is Z' target.
std::vector<Eigen::Index> ChooseByLeaveOneOut(const SourceBasis& basis,
                                              const Eigen::MatrixXd& target,
                                              const Eigen::MatrixXd& projected,
                                              const std::vector<double>& penalties);

// Targets that lie where they are, and what is to be taken off them.
struct TargetView {
  Eigen::Ref<const Eigen::MatrixXd> values;
  Eigen::RowVectorXd mean;
};
std::vector<Eigen::Index> ChooseByLeaveOneOut(const RidgeCoordinates& source,
                                              const TargetView& target,
                                              const Eigen::MatrixXd& projected,
                                              const std::vector<double>& penalties);

// 1 - h of a stimulus that has all the leverage, which is fitted whatever its value: what
// 1 - h is never below, for a division must not be by zero.
inline constexpr double kSmallestFreedom = 1e-12;

// Every error in float64, without passing anything over: penalties x target units. Any
// `target`; its mean is taken off.
Eigen::MatrixXd LeaveOneOutErrors(const SourceBasis& basis, const Eigen::MatrixXd& target,
                                  const std::vector<double>& penalties);

}  // namespace iat

#endif  // IAT_SIMILARITY_LEAVE_ONE_OUT_H_
