#include "training/optimizer.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <numbers>

namespace iat {
namespace {

// A few float32 roundings of numbers near 1.
constexpr double kStepTolerance = 1e-6;

void StepWithGradient(Sgd& sgd, torch::Tensor& parameter, const torch::Tensor& gradient,
                      double learning_rate) {
  parameter.mutable_grad() = gradient.clone();
  sgd.Step(learning_rate);
}

TEST(SgdTest, FollowsItsEquationsForThreeSteps) {
  auto w = torch::ones({1});
  Sgd sgd({.momentum = 0.5, .weight_decay = 0.1}, {{"w", w}});
  // g = 1 + 0.1 * 1 = 1.1;  v = 1.1;  w = 1 - 0.1 * 1.1
  StepWithGradient(sgd, w, torch::full({1}, 1.0), 0.1);
  EXPECT_NEAR(w.item<double>(), 0.89, kStepTolerance);
  // g = -2 + 0.1 * 0.89 = -1.911;  v = 0.5 * 1.1 - 1.911 = -1.361
  StepWithGradient(sgd, w, torch::full({1}, -2.0), 0.1);
  EXPECT_NEAR(w.item<double>(), 1.0261, kStepTolerance);
  EXPECT_NEAR(sgd.velocities().at("w").item<double>(), -1.361, kStepTolerance);
  // g = 0.5 + 0.10261;  v = 0.5 * -1.361 + 0.60261 = -0.07789;  rate halved
  StepWithGradient(sgd, w, torch::full({1}, 0.5), 0.05);
  EXPECT_NEAR(w.item<double>(), 1.0299945, kStepTolerance);
}

TEST(SgdTest, GoesWhereTorchsOwnOptimizerGoes) {
  torch::manual_seed(1);
  auto ours = torch::randn({17, 5});
  auto theirs = ours.clone().requires_grad_();
  Sgd sgd({.momentum = 0.9, .weight_decay = 5e-4}, {{"w", ours}});
  torch::optim::SGD reference(
      {theirs}, torch::optim::SGDOptions(0.1).momentum(0.9).weight_decay(5e-4));
  for (int step = 0; step < 10; ++step) {
    const auto gradient = torch::randn({17, 5});
    theirs.mutable_grad() = gradient.clone();
    reference.step();
    StepWithGradient(sgd, ours, gradient, 0.1);
  }
  EXPECT_LT((ours - theirs).abs().max().item<double>(), 10 * kStepTolerance);
}

TEST(SgdTest, OnePassAndTheLongRoadGiveTheSameNumbers) {
  torch::manual_seed(2);
  auto contiguous = torch::randn({6, 4});
  // The same values, column by column in memory: not fit for one pass.
  auto transposed = contiguous.t().contiguous().t();
  ASSERT_FALSE(transposed.is_contiguous());
  Sgd sgd({.momentum = 0.9, .weight_decay = 0.01},
          {{"contiguous", contiguous}, {"transposed", transposed}});
  for (int step = 0; step < 5; ++step) {
    const auto gradient = torch::randn({6, 4});
    contiguous.mutable_grad() = gradient.clone();
    transposed.mutable_grad() = gradient.clone();
    sgd.Step(0.1);
    EXPECT_LT((contiguous - transposed).abs().max().item<double>(), kStepTolerance);
  }
  EXPECT_LT((sgd.velocities().at("contiguous") - sgd.velocities().at("transposed"))
                .abs()
                .max()
                .item<double>(),
            kStepTolerance);
}

TEST(SgdTest, LeavesZeroGradientsAndUntouchedParametersWithoutOne) {
  auto contiguous = torch::ones({3, 2});
  auto transposed = torch::ones({2, 3}).t();
  auto unused = torch::ones({2});
  Sgd sgd({},
          {{"contiguous", contiguous}, {"transposed", transposed}, {"unused", unused}});
  contiguous.mutable_grad() = torch::ones({3, 2});
  transposed.mutable_grad() = torch::ones({3, 2});
  sgd.Step(0.1);
  EXPECT_TRUE(torch::equal(contiguous.grad(), torch::zeros({3, 2})));
  EXPECT_TRUE(torch::equal(transposed.grad(), torch::zeros({3, 2})));
  EXPECT_FALSE(unused.grad().defined());
  EXPECT_TRUE(torch::equal(unused, torch::ones({2})));  // no weight decay either
}

constexpr double kRateTolerance = 1e-15;

TEST(LearningRateTest, StepFallsByItsFactorAtEachOfItsEpochs) {
  const ScheduleOptions options{.learning_rate = 0.8,
                                .schedule = "step",
                                .step_epochs = {2, 3},
                                .step_factor = 0.5};
  const double expected[] = {0.8, 0.8, 0.4, 0.2};
  for (int64_t step = 0; step < 40; ++step) {
    EXPECT_NEAR(LearningRate(options, step, 10, 4), expected[step / 10], kRateTolerance)
        << step;
  }
}

TEST(LearningRateTest, CosineFallsFromTheHighestRateTowardsZero) {
  const ScheduleOptions options{.learning_rate = 0.3, .schedule = "cosine"};
  EXPECT_NEAR(LearningRate(options, 0, 10, 4), 0.3, kRateTolerance);
  EXPECT_NEAR(LearningRate(options, 10, 10, 4),
              0.15 * (1.0 + std::cos(std::numbers::pi / 4.0)), kRateTolerance);
  EXPECT_NEAR(LearningRate(options, 20, 10, 4), 0.15, kRateTolerance);
  EXPECT_NEAR(LearningRate(options, 39, 10, 4),
              0.15 * (1.0 + std::cos(std::numbers::pi * 39.0 / 40.0)), kRateTolerance);
  EXPECT_NEAR(LearningRate(options, 40, 10, 4), 0.0, kRateTolerance);
  for (int64_t step = 1; step < 40; ++step) {
    EXPECT_LT(LearningRate(options, step, 10, 4), LearningRate(options, step - 1, 10, 4));
  }
}

TEST(LearningRateTest, ConstantStays) {
  const ScheduleOptions options{
      .learning_rate = 0.3, .schedule = "constant", .step_epochs = {1}};
  EXPECT_EQ(LearningRate(options, 0, 10, 4), 0.3);
  EXPECT_EQ(LearningRate(options, 39, 10, 4), 0.3);
}

TEST(LearningRateTest, WarmUpRisesInEqualStepsAndTheCosineStartsAfterIt) {
  const ScheduleOptions options{
      .learning_rate = 0.4, .schedule = "cosine", .warmup_epochs = 0.5};
  for (int64_t step = 0; step < 5; ++step) {
    EXPECT_NEAR(LearningRate(options, step, 10, 3), 0.08 * static_cast<double>(step + 1),
                kRateTolerance);
  }
  EXPECT_NEAR(LearningRate(options, 5, 10, 3), 0.4, kRateTolerance);
  // Half of the 25 steps after warm-up.
  EXPECT_NEAR(LearningRate(options, 5 + 12, 10, 3),
              0.2 * (1.0 + std::cos(std::numbers::pi * 12.0 / 25.0)), kRateTolerance);
}

TEST(LearningRateTest, AWarmUpOfAFractionOfAStepNeverExceedsTheHighestRate) {
  const ScheduleOptions options{
      .learning_rate = 0.4, .schedule = "constant", .warmup_epochs = 0.25};
  // 2.5 steps: 1/2.5, 2/2.5, then full.
  EXPECT_NEAR(LearningRate(options, 0, 10, 1), 0.16, kRateTolerance);
  EXPECT_NEAR(LearningRate(options, 1, 10, 1), 0.32, kRateTolerance);
  EXPECT_NEAR(LearningRate(options, 2, 10, 1), 0.4, kRateTolerance);
  EXPECT_NEAR(LearningRate(options, 3, 10, 1), 0.4, kRateTolerance);
}

TEST(LearningRateTest, AWarmUpLongerThanTheTrainingIsCutOff) {
  const ScheduleOptions options{
      .learning_rate = 0.4, .schedule = "cosine", .warmup_epochs = 2.0};
  EXPECT_NEAR(LearningRate(options, 9, 10, 1), 0.2, kRateTolerance);
}

}  // namespace
}  // namespace iat
