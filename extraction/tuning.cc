#include "extraction/tuning.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <map>
#include <numbers>

#include "base/status.h"

namespace iat {

Tuning TuningOf(const std::vector<Grating>& gratings, const Eigen::ArrayXf& responses) {
  IAT_CHECK(
      !gratings.empty() && static_cast<Eigen::Index>(gratings.size()) == responses.size(),
      "not one response a grating");
  double contrast = 0.0;
  for (const Grating& grating : gratings) contrast = std::max(contrast, grating.contrast);
  // Sum and number of phases by (orientation, frequency).
  std::map<std::pair<double, double>, std::pair<double, int>> sums;
  for (size_t g = 0; g < gratings.size(); ++g) {
    if (gratings[g].contrast != contrast) continue;
    auto& [sum, count] = sums[{gratings[g].orientation, gratings[g].spatial_frequency}];
    sum += responses[static_cast<Eigen::Index>(g)];
    ++count;
  }
  const auto mean = [](const auto& entry) {
    return entry.second.first / entry.second.second;
  };
  const auto best =
      std::max_element(sums.begin(), sums.end(),
                       [&](const auto& a, const auto& b) { return mean(a) < mean(b); });
  Tuning tuning;
  tuning.best_orientation = best->first.first;
  tuning.best_frequency = best->first.second;
  std::complex<double> vector_sum = 0.0;
  double sum = 0.0;
  for (const auto& entry : sums) {
    const auto [orientation, frequency] = entry.first;
    if (frequency == tuning.best_frequency) {
      tuning.by_orientation.emplace_back(orientation, mean(entry));
      vector_sum += std::polar(mean(entry), orientation * std::numbers::pi / 90.0);
      sum += mean(entry);
    }
    if (orientation == tuning.best_orientation) {
      tuning.by_frequency.emplace_back(frequency, mean(entry));
    }
  }
  if (sum <= 0.0) {
    tuning.orientation = tuning.selectivity = std::numeric_limits<double>::quiet_NaN();
    return tuning;
  }
  const double degrees = std::arg(vector_sum) * 90.0 / std::numbers::pi;
  tuning.orientation = degrees < 0.0 ? degrees + 180.0 : degrees;
  tuning.selectivity = std::abs(vector_sum) / sum;
  return tuning;
}

}  // namespace iat
