#include "similarity/yeo_johnson.h"

#include <boost/math/tools/minima.hpp>
#include <cmath>
#include <limits>

#include "similarity/centring.h"

namespace iat {
namespace {

constexpr double kLargestPower = 10.0;
constexpr int kPrecisionBits = 30;

// ((1 + z)^power - 1) / power of log(1 + z), exact near power = 0.
Eigen::ArrayXd Power(const Eigen::ArrayXd& log_1p, double power) {
  if (power == 0.0) return log_1p;
  return (power * log_1p).unaryExpr([](double v) { return std::expm1(v); }) / power;
}

// From log(1 + |z|) and the sign of z.
Eigen::ArrayXd Transform(const Eigen::ArrayXd& log_1p, const Eigen::ArrayXd& sign,
                         double lambda) {
  return (sign >= 0.0).select(Power(log_1p, lambda), -Power(log_1p, 2.0 - lambda));
}

}  // namespace

YeoJohnson YeoJohnson::Fit(const Eigen::MatrixXd& responses) {
  const CentredUnits centred = CentreUnits(responses);
  const double n = static_cast<double>(responses.rows());
  YeoJohnson result{(centred.values.colwise().norm() / std::sqrt(n)).eval(),
                    Eigen::RowVectorXd::Ones(responses.cols())};
  for (Eigen::Index j = 0; j < responses.cols(); ++j) {
    if (!(result.deviation(j) > 0.0)) continue;
    const Eigen::ArrayXd z = responses.col(j).array() / result.deviation(j);
    const Eigen::ArrayXd log_1p =
        z.abs().unaryExpr([](double v) { return std::log1p(v); });
    const Eigen::ArrayXd sign = z.sign();
    const double jacobian = (sign * log_1p).sum();
    const auto loss = [&](double lambda) {
      const Eigen::ArrayXd t = Transform(log_1p, sign, lambda);
      const double variance = (t - t.mean()).square().mean();
      const double value = 0.5 * n * std::log(variance) - (lambda - 1.0) * jacobian;
      return std::isfinite(value) ? value : std::numeric_limits<double>::max();
    };
    result.lambda(j) = boost::math::tools::brent_find_minima(
                           loss, -kLargestPower, kLargestPower, kPrecisionBits)
                           .first;
  }
  return result;
}

Eigen::MatrixXd YeoJohnson::Apply(const Eigen::MatrixXd& responses) const {
  Eigen::MatrixXd transformed = responses;
  for (Eigen::Index j = 0; j < responses.cols(); ++j) {
    if (!(deviation(j) > 0.0)) continue;
    const Eigen::ArrayXd z = responses.col(j).array() / deviation(j);
    transformed.col(j) = Transform(
        z.abs().unaryExpr([](double v) { return std::log1p(v); }), z.sign(), lambda(j));
  }
  return transformed;
}

}  // namespace iat
