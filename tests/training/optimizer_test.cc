#include "training/optimizer.h"

#include <gtest/gtest.h>
#include <torch/optim.h>

#include <cmath>
#include <map>
#include <numbers>
#include <string>
#include <vector>

#include "models/torch.h"

namespace iat {
namespace {

// A few float32 roundings of numbers near 1.
constexpr double kStepTolerance = 1e-6;

torch::Tensor Parameter(const torch::Tensor& values) {
  return values.detach().clone(torch::MemoryFormat::Preserve).requires_grad_();
}

void StepWithGradient(Optimizer& optimizer, torch::Tensor& parameter,
                      const torch::Tensor& gradient, double learning_rate) {
  parameter.mutable_grad() = gradient.clone();
  optimizer.Step(learning_rate);
}

double Largest(const torch::Tensor& a, const torch::Tensor& b) {
  return (a.detach() - b.detach()).abs().max().item<double>();
}

TEST(SgdTest, FollowsItsEquationsForThreeSteps) {
  auto w = Parameter(torch::ones({1}));
  Optimizer sgd({.momentum = 0.5, .weight_decay = 0.1}, {{"w", w}});
  // g = 1 + 0.1 * 1 = 1.1;  v = 1.1;  w = 1 - 0.1 * 1.1
  StepWithGradient(sgd, w, torch::full({1}, 1.0), 0.1);
  EXPECT_NEAR(w.item<double>(), 0.89, kStepTolerance);
  // g = -2 + 0.1 * 0.89 = -1.911;  v = 0.5 * 1.1 - 1.911 = -1.361
  StepWithGradient(sgd, w, torch::full({1}, -2.0), 0.1);
  EXPECT_NEAR(w.item<double>(), 1.0261, kStepTolerance);
  EXPECT_NEAR(sgd.state().at("velocity.w").item<double>(), -1.361, kStepTolerance);
  // g = 0.5 + 0.10261;  v = 0.5 * -1.361 + 0.60261 = -0.07789;  rate halved
  StepWithGradient(sgd, w, torch::full({1}, 0.5), 0.05);
  EXPECT_NEAR(w.item<double>(), 1.0299945, kStepTolerance);
}

TEST(SgdTest, NesterovLooksAhead) {
  auto w = Parameter(torch::ones({1}));
  Optimizer sgd({.momentum = 0.5, .nesterov = true, .weight_decay = 0.1}, {{"w", w}});
  // g = 1.1;  v = 1.1;  w = 1 - 0.1 * (1.1 + 0.5 * 1.1)
  StepWithGradient(sgd, w, torch::full({1}, 1.0), 0.1);
  EXPECT_NEAR(w.item<double>(), 0.835, kStepTolerance);
}

TEST(AdamTest, FollowsItsEquationsForTwoSteps) {
  auto w = Parameter(torch::ones({1}));
  Optimizer adam({.optimizer = "adam",
                  .weight_decay = 0.0,
                  .adam_beta1 = 0.5,
                  .adam_beta2 = 0.75,
                  .adam_epsilon = 0.5},
                 {{"w", w}});
  // g = 2, corrected by 1 - beta:
  // m = 0.5 * 2 / 0.5 = 2;  s = 0.25 * 4 / 0.25 = 4;  w = 1 - 0.3 * 2 / (2 + 0.5)
  StepWithGradient(adam, w, torch::full({1}, 2.0), 0.3);
  EXPECT_NEAR(w.item<double>(), 0.76, kStepTolerance);
  // g = -1: m = 0.5 * 1 - 0.5 = 0;  w stays
  StepWithGradient(adam, w, torch::full({1}, -1.0), 0.3);
  EXPECT_NEAR(w.item<double>(), 0.76, kStepTolerance);
  const auto state = adam.state();
  EXPECT_NEAR(state.at("moment1.w").item<double>(), 0.0, kStepTolerance);
  EXPECT_NEAR(state.at("moment2.w").item<double>(), 0.75 * 1.0 + 0.25, kStepTolerance);
  EXPECT_EQ(state.at("steps").item<int64_t>(), 2);
}

// Both ours and torch's own over ten steps of random gradients.
template <typename Reference, typename ReferenceOptions>
void ExpectTorchsOwnWay(const OptimizerOptions& options,
                        const ReferenceOptions& reference_options) {
  torch::manual_seed(1);
  auto ours = Parameter(torch::randn({17, 5}));
  auto theirs = Parameter(ours);
  Optimizer optimizer(options, {{"w", ours}});
  Reference reference({theirs}, reference_options);
  for (int step = 0; step < 10; ++step) {
    const auto gradient = torch::randn({17, 5});
    theirs.mutable_grad() = gradient.clone();
    reference.step();
    StepWithGradient(optimizer, ours, gradient, 0.1);
  }
  EXPECT_LT(Largest(ours, theirs), 10 * kStepTolerance);
}

TEST(OptimizerTest, GoesWhereTorchsOwnOptimizersGo) {
  ExpectTorchsOwnWay<torch::optim::SGD>(
      {.momentum = 0.9, .weight_decay = 5e-4},
      torch::optim::SGDOptions(0.1).momentum(0.9).weight_decay(5e-4));
  ExpectTorchsOwnWay<torch::optim::SGD>(
      {.momentum = 0.9, .nesterov = true, .weight_decay = 5e-4},
      torch::optim::SGDOptions(0.1).momentum(0.9).weight_decay(5e-4).nesterov(true));
  ExpectTorchsOwnWay<torch::optim::Adam>(
      {.optimizer = "adam", .weight_decay = 0.01},
      torch::optim::AdamOptions(0.1).weight_decay(0.01));
  ExpectTorchsOwnWay<torch::optim::AdamW>(
      {.optimizer = "adamw", .weight_decay = 0.01},
      torch::optim::AdamWOptions(0.1).weight_decay(0.01));
}

TEST(OptimizerTest, OnePassAndTheLongRoadGiveTheSameNumbers) {
  for (const OptimizerOptions& options :
       {OptimizerOptions{.weight_decay = 0.01},
        OptimizerOptions{.nesterov = true, .weight_decay = 0.01},
        OptimizerOptions{.optimizer = "adam", .weight_decay = 0.01},
        OptimizerOptions{.optimizer = "adamw", .weight_decay = 0.01},
        OptimizerOptions{.optimizer = "lars", .weight_decay = 0.01}}) {
    torch::manual_seed(2);
    auto contiguous = Parameter(torch::randn({6, 4}));
    // The same values, column by column in memory: not fit for one pass.
    auto transposed = Parameter(contiguous.detach().t().contiguous().t());
    ASSERT_FALSE(transposed.is_contiguous());
    Optimizer optimizer(options,
                        {{"contiguous", contiguous}, {"transposed", transposed}});
    for (int step = 0; step < 5; ++step) {
      const auto gradient = torch::randn({6, 4});
      contiguous.mutable_grad() = gradient.clone();
      transposed.mutable_grad() = gradient.clone();
      optimizer.Step(0.1);
      EXPECT_LT(Largest(contiguous, transposed), kStepTolerance) << options.optimizer;
    }
  }
}

TEST(OptimizerTest, AParameterMayHaveARateOfItsOwn) {
  for (const char* name : {"sgd", "adam", "lars"}) {
    torch::manual_seed(4);
    const OptimizerOptions options{.optimizer = name};
    auto faster = Parameter(torch::randn({6, 4})), alone = Parameter(faster),
         slower = Parameter(faster), slow_alone = Parameter(faster);
    Optimizer both(options, {{"faster", faster, 4.0}, {"slower", slower}});
    Optimizer fast(options, {{"w", alone}}), slow(options, {{"w", slow_alone}});
    for (int step = 0; step < 3; ++step) {
      const auto gradient = torch::randn({6, 4});
      faster.mutable_grad() = gradient.clone();
      slower.mutable_grad() = gradient.clone();
      both.Step(0.01);
      StepWithGradient(fast, alone, gradient, 0.04);
      StepWithGradient(slow, slow_alone, gradient, 0.01);
    }
    EXPECT_LT(Largest(faster, alone), kStepTolerance) << name;
    EXPECT_LT(Largest(slower, slow_alone), kStepTolerance) << name;
    EXPECT_GT(Largest(faster, slower), 1e-4) << name;
  }
}

TEST(OptimizerTest, LetsGoOfGradientsAndOfParametersWithoutOne) {
  auto contiguous = Parameter(torch::ones({3, 2}));
  auto transposed = Parameter(torch::ones({2, 3}).t());
  auto unused = Parameter(torch::ones({2}));
  auto frozen = torch::ones({2});
  Optimizer sgd({}, {{"contiguous", contiguous},
                     {"transposed", transposed},
                     {"unused", unused},
                     {"frozen", frozen}});
  contiguous.mutable_grad() = torch::ones({3, 2});
  transposed.mutable_grad() = torch::ones({3, 2});
  sgd.Step(0.1);
  EXPECT_FALSE(contiguous.grad().defined());
  EXPECT_FALSE(transposed.grad().defined());
  EXPECT_TRUE(torch::equal(unused, torch::ones({2})));  // no weight decay either
  EXPECT_EQ(sgd.state().size(), 3u);
  EXPECT_FALSE(sgd.state().contains("velocity.frozen"));
}

// Above the size at which the work is divided.
TEST(OptimizerTest, TheNumberOfThreadsChangesNothing) {
  for (const char* name : {"sgd", "adam", "lars"}) {
    std::vector<torch::Tensor> results;
    for (const int threads : {1, 3}) {
      torch::set_num_threads(threads);
      torch::manual_seed(3);
      auto w = Parameter(torch::randn({100'003}));
      Optimizer optimizer({.optimizer = name, .lars_exclude = "none"}, {{"w", w}});
      for (int step = 0; step < 3; ++step) {
        StepWithGradient(optimizer, w, torch::randn({100'003}), 0.1);
      }
      results.push_back(w.detach());
    }
    torch::set_num_threads(1);
    EXPECT_TRUE(torch::equal(results[0], results[1])) << name;
  }
}

TEST(LarsTest, ItsTrustRatioIsThatOfTheNorms) {
  // |w| = 5, |g| = 13: q = 0.1 * 5 / (13 + 0.2 * 5) = 1/28.
  auto w = Parameter(torch::tensor({{3.0f, 4.0f}}));
  Optimizer lars(
      {.optimizer = "lars", .momentum = 0.5, .weight_decay = 0.2, .lars_trust = 0.1},
      {{"model.w", w}});
  StepWithGradient(lars, w, torch::tensor({{5.0f, -12.0f}}), 0.7);
  // v = 0.7 / 28 * (g + 0.2 w) = 0.025 * (5.6, -11.2)
  EXPECT_NEAR(w[0][0].item<double>(), 3.0 - 0.14, kStepTolerance);
  EXPECT_NEAR(w[0][1].item<double>(), 4.0 + 0.28, kStepTolerance);
  // The rate is in the velocity: without a gradient, half of it remains.
  StepWithGradient(lars, w, torch::zeros({1, 2}), 0.0);
  EXPECT_NEAR(w[0][0].item<double>(), 2.86 - 0.07, kStepTolerance);
  EXPECT_NEAR(w[0][1].item<double>(), 4.28 + 0.14, kStepTolerance);
}

TEST(LarsTest, ItsNormsKeepSmallSquaresBesideLargeSums) {
  // A float sum of 2^25 ones stops at 2^24.
  constexpr int64_t kCount = int64_t{1} << 25;
  auto w = Parameter(torch::ones({kCount / 16, 16}));
  Optimizer lars(
      {.optimizer = "lars", .momentum = 0.0, .weight_decay = 0.0, .lars_trust = 1.0},
      {{"model.w", w}});
  StepWithGradient(lars, w, torch::full({kCount / 16, 16}, 2.0), 0.25);
  // q = |w| / |g| = 1/2, step = 0.25 * 1/2 * 2.
  EXPECT_NEAR(w[0][0].item<double>(), 0.75, kStepTolerance);
}

TEST(LarsTest, ExclusionsFollowTheirPattern) {
  const std::vector<std::string> names = {
      "model.features.0.weight", "model.features.0.bias", "model.features.1.weight",
      "objective.hidden_norm.weight", "objective.hidden_norm.bias"};
  const std::map<std::string, std::vector<bool>> excluded = {
      {"none", {false, false, false, false, false}},
      {"one_dimensional", {false, true, true, true, true}},
      {"mouse_vision", {false, true, false, true, true}}};
  for (const auto& [pattern, expected] : excluded) {
    std::vector<OptimizedParameter> parameters;
    for (const std::string& name : names) {
      const bool matrix = name == names[0];
      parameters.push_back(
          {name, Parameter(matrix ? torch::ones({1, 4}) : torch::ones({4}))});
    }
    Optimizer lars({.optimizer = "lars",
                    .momentum = 0.0,
                    .weight_decay = 0.5,
                    .lars_trust = 0.1,
                    .lars_exclude = pattern,
                    .lars_excluded_rate = 0.25},
                   parameters);
    for (auto& [name, w, rate] : parameters) w.mutable_grad() = torch::ones_like(w);
    lars.Step(0.4);
    for (size_t i = 0; i < names.size(); ++i) {
      // Adapted: q = 0.1 * 2 / (2 + 0.5 * 2), step = 0.4 * q * (1 + 0.5).
      const double step = expected[i] ? 0.4 * 0.25 : 0.04;
      EXPECT_NEAR(parameters[i].value.flatten()[0].item<double>(), 1.0 - step,
                  kStepTolerance)
          << pattern << " " << names[i];
    }
  }
}

TEST(OptimizerOptionsTest, WhatTheChosenOneDoesNotReadIsForgotten) {
  OptimizerOptions sgd{.momentum = 0.8, .adam_beta1 = 0.1, .lars_trust = 0.5};
  sgd.ForgetUnused();
  EXPECT_EQ(sgd.momentum, 0.8);
  EXPECT_EQ(sgd.adam_beta1, 0.9);
  EXPECT_EQ(sgd.lars_trust, 0.001);
  OptimizerOptions adam{
      .optimizer = "adam", .momentum = 0.8, .nesterov = true, .adam_beta1 = 0.1};
  adam.ForgetUnused();
  EXPECT_EQ(adam.momentum, 0.9);
  EXPECT_FALSE(adam.nesterov);
  EXPECT_EQ(adam.adam_beta1, 0.1);
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

TEST(LearningRateTest, TheCosineEndsWhereItIsAskedTo) {
  const ScheduleOptions options{
      .learning_rate = 0.3, .schedule = "cosine", .cosine_end = 0.1};
  EXPECT_NEAR(LearningRate(options, 0, 10, 4), 0.3, kRateTolerance);
  EXPECT_NEAR(LearningRate(options, 20, 10, 4), 0.3 * (0.1 + 0.9 * 0.5), kRateTolerance);
  EXPECT_NEAR(LearningRate(options, 40, 10, 4), 0.03, kRateTolerance);
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
