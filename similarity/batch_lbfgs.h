// L-BFGS for many smooth problems of the same size at once, so that what they have in
// common (a product with the same source) is computed for all of them together.
//
//   minimise over x_c:  loss_c(x_c) + penalty_c / 2 * ||first num_penalised of x_c||^2
//
// A column c is one such problem. Columns keep their point and their curvature pairs
// between calls of Solve, so that a path of penalties is followed warm (a pair's change
// of gradient gains (new - old) step). A column that has converged is evaluated no more.
//
// Method   Two-loop recursion with the inverse of a given diagonal as the first guess,
//          scaled by the last pair; backtracking on sufficient decrease. A loss that is
//          not finite counts as too large.
// Source   Liu & Nocedal, Math. Programming 45 (1989).

#ifndef IAT_SIMILARITY_BATCH_LBFGS_H_
#define IAT_SIMILARITY_BATCH_LBFGS_H_

#include <Eigen/Core>
#include <functional>
#include <vector>

namespace iat {

class BatchLbfgs {
 public:
  struct Evaluation {
    Eigen::VectorXd loss;       // one a column
    Eigen::MatrixXd gradient;   // variables x columns
    Eigen::MatrixXd curvature;  // variables x columns: about the Hessian's diagonal, >= 0
  };
  // Losses of `columns` at the columns of `points`, without the penalty.
  using Evaluate = std::function<Evaluation(const std::vector<Eigen::Index>& columns,
                                            const Eigen::MatrixXd& points)>;

  // `starts`: variables x columns.
  BatchLbfgs(const Eigen::MatrixXd& starts, Eigen::Index num_penalised,
             Evaluate evaluate);

  // Moves `columns` until the estimated distance of their objectives from the least is
  // below `tolerance`, or rounding hides any descent. `penalties`: one of each.
  void Solve(const std::vector<Eigen::Index>& columns,
             const std::vector<double>& penalties, double tolerance);

  const Eigen::VectorXd& point(Eigen::Index column) const { return columns_[column].x; }
  // Of `columns`, side by side.
  Eigen::MatrixXd Points(const std::vector<Eigen::Index>& columns) const;

 private:
  struct Pair {
    Eigen::VectorXd step, change;
    double inverse_product;
  };
  struct Column {
    Eigen::VectorXd x, loss_gradient, curvature;
    double loss = 0.0, penalty = 0.0;
    bool evaluated = false;
    std::vector<Pair> pairs;
    // The search under way.
    Eigen::VectorXd gradient, direction, trial;
    double objective = 0.0, slope = 0.0, step = 1.0;
  };

  Eigen::ArrayXd InversePreconditioner(const Column& column) const;
  void SetPenalty(Column& column, double penalty) const;
  void SetDirection(Column& column) const;
  bool BeginSearch(Column& column, double tolerance) const;
  bool FinishSearch(Column& column, double loss, const Eigen::VectorXd& gradient,
                    const Eigen::VectorXd& curvature) const;

  const Eigen::Index num_penalised_;
  const Evaluate evaluate_;
  std::vector<Column> columns_;
};

}  // namespace iat

#endif  // IAT_SIMILARITY_BATCH_LBFGS_H_
