#include "similarity/jackknife.h"

#include <cmath>
#include <limits>

#include "base/distributions.h"

namespace iat {

SampleVariance JackknifeVariance(const std::vector<double>& without) {
  const double m = static_cast<double>(without.size());
  SampleVariance result{std::numeric_limits<double>::quiet_NaN(), m - 1.0};
  if (without.size() < kFewestAnimals) return result;
  double mean = 0.0, squares = 0.0;
  for (const double value : without) mean += value / m;
  for (const double value : without) squares += (value - mean) * (value - mean);
  result.variance = (m - 1.0) / m * squares;
  return result;
}

SampleVariance SumOfVariances(const SampleVariance& a, const SampleVariance& b) {
  const double sum = a.variance + b.variance;
  const double freedom = sum * sum /
                         (a.variance * a.variance / a.degrees_of_freedom +
                          b.variance * b.variance / b.degrees_of_freedom);
  // Without any variance, 0 / 0: the interval has no width, whatever the quantile.
  return {sum, sum == 0.0 ? a.degrees_of_freedom + b.degrees_of_freedom : freedom};
}

Interval TInterval(double estimate, const SampleVariance& variance, double confidence) {
  if (std::isnan(variance.variance)) {
    return {estimate, variance.variance, variance.variance};
  }
  const double half =
      StudentTQuantile(variance.degrees_of_freedom, 0.5 + confidence / 2.0) *
      std::sqrt(variance.variance);
  return {estimate, estimate - half, estimate + half};
}

}  // namespace iat
