// On a GPU, where there is one: the same networks come out as on the CPU, whose own
// numbers the other tests answer for.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/csv.h"
#include "base/random.h"
#include "models/device_random.h"
#include "models/network.h"
#include "models/safetensors.h"
#include "models/torch.h"
#include "models/torch_device.h"
#include "tests/training/small_world.h"
#include "training/barlow_twins.h"
#include "training/batches.h"
#include "training/instance_recognition.h"
#include "training/moco.h"
#include "training/optimizer.h"
#include "training/simclr.h"
#include "training/simsiam.h"
#include "training/trainer.h"
#include "training/vicreg.h"

namespace iat {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

class CudaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (NumCudaDevices() == 0) GTEST_SKIP() << "this LibTorch sees no CUDA device";
    images_.emplace(WriteTwoColours(folder_.path() / "labelled", 192, kInputSide,
                                    /*shade=*/-80));
  }

  TrainingJob Job(const std::string& objective, const std::string& device) {
    TrainingJob job;
    job.animal = {.name = "seed-001", .init_seed = 1, .data_seed = 1};
    job.model = {.architecture = "alexnet_bn", .width = 0.125};
    job.options = TrainingOptions::DefaultsFor(objective);
    job.options.epochs = 1;
    job.options.batch_size = 32;
    job.options.log_every = 1;
    job.options.knn_images = 0;
    job.options.precision = "float32";
    job.options.optimizer = {};
    job.options.schedule = {.learning_rate = 1e-4, .schedule = "constant"};
    // Heads small enough that six steps do not carry a rounding far.
    ObjectiveOptions& objectives = job.options.objective;
    objectives.Of<InstanceRecognition>().num_noise = 64;
    objectives.Of<MomentumContrast>().queue_size = 40;
    objectives.Of<BarlowTwins>().projection_size = 64;
    objectives.Of<VicReg>().projection_size = 64;
    objectives.Of<SimSiam>() = {.projection_size = 64, .prediction_hidden_size = 16};
    job.images = &*images_;
    job.folder = folder_.path() / (objective + "-" + device);
    job.device = device;
    job.message = [this](absl::string_view text) { messages_.emplace_back(text); };
    return job;
  }
  static std::vector<double> Losses(const TrainingJob& job) {
    std::vector<double> losses;
    const auto table = ReadCsv(job.folder / "metrics.csv");
    EXPECT_TRUE(table.ok()) << table.status();
    for (const auto& row : table->rows) {
      losses.push_back(std::stod(row.at(table->Column("loss"))));
    }
    return losses;
  }
  static double RelativeError(const torch::Tensor& a, const torch::Tensor& b) {
    const auto x = a.to(torch::kCPU, torch::kFloat64),
               y = b.to(torch::kCPU, torch::kFloat64);
    return ((x - y).norm() / y.norm()).item<double>();
  }

  TemporaryFolder folder_;
  std::optional<PackedSet> images_;
  std::vector<std::string> messages_;
};

class CudaObjectiveTest : public CudaTest,
                          public ::testing::WithParamInterface<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, CudaObjectiveTest, ::testing::ValuesIn(ObjectiveNames()),
                         [](const auto& of) { return of.param; });

// Views, dropout, noise and initial weights are the same numbers, so that only the order
// of sums tells the two apart.
TEST_P(CudaObjectiveTest, TrainsAsOnTheProcessor) {
  const TrainingJob here = Job(GetParam(), "cpu"), there = Job(GetParam(), "cuda");
  ASSERT_TRUE(Train(here).ok());
  ASSERT_TRUE(Train(there).ok());
  const std::vector<double> expected = Losses(here), losses = Losses(there);
  ASSERT_EQ(losses.size(), 6u);
  for (size_t i = 0; i < losses.size(); ++i) {
    EXPECT_NEAR(losses[i], expected[i], 2e-3 * std::abs(expected[i])) << i;
  }
}

TEST_P(CudaObjectiveTest, TrainsInBfloat16NearFloat32) {
  TrainingJob exact = Job(GetParam(), "cuda"), shorter = exact;
  shorter.options.precision = "auto";
  shorter.folder = folder_.path() / "bfloat16";
  ASSERT_TRUE(Train(exact).ok());
  ASSERT_TRUE(Train(shorter).ok());
  const std::vector<double> expected = Losses(exact), losses = Losses(shorter);
  ASSERT_EQ(losses.size(), expected.size());
  bool same = true;
  for (size_t i = 0; i < losses.size(); ++i) {
    same = same && losses[i] == expected[i];
    EXPECT_NEAR(losses[i], expected[i], 0.05 * std::abs(expected[i]) + 0.01) << i;
  }
  EXPECT_FALSE(same);
}

TEST_P(CudaObjectiveTest, GoesOnFromACheckpoint) {
  TrainingJob job = Job(GetParam(), "cuda");
  job.options.checkpoint_every = 2;
  std::atomic<bool> stop = false;
  job.stop = &stop;
  // Seen at the end of the next step.
  job.progress = [&](const TrainingProgress& progress) { stop = progress.step == 3; };
  EXPECT_EQ(Train(job).code(), absl::StatusCode::kCancelled);
  ASSERT_TRUE(Train(job).ok());
  EXPECT_THAT(messages_, Contains("resuming at step 4 of 6"));
  EXPECT_EQ(Losses(job).size(), 6u);
}

