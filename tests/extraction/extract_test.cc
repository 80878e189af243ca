#include "extraction/extract.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <map>

#include "base/file.h"
#include "models/safetensors.h"
#include "tests/training/small_world.h"

namespace iat {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kNumStimuli = 23;  // two batches of 10 and a rest of 3
const std::map<std::string, int> kCentre = {
    {"conv1", 7}, {"conv2", 3}, {"conv3", 1}, {"conv4", 1}, {"conv5", 1}};

class ExtractTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    stimuli_folder_ = new TemporaryFolder;
    stimuli_ =
        new PackedSet(PackDeadLeaves(stimuli_folder_->path() / "packed", kNumStimuli));
  }
  static void TearDownTestSuite() {
    delete stimuli_;
    delete stimuli_folder_;
  }

  // Untrained weights, but with the batch-norm statistics of a network that has seen
  // images: evaluation mode must use them.
  ExtractTest() {
    model_ = *CreateModel({.architecture = "alexnet_bn", .width = 1.0 / 16}, 1);
    const torch::NoGradGuard no_grad;
    model_->train();
    model_->Forward(Stimuli(), {});
    model_->eval();
    WriteWeights(*model_);
  }

  void WriteWeights(const VisionModel& model) {
    ASSERT_TRUE(
        WriteTensors(Weights(), {.tensors = StateDict(model), .metadata = {}}).ok());
  }

  std::filesystem::path Weights() const { return folder_.path() / "weights.safetensors"; }

  ExtractionJob Job(const std::string& name = "activations") const {
    ExtractionJob job;
    job.animal = "seed-001";
    job.init_seed = 1;
    job.data_seed = 2;
    job.model = {.architecture = "alexnet_bn", .width = 1.0 / 16};
    job.weights = Weights();
    job.stimuli = stimuli_;
    job.options.batch_size = 10;
    job.output = folder_.path() / "out" / (name + ".nc");
    return job;
  }

  static torch::Tensor Stimuli(int64_t begin = 0, int64_t end = kNumStimuli) {
    auto images = torch::empty({end - begin, 3, 64, 64});
    for (int64_t i = begin; i < end; ++i) {
      NormalizeInto(stimuli_->pixels(i), 64, 64, images[i - begin].data_ptr<float>());
    }
    return images;
  }

  static ActivationMatrix Read(const ExtractionJob& job, const Tap& tap) {
    const auto file = ActivationFile::Open(job.output);
    EXPECT_TRUE(file.ok()) << file.status();
    if (!file.ok()) return {};
    const auto values = file->Read(tap);
    EXPECT_TRUE(values.ok()) << values.status();
    return values.ok() ? *values : ActivationMatrix();
  }

  // Neither the file nor anything half written.
  void ExpectNothingLeft(const ExtractionJob& job) {
    if (!std::filesystem::exists(job.output.parent_path())) return;
    EXPECT_TRUE(std::filesystem::is_empty(job.output.parent_path()));
  }

  static TemporaryFolder* stimuli_folder_;
  static PackedSet* stimuli_;
  TemporaryFolder folder_;
  std::shared_ptr<VisionModel> model_;
};
TemporaryFolder* ExtractTest::stimuli_folder_ = nullptr;
PackedSet* ExtractTest::stimuli_ = nullptr;

TEST_F(ExtractTest, PreReluIsBeforeTheReluAndPostIsItsPositivePart) {
  ExtractionJob job = Job();
  job.options.layers = {"conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"};
  ASSERT_TRUE(Extract(job).ok());
  for (const std::string& layer : job.options.layers) {
    const ActivationMatrix pre = Read(job, {layer, Stage::kPreRelu});
    const ActivationMatrix post = Read(job, {layer, Stage::kPostRelu});
    EXPECT_LT(pre.minCoeff(), 0.0f) << layer;
    EXPECT_GT(pre.maxCoeff(), 0.0f) << layer;
    EXPECT_TRUE((post.array() == pre.array().max(0.0f)).all()) << layer;
  }
}

