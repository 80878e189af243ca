// Our network, objectives and optimiser against losses that a PyTorch twin computed
// in float64 (tests/golden/training/make_losses.py).

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "models/torch.h"
#include "models/vision_model.h"
#include "training/autoencoder.h"
#include "training/barlow_twins.h"
#include "training/instance_recognition.h"
#include "training/moco.h"
#include "training/optimizer.h"
#include "training/rotnet.h"
#include "training/simclr.h"
#include "training/simsiam.h"
#include "training/supervised.h"
#include "training/vicreg.h"

namespace iat {
namespace {

// PyTorch's own float32 stays within 2e-6 (losses) and 3e-5 (gradient).
constexpr double kGoldenLossTolerance = 1e-5;
constexpr double kGoldenGradientTolerance = 1e-4;
// SimSiam's loss is a mean of cosines of both signs that nearly cancel here: what its
// rounding is measured by is their size.
constexpr double kCosineScale = 0.1;

// As in make_losses.py.
constexpr int64_t kNumSteps = 10, kBankImages = 40, kBatch = 16, kNumNoise = 16;
constexpr int64_t kEmbedding = 16, kHidden = 32, kTiles = 8, kBankKey = 500,
                  kImagesKey = 1000;
constexpr int64_t kProjection = 24, kPredictionHidden = 12, kDecoder = 16, kQueue = 40,
                  kQueueKey = 600, kClasses = 5;
constexpr double kKeyMomentum = 0.9;
constexpr double kLearningRate = 5e-7;
const ModelOptions kModel = {.architecture = "alexnet_bn", .width = 1.0 / 16};

torch::Tensor Formula(const std::vector<int64_t>& shape, int64_t key, double scale) {
  auto values = torch::empty(shape);
  float* out = values.data_ptr<float>();
  for (int64_t i = 0; i < values.numel(); ++i) {
    const double x = 43758.5453 * std::sin(12.9898 * static_cast<double>(i) +
                                           78.233 * static_cast<double>(key));
    out[i] = static_cast<float>(scale * (2.0 * (x - std::floor(x)) - 1.0));
  }
  return values;
}

torch::Tensor Pictures(int64_t n, int64_t key) {
  const auto tiles = Formula({n, 3, kTiles, kTiles}, key, 2.0);
  return tiles.repeat_interleave(64 / kTiles, 2).repeat_interleave(64 / kTiles, 3) +
         Formula({n, 3, 64, 64}, key, 0.5);
}

// Golden values by "objective quantity position".
class GoldenLossesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* source = std::getenv("IAT_SOURCE_DIR");
    ASSERT_NE(source, nullptr) << "run it through ctest, or set IAT_SOURCE_DIR";
    std::ifstream file(std::string(source) + "/tests/golden/training/losses.txt");
    ASSERT_TRUE(file.is_open());
    std::string line, objective, quantity;
    int64_t position = 0;
    double value = 0.0;
    while (std::getline(file, line)) {
      if (line.empty() || line[0] == '#') continue;
      std::istringstream words(line);
      ASSERT_TRUE(words >> objective >> quantity >> position >> value) << line;
      golden_[objective + " " + quantity][position] = value;
    }
    model_ = *CreateModel(kModel, 0);
  }

  // Parameters in the order of their names; the key is the position.
  std::unique_ptr<Optimizer> FillAndOptimize(Objective& objective) {
    std::map<std::string, torch::Tensor> parameters;
    for (const auto& p : model_->named_parameters())
      parameters["model." + p.key()] = p.value();
    for (const auto& p : objective.named_parameters()) {
      if (p.value().requires_grad()) parameters["objective." + p.key()] = p.value();
    }
    const torch::NoGradGuard no_grad;
    int64_t key = 0;
    std::vector<OptimizedParameter> optimized;
    for (auto& [name, value] : parameters) {
      optimized.push_back({name, value});
      const std::vector<int64_t> shape = value.sizes().vec();
      if (value.dim() > 1) {
        const double fan_in = static_cast<double>(value.numel() / value.size(0));
        value.copy_(Formula(shape, key, 1.0 / std::sqrt(fan_in)));
      } else {
        const bool is_weight = name.ends_with("weight");  // of batch norm
        value.copy_(Formula(shape, key, 0.125) + (is_weight ? 1.0 : 0.0));
      }
      ++key;
    }
    return std::make_unique<Optimizer>(
        OptimizerOptions{.momentum = 0.9, .weight_decay = 5e-4}, optimized);
  }

  template <typename Class>
  std::shared_ptr<Class> Make(const typename Class::Options& options) {
    const auto made = Class::Create(options, {.model = *model_,
                                              .model_options = kModel,
                                              .num_training_images = kBankImages,
                                              .num_labels = kClasses});
    EXPECT_TRUE(made.ok()) << made.status();
    return std::dynamic_pointer_cast<Class>(*made);
  }

  void TakeTenSteps(const std::string& name, Objective& objective, Optimizer& sgd) {
    for (int64_t step = 0; step < kNumSteps; ++step) {
      const auto i = torch::arange(kBatch, torch::kInt64);
      const TrainingBatch batch{
          .images = Pictures(objective.num_views() * kBatch, kImagesKey + step),
          .indices = (i + kBatch * step).remainder(kBankImages),
          .labels = (7 * i + 3 * step).remainder(kClasses),
          .step = step};
      const auto result = objective.Loss(*model_, batch, {});
      result.loss.backward();
      Compare(name, step, result.loss);
      sgd.Step(kLearningRate);
      objective.AfterStep(*model_, batch, result);
    }
  }

