#include "base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace iat {
namespace {

TEST(RandomStreamTest, IsAPureFunctionOfItsKey) {
  RandomStream a(7, "augment", 11, 3), b(7, "augment", 11, 3);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a.NextU32(), b.NextU32());
}

TEST(RandomStreamTest, DiffersInEveryPartOfItsKey) {
  const uint64_t base = RandomStream(7, "augment", 11, 3).NextU64();
  EXPECT_NE(base, RandomStream(8, "augment", 11, 3).NextU64());
  EXPECT_NE(base, RandomStream(7, "dropout", 11, 3).NextU64());
  EXPECT_NE(base, RandomStream(7, "augment", 12, 3).NextU64());
  EXPECT_NE(base, RandomStream(7, "augment", 11, 4).NextU64());
  EXPECT_NE(base, RandomStream(7, "augment", 11 + (1ULL << 32), 3).NextU64());
}

// Guards the streams themselves: a change here changes every result.
TEST(RandomStreamTest, KeepsItsValuesAcrossVersions) {
  EXPECT_EQ(RandomStream(1, "golden", 2, 3).NextU32(), 2010592732u);
}

TEST(RandomStreamTest, UniformIntIsUniform) {
  RandomStream stream(3, "test");
  std::vector<int> counts(7, 0);
  constexpr int kDraws = 70000;
  for (int i = 0; i < kDraws; ++i) ++counts[stream.UniformInt(7)];
  double chi_squared = 0.0;
  for (const int count : counts) chi_squared += std::pow(count - 10000.0, 2) / 10000.0;
  EXPECT_LT(chi_squared, 22.46);  // 0.999 quantile, 6 degrees of freedom
}

TEST(RandomStreamTest, NormalHasUnitMoments) {
  RandomStream stream(4, "test");
  constexpr int kDraws = 200000;
  double sum = 0, squares = 0, fourth = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = stream.Normal();
    sum += x;
    squares += x * x;
    fourth += x * x * x * x;
  }
  EXPECT_NEAR(sum / kDraws, 0.0, 0.01);
  EXPECT_NEAR(squares / kDraws, 1.0, 0.02);
  EXPECT_NEAR(fourth / kDraws, 3.0, 0.1);
}

TEST(RandomStreamTest, PermutationHoldsEveryIndexOnce) {
  auto order = RandomStream(5, "order").Permutation(1000);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(order[i], i);
}

}  // namespace
}  // namespace iat
