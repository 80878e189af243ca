#include "training/instance_recognition.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "models/torch.h"

namespace iat {
namespace {

// float32 exponentials of inner products summed over a few thousand terms.
constexpr double kLossTolerance = 2e-6;  // relative

// The header's formula, term by term.
double StraightInstanceRecognitionLoss(const torch::Tensor& embeddings,
                                       const torch::Tensor& bank,
                                       const torch::Tensor& indices,
                                       const torch::Tensor& noise, double temperature) {
  const auto v = embeddings.to(torch::kFloat64).contiguous();
  const auto b = bank.to(torch::kFloat64).contiguous();
  const double num_images = static_cast<double>(b.size(0));
  const double m = static_cast<double>(noise.size(1));
  const double z = 2876934.2 / 1281167.0 * num_images;
  const auto probability = [&](int64_t i, int64_t j) {
    double product = 0.0;
    for (int64_t k = 0; k < v.size(1); ++k) {
      product += v[i][k].item<double>() * b[j][k].item<double>();
    }
    return std::exp(product / temperature) / z;
  };
  double sum = 0.0;
  for (int64_t i = 0; i < v.size(0); ++i) {
    const double p = probability(i, indices[i].item<int64_t>());
    sum += std::log(p / (p + m / num_images + 1e-7));
    for (int64_t k = 0; k < noise.size(1); ++k) {
      const double q = probability(i, noise[i][k].item<int64_t>());
      sum += std::log((m / num_images) / (q + m / num_images + 1e-7));
    }
  }
  return -sum / static_cast<double>(v.size(0));
}

struct LossInputs {
  torch::Tensor embeddings, bank, indices, noise;
};

LossInputs MakeLossInputs(int64_t num_images, int64_t num_noise) {
  torch::manual_seed(num_images);
  LossInputs inputs;
  inputs.embeddings = torch::nn::functional::normalize(torch::randn({3, 8}));
  inputs.bank = torch::nn::functional::normalize(torch::randn({num_images, 8}));
  inputs.indices = torch::randint(num_images, {3}, torch::kInt64);
  inputs.noise = torch::randint(num_images, {3, num_noise}, torch::kInt64);
  return inputs;
}

double Loss(const LossInputs& inputs, double temperature) {
  return InstanceRecognitionLoss(inputs.embeddings, inputs.bank, inputs.indices,
                                 inputs.noise, temperature)
      .item<double>();
}

double StraightLoss(const LossInputs& inputs, double temperature) {
  return StraightInstanceRecognitionLoss(inputs.embeddings, inputs.bank, inputs.indices,
                                         inputs.noise, temperature);
}

TEST(InstanceRecognitionLossTest, AgreesWithTwoImagesWorkedByHand) {
  // Two images, one noise index each; the second one's noise is its own positive.
  const LossInputs inputs{.embeddings = torch::tensor({{1.0f, 0.0f}, {0.6f, 0.8f}}),
                          .bank = torch::eye(2),
                          .indices = torch::tensor({0, 1}, torch::kInt64),
                          .noise = torch::tensor({{1}, {1}}, torch::kInt64)};
  // Z = 2 * 2.2455575284... , m/N = 1/2.
  const double z = 4.491115069752811;
  const double p0 = std::exp(1.0) / z, q0 = std::exp(0.0) / z;
  const double p1 = std::exp(0.8) / z, q1 = p1;
  const double expected = -0.5 * (std::log(p0 / (p0 + 0.5)) + std::log(0.5 / (q0 + 0.5)) +
                                  std::log(p1 / (p1 + 0.5)) + std::log(0.5 / (q1 + 0.5)));
  // eps = 1e-7 shifts each logarithm by at most 2e-7.
  EXPECT_NEAR(Loss(inputs, 1.0), expected, 1e-6);
  EXPECT_NEAR(StraightLoss(inputs, 1.0), expected, 5e-7);
}

// N from far below to far above 16 (m + 1) = 80, where the bank is gathered
// instead of multiplied.
TEST(InstanceRecognitionLossTest, BothRoadsToTheInnerProductsAgreeWithTheFormula) {
  for (const int64_t num_images : {20, 64, 80, 81, 200, 1000}) {
    const LossInputs inputs = MakeLossInputs(num_images, /*num_noise=*/4);
    for (const double temperature : {0.07, 0.5}) {
      const double expected = StraightLoss(inputs, temperature);
      EXPECT_NEAR(Loss(inputs, temperature), expected,
                  kLossTolerance * std::abs(expected))
          << num_images << " images, temperature " << temperature;
    }
  }
}

TEST(InstanceRecognitionLossTest, RepeatingTheNoiseCrossesTheLimitWithTheSameInputs) {
  // m noise indices gather, 20 m of them multiply; summed by hand both are the
  // same terms.
  const int64_t num_images = 500;
  const LossInputs few = MakeLossInputs(num_images, 4);
  LossInputs many = few;
  many.noise = few.noise.repeat({1, 20});
  const double expected = StraightLoss(many, 0.07);
  EXPECT_NEAR(Loss(many, 0.07), expected, kLossTolerance * std::abs(expected));
  const double expected_few = StraightLoss(few, 0.07);
  EXPECT_NEAR(Loss(few, 0.07), expected_few, kLossTolerance * std::abs(expected_few));
}

TEST(InstanceRecognitionLossTest, ItsGradientIsThatOfTheFormulaOnBothRoads) {
  for (const int64_t num_images : {30, 300}) {
    LossInputs inputs = MakeLossInputs(num_images, 4);
    inputs.embeddings = inputs.embeddings.to(torch::kFloat64);
    inputs.bank = inputs.bank.to(torch::kFloat64);
    auto v = inputs.embeddings.clone().requires_grad_();
    InstanceRecognitionLoss(v, inputs.bank, inputs.indices, inputs.noise, 0.2).backward();
    constexpr double kStep = 1e-5;
    for (const auto& [i, k] : {std::pair{0, 0}, {1, 3}, {2, 7}}) {
      LossInputs up = inputs, down = inputs;
      up.embeddings = inputs.embeddings.clone();
      down.embeddings = inputs.embeddings.clone();
      up.embeddings[i][k] += kStep;
      down.embeddings[i][k] -= kStep;
      const double slope =
          (StraightLoss(up, 0.2) - StraightLoss(down, 0.2)) / (2 * kStep);
      EXPECT_NEAR(v.grad()[i][k].item<double>(), slope, 1e-6) << num_images;
    }
  }
}

TEST(InstanceRecognitionLossTest, StaysFiniteWhereTheProbabilityUnderflows) {
  // exp(-1 / 0.005) = 1e-87 is no float.
  const LossInputs inputs{.embeddings = torch::tensor({{1.0f, 0.0f}}),
                          .bank = torch::tensor({{-1.0f, 0.0f}, {0.0f, 1.0f}}),
                          .indices = torch::tensor({0}, torch::kInt64),
                          .noise = torch::tensor({{1}}, torch::kInt64)};
  const double expected = StraightLoss(inputs, 0.005);
  ASSERT_TRUE(std::isfinite(expected));
  EXPECT_NEAR(Loss(inputs, 0.005), expected, kLossTolerance * expected);
}

// A network of one linear layer, so that the objective's own work shows.
class LinearModel : public VisionModel {
 public:
  LinearModel()
      : linear_(register_module("linear", torch::nn::Linear(3 * 64 * 64, kFeatures))) {
    InitializeParameters(*this, 1, "model.");
  }
  int64_t num_features() const override { return kFeatures; }
  std::vector<std::string> layers() const override { return {}; }

