// The Yeo-Johnson power transform of every unit towards a normal distribution.
//
//   z = x / deviation
//   T(z) = ((1 + z)^lambda - 1) / lambda             z >= 0   (log(1 + z) at lambda = 0)
//          -((1 - z)^(2 - lambda) - 1) / (2 - lambda)  z < 0  (-log(1 - z) at lambda = 2)
//
//   lambda = argmax of -n/2 log var(T(z)) + (lambda - 1) sum sign(z) log(1 + |z|)
//
// Units    Dividing by the unit's deviation first makes lambda, and all that follows, the
//          same in any unit of measure; the transform itself is not. A constant unit is
//          left as it is.
// Range    lambda in [-10, 10], by Brent's method to about 1e-8.
// Source   Yeo & Johnson, Biometrika 87 (2000); sklearn's PowerTransformer on x /
// x.std().

#ifndef IAT_SIMILARITY_YEO_JOHNSON_H_
#define IAT_SIMILARITY_YEO_JOHNSON_H_

#include <Eigen/Core>

namespace iat {

struct YeoJohnson {
  Eigen::RowVectorXd deviation;  // 0 for a constant unit
  Eigen::RowVectorXd lambda;

  // Responses must be finite.
  static YeoJohnson Fit(const Eigen::MatrixXd& responses);
  Eigen::MatrixXd Apply(const Eigen::MatrixXd& responses) const;
};

}  // namespace iat

#endif  // IAT_SIMILARITY_YEO_JOHNSON_H_
