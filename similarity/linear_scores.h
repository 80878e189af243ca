// R2 and Pearson's r of many linear predictions on the same test stimuli, from as few
// rows as say all of them: no prediction of a stimulus is made.
//
//   Y_hat = (X - x_mean) W + y_hat_mean,   x_mean, y_mean: over the test stimuli
//   X - x_mean = Q R,   C = Q'(Y - y_mean),   e_j = ||y_j - y_mean_j||^2 - ||c_j||^2
//
//   SSE_j = ||c_j - R w_j||^2 + e_j + n (y_mean_j - y_hat_mean_j)^2
//   r_j   = c_j' R w_j / (||R w_j|| ||y_j - y_mean_j||)
//
// Shapes   X: test stimuli x source units (n x p).  Y: n x target units (t).
//          Q: n x rows, Q'Q = I.  R: rows x p.  C: rows x t.
// Rows     p where there are more stimuli than units and only scores are wanted; then
//          R is upper triangular and a curve's point costs p^2 t instead of 2 n p t.
//          Else the stimuli themselves (Q = I), from which predictions can be had.
// Accuracy Q is orthogonal, so R w is rounded as (X - x_mean) w is, and e_j is a sum of
//          squares of its own, not a difference. Gram matrices of the test stimuli would
//          be as cheap and square the condition of the source. A residual is rounded by
//          some 1e-16 of the target and of sum |w_k| ||x_k||: of an unexplained share
//          u = 1 - R2 the scores keep all but some 1e-16 sqrt(u).
// Score    as similarity/r2.h: NaN for a target unit that is constant on the test
//          stimuli; r is 0 where the prediction does not vary.
// Source   Golub & Van Loan, Matrix Computations, least squares by orthogonal factors.

#ifndef IAT_SIMILARITY_LINEAR_SCORES_H_
#define IAT_SIMILARITY_LINEAR_SCORES_H_

#include <Eigen/Core>
#include <vector>

namespace iat {

class LinearScores {
 public:
  // As many rows, at least one. `keep_stimuli`: Q = I, so that Predictions can be asked
  // for.
  LinearScores(const Eigen::MatrixXd& source, const Eigen::MatrixXd& target,
               bool keep_stimuli);

  const Eigen::MatrixXd& source() const { return source_; }  // R
  // R * weights, p x any number of columns.
  Eigen::MatrixXd Fitted(Eigen::MatrixXd weights) const;
  const Eigen::RowVectorXd& source_mean() const { return source_mean_; }
  const Eigen::RowVectorXd& target_mean() const { return target_mean_; }
  bool keeps_stimuli() const { return keep_stimuli_; }

  struct Scores {
    Eigen::VectorXd r2, r;  // one a target unit
  };
  // fitted: R W.  mean_residual: y_mean - y_hat_mean.
  Scores Score(const Eigen::MatrixXd& fitted,
               const Eigen::RowVectorXd& mean_residual) const;
  // Y_hat, test stimuli x target units, of the same; keeps_stimuli must hold.
  Eigen::MatrixXd Predictions(const Eigen::MatrixXd& fitted,
                              const Eigen::RowVectorXd& mean_residual) const;

 private:
  bool keep_stimuli_, is_upper_ = false;
  double num_stimuli_;
  Eigen::RowVectorXd source_mean_, target_mean_;
  Eigen::MatrixXd source_, target_;  // R and C
  Eigen::RowVectorXd outside_;       // e
  Eigen::RowVectorXd total_;         // ||y - y_mean||^2
  std::vector<bool> scored_;
};

}  // namespace iat

#endif  // IAT_SIMILARITY_LINEAR_SCORES_H_