TEST_F(ExtractTest, ValuesAreThoseOfADirectForwardPass) {
  const ExtractionJob job = Job();
  int64_t last_done = 0;
  ExtractionJob watched = job;
  watched.progress = [&](int64_t done, int64_t total) {
    last_done = done;
    EXPECT_EQ(total, kNumStimuli);
  };
  ASSERT_TRUE(Extract(watched).ok());
  EXPECT_EQ(last_done, kNumStimuli);
  const torch::NoGradGuard no_grad;
  torch::set_num_threads(1);
  for (const auto& [layer, centre] : kCentre) {
    const Tap tap{layer, Stage::kPreRelu};
    const ActivationMatrix values = Read(job, tap);
    ASSERT_EQ(values.rows(), kNumStimuli);
    // The same batches, the rest filled up: bit for bit. One batch of everything:
    // products of another shape, to rounding.
    TapRecorder whole({tap});
    model_->Forward(Stimuli(), {.recorder = &whole});
    for (int64_t begin = 0; begin < kNumStimuli; begin += 10) {
      const int64_t end = std::min<int64_t>(kNumStimuli, begin + 10);
      auto images = torch::zeros({10, 3, 64, 64});
      images.slice(0, 0, end - begin) = Stimuli(begin, end);
      TapRecorder recorder({tap});
      model_->Forward(images, {.recorder = &recorder});
      for (int64_t i = begin; i < end; ++i) {
        for (int64_t unit = 0; unit < values.cols(); ++unit) {
          ASSERT_EQ(values(i, unit),
                    recorder.Get(tap)[i - begin][unit][centre][centre].item<float>())
              << layer << " stimulus " << i << " unit " << unit;
        }
      }
    }
    const auto direct = whole.Get(tap).select(3, centre).select(2, centre).contiguous();
    const auto difference =
        (torch::from_blob(const_cast<float*>(values.data()), direct.sizes()) - direct)
            .abs();
    EXPECT_LT(difference.max().item<double>(), 1e-4 * direct.std().item<double>())
        << layer;
  }
}

TEST_F(ExtractTest, TheHypercolumnIsTheCentreOfTheWholeLayer) {
  const ExtractionJob job = Job("hypercolumn");
  ExtractionJob layer_job = Job("layer");
  layer_job.options.scope = "layer";
  ASSERT_TRUE(Extract(job).ok());
  ASSERT_TRUE(Extract(layer_job).ok());
  const auto file = ActivationFile::Open(layer_job.output);
  ASSERT_TRUE(file.ok()) << file.status();
  for (const auto& [layer, centre] : kCentre) {
    const auto units = *file->Units(layer);
    const ActivationMatrix whole = Read(layer_job, {layer, Stage::kPreRelu});
    const ActivationMatrix column = Read(job, {layer, Stage::kPreRelu});
    const int side = 2 * centre + 1;
    ASSERT_EQ(whole.cols(), column.cols() * side * side) << layer;
    int64_t found = 0;
    for (int64_t unit = 0; unit < whole.cols(); ++unit) {
      EXPECT_EQ(units.channel[unit], unit / (side * side));
      EXPECT_EQ(units.row[unit], unit / side % side);
      EXPECT_EQ(units.column[unit], unit % side);
      if (units.row[unit] != centre || units.column[unit] != centre) continue;
      EXPECT_TRUE(whole.col(unit) == column.col(units.channel[unit])) << layer;
      ++found;
    }
    EXPECT_EQ(found, column.cols()) << layer;
    const auto own = *ActivationFile::Open(job.output)->Units(layer);
    for (int64_t unit = 0; unit < column.cols(); ++unit) {
      EXPECT_EQ(own.channel[unit], unit);
      EXPECT_EQ(own.row[unit], centre);
      EXPECT_EQ(own.column[unit], centre);
    }
  }
}

