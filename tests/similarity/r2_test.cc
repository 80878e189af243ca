#include "similarity/r2.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

// A sum of squares of 40 numbers in float64.
constexpr double kTolerance = 1e-12;

TEST(R2Test, IsOneForPerfectAndZeroForMeanPredictions) {
  const Eigen::MatrixXd y = NormalMatrix(40, 3, 1);
  const Eigen::MatrixXd mean = y.colwise().mean().replicate(40, 1);
  EXPECT_TRUE(R2PerUnit(y, y).isApprox(Eigen::VectorXd::Ones(3), kTolerance));
  EXPECT_LT(R2PerUnit(y, mean).cwiseAbs().maxCoeff(), kTolerance);
}

TEST(R2Test, DoesNotDependOnScaleOrOffset) {
  const Eigen::MatrixXd y = NormalMatrix(40, 3, 1),
                        predicted = y + NormalMatrix(40, 3, 2);
  const Eigen::VectorXd r2 = R2PerUnit(y, predicted);
  for (const double scale : {1e-20, 1e20}) {
    EXPECT_TRUE(R2PerUnit(scale * y, scale * predicted).isApprox(r2, kTolerance));
  }
}

TEST(R2Test, ConstantUnitsAreNaNLeftOutAndCounted) {
  Eigen::MatrixXd y = NormalMatrix(40, 3, 1);
  y.col(1).setConstant(0.1);  // its mean is not exactly 0.1
  const Eigen::VectorXd r2 = R2PerUnit(y, NormalMatrix(40, 3, 2));
  EXPECT_TRUE(std::isnan(r2(1)));
  const R2Summary summary = SummariseR2(r2);
  EXPECT_EQ(summary.num_scored_units, 2);
  EXPECT_EQ(summary.num_constant_units, 1);
  EXPECT_DOUBLE_EQ(summary.median, (r2(0) + r2(2)) / 2);
}

TEST(R2Test, NothingToScoreIsNaN) {
  const R2Summary summary = SummariseR2(Eigen::VectorXd::Constant(2, NAN));
  EXPECT_EQ(summary.num_scored_units, 0);
  for (const double value : {summary.median, summary.mean, summary.q25, summary.q75}) {
    EXPECT_TRUE(std::isnan(value));
  }
}

// numpy.quantile([3, 1, 2, 10], [0, .25, .5, .75, 1]), NumPy 1.24.2.
TEST(R2Test, QuantilesAreNumPys) {
  const std::vector<double> values = {3, 1, 2, 10};
  EXPECT_DOUBLE_EQ(Quantile(values, 0.0), 1.0);
  EXPECT_DOUBLE_EQ(Quantile(values, 0.25), 1.75);
  EXPECT_DOUBLE_EQ(Quantile(values, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(Quantile(values, 0.75), 4.75);
  EXPECT_DOUBLE_EQ(Quantile(values, 1.0), 10.0);
}

TEST(PearsonTest, IsTheCosineOfWhatVaries) {
  Eigen::MatrixXd y(4, 5), y_hat(4, 5);
  y << 1, 1, 1, 1, 5,  //
      2, 2, 2, 2, 5,   //
      3, 3, 3, 3, 5,   //
      4, 4, 4, 6, 5;
  y_hat << 10, -1, 7, 2, 1,  //
      20, -2, 7, 1, 2,       //
      30, -3, 7, 4, 3,       //
      40, -4, 7, 3, 4;
  const Eigen::VectorXd r = PearsonPerUnit(y, y_hat);
  EXPECT_NEAR(r(0), 1.0, 1e-15);
  EXPECT_NEAR(r(1), -1.0, 1e-15);
  EXPECT_EQ(r(2), 0.0);  // a prediction that never varies
  // sum of products of deviations (-2, -1, 0, 3) and (-0.5, -1.5, 1.5, 0.5), over norms.
  EXPECT_NEAR(r(3), 4.0 / std::sqrt(14.0 * 5.0), 1e-15);
  EXPECT_TRUE(std::isnan(r(4)));
}

}  // namespace
}  // namespace iat
