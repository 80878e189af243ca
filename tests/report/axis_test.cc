#include "report/axis.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace iat {
namespace {

using ::testing::DoubleNear;
using ::testing::Pointwise;

TEST(AxisTest, HoldsEveryValueBetweenRoundTicks) {
  const Axis axis = AxisAround({0.80, 0.99, NAN}, 5, 0.01);
  EXPECT_LT(axis.low, 0.80);
  EXPECT_GT(axis.high, 0.99);
  EXPECT_DOUBLE_EQ(axis.step, 0.05);
  EXPECT_EQ(axis.Decimals(), 2);
  EXPECT_THAT(axis.Ticks(), Pointwise(DoubleNear(1e-12), {0.80, 0.85, 0.90, 0.95, 1.00}));
}

TEST(AxisTest, ReachesBelowZero) {
  const Axis axis = AxisAround({-3.0, 0.5}, 5, 0.01);
  EXPECT_LT(axis.low, -3.0);
  EXPECT_DOUBLE_EQ(axis.step, 1.0);
  EXPECT_EQ(axis.Decimals(), 0);
  EXPECT_THAT(axis.Ticks(), Pointwise(DoubleNear(1e-12), {-3.0, -2.0, -1.0, 0.0}));
}

TEST(AxisTest, DoesNotBlowUpRoundingErrors) {
  const Axis axis = AxisAround({0.5, 0.5 + 1e-12}, 5, 0.01);
  EXPECT_NEAR(axis.high - axis.low, 0.0112, 1e-9);
}

TEST(AxisTest, WithoutAnyValueItGoesFromZeroToOne) {
  const Axis axis = AxisAround({NAN, INFINITY}, 5, 0.01);
  EXPECT_EQ(axis.low, 0);
  EXPECT_EQ(axis.high, 1);
  EXPECT_EQ(axis.Ticks().size(), 6u);
}

}  // namespace
}  // namespace iat
