#include "base/distributions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace iat {
namespace {

// A few roundings in double precision.
constexpr double kTolerance = 1e-13;

// With 1 degree of freedom t is Cauchy, with 2 its quantile is algebraic.
TEST(DistributionsTest, StudentTQuantileIsThatOfTheClosedForms) {
  for (const double probability : {0.6, 0.9, 0.975}) {
    const double cauchy = std::tan(std::numbers::pi * (probability - 0.5));
    EXPECT_NEAR(StudentTQuantile(1.0, probability) / cauchy, 1.0, kTolerance);
    const double spread = 4.0 * probability * (1.0 - probability);
    const double algebraic = 2.0 * (probability - 0.5) * std::sqrt(2.0 / spread);
    EXPECT_NEAR(StudentTQuantile(2.0, probability) / algebraic, 1.0, kTolerance);
  }
}

TEST(DistributionsTest, TwoSidedTailUndoesTheQuantileAndForgetsTheSign) {
  for (const double freedom : {1.0, 3.0, 7.5, 40.0}) {
    const double t = StudentTQuantile(freedom, 0.975);
    EXPECT_NEAR(StudentTTwoSided(freedom, t), 0.05, kTolerance);
    EXPECT_EQ(StudentTTwoSided(freedom, -t), StudentTTwoSided(freedom, t));
  }
}

// F with 1 degree of freedom above is t squared; with 2 its tail is algebraic.
TEST(DistributionsTest, FisherFTailAgreesWithStudentT) {
  for (const double t : {0.5, 1.0, 3.0}) {
    EXPECT_NEAR(FisherFUpperTail(1.0, 9.0, t * t), StudentTTwoSided(9.0, t), kTolerance);
    EXPECT_NEAR(FisherFUpperTail(2.0, 9.0, t), std::pow(1.0 + 2.0 * t / 9.0, -4.5),
                kTolerance);
  }
  EXPECT_EQ(FisherFUpperTail(2.0, 9.0, 0.0), 1.0);
}

TEST(DistributionsTest, InverseErfcUndoesErfc) {
  for (const double x : {-1.5, -0.2, 0.0, 0.7, 2.0}) {
    EXPECT_NEAR(InverseErfc(std::erfc(x)), x, kTolerance);
  }
}

}  // namespace
}  // namespace iat