  template <typename Class>
  void TakeTenSteps(const typename Class::Options& options) {
    const auto objective = Make<Class>(options);
    const auto sgd = FillAndOptimize(*objective);
    TakeTenSteps(Class::kName, *objective, *sgd);
  }

  void Compare(const std::string& objective, int64_t step, const torch::Tensor& loss) {
    const double expected = golden_.at(objective + " loss").at(step);
    const double scale = objective == SimSiam::kName ? kCosineScale : std::abs(expected);
    EXPECT_NEAR(loss.item<double>(), expected, kGoldenLossTolerance * scale)
        << objective << " step " << step;
    if (step > 0) return;
    const auto gradient =
        model_->named_parameters()["features.0.weight"].grad().flatten();
    const double norm = golden_.at(objective + " conv1_gradient_norm").at(0);
    EXPECT_NEAR(gradient.norm().item<double>(), norm, kGoldenGradientTolerance * norm);
    const double rms = norm / std::sqrt(static_cast<double>(gradient.numel()));
    const auto& entries = golden_.at(objective + " conv1_gradient");
    ASSERT_GE(entries.size(), 5u);
    for (const auto& [index, value] : entries) {
      EXPECT_NEAR(gradient[index].item<double>(), value,
                  kGoldenGradientTolerance * std::max(std::abs(value), rms))
          << objective << " entry " << index;
    }
  }

  std::map<std::string, std::map<int64_t, double>> golden_;
  std::shared_ptr<VisionModel> model_;
};

TEST_F(GoldenLossesTest, TenStepsOfInstanceRecognition) {
  InstanceRecognition objective(
      {.num_noise = kNumNoise, .bank_steps = 0, .embedding_size = kEmbedding},
      model_->num_features(), kBankImages, 0, 0);
  const auto sgd = FillAndOptimize(objective);
  torch::Tensor bank = objective.bank();  // shares its values
  bank.copy_(torch::nn::functional::normalize(
      Formula({kBankImages, kEmbedding}, kBankKey, 1.0)));
  for (int64_t step = 0; step < kNumSteps; ++step) {
    TrainingBatch batch{
        .images = Pictures(kBatch, kImagesKey + step),
        .indices =
            (torch::arange(kBatch, torch::kInt64) + kBatch * step).remainder(kBankImages),
        .step = step};
    const auto n = torch::arange(kBatch * kNumNoise, torch::kInt64);
    const auto noise = (31 * n * n + 17 * n + 101 * step)
                           .remainder(kBankImages)
                           .view({kBatch, kNumNoise});
    // The objective draws its own noise; its parts are put together here instead.
    const auto head = objective.named_parameters();
    const auto embeddings = torch::nn::functional::normalize(torch::linear(
        model_->Forward(batch.images, {}), head["head.weight"], head["head.bias"]));
    const auto loss =
        InstanceRecognitionLoss(embeddings, bank, batch.indices, noise, 0.07);
    loss.backward();
    Compare("instance_recognition", step, loss);
    sgd->Step(kLearningRate);
    objective.AfterStep(*model_, batch,
                        {.loss = loss, .embeddings = embeddings.detach()});
  }
}

TEST_F(GoldenLossesTest, TenStepsOfSimClr) {
  TakeTenSteps<SimClr>({.hidden_size = kHidden, .embedding_size = kEmbedding});
}

TEST_F(GoldenLossesTest, TenStepsOfMoco) {
  const auto objective = Make<MomentumContrast>({.key_momentum = kKeyMomentum,
                                                 .queue_size = kQueue,
                                                 .hidden_size = kHidden,
                                                 .embedding_size = kEmbedding,
                                                 .batch_norm_groups = 2});
  const auto sgd = FillAndOptimize(*objective);
  {
    const torch::NoGradGuard no_grad;
    auto parameters = objective->named_parameters();
    for (const auto& item : model_->named_parameters()) {
      parameters["key_model." + item.key()].copy_(item.value());
    }
    for (const char* name : {"0.weight", "0.bias", "2.weight", "2.bias"}) {
      parameters[std::string("key_head.") + name].copy_(
          parameters[std::string("head.") + name]);
    }
    torch::Tensor queue = objective->queue();  // shares its values
    queue.copy_(
        torch::nn::functional::normalize(Formula({kQueue, kEmbedding}, kQueueKey, 1.0)));
  }
  TakeTenSteps("moco_v2", *objective, *sgd);
}

TEST_F(GoldenLossesTest, TenStepsOfSimSiam) {
  TakeTenSteps<SimSiam>(
      {.projection_size = kProjection, .prediction_hidden_size = kPredictionHidden});
}

TEST_F(GoldenLossesTest, TenStepsOfBarlowTwins) {
  TakeTenSteps<BarlowTwins>({.projection_size = kProjection});
}

TEST_F(GoldenLossesTest, TenStepsOfVicReg) {
  TakeTenSteps<VicReg>({.projection_size = kProjection});
}

TEST_F(GoldenLossesTest, TenStepsOfRotNet) { TakeTenSteps<RotNet>({}); }

TEST_F(GoldenLossesTest, TenStepsOfTheAutoencoder) {
  TakeTenSteps<Autoencoder>({.decoder_channels = kDecoder});
}

TEST_F(GoldenLossesTest, TenStepsOfSupervised) { TakeTenSteps<Supervised>({}); }

}  // namespace
}  // namespace iat
