// The standard normal distribution where a value is only known to lie below 0, for d the
// mean in units of the deviation: stable for any d.

#ifndef IAT_SIMILARITY_NORMAL_TAIL_H_
#define IAT_SIMILARITY_NORMAL_TAIL_H_

#include <cmath>
#include <numbers>

namespace iat {

inline double NormalDensity(double d) {
  return std::exp(-0.5 * d * d) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
}
inline double NormalProbability(double d) {
  return 0.5 * std::erfc(-d / std::numbers::sqrt2);
}

// phi(d) / Phi(-d): a normal value of mean d and deviation 1 that is known to be below 0
// has mean d - InverseMills(d) and variance 1 + d m - m^2, m = InverseMills(d).
inline double InverseMills(double d) {
  // Beyond, both terms underflow; the continued fraction is exact to 1e-15 there.
  if (d < 12.0) return NormalDensity(d) / NormalProbability(-d);
  double tail = d;
  for (int k = 12; k >= 1; --k) tail = d + k / tail;
  return tail;
}

// log Phi(-d).
inline double LogProbabilityBelow(double d) {
  if (d < 12.0) return std::log(NormalProbability(-d));
  return -0.5 * d * d - std::log(InverseMills(d)) -
         0.5 * std::log(2.0 * std::numbers::pi);
}

// Both at once.
struct BelowZero {
  double inverse_mills, log_probability;
};
inline BelowZero DescribeBelowZero(double d) {
  if (d >= 12.0) return {InverseMills(d), LogProbabilityBelow(d)};
  const double probability = NormalProbability(-d);
  return {NormalDensity(d) / probability, std::log(probability)};
}

}  // namespace iat

#endif  // IAT_SIMILARITY_NORMAL_TAIL_H_
