// L2 logistic regressions of many targets on one source, all at once.
//
//   minimise over a, b:  sum_i log(1 + exp(-c_i (z_i a + b))) + logistic_penalty ||a||^2
//
// Shapes   z: one row of Z, the source in its eigenbasis (similarity/source_basis.h),
//          where the penalty is the same as on the source itself.
//          c_i: +1 active, -1 not, 0 where a column leaves stimulus i out (a held-out
//          fold). One column of a batch is one such problem.
// Penalty  Weighs the squared norm against the summed log-loss; b is unpenalised.
//          sklearn's C is 1 / (2 logistic_penalty).
// Method   L-BFGS for all columns in step, every iteration two matrix products, with
//          the inverse of diag(sum_i p_i (1 - p_i) s_k / n + 2 logistic_penalty) as the
//          first guess of the inverse Hessian: in the eigenbasis that is close. A
//          column that has converged leaves the batch. Curvature pairs survive a change
//          of penalty exactly (y gains 2 (new - old) s), so a path is followed warm.
// Accuracy Solve(kFast): float32 products summed over tiles in float64, for choosing a
//          penalty. Solve(kExact): float64; stops when the estimated squared error of
//          the margins, weighted by p (1 - p), is below 2e-16 on average, which gives
//          probabilities to 1e-6 and better.
// Source   Liu & Nocedal, Math. Programming 45 (1989).

#ifndef IAT_SIMILARITY_LOGISTIC_H_
#define IAT_SIMILARITY_LOGISTIC_H_

#include <Eigen/Core>
#include <vector>

#include "similarity/source_basis.h"

namespace iat {

// Z with a column of ones, in row tiles that stay in cache. The last tile is padded
// with rows of zeros, which no column ever learns from.
class LogisticDesign {
 public:
  static constexpr Eigen::Index kTileRows = 256;

  explicit LogisticDesign(const SourceBasis& basis);

  Eigen::Index num_stimuli() const { return num_stimuli_; }
  Eigen::Index num_tiles() const { return num_tiles_; }
  Eigen::Index num_coefficients() const { return curvature_.size(); }  // rank + 1
  // s_k / n, and 1 for the intercept.
  const Eigen::ArrayXd& curvature() const { return curvature_; }
  template <typename Scalar>
  const Scalar* tile(Eigen::Index index) const;

 private:
  Eigen::Index num_stimuli_, num_tiles_;
  Eigen::ArrayXd curvature_;
  // kTileRows x (tiles * coefficients), column-major: a tile is contiguous.
  Eigen::MatrixXf fast_;
  Eigen::MatrixXd exact_;
};

class LogisticBatch {
 public:
  // kFastFinal: float32 as far as it goes, on the way to kExact.
  enum class Precision { kFast, kFastFinal, kExact };

  // `design` must outlive the batch. classes: stimuli x columns of +1, -1, 0.
  LogisticBatch(const LogisticDesign& design, const Eigen::MatrixXf& classes);

  Eigen::Index num_columns() const { return classes_.cols(); }

  // rank + 1 rows, the intercept last. Starts at zero weights and each column's base
  // rate.
  Eigen::VectorXd Coefficients(Eigen::Index column) const { return columns_[column].x; }
  void SetCoefficients(Eigen::Index column, const Eigen::VectorXd& coefficients);

  // Solves the named columns at their penalties, from where they stand. Returns the
  // number of iterations (evaluations of the loss).
  int Solve(const std::vector<Eigen::Index>& columns,
            const std::vector<double>& penalties, Precision precision);

  // z_i a + b in float32 for the named columns: stimuli x columns.
  Eigen::MatrixXf Margins(const std::vector<Eigen::Index>& columns) const;

 private:
  struct Pair {
    Eigen::VectorXd step, change;
    double inverse_product = 0.0;
  };
  struct Column {
    Eigen::VectorXd x, data_gradient;
    double data_loss = 0.0, curvature = 0.0;  // curvature: sum of p (1 - p)
    double penalty = 0.0;
    double num_left_out = 0.0;  // padding included
    bool evaluated = false;
    bool evaluated_exactly = false;
    std::vector<Pair> pairs;  // oldest first
    // The search under way.
    Eigen::VectorXd gradient, direction, trial;
    double loss = 0.0, slope = 0.0, step = 1.0;
  };

  template <typename Scalar>
  void Evaluate(const std::vector<Eigen::Index>& columns, const Eigen::MatrixXd& points,
                Eigen::VectorXd& losses, Eigen::VectorXd& curvatures,
                Eigen::MatrixXd& gradients) const;
  Eigen::ArrayXd InversePreconditioner(const Column& column) const;
  void SetPenalty(Column& column, double penalty) const;
  void SetDirection(Column& column) const;

  const LogisticDesign& design_;
  Eigen::MatrixXf classes_;  // padded rows
  std::vector<Column> columns_;
};

}  // namespace iat

#endif  // IAT_SIMILARITY_LOGISTIC_H_
