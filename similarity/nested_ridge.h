// Ridge curves: test scores of the ridge of similarity/ridge.h from the first m fit
// stimuli, or from the first k source units, of a random order, for many sizes of many
// orders at once. Every point equals fitting that subset by itself.
//
// Shapes   source: stimuli x source units (n x p).  target: stimuli x target units (t).
//          Test stimuli are the same for every point; q is their number, or p where that
//          is less and predictions are not kept.
// Shared   Responses are centred once, and what follows is never made twice:
//          stimuli          rows are put into the order once, so that every subset is
//                           the top of one matrix.
//          stimuli, m >= p  moments sum (x - c)(x - c)' and sum (x - c)(y - c_y)' grow
//                           from size to size; G = S - s s'/m takes off the subset's
//                           mean.
//          stimuli, m < p   kernels are leading blocks of one kernel of the largest such
//                           subset, centred by their own means (dual).
//          units, k <= n    Gram matrices are blocks of one p x p Gram of the whole pool,
//                           which serves every order.
//          units, k > n     the n x n kernel grows from size to size (dual).
//          test stimuli     are rotated to q rows once, which score every point
//                           (similarity/linear_scores.h).
//          everything       subsets that hold all stimuli and all units are one and the
//                           same whatever the order, and are fitted once.
// Size     Each size has one tridiagonal form of its own, of its Gram matrix or its
//          kernel, that serves every penalty and target (similarity/
//          tridiagonal_coordinates.h). One Cholesky factor a penalty would serve every
//          leading block, but only if they shared their penalties, and leave-one-out
//          would need it applied to all stimuli at every penalty: n p^2 a penalty,
//          against 2 n p^2 in all.
// Cost     Of a primal size, in float64: n p (p + 2 t) for the moments of the stimuli
//          that were added, 8 p^3 / 3 for the tridiagonal form and its axes, 4 p^2 t for
//          the weights, 2 q p t for the scores, p^2 t where q = p. In float32, at twice
//          the speed: 2 n p^2 for the rotated stimuli, 5 n p for the leverages at each
//          penalty, 2 n p t for each penalty that is evaluated, one or two a target.
// Penalty  Per target unit and subset, by exact leave-one-out inside that subset, from
//          the grid that scales with the subset's own trace(Xc'Xc)/p, as FitRidge
//          chooses; choices differ from FitRidge's only where two penalties are as good
//          as equal (similarity/leave_one_out.h). selection = "kfold" fits every point by
//          FitRidge.
// Accuracy Float32 serves to choose penalties, and only of targets for which FitRidge
//          takes it too; rotated stimuli and leverages are made in float64 for the
//          others, leverages also where a stimulus keeps less than 5 % of its freedom. At
//          equal penalties predictions are SolveRidge's to rounding: R2 within 1e-8 (1e-8
//          of |R2| where that is above 1). A unit that is constant on a subset is left
//          out of it exactly.
//
// Example:
//   auto ridge = NestedRidge::Make(x_fit, y_fit, x_test, y_test, options);
//   ridge->OverStimuli(stream.Permutation(8000), {125, 500, 2000, 8000},
//                      [&](const RidgePoint& point) {
//                        r2[point.size] = point.r2;
//                        return absl::OkStatus();
//                      });

#ifndef IAT_SIMILARITY_NESTED_RIDGE_H_
#define IAT_SIMILARITY_NESTED_RIDGE_H_

#include <Eigen/Core>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "similarity/block_products.h"
#include "similarity/centring.h"
#include "similarity/leave_one_out.h"
#include "similarity/linear_scores.h"
#include "similarity/ridge_options.h"
#include "similarity/tridiagonal_coordinates.h"

namespace iat {

struct RidgePoint {
  int64_t size = 0;               // fit stimuli, or source units
  Eigen::VectorXd r2, r;          // on the test stimuli (similarity/r2.h)
  Eigen::MatrixXd predicted;      // test stimuli x target units, where kept
  Eigen::VectorXd ridge_penalty;  // one a target unit, absolute
  int64_t num_at_edge = 0;        // choices at an end of the grid
};
using RidgePointVisitor = std::function<absl::Status(const RidgePoint&)>;

class NestedRidge {
 public:
  enum class Predictions { kLeftOut, kKept };

