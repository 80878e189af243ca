// What a population's responses were before the ReLU, as well as it can be told from what
// is left after it.
//
//   x_i = max(h_i, 0),   h ~ Normal(mean, covariance) over stimuli
//
// An active unit (x > 0) shows its h. A silent one only shows h <= 0, but units are
// correlated, so the others say where below 0 it is likely to be:
//
//   E[h_i | h_i <= 0, the others] = mu - sigma InverseMills(mu / sigma)
//   mu    = mean_i - sum_{k != i} L_ik (h_k - mean_k) / L_ii,   sigma^2 = 1 / L_ii
//   L     = covariance^-1
//
// with every silent h_k on the right replaced by its own estimate, until they agree (mean
// field). The parameters are estimated by the matching variational EM: mean and
// covariance of the estimates, plus what variance the estimates lack. Undo leaves active
// units as they are.
//
// Shapes   responses: stimuli x units (n x p).
// Units    A unit is rectified if its responses are never negative, sometimes 0 and
//          sometimes not. The others, and so all units before a ReLU, are left as they
//          are, and help to estimate the rest. Silent and constant units stay out.
//          The covariance's off-diagonal shrinks by min(1, p / 10n), so that it can be
//          inverted with fewer stimuli than units.
// Cost     2 n p^2 flops a sweep; 20 sweeps to fit and 10 to undo.
// Source   Tobin, Econometrica 26 (1958) for the censored normal; mean-field variational
//          inference as in Bishop, Pattern Recognition and Machine Learning, chapter 10.

#ifndef IAT_SIMILARITY_CENSORED_GAUSSIAN_H_
#define IAT_SIMILARITY_CENSORED_GAUSSIAN_H_

#include <Eigen/Core>
#include <vector>

namespace iat {

class CensoredGaussian {
 public:
  // Responses must be finite.
  static CensoredGaussian Fit(const Eigen::MatrixXd& responses);

  // Stimuli x units, in the units of measure of the responses. Each stimulus by itself.
  Eigen::MatrixXd Undo(const Eigen::MatrixXd& responses) const;

  bool is_rectified(Eigen::Index unit) const { return rectified_[unit]; }
  Eigen::Index num_units() const { return scale_.size(); }

 private:
  // One pass over all silent values of rectified units, unit by unit; `variance`, one a
  // unit, gains what the estimates lack, unless null.
  void Sweep(const Eigen::MatrixXd& responses, Eigen::MatrixXd& hidden,
             Eigen::VectorXd* variance) const;
  Eigen::MatrixXd Start(const Eigen::MatrixXd& scaled) const;
  void Estimate(const Eigen::MatrixXd& hidden, const Eigen::VectorXd& variance);
  Eigen::MatrixXd Scaled(const Eigen::MatrixXd& responses) const;

  std::vector<Eigen::Index> units_;  // that vary
  std::vector<bool> rectified_;      // of all units
  Eigen::RowVectorXd scale_;         // of all units
  // Of `units_`, in units of their scales.
  Eigen::VectorXd start_;  // what a silent value is by the unit alone
  Eigen::RowVectorXd mean_;
  Eigen::MatrixXd precision_;
};

// Mean and deviation of a normal value of which max(value, 0) is active with probability
// `share_active` and has mean `mean_response` (> 0): its first two moments' solution.
struct NormalMoments {
  double mean = 0.0, deviation = 1.0;
};
NormalMoments MomentsBeforeRelu(double share_active, double mean_response);

}  // namespace iat

#endif  // IAT_SIMILARITY_CENSORED_GAUSSIAN_H_
