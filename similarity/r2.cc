#include "similarity/r2.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/status.h"

namespace iat {

Eigen::VectorXd R2PerUnit(const Eigen::MatrixXd& target,
                          const Eigen::MatrixXd& predicted) {
  IAT_CHECK(target.rows() == predicted.rows() && target.cols() == predicted.cols(),
            "R2 of matrices of different shape");
  IAT_CHECK(target.rows() > 0, "R2 of no stimuli");
  Eigen::VectorXd r2(target.cols());
  for (Eigen::Index j = 0; j < target.cols(); ++j) {
    const auto y = target.col(j);
    if (y.maxCoeff() == y.minCoeff()) {
      r2(j) = std::numeric_limits<double>::quiet_NaN();
      continue;
    }
    const double sst = (y.array() - y.mean()).square().sum();
    r2(j) = 1.0 - (y - predicted.col(j)).squaredNorm() / sst;
  }
  return r2;
}

Eigen::VectorXd PearsonPerUnit(const Eigen::MatrixXd& target,
                               const Eigen::MatrixXd& predicted) {
  IAT_CHECK(target.rows() == predicted.rows() && target.cols() == predicted.cols(),
            "correlation of matrices of different shape");
  IAT_CHECK(target.rows() > 0, "correlation of no stimuli");
  Eigen::VectorXd r(target.cols());
  for (Eigen::Index j = 0; j < target.cols(); ++j) {
    const auto y = target.col(j), y_hat = predicted.col(j);
    if (y.maxCoeff() == y.minCoeff()) {
      r(j) = std::numeric_limits<double>::quiet_NaN();
    } else if (y_hat.maxCoeff() == y_hat.minCoeff()) {
      r(j) = 0.0;
    } else {
      const Eigen::VectorXd a = y.array() - y.mean(), b = y_hat.array() - y_hat.mean();
      r(j) = a.normalized().dot(b.normalized());
    }
  }
  return r;
}

double Quantile(std::vector<double> values, double fraction) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(values.begin(), values.end());
  const double place = fraction * static_cast<double>(values.size() - 1);
  const size_t below = static_cast<size_t>(std::floor(place));
  if (below + 1 >= values.size()) return values.back();
  const double share = place - static_cast<double>(below);
  const double step = values[below + 1] - values[below];
  // As NumPy does: interpolate from the nearer end, so that share = 1 is exact.
  return share < 0.5 ? values[below] + step * share
                     : values[below + 1] - step * (1.0 - share);
}

R2Summary SummariseR2(const Eigen::VectorXd& r2) {
  R2Summary summary;
  std::vector<double> scored;
  for (const double value : r2) {
    if (!std::isnan(value)) scored.push_back(value);
  }
  summary.num_scored_units = static_cast<int64_t>(scored.size());
  summary.num_constant_units = r2.size() - summary.num_scored_units;
  double sum = 0.0;
  for (const double value : scored) sum += value;
  summary.mean = sum / static_cast<double>(scored.size());  // 0 / 0 is NaN
  summary.median = Quantile(scored, 0.5);
  summary.q25 = Quantile(scored, 0.25);
  summary.q75 = Quantile(scored, 0.75);
  return summary;
}

}  // namespace iat
