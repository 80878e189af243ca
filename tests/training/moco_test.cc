#include "training/moco.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "models/torch.h"
#include "tests/training/objectives_world.h"

namespace iat {
namespace {

using ::testing::ElementsAre;

class MocoTest : public ObjectiveTest {
 protected:
  std::shared_ptr<MomentumContrast> Make(const MocoOptions& options,
                                         int64_t data_seed = 1) const {
    const auto made = MomentumContrast::Create(options, Setup(1, data_seed));
    EXPECT_TRUE(made.ok()) << made.status();
    return std::dynamic_pointer_cast<MomentumContrast>(*made);
  }

  const MocoOptions small_{
      .key_momentum = 0.75, .queue_size = 10, .hidden_size = 64, .embedding_size = 4};
};

TEST_F(MocoTest, ItsLossIsWorkedByHand) {
  const auto e = torch::eye(3);
  // One query along x, its key at cosine 0.6, the queue along x and y.
  const auto key = torch::tensor({{0.6f, 0.0f, 0.8f}});
  const double positive = std::exp(0.6 / 0.5), x = std::exp(1.0 / 0.5);
  EXPECT_NEAR(MocoLoss(e.slice(0, 0, 1), key, e.slice(0, 0, 2), 0.5).item<double>(),
              -std::log(positive / (positive + x + 1.0)), 1e-6);
}

// Six keys a step into ten rows: 0-5, then 6-9 and 0-1, then 2-7. Batch norm sees two
// images at a time, in the order of the keys.
TEST_F(MocoTest, NewKeysReplaceTheOldestInTheQueue) {
  MocoOptions options = small_;
  options.batch_norm_groups = 3;
  const auto objective = Make(options);
  auto expected = objective->queue().clone();
  int64_t row = 0;
  for (int64_t step = 0; step < 4; ++step) {
    const TrainingBatch batch = Batch(2, step);
    // The keys of this step, by the key network as it is now.
    torch::Tensor keys;
    {
      const torch::NoGradGuard no_grad;
      const auto state = StateDict(*objective);
      auto key_model = *CreateModel(model_options_, 9);
      std::map<std::string, torch::Tensor> weights;
      for (const auto& [name, value] : state) {
        if (name.starts_with("key_model.")) weights[name.substr(10)] = value;
      }
      ASSERT_TRUE(LoadStateDict(*key_model, weights, "key").ok());
      const std::vector<int64_t> order = MocoKeyOrder(1, step, kNumImages);
      auto x = torch::empty({kNumImages, key_model->num_features()});
      for (int64_t i = 0; i < kNumImages; i += 2) {
        const auto pair = torch::tensor({order[i], order[i + 1]});
        const auto images = batch.images.slice(0, kNumImages).index_select(0, pair);
        x.index_copy_(0, pair, key_model->Forward(images, {}));
      }
      x = torch::relu(
          torch::linear(x, state.at("key_head.0.weight"), state.at("key_head.0.bias")));
      x = torch::linear(x, state.at("key_head.2.weight"), state.at("key_head.2.bias"));
      keys = x / x.norm(2, 1, true);
    }
    const auto result = objective->Loss(*model_, batch, {});
    EXPECT_TRUE(torch::equal(objective->queue(), expected));  // not before the step
    objective->AfterStep(*model_, batch, result);
    for (int64_t i = 0; i < kNumImages; ++i, row = (row + 1) % 10) {
      expected[row].copy_(keys[i]);
    }
    EXPECT_LT((objective->queue() - expected).abs().max().item<double>(), 1e-5) << step;
    EXPECT_EQ(StateDict(*objective).at("queue_position").item<int64_t>(), row);
    expected.copy_(objective->queue());
  }
}

TEST_F(MocoTest, KeysComeInAnotherOrderEveryStepAndForEveryDataSeed) {
  const std::vector<int64_t> order = MocoKeyOrder(1, 7, 64);
  EXPECT_EQ(MocoKeyOrder(1, 7, 64), order);
  EXPECT_NE(MocoKeyOrder(1, 8, 64), order);
  EXPECT_NE(MocoKeyOrder(2, 7, 64), order);
  const std::set<int64_t> images(order.begin(), order.end());
  EXPECT_EQ(images.size(), 64u);
  EXPECT_EQ(*images.rbegin(), 63);
}

TEST_F(MocoTest, BatchNormSeesAGroupOfQueriesAtATime) {
  TrainingBatch batch = Batch(2), other = Batch(2);
  other.images[5].mul_(3.0);
  const auto changed = [&](int64_t num_groups) {
    MocoOptions options = small_;
    options.batch_norm_groups = num_groups;
    const auto objective = Make(options);
    const auto before = objective->Loss(*model_, batch, {}).embeddings;
    const auto after = objective->Loss(*model_, other, {}).embeddings;
    std::vector<int64_t> rows;
    for (int64_t i = 0; i < kNumImages; ++i) {
      if (!torch::equal(before[i], after[i])) rows.push_back(i);
    }
    return rows;
  };
  EXPECT_THAT(changed(1), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(changed(2), ElementsAre(3, 4, 5));
  EXPECT_THAT(changed(3), ElementsAre(4, 5));
  // A group has two images at least.
  EXPECT_THAT(changed(4), ElementsAre(4, 5));
  EXPECT_THAT(changed(8), ElementsAre(4, 5));
}

// Without it a small group's statistics would be what evaluation uses.
TEST_F(MocoTest, GroupsMoveRunningStatisticsAsFarAsAWholeBatchDoes) {
  const TrainingBatch batch = Batch(2);
  const auto mean_after = [&](int64_t num_groups) {
    const auto model = *CreateModel(model_options_, 1);
    MocoOptions options = small_;
    options.batch_norm_groups = num_groups;
    Make(options)->Loss(*model, batch, {});
    return StateDict(*model).at("features.1.running_mean").clone();
  };
  const auto whole = mean_after(1);
  // 1 - (1 - 0.1 / 3)^3 = 0.0967 of the way instead of 0.1, groups weighted alike to 7%.
  EXPECT_LT((mean_after(3) - whole).norm().item<double>(),
            0.1 * whole.norm().item<double>());
}

TEST_F(MocoTest, EveryGroupHasDropoutMasksOfItsOwn) {
  TrainingBatch batch = Batch(2);
  for (int64_t i = 2; i < kNumImages; ++i) batch.images[i].copy_(batch.images[i - 2]);
  const auto objective = Make(small_);
  const auto alike = objective->Loss(*model_, batch, {}).embeddings;
  EXPECT_TRUE(torch::allclose(alike[0], alike[2]));
  const RandomStream dropout(1, "dropout", 0);
  const auto masked = objective->Loss(*model_, batch, {.dropout = &dropout}).embeddings;
  EXPECT_FALSE(torch::allclose(masked[0], masked[2]));
}

TEST_F(MocoTest, ABatchLargerThanTheQueueLeavesItsLastKeys) {
  MocoOptions options = small_;
  options.queue_size = 4;
  const auto objective = Make(options);
  const TrainingBatch batch = Batch(2);
  objective->AfterStep(*model_, batch, objective->Loss(*model_, batch, {}));
  EXPECT_EQ(StateDict(*objective).at("queue_position").item<int64_t>(), 0);
  EXPECT_LT((objective->queue().norm(2, 1) - 1).abs().max().item<double>(), 1e-6);
}

TEST_F(MocoTest, TheKeyNetworkStartsEqualFollowsSlowlyAndGetsNoGradient) {
  const auto objective = Make(small_);
  const auto keys = objective->named_parameters();
  const auto weights = model_->named_parameters();
  for (const auto& item : weights) {
    EXPECT_TRUE(torch::equal(keys["key_model." + item.key()], item.value()));
  }
  EXPECT_TRUE(torch::equal(keys["key_head.0.weight"], keys["head.0.weight"]));
  const TrainingBatch batch = Batch(2);
  ExpectGradientsEverywhere(*objective, batch);
  const auto result = objective->Loss(*model_, batch, {});
  const auto before = weights["features.0.weight"].detach().clone();
  {
    const torch::NoGradGuard no_grad;
    for (auto& parameter : model_->parameters()) parameter.add_(1.0);
    for (const char* name : {"head.0.weight", "head.2.bias"}) {
      torch::Tensor(keys[name]).add_(2.0);
    }
  }
  const auto head = keys["head.0.weight"].detach().clone();
  objective->AfterStep(*model_, batch, result);
  // 0.75 * w + 0.25 * (w + 1)
  EXPECT_LT(
      (keys["key_model.features.0.weight"] - before - 0.25).abs().max().item<double>(),
      1e-6);
  EXPECT_LT((keys["key_head.0.weight"] - head + 1.5).abs().max().item<double>(), 1e-6);
  EXPECT_TRUE(torch::equal(keys["head.0.weight"], head));
}

// The key network normalises by the batch, as in training, and keeps statistics of its
// own: of the second views, whose mean is another.
TEST_F(MocoTest, ItsBatchNormHasStatisticsOfItsOwn) {
  MocoOptions options = small_;
  options.batch_norm_groups = 1;
  const auto objective = Make(options);
  TrainingBatch batch = Batch(2);
  batch.images.slice(0, kNumImages).add_(5.0);
  objective->Loss(*model_, batch, {});
  const auto own = StateDict(*model_).at("features.1.running_mean");
  const auto key = StateDict(*objective).at("key_model.features.1.running_mean");
  EXPECT_GT((own - key).abs().max().item<double>(), 0.01);
  EXPECT_EQ(StateDict(*objective)
                .at("key_model.features.1.num_batches_tracked")
                .item<int64_t>(),
            1);
}

TEST_F(MocoTest, TheQueueStartsAsUnitVectorsFromDataSeed) {
  const auto objective = Make(small_), other = Make(small_, 2);
  EXPECT_LT((objective->queue().norm(2, 1) - 1).abs().max().item<double>(), 1e-6);
  EXPECT_FALSE(torch::equal(objective->queue(), other->queue()));
}

TEST_F(MocoTest, ItsHeadStartsByKaimingsRule) {
  const auto objective = Make({.hidden_size = 256, .embedding_size = 64});
  const auto state = StateDict(*objective);
  // 128 inputs and 256: deviations sqrt(2/128) and sqrt(2/256), 16,000 draws and more.
  EXPECT_NEAR(state.at("head.0.weight").std().item<double>(), std::sqrt(2.0 / 128),
              0.003);
  EXPECT_NEAR(state.at("head.2.weight").std().item<double>(), std::sqrt(2.0 / 256),
              0.003);
  EXPECT_EQ(state.at("head.0.bias").abs().max().item<double>(), 0.0);
}

}  // namespace
}  // namespace iat