TEST_F(ExtractTest, OnlyWhatIsAskedForIsStored) {
  ExtractionJob job = Job();
  job.options.layers = {"conv3", "fc6"};
  job.options.stages = {"post_relu"};
  ASSERT_TRUE(Extract(job).ok());
  const auto file = ActivationFile::Open(job.output);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->taps(),
              ElementsAre(Tap{"conv3", Stage::kPostRelu}, Tap{"fc6", Stage::kPostRelu}));
  EXPECT_EQ(file->Units("fc6")->row.front(), -1);  // no position
  EXPECT_EQ(file->stimulus_ids(), stimuli_->ids());
  const ActivationMetadata& metadata = file->metadata();
  EXPECT_EQ(metadata.animal, "seed-001");
  EXPECT_EQ(metadata.architecture, "alexnet_bn width=0.0625");
  EXPECT_EQ(metadata.init_seed, 1);
  EXPECT_EQ(metadata.data_seed, 2);
  EXPECT_EQ(metadata.weights_sha256, ReadTensorMetadata(Weights())->at("sha256"));
  EXPECT_EQ(metadata.stimuli_sha256, stimuli_->Fingerprint());
  EXPECT_EQ(metadata.preprocessing, stimuli_->preprocessing());
  EXPECT_EQ(metadata.scope, "hypercolumn");
  EXPECT_FALSE(metadata.simulated);
}

TEST_F(ExtractTest, RepeatedItGivesTheSameBytes) {
  ASSERT_TRUE(Extract(Job("a")).ok());
  ASSERT_TRUE(Extract(Job("b")).ok());
  EXPECT_EQ(*ReadFile(Job("a").output), *ReadFile(Job("b").output));
}

TEST_F(ExtractTest, AStopLeavesNothingHalfWritten) {
  ExtractionJob job = Job();
  std::atomic<bool> stop = false;
  job.stop = &stop;
  job.progress = [&](int64_t done, int64_t) { stop = done == 10; };
  const absl::Status status = Extract(job);
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_EQ(status.message(), "stopped; the same command goes on from there");
  ExpectNothingLeft(job);
  // Nor does it touch an older file.
  stop = false;
  job.progress = nullptr;
  ASSERT_TRUE(Extract(job).ok());
  const std::string before = *ReadFile(job.output);
  stop = true;
  EXPECT_TRUE(absl::IsCancelled(Extract(job)));
  EXPECT_EQ(*ReadFile(job.output), before);
}

TEST_F(ExtractTest, WeightsOfAnotherWidthAreNamed) {
  ExtractionJob job = Job();
  job.model.width = 1.0 / 8;
  const absl::Status status = Extract(job);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(Weights().string() + " does not fit the model: "));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("\"classifier.1.bias\" has shape [256]; expected [512]"));
  ExpectNothingLeft(job);
}

TEST_F(ExtractTest, DamagedWeightsAreNamed) {
  const std::string good = *ReadFile(Weights());
  std::string flipped = good;
  flipped.back() ^= 1;
  const std::pair<std::string, const char*> damages[] = {
      {good.substr(0, good.size() - 4), "the file is truncated"},
      {good.substr(0, 100), "it is truncated or not a safetensors file"},
      {flipped, "do not match its checksum; the file is damaged"}};
  for (const auto& [bytes, reason] : damages) {
    ASSERT_TRUE(WriteFileAtomically(Weights(), bytes).ok());
    const absl::Status status = Extract(Job());
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(Weights().string()));
    EXPECT_THAT(std::string(status.message()), HasSubstr(reason));
    ExpectNothingLeft(Job());
  }
  std::filesystem::remove(Weights());
  EXPECT_TRUE(absl::IsNotFound(Extract(Job())));
  EXPECT_FALSE(IsExtracted(Job()));
}

TEST_F(ExtractTest, AnUnknownLayerIsAnsweredWithTheLayersThereAre) {
  ExtractionJob job = Job();
  job.options.layers = {"conv1", "conv6"};
  const absl::Status status = Extract(job);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "extraction.layers: alexnet_bn has no layer \"conv6\"; it has conv1, conv2, "
            "conv3, conv4, conv5, fc6, fc7");
}

