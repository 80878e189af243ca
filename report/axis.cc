#include "report/axis.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace iat {

int Axis::Decimals() const {
  return std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
}

std::vector<double> Axis::Ticks() const {
  std::vector<double> ticks;
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; ++k) {
    ticks.push_back(k * step);
  }
  return ticks;
}

Axis AxisAround(const std::vector<double>& values, int num_steps, double least_span) {
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (low > high) return Axis();
  const double middle = (low + high) / 2;
  const double span = std::max(high - low, least_span);
  Axis axis;
  axis.low = middle - 0.56 * span;
  axis.high = middle + 0.56 * span;
  const double raw_step = (axis.high - axis.low) / num_steps;
  const double power = std::pow(10, std::floor(std::log10(raw_step)));
  axis.step = 10 * power;
  for (const double factor : {5, 2, 1}) {
    if (factor * power >= raw_step) axis.step = factor * power;
  }
  return axis;
}

}  // namespace iat
