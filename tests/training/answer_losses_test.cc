// RotNet, supervised, autoencoder: objectives whose head answers a question.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/torch.h"
#include "tests/training/objectives_world.h"
#include "training/autoencoder.h"
#include "training/rotnet.h"
#include "training/supervised.h"

namespace iat {
namespace {

TEST(RotNetTest, QuarterTurnsAreExact) {
  // 1 2     2 4     4 3     3 1
  // 3 4     1 3     2 1     4 2    counter-clockwise
  const auto image = torch::tensor({{1.0f, 2.0f}, {3.0f, 4.0f}}).view({1, 1, 2, 2});
  const auto turned = QuarterTurns(image);
  ASSERT_EQ(turned.sizes(), (std::vector<int64_t>{4, 1, 2, 2}));
  const float expected[4][4] = {{1, 2, 3, 4}, {2, 4, 1, 3}, {4, 3, 2, 1}, {3, 1, 4, 2}};
  for (int turn = 0; turn < 4; ++turn) {
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(turned[turn].flatten()[i].item<float>(), expected[turn][i]) << turn;
    }
  }
}

TEST(RotNetTest, AllImagesOfOneTurnStandTogether) {
  torch::manual_seed(1);
  const auto images = torch::randn({5, 3, 8, 8});
  const auto turned = QuarterTurns(images);
  ASSERT_EQ(turned.size(0), 20);
  EXPECT_TRUE(torch::equal(turned.slice(0, 0, 5), images));
  // Twice a half turn, four times a quarter turn: the image again.
  EXPECT_TRUE(
      torch::equal(QuarterTurns(turned.slice(0, 10, 15)).slice(0, 10, 15), images));
  EXPECT_TRUE(
      torch::equal(QuarterTurns(turned.slice(0, 5, 10)).slice(0, 15, 20), images));
  for (int64_t i = 0; i < 8; ++i) {
    for (int64_t j = 0; j < 8; ++j) {
      EXPECT_EQ(turned[5][0][i][j].item<float>(), images[0][0][j][7 - i].item<float>());
    }
  }
}

// The weights that answer perfectly, and the opposite.
TEST_F(ObjectiveTest, RotNetKnowsWhichTurnIsWhich) {
  RotNet objective(Setup());
  const auto batch = Batch(1);
  const auto features = model_->Forward(QuarterTurns(batch.images), {}).detach();
  auto parameters = objective.named_parameters();
  const torch::NoGradGuard no_grad;
  // Ridge regression of one-hot answers on 24 features of 128 dimensions fits exactly.
  const auto answers = torch::eye(4).repeat_interleave(kNumImages, 0);
  const auto weights = std::get<0>(torch::linalg_lstsq(features, answers, 1e-6, "gelsd"));
  parameters["head.weight"].copy_(40.0 * weights.t());
  parameters["head.bias"].zero_();
  EXPECT_LT(objective.Loss(*model_, batch, {}).loss.item<double>(), 1e-3);
  parameters["head.weight"].neg_();
  EXPECT_GT(objective.Loss(*model_, batch, {}).loss.item<double>(), 10.0);
}

TEST_F(ObjectiveTest, SupervisedAtEqualLogitsIsTheLogarithmOfTheClasses) {
  Supervised objective(Setup());
  const torch::NoGradGuard no_grad;
  for (auto& parameter : objective.parameters()) parameter.zero_();
  EXPECT_NEAR(objective.Loss(*model_, Batch(1), {}).loss.item<double>(), std::log(3.0),
              1e-6);
  // The bias says class 1: two of six images are.
  objective.named_parameters()["head.bias"][1] = 50.0;
  EXPECT_NEAR(objective.Loss(*model_, Batch(1), {}).loss.item<double>(), 50.0 * 4 / 6,
              1e-4);
}

TEST_F(ObjectiveTest, SupervisedNeedsClasses) {
  for (const int64_t num_labels : {0, 1}) {
    ObjectiveSetup setup = Setup();
    setup.num_labels = num_labels;
    const auto made = Supervised::Create({}, setup);
    EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(made.status().message(),
              "training.objective = \"supervised\" needs a class for every training "
              "image and at least two classes (class folders, CIFAR, or a label column "
              "in index.csv); these images have none");
  }
}

TEST(AutoencoderLossTest, IsHalfTheSquaredErrorAndTheMeanActivity) {
  const auto hidden = torch::tensor({{1.0f, 0.0f}, {2.0f, 3.0f}});
  const auto images = torch::zeros({2, 3, 64, 64}),
             output = torch::full_like(images, 0.5);
  EXPECT_NEAR(AutoencoderLoss(hidden, output, images, 0.1).item<double>(),
              0.5 * 0.25 + 0.1 * 1.5, 1e-6);
}

TEST_F(ObjectiveTest, TheDecoderEndsAtTheImagesSize) {
  Autoencoder objective({.decoder_channels = 16}, Setup());
  const auto state = StateDict(objective);
  EXPECT_EQ(state.at("decoder.0.weight").sizes(), (std::vector<int64_t>{256, 128}));
  EXPECT_EQ(state.at("decoder.4.weight").sizes(), (std::vector<int64_t>{16, 8, 4, 4}));
  EXPECT_EQ(state.at("decoder.13.weight").sizes(), (std::vector<int64_t>{2, 3, 4, 4}));
  const auto result = objective.Loss(*model_, Batch(1), {});
  EXPECT_EQ(result.embeddings.sizes(), (std::vector<int64_t>{kNumImages, 128}));
}

}  // namespace
}  // namespace iat
