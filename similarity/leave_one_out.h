// Which penalty of a grid has the smallest leave-one-out error, for many targets of one
// source.
//
//   h_i = 1/n + sum_k z_ik^2 / (s_k + penalty),  error = sum_i (y_i - y_hat_i)^2 / (1 -
//   h_i)^2
//
// with Xc = Z V', Z'Z = diag(s) (similarity/source_basis.h).
//
// Cost     An evaluation is a product of n x r by r x targets. Only penalties that could
//          be best are evaluated. Training errors are known at every penalty without
//          predictions, and the squared residuals at one penalty weighted by 1 / (1 -
//          h)^2 at another say how much larger than the training error there the
//          leave-one-out error is: an estimate good to 4e-3 of itself a decade away. The
//          search starts where generalised cross-validation is smallest, goes to the
//          smallest estimate until it stays, then evaluates the neighbours of the best
//          for as long as their uncertainty lets them be better. Within that uncertainty
//          of the best, errors are taken to fall to one minimum and to rise from it.
// Accuracy Errors are float32 products summed in float64 where a target's training error
//          at the smallest penalty is above 1e-4 of its variance, float64 below.

#ifndef IAT_SIMILARITY_LEAVE_ONE_OUT_H_
#define IAT_SIMILARITY_LEAVE_ONE_OUT_H_

#include <Eigen/Core>
#include <vector>

#include "similarity/source_basis.h"

namespace iat {

// 1 - h: stimuli x penalties.
Eigen::MatrixXd Freedom(const SourceBasis& basis, const std::vector<double>& penalties);

// Position in the grid of each target's smallest error; equal errors: the smaller
// position. `target` is centred, `projected` is Z' target.
std::vector<Eigen::Index> ChooseByLeaveOneOut(const SourceBasis& basis,
                                              const Eigen::MatrixXd& target,
                                              const Eigen::MatrixXd& projected,
                                              const std::vector<double>& penalties);

// Every error in float64, without passing anything over: penalties x target units. Any
// `target`; its mean is taken off.
Eigen::MatrixXd LeaveOneOutErrors(const SourceBasis& basis, const Eigen::MatrixXd& target,
                                  const std::vector<double>& penalties);

}  // namespace iat

#endif  // IAT_SIMILARITY_LEAVE_ONE_OUT_H_
