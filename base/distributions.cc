#include "base/distributions.h"

#include <boost/math/distributions/fisher_f.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/special_functions/erf.hpp>
#include <cmath>

namespace iat {

double StudentTQuantile(double degrees_of_freedom, double probability) {
  return boost::math::quantile(boost::math::students_t(degrees_of_freedom), probability);
}

double StudentTTwoSided(double degrees_of_freedom, double t) {
  const boost::math::students_t distribution(degrees_of_freedom);
  return 2.0 * boost::math::cdf(boost::math::complement(distribution, std::abs(t)));
}

double FisherFUpperTail(double numerator_freedom, double denominator_freedom,
                        double ratio) {
  const boost::math::fisher_f distribution(numerator_freedom, denominator_freedom);
  return boost::math::cdf(boost::math::complement(distribution, ratio));
}

double InverseErfc(double value) { return boost::math::erfc_inv(value); }

}  // namespace iat
