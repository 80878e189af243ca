#include "training/simclr.h"

#include <gtest/gtest.h>

#include <cmath>

#include "models/torch.h"
#include "models/vision_model.h"

namespace iat {
namespace {

constexpr double kNtXentTolerance = 2e-6;  // relative; float32 softmax over 2n views

// The header's formula, term by term.
double StraightNtXentLoss(const torch::Tensor& embeddings, double temperature) {
  const auto z = embeddings.to(torch::kFloat64);
  const int64_t num_views = z.size(0);
  const auto kernel = [&](int64_t i, int64_t j) {
    double product = 0.0;
    for (int64_t k = 0; k < z.size(1); ++k) {
      product += z[i][k].item<double>() * z[j][k].item<double>();
    }
    return std::exp(product / temperature);
  };
  double sum = 0.0;
  for (int64_t i = 0; i < num_views; ++i) {
    const int64_t partner = i < num_views / 2 ? i + num_views / 2 : i - num_views / 2;
    double others = 0.0;
    for (int64_t j = 0; j < num_views; ++j) {
      if (j != i) others += kernel(i, j);
    }
    sum += std::log(kernel(i, partner) / others);
  }
  return -sum / static_cast<double>(num_views);
}

torch::Tensor RandomViews(int64_t num_images) {
  torch::manual_seed(num_images);
  return torch::nn::functional::normalize(torch::randn({2 * num_images, 8}));
}

TEST(NtXentLossTest, AgreesWithTheFormula) {
  for (const int64_t num_images : {2, 7}) {
    for (const double temperature : {0.1, 0.5}) {
      const auto views = RandomViews(num_images);
      const double expected = StraightNtXentLoss(views, temperature);
      EXPECT_NEAR(NtXentLoss(views, temperature).item<double>(), expected,
                  kNtXentTolerance * expected);
    }
  }
}

TEST(NtXentLossTest, TwoOrthogonalImagesWithEqualViewsAreWorkedByHand) {
  // Every view meets its partner at cosine 1 and two others at cosine 0.
  const auto views = torch::eye(2).repeat({2, 1});
  EXPECT_NEAR(NtXentLoss(views, 1.0).item<double>(),
              -std::log(std::exp(1.0) / (std::exp(1.0) + 2.0)), 1e-6);
}

TEST(NtXentLossTest, IdenticalEmbeddingsGiveTheLogarithmOfTheOtherViews) {
  const auto point = torch::nn::functional::normalize(torch::ones({1, 8}));
  for (const int64_t num_images : {2, 5, 64}) {
    EXPECT_NEAR(NtXentLoss(point.expand({2 * num_images, 8}), 0.1).item<double>(),
                std::log(2.0 * static_cast<double>(num_images) - 1.0), 1e-5);
  }
}

TEST(NtXentLossTest, TheOrderOfImagesDoesNotMatterButTheirPairingDoes) {
  const auto views = RandomViews(6);
  const double loss = NtXentLoss(views, 0.2).item<double>();
  const auto order = torch::tensor({3, 1, 5, 0, 4, 2}, torch::kInt64);
  const auto permuted =
      torch::cat({views.index_select(0, order), views.index_select(0, order + 6)});
  EXPECT_NEAR(NtXentLoss(permuted, 0.2).item<double>(), loss, kNtXentTolerance * loss);
  const auto swapped = torch::cat({views.slice(0, 6, 12), views.slice(0, 0, 6)});
  EXPECT_NEAR(NtXentLoss(swapped, 0.2).item<double>(), loss, kNtXentTolerance * loss);
  const auto torn = torch::cat({views.slice(0, 0, 6), views.index_select(0, order + 6)});
  EXPECT_GT(std::abs(NtXentLoss(torn, 0.2).item<double>() - loss), 0.01);
}

TEST(NtXentLossTest, ItsGradientIsThatOfTheFormula) {
  const auto views = RandomViews(3).to(torch::kFloat64);
  auto z = views.clone().requires_grad_();
  NtXentLoss(z, 0.2).backward();
  constexpr double kStep = 1e-5;
  for (const auto& [i, k] : {std::pair{0, 0}, {2, 5}, {5, 7}}) {
    auto up = views.clone(), down = views.clone();
    up[i][k] += kStep;
    down[i][k] -= kStep;
    EXPECT_NEAR(
        z.grad()[i][k].item<double>(),
        (StraightNtXentLoss(up, 0.2) - StraightNtXentLoss(down, 0.2)) / (2 * kStep),
        1e-6);
  }
}

TEST(SimClrTest, TheHeadStartsSmallAndNormalAndFollowsInitSeed) {
  const SimClrOptions options{.hidden_size = 64, .embedding_size = 32};
  const SimClr head(options, 100, 1), same(options, 100, 1), other(options, 100, 2);
  const auto weights = StateDict(head);
  const auto& hidden = weights.at("hidden.weight");
  EXPECT_EQ(hidden.sizes(), (std::vector<int64_t>{64, 100}));
  EXPECT_EQ(weights.at("output.weight").sizes(), (std::vector<int64_t>{32, 64}));
  EXPECT_FALSE(weights.contains("hidden.bias"));
  // 6,400 draws: the deviation's own error is 0.9 %.
  EXPECT_NEAR(hidden.std().item<double>(), 0.01, 0.0004);
  EXPECT_NEAR(hidden.mean().item<double>(), 0.0, 0.0005);
  EXPECT_TRUE(torch::equal(hidden, StateDict(same).at("hidden.weight")));
  EXPECT_FALSE(torch::equal(hidden, StateDict(other).at("hidden.weight")));
}

TEST(SimClrTest, ItsLossIsThatOfItsEmbeddings) {
  const auto model = *CreateModel({.architecture = "alexnet_bn", .width = 1.0 / 32}, 1);
  SimClr objective({.temperature = 0.2, .hidden_size = 16, .embedding_size = 8},
                   model->num_features(), 1);
  torch::manual_seed(4);
  TrainingBatch batch;
  batch.images = torch::randn({10, 3, 64, 64});
  const auto result = objective.Loss(*model, batch, {});
  EXPECT_EQ(result.embeddings.sizes(), (std::vector<int64_t>{10, 8}));
  EXPECT_LT((result.embeddings.norm(2, 1) - 1).abs().max().item<double>(), 1e-6);
  EXPECT_FALSE(result.embeddings.requires_grad());
  const double expected = StraightNtXentLoss(result.embeddings, 0.2);
  EXPECT_NEAR(result.loss.item<double>(), expected, kNtXentTolerance * expected);
  result.loss.backward();
  EXPECT_GT(model->parameters()[0].grad().abs().max().item<double>(), 0.0);
}

}  // namespace
}  // namespace iat
