// The logistic half of LogisticRidge: for every target unit, the probability that it
// responds at all, y > 0, from the standardised source.
//
// Penalty  Per unit, the smallest summed log-loss over num_folds folds; stimulus i of
//          the active (the inactive) ones, in row order, belongs to fold i modulo the
//          number of folds. A unit with fewer active or inactive stimuli than folds gets
//          that many folds, so that each has both classes; with one, the strongest
//          penalty is taken. With a single penalty in the grid there is nothing to
//          choose, and no fold is fitted.
// Method   Penalties are tried from the second strongest down, each fold warm from the
//          last one, and each is compared with the best before it; the strongest where
//          nothing was better than the second. Folds begin where all stimuli together
//          have come along the largest axes, and go on towards their minimum, from 3e-4
//          nats a stimulus halved down to 3e-7, only as long as the comparison is
//          within the losses' uncertainty (similarity/logistic.h). A unit's path ends
//          where its loss has turned: after two penalties in a row that are worse than
//          the best, or one that stands 0.2 % above it at a minimum, or clearly 1 % on
//          the way to one.
//          The fit on all stimuli starts from the mean of the folds' coefficients. Folds
//          and final fits of many units are advanced together (similarity/logistic.h),
//          and a unit that is done makes room for the next.

#ifndef IAT_SIMILARITY_GATE_H_
#define IAT_SIMILARITY_GATE_H_

#include <Eigen/Core>
#include <vector>

#include "absl/status/statusor.h"
#include "similarity/logistic_ridge_options.h"
#include "similarity/mapping.h"

namespace iat {

// For all target units of a problem.
struct GateFit {
  LinearMap margins;                 // predicts log(p / (1 - p)); infinite when certain
  Eigen::VectorXd logistic_penalty;  // NaN for units that are never or always active
  int64_t num_at_edge = 0;
  // One a unit, folds as columns, at the chosen penalty, in the source's eigenbasis, the
  // intercept last; no columns where no fold was fitted. As close to their minimum as the
  // choice took.
  std::vector<Eigen::MatrixXd> fold_coefficients;
};

// `target` is stimuli x units; only its sign matters. InvalidArgument: row counts
// differ.
absl::StatusOr<GateFit> FitGates(SourceData& source, const Eigen::MatrixXd& target,
                                 const LogisticRidgeOptions& options);

// log(p / (1 - p)) of every fit stimulus from the folds that left it out, at the chosen
// penalties: stimuli x units. Folds are brought within 1e-6 nats a stimulus of their
// minimum first. Columns of units that have fewer than two folds are NaN.
absl::StatusOr<Eigen::MatrixXf> OutOfFoldMargins(SourceData& source,
                                                 const Eigen::MatrixXd& target,
                                                 const GateFit& gates,
                                                 const LogisticRidgeOptions& options);

}  // namespace iat

#endif  // IAT_SIMILARITY_GATE_H_
