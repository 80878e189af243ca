// The minimum of a function of one variable that may have several: a scan of its whole
// range, then Brent's method between the neighbours of every local minimum of the scan.
//
// Source   Brent, Algorithms for Minimization without Derivatives (1973), as in
// Boost.Math.
//
// Example:
//   const auto best = ScannedMinimum([](double x) { return std::cos(x); }, 0, 6, 100);
//   best.x;  // pi

#ifndef IAT_SIMILARITY_SCANNED_MINIMUM_H_
#define IAT_SIMILARITY_SCANNED_MINIMUM_H_

#include <algorithm>
#include <boost/math/tools/minima.hpp>
#include <vector>

namespace iat {

struct MinimumFound {
  double x = 0, value = 0;
  int num_local_minima = 0;  // inside the range, of the scan
  bool at_edge = false;      // no local minimum is lower than an end of the range
};

// `steps` >= 2 equal steps from `low` to `high`. `x` is good to about 8 digits, which is
// all that a minimum can be told to.
template <typename Function>
MinimumFound ScannedMinimum(const Function& function, double low, double high,
                            int steps) {
  constexpr int kBits = 26;
  const auto at = [&](int i) { return low + (high - low) * i / steps; };
  std::vector<double> scan(steps + 1);
  for (int i = 0; i <= steps; ++i) scan[i] = function(at(i));
  MinimumFound best;
  best.x = scan.front() <= scan.back() ? low : high;
  best.value = std::min(scan.front(), scan.back());
  best.at_edge = true;
  for (int i = 1; i < steps; ++i) {
    // Of a level stretch only its start.
    if (!(scan[i] < scan[i - 1]) || scan[i] > scan[i + 1]) continue;
    ++best.num_local_minima;
    const auto [x, value] =
        boost::math::tools::brent_find_minima(function, at(i - 1), at(i + 1), kBits);
    if (value < best.value) {
      best.x = x;
      best.value = value;
      best.at_edge = false;
    }
  }
  return best;
}

}  // namespace iat

#endif  // IAT_SIMILARITY_SCANNED_MINIMUM_H_