TEST_F(CudaTest, ALossThatIsNotFiniteIsFoundAtTheNextRow) {
  TrainingJob job = Job("supervised", "cuda");
  job.options.schedule.learning_rate = 1e30;
  job.options.log_every = 4;
  const absl::Status status = Train(job);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("at step 0 or one up to 3"));
}

TEST_F(CudaTest, DropoutMasksAndNoiseAreThoseOfTheProcessor) {
  const RandomStream stream(3, "dropout", 17);
  const TapContext context{.dropout = &stream};
  const auto ones = torch::ones({64, 999});
  for (const auto type : {torch::kFloat32, torch::kBFloat16}) {
    const auto dropped = context.Dropout(1, ones.to(torch::kCUDA, type));
    EXPECT_EQ(dropped.scalar_type(), type);
    EXPECT_TRUE(
        torch::equal(dropped.to(torch::kCPU, torch::kFloat32), context.Dropout(1, ones)));
  }
  EXPECT_TRUE(torch::equal(RandomIntegers(stream, 12345, {7, 8}, torch::kCUDA).cpu(),
                           RandomIntegers(stream, 12345, {7, 8}, torch::kCPU)));
}

TEST_F(CudaTest, ViewsAreThoseOfTheProcessor) {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < images_->size(); ++i) rows.push_back(i);
  AugmentOptions options = TwinAugmentation();
  options.solarize_probability = 0.3;
  const auto of = [&](torch::Device device) {
    BatchMaker maker(*images_, rows,
                     {.augmentation = options,
                      .data_seed = 2,
                      .batch_size = 64,
                      .num_views = 2,
                      .device = device});
    EXPECT_TRUE(maker.device_status().ok()) << maker.device_status();
    EXPECT_TRUE(maker.Get(0).ok());
    return *maker.Get(1);
  };
  const TrainingBatch here = of(torch::kCPU), there = of(torch::kCUDA);
  EXPECT_TRUE(there.images.is_cuda());
  EXPECT_TRUE(torch::equal(there.indices.cpu(), here.indices));
  EXPECT_TRUE(torch::equal(there.labels.cpu(), here.labels));
  EXPECT_TRUE(torch::equal(there.images.cpu().contiguous(), here.images));
}

// The long road of tensor operations, and LibTorch's own fused step where there is one.
TEST_F(CudaTest, OptimisersStepAsOnTheProcessor) {
  for (const char* name : {"sgd", "adam", "adamw", "lars"}) {
    for (const bool nesterov : {false, true}) {
      torch::manual_seed(3);
      OptimizerOptions options;
      options.optimizer = name;
      options.nesterov = nesterov;
      options.weight_decay = 0.01;
      const auto start = torch::randn({33, 65});
      std::vector<torch::Tensor> gradients;
      for (int i = 0; i < 4; ++i) gradients.push_back(torch::randn({33, 65}));
      const auto after = [&](torch::Device device) {
        auto weight = start.to(device, torch::kFloat32, false, /*copy=*/true);
        weight.set_requires_grad(true);
        Optimizer optimizer(options, {{"model.weight", weight}});
        for (const torch::Tensor& gradient : gradients) {
          weight.mutable_grad() = gradient.to(device, torch::kFloat32, false, true);
          optimizer.Step(0.1);
        }
        return weight.detach();
      };
      EXPECT_LT(RelativeError(after(torch::kCUDA), after(torch::kCPU)), 1e-5) << name;
    }
  }
}

TEST_F(CudaTest, ActivationsAreThoseOfTheProcessor) {
  const ModelOptions options{.architecture = "alexnet_bn", .width = 1.0};
  torch::manual_seed(7);
  const auto images = torch::randn({16, 3, kInputSide, kInputSide});
  std::vector<float> values(images.data_ptr<float>(),
                            images.data_ptr<float>() + images.numel());
  std::vector<UnitRequest> requests;
  for (const char* layer : {"conv1", "conv3", "conv5", "fc7"}) {
    UnitRequest request{.layer = layer, .units = {}};
    for (int channel = 0; channel < 48; ++channel) {
      request.units.channel.push_back(channel);
      request.units.row.push_back(0);
      request.units.column.push_back(0);
    }
    requests.push_back(request);
  }
  const auto of = [&](const char* device) {
    auto network = *Network::Create(options);
    EXPECT_TRUE(network->MoveTo(device).ok());
    std::vector<UnitResponses> responses;
    EXPECT_TRUE(network->Forward(values, kInputSide, requests, responses).ok());
    return responses;
  };
  const auto here = of("cpu"), there = of("cuda");
  for (size_t i = 0; i < requests.size(); ++i) {
    const auto error = (there[i].pre - here[i].pre).norm() / here[i].pre.norm();
    EXPECT_LT(error, 2e-5) << requests[i].layer;
  }
}

}  // namespace
}  // namespace iat
