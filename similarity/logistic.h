// L2 logistic regressions of many targets on one source, all at once.
//
//   minimise over a, b:  sum_i log(1 + exp(-c_i (z_i a + b))) + logistic_penalty ||a||^2
//
// Shapes   z: one row of Z, the source in its eigenbasis (similarity/source_basis.h),
//          where the penalty is the same as on the source itself.
//          c_i: +1 active, -1 not. A column is one such problem; it may hold stimuli
//          out, and then knows their log-loss at every step for nothing.
// Penalty  Weighs the squared norm against the summed log-loss; b is unpenalised.
//          sklearn's C is 1 / (2 logistic_penalty).
// Method   L-BFGS for all columns in step, every step two matrix products, with the
//          inverse of diag(sum_i p_i (1 - p_i) s_k / n + 2 logistic_penalty) as the
//          first guess of the inverse Hessian: in the eigenbasis that is close. Where a
//          minimum is wanted exactly, a column is given its own Hessian instead, which
//          takes four to eight times fewer steps (LogisticHessian).
//          From nothing, a column moves along the 48 largest axes alone at first, each
//          step an eighth of one along all of some 400.
//          Curvature pairs survive a change of penalty exactly (the gradient's change
//          gains 2 (new - old) times the step), so a path is followed warm.
// Accuracy kFast: float32 products summed over tiles in float64, for choosing a penalty;
//          ends where the estimated distance of the loss from its minimum is below 4e-6
//          a stimulus, or below what BeginFast is told.
//          kFastFinal: float32 as far as it goes, on the way to kExact: float64, until
//          the estimated squared error of the margins, weighted by p (1 - p), is below
//          1e-14 on average, which gives probabilities to 1e-6 and better.
// Source   Liu & Nocedal, Math. Programming 45 (1989).
//
// Example:
//   LogisticDesign design(basis);
//   LogisticColumn column(design, classes);
//   column.Begin(0.5, LogisticPrecision::kExact);
//   while (!column.converged()) Advance(design, {&column});

#ifndef IAT_SIMILARITY_LOGISTIC_H_
#define IAT_SIMILARITY_LOGISTIC_H_

#include <Eigen/Core>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "similarity/source_basis.h"

namespace iat {

enum class LogisticPrecision { kFast, kFastFinal, kExact };

// Z with a column of ones, one stimulus after the other, in tiles that stay in cache. The
// last tile is padded with stimuli of zeros, which no column ever learns from.
class LogisticDesign {
 public:
  static constexpr Eigen::Index kTileRows = 512;

  explicit LogisticDesign(const SourceBasis& basis);

  Eigen::Index num_stimuli() const { return num_stimuli_; }
  Eigen::Index num_tiles() const { return num_tiles_; }
  Eigen::Index num_coefficients() const { return curvature_.size(); }  // rank + 1
  // s_k / n, and 1 for the intercept.
  const Eigen::ArrayXd& curvature() const { return curvature_; }
  // Coefficients x kTileRows, column-major: a stimulus is contiguous.
  template <typename Scalar>
  const Scalar* tile(Eigen::Index index) const;

  // z_i a + b in float32: stimuli x columns of `coefficients`.
  Eigen::MatrixXf Margins(const Eigen::MatrixXd& coefficients) const;

 private:
  Eigen::Index num_stimuli_, num_tiles_;
  Eigen::ArrayXd curvature_;
  Eigen::MatrixXf fast_;  // coefficients x padded stimuli
  Eigen::MatrixXd exact_;
};

// (H + 2 penalty I)^-1 in float32, H = sum_i w_i z_i z_i', w_i = p_i (1 - p_i): the
// inverse Hessian of a column's objective at a point. Stimuli far from the boundary
// between the classes have next to no weight: those with the largest w_i that make up 95
// % of their sum, usually a quarter of all, enter as they are; the rest as if their w_i
// did not depend on z_i, which makes their part diagonal.
class LogisticHessian {
 public:
  // More coefficients than this cost more in H than they save in steps.
  static constexpr Eigen::Index kMaxCoefficients = 640;

  // `weights` are the w_i. FailedPrecondition where float64 cannot factor it.
  static absl::StatusOr<LogisticHessian> Create(const LogisticDesign& design,
                                                const Eigen::ArrayXf& weights,
                                                double penalty);
  // (H + 2 penalty I)^-1 g.
  Eigen::VectorXd Solve(const Eigen::VectorXd& g) const;

 private:
  explicit LogisticHessian(Eigen::MatrixXf cholesky) : cholesky_(std::move(cholesky)) {}

