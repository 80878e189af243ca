// SimSiam, Barlow Twins and VICReg: losses at inputs whose answer is known.

#include <gtest/gtest.h>

#include <cmath>

#include "models/torch.h"
#include "tests/training/objectives_world.h"
#include "training/barlow_twins.h"
#include "training/simsiam.h"
#include "training/vicreg.h"

namespace iat {
namespace {

// float32 sums over a few hundred terms.
constexpr double kViewTolerance = 1e-5;

TEST(SimSiamLossTest, IsMinusTheMeanCosineOfBothDirections) {
  const auto x = torch::tensor({{2.0f, 0.0f}}), y = torch::tensor({{3.0f, 4.0f}});
  // cos(p1, z2) = 0.6, cos(p2, z1) = 1.
  EXPECT_NEAR(SimSiamLoss(x, x, x, y).item<double>(), -0.8, kViewTolerance);
  EXPECT_NEAR(SimSiamLoss(x, y, x, y).item<double>(), -0.6, kViewTolerance);
  EXPECT_NEAR(SimSiamLoss(x, y, y, x).item<double>(), -1.0, kViewTolerance);
}

TEST(SimSiamLossTest, NoGradientFlowsThroughTheProjections) {
  auto p = torch::tensor({{1.0f, 0.5f}}).requires_grad_();
  auto z = torch::tensor({{0.2f, 1.0f}}).requires_grad_();
  SimSiamLoss(p, p, z, z).backward();
  EXPECT_TRUE(p.grad().defined());
  EXPECT_FALSE(z.grad().defined());
}

// Columns of a Hadamard matrix without its first have mean 0 and are uncorrelated.
torch::Tensor Uncorrelated() {
  const auto h2 = torch::tensor({{1.0f, 1.0f}, {1.0f, -1.0f}});
  auto h = h2;
  for (int i = 0; i < 2; ++i) h = torch::kron(h, h2);
  return h.slice(1, 1);  // 8 x 7
}

TEST(BarlowTwinsTest, IdenticalViewsCorrelateWithThemselves) {
  torch::manual_seed(1);
  const auto z = torch::randn({200, 5});
  const auto c = CrossCorrelation(z, z);
  // eps = 1e-5 in the variance.
  EXPECT_LT((c.diagonal() - 1).abs().max().item<double>(), 3e-5);
  EXPECT_TRUE(torch::allclose(c, c.t(), 0, kViewTolerance));
  // Second road: Pearson's correlation of two columns.
  const auto a = z.select(1, 0).to(torch::kFloat64),
             b = z.select(1, 3).to(torch::kFloat64);
  const auto ac = a - a.mean(), bc = b - b.mean();
  const double pearson = ((ac * bc).sum() / (ac.norm() * bc.norm())).item<double>();
  EXPECT_NEAR(c[0][3].item<double>(), pearson, kViewTolerance);
}

TEST(BarlowTwinsTest, ItsLossAtPerfectAndAtUselessEmbeddings) {
  const auto z = Uncorrelated();
  const double kept = 1.0 / (1.0 + 1e-5);  // var / (var + eps)
  EXPECT_NEAR(BarlowTwinsLoss(z, z, 0.0051).item<double>(), 7 * (1 - kept) * (1 - kept),
              1e-6);
  // All dimensions the same: c = 1 everywhere, 7 * 6 of them off the diagonal.
  const auto same = z.slice(1, 0, 1).expand({8, 7});
  EXPECT_NEAR(BarlowTwinsLoss(same, same, 0.0051).item<double>(), 0.0051 * 42,
              kViewTolerance);
  // Constant: correlates with nothing, (1 - 0)^2 for each dimension.
  const auto constant = torch::full({8, 7}, 3.0);
  EXPECT_NEAR(BarlowTwinsLoss(constant, constant, 0.0051).item<double>(), 7.0,
              kViewTolerance);
  // Shift and scale of a dimension do not matter.
  EXPECT_NEAR(BarlowTwinsLoss(z * 5 + 2, z, 0.0051).item<double>(), 0.0, 1e-4);
}

TEST(VicRegTest, TheVarianceHingeAtKnownInput) {
  // Columns +-a over 8 rows: variance a^2 * 8/7. Half the hinge comes from each view.
  const auto z = Uncorrelated();
  for (const double a : {0.0, 0.3, 0.9, 2.0}) {
    const VicRegTerms terms = MeasureVicReg(z * a, z);
    const double deviation = std::sqrt(a * a * 8 / 7 + 1e-4);
    EXPECT_NEAR(terms.deviation.item<double>(), 0.5 * std::max(0.0, 1.0 - deviation),
                kViewTolerance)
        << a;
    // Means of squares of +-(1 - a).
    EXPECT_NEAR(terms.similarity.item<double>(), (1 - a) * (1 - a), kViewTolerance);
    EXPECT_NEAR(terms.covariance.item<double>(), 0.0, kViewTolerance);
  }
}

TEST(VicRegTest, CovarianceCountsEveryOtherDimension) {
  // Three equal columns of variance 8/7: 2 covariances each, over d = 3; both views.
  const auto z = Uncorrelated().slice(1, 0, 1).expand({8, 3});
  EXPECT_NEAR(MeasureVicReg(z, z).covariance.item<double>(),
              2 * 3 * 2 * (8.0 / 7) * (8.0 / 7) / 3, 10 * kViewTolerance);
}

TEST_F(ObjectiveTest, VicRegWeighsItsTerms) {
  const auto loss = [&](double similarity, double deviation, double covariance) {
    const auto made = VicReg::Create({.similarity_weight = similarity,
                                      .deviation_weight = deviation,
                                      .covariance_weight = covariance,
                                      .projection_size = 8},
                                     Setup());
    return (*made)->Loss(*model_, Batch(2), {}).loss.item<double>();
  };
  const double one = loss(1, 0, 0), two = loss(0, 1, 0), three = loss(0, 0, 1);
  EXPECT_GT(one, 0.0);
  EXPECT_GT(two, 0.0);
  EXPECT_GT(three, 0.0);
  EXPECT_NEAR(loss(25, 10, 3), 25 * one + 10 * two + 3 * three, 1e-4);
}

}  // namespace
}  // namespace iat
