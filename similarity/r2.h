// How well predictions explain each target unit on the test stimuli.
//
//   R2 = 1 - SSE / SST,  SSE = sum (y - y_hat)^2,  SST = sum (y - mean(y))^2
//
// Shapes   Y, Y_hat: test stimuli x target units. One R2 a unit.
// NaN      A unit whose largest and smallest test value are equal has no SST; it is
//          NaN, left out of every aggregate and counted. Whether a unit is scored
//          depends on Y alone, so all mappings of a cell score the same units.
// Source   sklearn.metrics.r2_score(multioutput="raw_values"), which gives such
//          units 0 or 1 instead.

#ifndef IAT_SIMILARITY_R2_H_
#define IAT_SIMILARITY_R2_H_

#include <Eigen/Core>
#include <cstdint>
#include <vector>

namespace iat {

// Y and Y_hat have the same shape.
Eigen::VectorXd R2PerUnit(const Eigen::MatrixXd& target,
                          const Eigen::MatrixXd& predicted);

// Pearson's correlation of Y and Y_hat over the test stimuli. NaN for the units that R2
// leaves out; 0 where the prediction does not vary, which says nothing of the target.
Eigen::VectorXd PearsonPerUnit(const Eigen::MatrixXd& target,
                               const Eigen::MatrixXd& predicted);

struct R2Summary {
  int64_t num_scored_units = 0;
  int64_t num_constant_units = 0;
  // NaN when no unit is scored.
  double median = 0, mean = 0, q25 = 0, q75 = 0;
};
R2Summary SummariseR2(const Eigen::VectorXd& r2);

// NumPy's default ("linear") quantile of finite or infinite numbers; NaN when
// there are none. `fraction` in [0, 1].
double Quantile(std::vector<double> values, double fraction);

}  // namespace iat

#endif  // IAT_SIMILARITY_R2_H_
