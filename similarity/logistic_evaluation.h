// One product with Z and one with its transpose for many logistic regressions at once
// (similarity/logistic.h): losses and gradients, or products with Hessians.

#ifndef IAT_SIMILARITY_LOGISTIC_EVALUATION_H_
#define IAT_SIMILARITY_LOGISTIC_EVALUATION_H_

#include <Eigen/Core>
#include <vector>

#include "similarity/logistic_design.h"

namespace iat {

// What one column is evaluated for.
struct LogisticPass {
  // Padded like the design: +1 active, -1 not, +2 and -2 the same, held out; 0 is left
  // out of everything.
  const float* classes = nullptr;
  // p (1 - p) of every stimulus, zero for those held out; not wanted where null.
  Eigen::ArrayXf* weights = nullptr;
  // Where set, the column is no point but a direction d, and its gradient becomes
  // sum_i w_i z_i (z_i' d) with these w_i, one a stimulus; no losses.
  const Eigen::ArrayXf* curvature = nullptr;
};

struct LogisticSums {
  double loss = 0.0, held_out_loss = 0.0;
  double curvature = 0.0;  // of p (1 - p)
};

// Losses and gradients at `points`, one a column and pass, whose first coefficients are
// neither used nor given a gradient. float or double; tiles are summed in float64.
template <typename Scalar>
void EvaluateLogistic(const LogisticDesign& design, Eigen::Index first,
                      const std::vector<LogisticPass>& passes,
                      const Eigen::MatrixXd& points, std::vector<LogisticSums>& sums,
                      Eigen::MatrixXd& gradients);

}  // namespace iat

#endif  // IAT_SIMILARITY_LOGISTIC_EVALUATION_H_