  static constexpr int64_t kFeatures = 6;

 private:
  torch::Tensor Compute(torch::Tensor images, const TapContext&) override {
    return linear_(images.flatten(1));
  }

  torch::nn::Linear linear_;
};

class InstanceRecognitionTest : public ::testing::Test {
 protected:
  InstanceRecognitionTest() {
    torch::manual_seed(3);
    batch_.images = torch::randn({4, 3, 64, 64});
    batch_.indices = torch::tensor({5, 0, 11, 3}, torch::kInt64);
    batch_.step = 17;
  }

  static constexpr int64_t kNumImages = 12;
  InstanceRecognitionOptions options_{.num_noise = 40, .embedding_size = 8};
  LinearModel model_;
  TrainingBatch batch_;
};

TEST_F(InstanceRecognitionTest, DrawsNoiseOverAllImagesFromDataSeedAndStep) {
  InstanceRecognition objective(options_, model_.num_features(), kNumImages, 1, 9);
  const auto result = objective.Loss(model_, batch_, {});
  RandomStream stream(9, "noise", batch_.step);
  auto noise = torch::empty({4, 40}, torch::kInt64);
  for (int64_t i = 0; i < noise.numel(); ++i) {
    noise.data_ptr<int64_t>()[i] = static_cast<int64_t>(stream.UniformInt(kNumImages));
  }
  // The positive of a sample is among its noise, and counted there.
  EXPECT_TRUE((noise == batch_.indices.unsqueeze(1)).any().item<bool>());
  const double expected = StraightInstanceRecognitionLoss(
      result.embeddings, objective.bank(), batch_.indices, noise, options_.temperature);
  EXPECT_NEAR(result.loss.item<double>(), expected, kLossTolerance * expected);
  EXPECT_FALSE(result.embeddings.requires_grad());
  EXPECT_LT((result.embeddings.norm(2, 1) - 1).abs().max().item<double>(), 1e-6);

  TrainingBatch later = batch_;
  later.step = 18;
  EXPECT_NE(objective.Loss(model_, later, {}).loss.item<double>(),
            result.loss.item<double>());
  InstanceRecognition other(options_, model_.num_features(), kNumImages, 1, 10);
  EXPECT_FALSE(torch::equal(other.bank(), objective.bank()));
  const auto head = StateDict(objective).at("head.weight");
  EXPECT_TRUE(torch::equal(StateDict(other).at("head.weight"), head));
  InstanceRecognition reseeded(options_, model_.num_features(), kNumImages, 2, 9);
  EXPECT_TRUE(torch::equal(reseeded.bank(), objective.bank()));
  EXPECT_FALSE(torch::equal(StateDict(reseeded).at("head.weight"), head));
}

TEST_F(InstanceRecognitionTest, TheBankStartsAsUnitVectorsAndGetsNoGradient) {
  InstanceRecognition objective(options_, model_.num_features(), kNumImages, 1, 9);
  EXPECT_LT((objective.bank().norm(2, 1) - 1).abs().max().item<double>(), 1e-6);
  const auto before = objective.bank().clone();
  objective.Loss(model_, batch_, {}).loss.backward();
  EXPECT_FALSE(objective.bank().requires_grad());
  EXPECT_FALSE(objective.bank().grad().defined());
  EXPECT_TRUE(torch::equal(objective.bank(), before));
  // The gradient reaches the head and the network under it.
  for (const auto& parameter : objective.parameters()) {
    EXPECT_GT(parameter.grad().abs().max().item<double>(), 0.0);
  }
  EXPECT_GT(model_.parameters()[0].grad().abs().max().item<double>(), 0.0);
}

TEST_F(InstanceRecognitionTest, AfterTheStepTheBankMovesTowardsTheEmbeddings) {
  options_.bank_momentum = 0.7;
  options_.bank_steps = 0;
  InstanceRecognition objective(options_, model_.num_features(), kNumImages, 1, 9);
  const auto before = objective.bank().clone();
  const auto result = objective.Loss(model_, batch_, {});
  objective.AfterStep(model_, batch_, result);
  for (int64_t row = 0; row < kNumImages; ++row) {
    int64_t sample = -1;
    for (int64_t i = 0; i < 4; ++i) {
      if (batch_.indices[i].item<int64_t>() == row) sample = i;
    }
    if (sample < 0) {
      EXPECT_TRUE(torch::equal(objective.bank()[row], before[row])) << row;
      continue;
    }
    double mixed[8], norm = 0.0;
    for (int64_t k = 0; k < 8; ++k) {
      mixed[k] = 0.7 * before[row][k].item<double>() +
                 0.3 * result.embeddings[sample][k].item<double>();
      norm += mixed[k] * mixed[k];
    }
    for (int64_t k = 0; k < 8; ++k) {
      EXPECT_NEAR(objective.bank()[row][k].item<double>(), mixed[k] / std::sqrt(norm),
                  1e-6);
    }
  }
}

// 12 images in batches of 4: an entry moves every 3 steps.
TEST_F(InstanceRecognitionTest, TheBankMovesSlowerWhereAnEpochIsShort) {
  options_.bank_momentum = 0.5;
  options_.bank_steps = 30;
  InstanceRecognition objective(options_, model_.num_features(), kNumImages, 1, 9);
  // Ten updates in 30 steps leave half.
  EXPECT_NEAR(std::pow(objective.BankMomentum(4), 10), 0.5, 1e-12);
  options_.bank_steps = 3;
  InstanceRecognition longer(options_, model_.num_features(), kNumImages, 1, 9);
  EXPECT_EQ(longer.BankMomentum(4), 0.5);  // an epoch is long enough
  EXPECT_EQ(longer.BankMomentum(2), 0.5);
  options_.bank_steps = 0;
  InstanceRecognition published(options_, model_.num_features(), kNumImages, 1, 9);
  EXPECT_EQ(published.BankMomentum(4), 0.5);
  EXPECT_EQ(published.CollapseAdvice(),
            "the memory bank has followed the embeddings into one direction: try more "
            "training.instance_recognition.bank_steps (it is 0), a smaller "
            "training.learning_rate or more images");
  // ImageNet's 1,281,167 images in batches of 256, at the default: the published 0.5.
  EXPECT_GT(1281167.0 / 256, InstanceRecognitionOptions().bank_steps);
}

}  // namespace
}  // namespace iat