TEST_F(ExtractTest, StimuliOfAnotherSizeAreRefused) {
  const PackedSet large = WriteTwoColours(folder_.path() / "large", 2, /*side=*/96);
  ExtractionJob job = Job();
  job.stimuli = &large;
  const absl::Status status = Extract(job);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(
      std::string(status.message()),
      HasSubstr("large: its images are 96 x 96; the networks take 64 x 64: pack the "
                "stimuli with size = 64"));
  const PackedSet none = WriteTwoColours(folder_.path() / "none", 0);
  job.stimuli = &none;
  EXPECT_THAT(std::string(Extract(job).message()), HasSubstr("none: no stimuli"));
}

TEST_F(ExtractTest, ValuesThatAreNotFiniteNameStimulusAndUnit) {
  {
    const torch::NoGradGuard no_grad;
    model_->named_parameters()["features.0.bias"][2].fill_(std::nan(""));
  }
  WriteWeights(*model_);
  const absl::Status status = Extract(Job());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("conv1/pre_relu: stimulus \"" + stimuli_->ids()[0] +
                        "\", unit 2 is nan; expected a finite number"));
  ExpectNothingLeft(Job());
}

TEST_F(ExtractTest, IsExtractedFollowsWeightsStimuliAndOptions) {
  const ExtractionJob job = Job();
  EXPECT_FALSE(IsExtracted(job));
  ASSERT_TRUE(Extract(job).ok());
  EXPECT_TRUE(IsExtracted(job));
  ExtractionJob other = job;
  other.options.batch_size = 11;
  EXPECT_FALSE(IsExtracted(other));
  other = job;
  other.options.stages = {"pre_relu"};
  EXPECT_FALSE(IsExtracted(other));
  other = job;
  other.animal = "seed-002";
  EXPECT_FALSE(IsExtracted(other));
  const PackedSet others =
      PackDeadLeaves(folder_.path() / "others", kNumStimuli, /*seed=*/1);
  other = job;
  other.stimuli = &others;
  EXPECT_FALSE(IsExtracted(other));
  {
    const torch::NoGradGuard no_grad;
    model_->named_parameters()["classifier.5.bias"][0].add_(1.0f);
  }
  WriteWeights(*model_);
  EXPECT_FALSE(IsExtracted(job));
  ASSERT_TRUE(Extract(job).ok());
  EXPECT_TRUE(IsExtracted(job));
  // A damaged activation file is none.
  const std::string bytes = *ReadFile(job.output);
  ASSERT_TRUE(WriteFileAtomically(job.output, bytes.substr(0, bytes.size() / 2)).ok());
  EXPECT_FALSE(IsExtracted(job));
}

// As safetensors.torch.save_file writes them: no digest in the header.
TEST_F(ExtractTest, WeightsOfAnotherProgramAreToldApartByTheirValues) {
  const auto write_without_digest = [&] {
    std::string bytes = *ReadFile(Weights());
    const size_t at = bytes.find("\"sha256\"");
    ASSERT_NE(at, std::string::npos);
    bytes.replace(at, 8, "\"digest\"");
    ASSERT_TRUE(WriteFileAtomically(Weights(), bytes).ok());
  };
  write_without_digest();
  const ExtractionJob job = Job();
  ASSERT_TRUE(Extract(job).ok());
  EXPECT_TRUE(IsExtracted(job));
  EXPECT_EQ(ActivationFile::Open(job.output)->metadata().weights_sha256,
            *Sha256OfFile(Weights()));
  {
    const torch::NoGradGuard no_grad;
    model_->named_parameters()["features.0.bias"][0].add_(1.0f);
  }
  WriteWeights(*model_);
  write_without_digest();
  EXPECT_FALSE(IsExtracted(job));
}

}  // namespace
}  // namespace iat
