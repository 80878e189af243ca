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
//          minimum is wanted exactly, a column is given one that is closer
//          (similarity/logistic_hessian.h), which takes several times fewer steps.
//          From nothing, a column moves along the 48 largest axes alone at first, each
//          step a quarter of one along all of some 400, losses included.
//          Curvature pairs survive a change of penalty exactly (the gradient's change
//          gains 2 (new - old) times the step), so a path is followed warm.
// Accuracy kFast: float32 products summed over tiles in float64, for choosing a penalty;
//          ends where the estimated distance of the loss from its minimum is below 4e-6
//          a stimulus, or below what BeginFast is told. kFastFinal: until margins are
//          within some 2e-4 of the minimum's.
//          kExact: Newton's step from a gradient in float64, its system solved by
//          conjugate gradients with float32 products until margins are estimated to be
//          within 6e-7 (root mean square, weighted by p (1 - p)) of the minimum's. A
//          relative error of 1e-6 in a step that moves margins by some 3e-4 is none
//          that shows; what Newton's method leaves is of second order, so from there a
//          single step gives probabilities to 1e-6 and better. From further away each
//          step ends with another evaluation in float64 and, where it was too long, is
//          cut.
// Source   Liu & Nocedal, Math. Programming 45 (1989); Nocedal & Wright, Numerical
//          Optimization (2006), chapter 7.
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

#include "similarity/logistic_design.h"
#include "similarity/logistic_evaluation.h"
#include "similarity/logistic_hessian.h"

namespace iat {

enum class LogisticPrecision { kFast, kFastFinal, kExact };

class LogisticColumn {
 public:
  // classes: one a stimulus, +1 active and -1 not; +2 and -2 the same, held out. Both
  // must occur among those that are not held out. Starts at zero weights and the base
  // rate.
  LogisticColumn(const LogisticDesign& design, const Eigen::VectorXf& classes);

  // rank + 1 numbers, the intercept last.
  const Eigen::VectorXd& coefficients() const { return x_; }
  void SetCoefficients(const Eigen::VectorXd& coefficients);
  // Goes on from where a column of other classes stands, at its penalty, with what that
  // one knows of the curvature, as if it were the same for every stimulus learned from.
  void StartFrom(const LogisticColumn& other);
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
  // From nothing along the leading axes alone, close to the minimum there: a start for
  // others, where there are axes enough for that.
  void BeginLeading(double penalty);
  static bool HasLeadingAxes(const LogisticDesign& design);
  bool converged() const { return converged_; }

  // Summed log-loss of the stimuli held out, at coefficients(); known once Advance has
  // been called, but not at the end of kExact, whose last step nothing evaluates.
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

  // float32: what a pair says is no more exact than that.
  struct Pair {
    Eigen::VectorXf step, change;
    float inverse_product = 0.0f;
  };
  // The data's part of the problem at a point.
  struct Evaluation {
    double loss = 0.0, held_out_loss = 0.0;
    double curvature = 0.0;  // sum of p (1 - p)
    Eigen::VectorXd gradient;
  };
  // A step of Newton's method on its way.
  struct NewtonStep {
    Eigen::VectorXd step, residual;
    Eigen::VectorXd direction;  // of conjugate gradients
    double size = 0.0;          // of the residual, as the preconditioner measures it
    double enough = 0.0;
    int num_products = 0;
    bool exact = false;  // its products are in float64
  };

  void BeginTo(double penalty, LogisticPrecision precision, double decrement);
  // Among what Advance multiplies at a time.
  enum class Product { kExact, kFast, kLeading };
  Product product() const;
  static void AdvanceAlike(const LogisticDesign& design, Product product,
                           const std::vector<LogisticColumn*>& columns);
  LogisticPass NextPass();
  Eigen::VectorXd NextPoint() const;
  void Take(Evaluation evaluation);
  // Prepares the next step, or finds that none is needed.
  void BeginSearch();
  // Of the decrement, where to stop.
  double Enough() const;
  void GoOnAlongAllAxes();
  void SetDirection();
  void BeginNewtonStep();
  // The data's part of the Hessian times its direction.
  void TakeProduct(Eigen::VectorXd product);
  void EndNewtonStep();
  void KeepPair(const Eigen::VectorXd& step, const Eigen::VectorXd& change);
  // The first guess of the inverse Hessian times a vector, and what pairs make of it.
  Eigen::VectorXd Precondition(const Eigen::VectorXd& gradient) const;
  Eigen::VectorXd PreconditionByPairs(const Eigen::VectorXd& gradient) const;

  const LogisticDesign* design_;
  Eigen::VectorXf classes_;  // padded with zeros
  double num_learned_ = 0.0, num_held_out_ = 0.0;
  Eigen::VectorXd x_;
  Evaluation now_;
  bool evaluated_ = false;
  bool keeps_weights_ = false;
  Eigen::ArrayXf weights_;
  bool on_leading_ = false;  // moves along the leading axes and the intercept alone
  bool stays_on_leading_ = false;
  LogisticPrecision precision_ = LogisticPrecision::kFast;
  double penalty_ = 0.0;
  double enough_ = 0.0;      // the decrement, a stimulus, where kFast stops
  double decrement_ = 0.0;   // the last one estimated, of the whole loss
  std::vector<Pair> pairs_;  // oldest first
  std::optional<LogisticHessian> hessian_;
  std::optional<NewtonStep> newton_;
  bool beyond_float_ = false;  // float32 did not solve a Newton step
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