  Eigen::MatrixXf cholesky_;
};

class LogisticColumn {
 public:
  // classes: one a stimulus, +1 active and -1 not; +2 and -2 the same, held out. Both
  // must occur among those that are not held out. Starts at zero weights and the base
  // rate.
  LogisticColumn(const LogisticDesign& design, const Eigen::VectorXf& classes);

  // rank + 1 numbers, the intercept last.
  const Eigen::VectorXd& coefficients() const { return x_; }
  void SetCoefficients(const Eigen::VectorXd& coefficients);
  // The first guess of the inverse Hessian from here on; close to here, and at the
  // penalty that follows.
  void SetHessian(LogisticHessian hessian) { hessian_ = std::move(hessian); }

  // p (1 - p) of every stimulus at coefficients(), zero for those held out. Kept from the
  // last evaluation before convergence once asked for.
  void KeepWeights() { keeps_weights_ = true; }
  const Eigen::ArrayXf& weights() const { return weights_; }

  // Sets out for the minimum at this penalty from where it stands.
  void Begin(double penalty, LogisticPrecision precision);
  // kFast, to an estimated distance from the minimum of `decrement` a stimulus.
  void BeginFast(double penalty, double decrement);
  bool converged() const { return converged_; }

  // Summed log-loss of the stimuli held out, at coefficients(); known once Advance has
  // been called.
  double held_out_loss() const { return now_.held_out_loss; }
  // How far that may be from its value at the minimum. With D the estimated distance of
  // the loss from its minimum and G what stimuli held out lose more than as many that
  // were learned from, which estimates the same of the held-out loss about its own
  // minimum, Cauchy and Schwarz bound the difference by 2 sqrt(G D) to first order. Half
  // of that, and D for the second order, held 9 times in 10 on real activations.
  double HeldOutUncertainty() const;

  // Where a column stands, to come back to; good for columns of the same classes.
  class Point;
  Point point() const;
  void MoveTo(const Point& point);

 private:
  friend void Advance(const LogisticDesign& design,
                      const std::vector<LogisticColumn*>& columns);

  struct Pair {
    Eigen::VectorXd step, change;
    double inverse_product = 0.0;
  };
  // The data's part of the problem at a point.
  struct Evaluation {
    double loss = 0.0, held_out_loss = 0.0;
    double curvature = 0.0;  // sum of p (1 - p)
    Eigen::VectorXd gradient;
  };

  void BeginTo(double penalty, LogisticPrecision precision, double decrement);
  // Among what Advance multiplies at a time.
  enum class Product { kExact, kFast, kLeading };
  Product product() const;
  static void AdvanceAlike(const LogisticDesign& design, Product product,
                           const std::vector<LogisticColumn*>& columns);
  Eigen::VectorXd NextPoint() const;
  void Take(Evaluation evaluation);
  // Prepares the next step, or finds that none is needed.
  void BeginSearch();
  void GoOnAlongAllAxes();
  void SetDirection();
  // The first guess of the inverse Hessian times a vector.
  Eigen::VectorXd Precondition(const Eigen::VectorXd& gradient) const;

  const LogisticDesign* design_;
  Eigen::VectorXf classes_;  // padded with zeros
  double num_learned_ = 0.0, num_held_out_ = 0.0;
  Eigen::VectorXd x_;
  Evaluation now_;
  bool evaluated_ = false;
  bool keeps_weights_ = false;
  Eigen::ArrayXf weights_;
  bool on_leading_ = false;  // moves along the leading axes and the intercept alone
  LogisticPrecision precision_ = LogisticPrecision::kFast;
  double penalty_ = 0.0;
  double enough_ = 0.0;      // the decrement, a stimulus, where to stop
  double decrement_ = 0.0;   // the last one estimated, of the whole loss
  std::vector<Pair> pairs_;  // oldest first
  std::optional<LogisticHessian> hessian_;
  bool converged_ = false;
  int num_evaluations_ = 0;
  // The search under way.
  Eigen::VectorXd gradient_, direction_;
  double loss_ = 0.0, slope_ = 0.0, step_ = 1.0;
};

class LogisticColumn::Point {
 public:
  const Eigen::VectorXd& coefficients() const { return x_; }

 private:
  friend class LogisticColumn;
  Eigen::VectorXd x_;
  Evaluation now_;
};

// One step of every column, none of them converged yet. One product with Z and one with
// its transpose serve all columns of the same precision that move along the same axes.
void Advance(const LogisticDesign& design, const std::vector<LogisticColumn*>& columns);

}  // namespace iat

#endif  // IAT_SIMILARITY_LOGISTIC_H_