  // InvalidArgument: an empty source, no test stimuli, rows or columns that do not fit,
  // values that are not finite.
  static absl::StatusOr<NestedRidge> Make(
      const Eigen::MatrixXd& source_fit, const Eigen::MatrixXd& target_fit,
      const Eigen::MatrixXd& source_test, const Eigen::MatrixXd& target_test,
      RidgeOptions options, Predictions predictions = Predictions::kLeftOut);

  // Calls `visit` once a size, in order; its error ends the walk. `order` holds every row
  // of the fit stimuli (every source unit) once; `sizes` rise, from 2 stimuli (1 unit) up
  // to all; InvalidArgument otherwise.
  absl::Status OverStimuli(const std::vector<int64_t>& order,
                           const std::vector<int64_t>& sizes,
                           const RidgePointVisitor& visit);
  absl::Status OverUnits(const std::vector<int64_t>& order,
                         const std::vector<int64_t>& sizes,
                         const RidgePointVisitor& visit);

  int64_t num_stimuli() const { return source_.values.rows(); }
  int64_t num_units() const { return source_.values.cols(); }

 private:
  NestedRidge(CentredUnits source, CentredUnits target, LinearScores test,
              RidgeOptions options)
      : options_(std::move(options)),
        source_(std::move(source)),
        target_(std::move(target)),
        test_(std::move(test)),
        test_source_shift_(test_.source_mean() - source_.mean),
        test_target_shift_(test_.target_mean() - target_.mean) {}

  // What one subset is fitted from and scored on: centred test stimuli, and their mean.
  struct Primal {
    TridiagonalCoordinates::Source source;
    Eigen::MatrixXd lower_gram;  // of Xc
    Eigen::MatrixXd cross;       // Xc' Yc
    // test_.source()'s columns that are in the subset, q x units; none where all are.
    std::optional<MatrixView> test;
    Eigen::RowVectorXd test_shift;  // of the units, less their mean over the subset
  };
  struct Dual {
    Eigen::MatrixXd lower_kernel;  // of X
    int64_t num_units = 0;
    MatrixView test_kernel;         // q x fit stimuli
    Eigen::RowVectorXd test_shift;  // kernel of the test stimuli's mean: 1 x fit stimuli
  };
  absl::StatusOr<RidgePoint> Solve(Primal subset, const TargetView& target) const;
  absl::StatusOr<RidgePoint> Solve(Dual subset, const TargetView& target) const;
  // Scores of `fitted` (q x target units, of mean 0 over the test stimuli) + mean; mean
  // is relative to target_.mean.
  RidgePoint Scored(const Eigen::MatrixXd& fitted, const Eigen::RowVectorXd& mean) const;
  // Of a source that never varies: the mean, at the first penalty of a grid of zeros.
  RidgePoint MeanPoint(const Eigen::RowVectorXd& mean) const;
  TargetView AllTargets() const;
  absl::StatusOr<RidgePoint> FitByFolds(const std::vector<int64_t>& stimuli,
                                        const std::vector<int64_t>& units) const;

  // Of leave-one-out.
  absl::StatusOr<const RidgePoint*> Everything();
  const Eigen::MatrixXd& Gram();
  const Eigen::MatrixXd& Cross();
  const Eigen::MatrixXf& Scaled();

  RidgeOptions options_;
  CentredUnits source_, target_;  // over all fit stimuli
  LinearScores test_;
  // Means over the test stimuli less those over all fit stimuli.
  Eigen::RowVectorXd test_source_shift_, test_target_shift_;
  // Made when first asked for.
  std::optional<Eigen::MatrixXd> gram_, cross_;
  std::optional<Eigen::MatrixXf> scaled_;
  double scale_ = 1.0;  // source_ / scale_ is scaled_
  std::optional<RidgePoint> everything_;
};

}  // namespace iat

#endif  // IAT_SIMILARITY_NESTED_RIDGE_H_
