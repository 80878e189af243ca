// Intervals over animals: leave one animal out at a time.
//
//   var = (m - 1) / m * sum_a (theta_(-a) - mean theta_(.))^2
//
// with a t quantile on m - 1 degrees of freedom. Where an estimate rests on two
// independent groups of animals (networks and recordings), each is left out in turn with
// the other whole; the variances add, and the degrees of freedom are Satterthwaite's,
//
//   (v_1 + v_2)^2 / (v_1^2 / (m_1 - 1) + v_2^2 / (m_2 - 1)).
//
// Source   Efron & Stein, Annals of Statistics 9 (1981); Satterthwaite, Biometrics
//          Bulletin 2 (1946).
//
// Example:
//   const std::vector<double> without = ...;  // the estimate without animal 0, 1, ...
//   const Interval interval = TInterval(estimate, JackknifeVariance(without), 0.95);

#ifndef IAT_SIMILARITY_JACKKNIFE_H_
#define IAT_SIMILARITY_JACKKNIFE_H_

#include <cstddef>
#include <vector>

namespace iat {

// Below so many animals there is no interval.
inline constexpr std::size_t kFewestAnimals = 4;

struct Interval {
  double mean = 0.0;             // the estimate
  double low = 0.0, high = 0.0;  // NaN below 4 animals
};

struct SampleVariance {
  double variance = 0.0;
  double degrees_of_freedom = 0.0;
};

// From the estimates without one animal each. NaN below kFewestAnimals, or where one of
// them is NaN.
SampleVariance JackknifeVariance(const std::vector<double>& without);

// Of the sum of two independent estimates.
SampleVariance SumOfVariances(const SampleVariance& a, const SampleVariance& b);

// `confidence` in (0, 1); both ends are NaN where the variance is.
Interval TInterval(double estimate, const SampleVariance& variance, double confidence);

}  // namespace iat

#endif  // IAT_SIMILARITY_JACKKNIFE_H_
