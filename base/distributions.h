// Distributions of test statistics. The templates behind them are compiled here, once.

#ifndef IAT_BASE_DISTRIBUTIONS_H_
#define IAT_BASE_DISTRIBUTIONS_H_

namespace iat {

// t with P(T <= t) = probability.
double StudentTQuantile(double degrees_of_freedom, double probability);

// P(|T| >= |t|).
double StudentTTwoSided(double degrees_of_freedom, double t);

// P(F >= ratio).
double FisherFUpperTail(double numerator_freedom, double denominator_freedom,
                        double ratio);

// x with erfc(x) = value, for a value in (0, 2).
double InverseErfc(double value);

}  // namespace iat

#endif  // IAT_BASE_DISTRIBUTIONS_H_
