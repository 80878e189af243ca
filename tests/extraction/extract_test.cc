#include "extraction/extract.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "base/file.h"
#include "models/safetensors.h"
#include "models/torch.h"
#include "models/vision_model.h"
#include "tests/training/small_world.h"

namespace iat {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// Batch norm folded into the weights, products summed in another order.
constexpr double kRoundingOfRms = 1e-5;
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
    job.animals = {{.name = "seed-001",
                    .init_seed = 1,
                    .data_seed = 2,
                    .model = {.architecture = "alexnet_bn", .width = 1.0 / 16},
                    .weights = Weights(),
                    .output = folder_.path() / "out" / (name + ".nc")}};
    job.stimuli = stimuli_;
    job.options.batch_size = 10;
    job.options.batches_per_chunk = 1;
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
    const auto file = ActivationFile::Open(job.animals[0].output);
    EXPECT_TRUE(file.ok()) << file.status();
    if (!file.ok()) return {};
    const auto values = file->Read(tap);
    EXPECT_TRUE(values.ok()) << values.status();
    return values.ok() ? *values : ActivationMatrix();
  }

  // Neither the file nor anything half written.
  void ExpectNothingLeft(const ExtractionJob& job) {
    EXPECT_FALSE(std::filesystem::exists(job.animals[0].output));
    for (const std::string& name : FilesBeside(job)) {
      EXPECT_THAT(name, Not(HasSubstr(std::string(kTemporaryMark))));
    }
  }

  static std::vector<std::string> FilesBeside(const ExtractionJob& job) {
    std::vector<std::string> names;
    std::error_code error;
    for (std::filesystem::directory_iterator
             it(job.animals[0].output.parent_path(), error),
         end;
         !error && it != end; it.increment(error)) {
      names.push_back(it->path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
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
    TapRecorder whole({tap});
    model_->Forward(Stimuli(), {.recorder = &whole});
    const auto direct = whole.Get(tap).select(3, centre).select(2, centre).contiguous();
    const auto difference =
        (torch::from_blob(const_cast<float*>(values.data()), direct.sizes()) - direct)
            .abs();
    const double rms = whole.Get(tap).square().mean().sqrt().item<double>();
    EXPECT_LT(difference.max().item<double>(), kRoundingOfRms * rms) << layer;
  }
}

TEST_F(ExtractTest, TheHypercolumnIsTheCentreOfTheWholeLayer) {
  const ExtractionJob job = Job("hypercolumn");
  ExtractionJob layer_job = Job("layer");
  layer_job.options.scope = "layer";
  ASSERT_TRUE(Extract(job).ok());
  ASSERT_TRUE(Extract(layer_job).ok());
  const auto file = ActivationFile::Open(layer_job.animals[0].output);
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
      // Maps of another size are products of another shape.
      const double rms = std::sqrt(whole.array().square().mean());
      EXPECT_LT(
          (whole.col(unit) - column.col(units.channel[unit])).array().abs().maxCoeff(),
          kRoundingOfRms * rms)
          << layer;
      ++found;
    }
    EXPECT_EQ(found, column.cols()) << layer;
    const auto own = *ActivationFile::Open(job.animals[0].output)->Units(layer);
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
  const auto file = ActivationFile::Open(job.animals[0].output);
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
  EXPECT_EQ(*ReadFile(Job("a").animals[0].output), *ReadFile(Job("b").animals[0].output));
}

// Chunks of one batch: 0 to 9, 10 to 19, 20 to 22.
TEST_F(ExtractTest, AStoppedRunGoesOnWithWhatIsMissing) {
  ASSERT_TRUE(Extract(Job("undisturbed")).ok());
  ExtractionJob job = Job();
  std::atomic<bool> stop = false;
  int64_t last_total = 0;
  job.stop = &stop;
  job.progress = [&](int64_t done, int64_t total) {
    stop = done == 10;
    last_total = total;
  };
  const absl::Status status = Extract(job);
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_EQ(status.message(), "stopped; the same command goes on from there");
  EXPECT_EQ(last_total, kNumStimuli);
  ExpectNothingLeft(job);
  EXPECT_THAT(FilesBeside(job), Contains("activations.part-0000.nc"));
  stop = false;
  job.progress = [&](int64_t, int64_t total) { last_total = total; };
  ASSERT_TRUE(Extract(job).ok());
  EXPECT_EQ(last_total, kNumStimuli - 10);
  EXPECT_EQ(*ReadFile(job.animals[0].output),
            *ReadFile(Job("undisturbed").animals[0].output));
  EXPECT_THAT(FilesBeside(job), Not(Contains(HasSubstr("part"))));
  // Nor does a stopped run touch an older file.
  stop = true;
  job.options.layers = {"conv1"};
  const std::string before = *ReadFile(job.animals[0].output);
  EXPECT_TRUE(absl::IsCancelled(Extract(job)));
  EXPECT_EQ(*ReadFile(job.animals[0].output), before);
}

TEST_F(ExtractTest, PartsOfAnotherJobAreMadeAgain) {
  ExtractionJob job = Job();
  job.rank = {0, 3};
  job.options.layers = {"conv2"};
  ASSERT_TRUE(Extract(job).ok());
  EXPECT_THAT(FilesBeside(job), ElementsAre("activations.part-0000.nc"));
  ASSERT_TRUE(Extract(Job()).ok());
  ASSERT_TRUE(Extract(Job("fresh")).ok());
  EXPECT_EQ(*ReadFile(Job().animals[0].output),
            *ReadFile(Job("fresh").animals[0].output));
}

TEST_F(ExtractTest, RanksMakeTheSameFileWhateverTheirNumber) {
  ASSERT_TRUE(Extract(Job("one")).ok());
  const std::string one = *ReadFile(Job("one").animals[0].output);
  for (const int count : {2, 3, 5}) {
    ExtractionJob job = Job(std::to_string(count));
    for (int index = count - 1; index >= 0; --index) {
      EXPECT_FALSE(IsExtracted(job, job.animals[0]));
      job.rank = {index, count};
      const absl::Status status = Extract(job);
      ASSERT_TRUE(status.ok()) << status;
    }
    EXPECT_TRUE(*ReadFile(job.animals[0].output) == one) << count << " ranks";
  }
}

// One pass for all, and each file is what a pass of its own gives.
TEST_F(ExtractTest, SeveralAnimalsShareAPass) {
  const auto other_weights = folder_.path() / "other.safetensors";
  const auto other = *CreateModel({.architecture = "alexnet", .width = 1.0 / 8}, 7);
  ASSERT_TRUE(
      WriteTensors(other_weights, {.tensors = StateDict(*other), .metadata = {}}).ok());
  ExtractionJob both = Job("first");
  both.animals.push_back({.name = "seed-007",
                          .init_seed = 7,
                          .data_seed = 7,
                          .model = {.architecture = "alexnet", .width = 1.0 / 8},
                          .weights = other_weights,
                          .output = folder_.path() / "out" / "second.nc"});
  std::vector<std::string> messages;
  both.message = [&](absl::string_view text) { messages.emplace_back(text); };
  ASSERT_TRUE(Extract(both).ok());
  EXPECT_THAT(messages,
              ElementsAre("23 stimuli in 3 chunks, 2 animals, up to 1 MB a file"));
  ASSERT_TRUE(Extract(Job("alone")).ok());
  ExtractionJob alone = both;
  alone.animals = {both.animals[1]};
  alone.animals[0].output = folder_.path() / "out" / "second-alone.nc";
  ASSERT_TRUE(Extract(alone).ok());
  EXPECT_EQ(*ReadFile(both.animals[0].output), *ReadFile(Job("alone").animals[0].output));
  EXPECT_EQ(*ReadFile(both.animals[1].output), *ReadFile(alone.animals[0].output));
}

TEST_F(ExtractTest, OneAnimalsTroubleIsNotTheOthers) {
  ExtractionJob both = Job();
  both.animals.push_back(both.animals[0]);
  both.animals[0].weights = folder_.path() / "missing.safetensors";
  both.animals[1].output = folder_.path() / "out" / "good.nc";
  EXPECT_TRUE(absl::IsNotFound(Extract(both)));
  EXPECT_TRUE(IsExtracted(both, both.animals[1]));
}

TEST_F(ExtractTest, ADamagedPartIsNamed) {
  ExtractionJob job = Job();
  job.rank = {0, 2};
  ASSERT_TRUE(Extract(job).ok());
  const auto part = job.animals[0].output.parent_path() / "activations.part-0000.nc";
  // A flipped bit in the values of conv1/pre_relu, found by their bytes.
  const ActivationMatrix values =
      *ActivationFile::Open(part)->Read({"conv1", Stage::kPreRelu});
  std::string bytes = *ReadFile(part);
  const size_t at =
      bytes.find(std::string(reinterpret_cast<const char*>(values.data()), 16));
  ASSERT_NE(at, std::string::npos);
  bytes[at] ^= 1;
  ASSERT_TRUE(WriteFileAtomically(part, bytes).ok());
  job.rank = {1, 2};
  const absl::Status status = Extract(job);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(part.string() + ": cannot read conv1/pre_relu of stimuli 0 "
                                              "to 9"),
                    HasSubstr("the chunk is damaged"),
                    HasSubstr("delete that file, and the same command makes it again")));
  std::filesystem::remove(part);
  ASSERT_TRUE(Extract(Job()).ok());
}

TEST_F(ExtractTest, SummariesAreThoseOfTheStoredResponses) {
  const ExtractionJob job = Job();
  ASSERT_TRUE(Extract(job).ok());
  ExtractionJob lean = Job("summary");
  lean.options.store = "summary";
  ASSERT_TRUE(Extract(lean).ok());
  const auto file = ActivationFile::Open(job.animals[0].output);
  const auto lean_file = ActivationFile::Open(lean.animals[0].output);
  ASSERT_TRUE(file.ok() && lean_file.ok());
  EXPECT_TRUE(lean_file->taps().empty());
  const double n = kNumStimuli;
  for (const Stage stage : {Stage::kPreRelu, Stage::kPostRelu}) {
    const Eigen::ArrayXXd values = Read(job, {"conv2", stage}).array().cast<double>();
    const auto column = [&](const std::string& name) {
      const std::string full = StageName(stage) + "_" + name;
      const auto stored = *file->ReadByUnit("conv2", full);
      // NaN where a unit is dead, in both.
      const auto lean_stored = *lean_file->ReadByUnit("conv2", full);
      for (size_t u = 0; u < stored.size(); ++u) {
        EXPECT_TRUE(stored[u] == lean_stored[u] ||
                    (std::isnan(stored[u]) && std::isnan(lean_stored[u])))
            << full << " of unit " << u;
      }
      return stored;
    };
    const auto mean = column("mean"), sd = column("sd"), sparsity = column("sparsity"),
               lifetime = column("lifetime_sparseness"), dead = column("dead");
    for (Eigen::Index u = 0; u < values.cols(); ++u) {
      const Eigen::ArrayXd x = values.col(u), r = x.max(0.0);
      EXPECT_NEAR(mean[u], x.mean(), 1e-12);
      EXPECT_NEAR(sd[u], std::sqrt((x - x.mean()).square().sum() / (n - 1)), 1e-12);
      EXPECT_NEAR(sparsity[u], (x <= 0).cast<double>().mean(), 1e-12);
      EXPECT_EQ(dead[u], (x <= 0).all() ? 1.0 : 0.0);
      if (dead[u] == 0.0) {
        EXPECT_NEAR(lifetime[u],
                    (1 - r.mean() * r.mean() / r.square().mean()) / (1 - 1 / n), 1e-12);
      }
    }
  }
}

TEST_F(ExtractTest, PatchesPositionsAndSamplesAreCutFromTheWholeLayer) {
  ExtractionJob layer_job = Job("layer");
  layer_job.options.scope = "layer";
  ASSERT_TRUE(Extract(layer_job).ok());
  ExtractionJob patch = Job("patch"), corner = Job("corner"), sample = Job("sample");
  patch.options.scope = "patch";
  corner.options.layers = {"conv1", "conv2"};
  corner.options.row = 0;
  corner.options.column = 6;
  sample.options.scope = "sample";
  sample.options.num_units = 20;
  for (const ExtractionJob& job : {patch, corner, sample}) {
    ASSERT_TRUE(Extract(job).ok());
    const auto file = ActivationFile::Open(job.animals[0].output);
    for (const std::string& layer : job.options.layers) {
      const int side = 2 * kCentre.at(layer) + 1;
      const ActivationMatrix whole = Read(layer_job, {layer, Stage::kPreRelu});
      const ActivationMatrix values = Read(job, {layer, Stage::kPreRelu});
      const auto units = *file->Units(layer);
      const double rms = std::sqrt(whole.array().square().mean());
      for (int64_t u = 0; u < values.cols(); ++u) {
        const int64_t at =
            (units.channel[u] * side + units.row[u]) * side + units.column[u];
        EXPECT_LT((values.col(u) - whole.col(at)).array().abs().maxCoeff(),
                  kRoundingOfRms * rms);
        if (job.options.scope == "patch") {
          EXPECT_LE(std::abs(units.row[u] - side / 2), 1);
          EXPECT_LE(std::abs(units.column[u] - side / 2), 1);
        }
      }
      if (job.options.scope == "sample") {
        EXPECT_EQ(values.cols(), 20);
      }
      if (job.options.row == 0) {
        EXPECT_EQ(units.row[1], 0);
        EXPECT_EQ(units.column[1], 6);
      }
    }
  }
  corner.options.layers = {"conv1", "conv3"};
  EXPECT_EQ(Extract(corner).message(),
            "extraction.column is 6; conv3 has columns 0 to 2");
}

TEST_F(ExtractTest, ReceptiveFieldsAreStoredWithTheUnits) {
  ASSERT_TRUE(Extract(Job()).ok());
  const auto file = ActivationFile::Open(Job().animals[0].output);
  for (const auto& [layer, unused] : kCentre) {
    EXPECT_EQ(file->ReadByUnit(layer, "rf_row")->front(), 31.0);
    EXPECT_EQ(file->ReadByUnit(layer, "rf_column")->front(), 31.0);
  }
  EXPECT_EQ(file->ReadByUnit("conv1", "rf_size")->front(), 11.0);
  EXPECT_EQ(file->ReadByUnit("conv1", "rf_first_row")->front(), 26.0);
  EXPECT_EQ(file->ReadByUnit("conv1", "rf_last_column")->front(), 36.0);
  EXPECT_EQ(file->ReadByUnit("conv5", "rf_size")->front(), 163.0);
  EXPECT_EQ(file->ReadByUnit("conv5", "rf_last_row")->front(), 63.0);
}

TEST_F(ExtractTest, HalfPrecisionKeepsElevenBitsInLessSpace) {
  ExtractionJob half = Job("half"), full = Job();
  half.options.precision = "float16";
  half.options.scope = full.options.scope = "layer";
  half.options.store = full.options.store = "activations";
  ASSERT_TRUE(Extract(half).ok());
  ASSERT_TRUE(Extract(full).ok());
  const ActivationMatrix a = Read(half, {"conv4", Stage::kPreRelu});
  const ActivationMatrix b = Read(full, {"conv4", Stage::kPreRelu});
  EXPECT_LE(((a - b).array().abs() / b.array().abs().max(0x1p-14f)).maxCoeff(), 0x1p-11);
  EXPECT_GT((a - b).array().abs().maxCoeff(), 0.0f);
  EXPECT_LT(std::filesystem::file_size(half.animals[0].output),
            0.65 * std::filesystem::file_size(full.animals[0].output));
}

TEST_F(ExtractTest, WeightsOfAnotherWidthAreNamed) {
  ExtractionJob job = Job();
  job.animals[0].model.width = 1.0 / 8;
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
  EXPECT_FALSE(IsExtracted(Job(), Job().animals[0]));
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
  EXPECT_FALSE(IsExtracted(job, job.animals[0]));
  ASSERT_TRUE(Extract(job).ok());
  EXPECT_TRUE(IsExtracted(job, job.animals[0]));
  ExtractionJob other = job;
  other.options.batch_size = 11;
  EXPECT_FALSE(IsExtracted(other, other.animals[0]));
  other = job;
  other.options.stages = {"pre_relu"};
  EXPECT_FALSE(IsExtracted(other, other.animals[0]));
  other = job;
  other.animals[0].name = "seed-002";
  EXPECT_FALSE(IsExtracted(other, other.animals[0]));
  const PackedSet others =
      PackDeadLeaves(folder_.path() / "others", kNumStimuli, /*seed=*/1);
  other = job;
  other.stimuli = &others;
  EXPECT_FALSE(IsExtracted(other, other.animals[0]));
  {
    const torch::NoGradGuard no_grad;
    model_->named_parameters()["classifier.5.bias"][0].add_(1.0f);
  }
  WriteWeights(*model_);
  EXPECT_FALSE(IsExtracted(job, job.animals[0]));
  ASSERT_TRUE(Extract(job).ok());
  EXPECT_TRUE(IsExtracted(job, job.animals[0]));
  // A damaged activation file is none.
  const std::string bytes = *ReadFile(job.animals[0].output);
  ASSERT_TRUE(
      WriteFileAtomically(job.animals[0].output, bytes.substr(0, bytes.size() / 2)).ok());
  EXPECT_FALSE(IsExtracted(job, job.animals[0]));
}

// As safetensors.torch.save_file writes them: no digest in the header.
TEST_F(ExtractTest, WeightsOfAnotherProgramAreToldApartByTheirValues) {
  const auto write_without_digest = [&] {
    std::string bytes = *ReadFile(Weights());
    for (const auto& [ours, other] :
         {std::pair<std::string, std::string>{"\"sha256\"", "\"digest\""},
          {"\"header_sha256\"", "\"header_digest\""}}) {
      const size_t at = bytes.find(ours);
      ASSERT_NE(at, std::string::npos);
      bytes.replace(at, ours.size(), other);
    }
    ASSERT_TRUE(WriteFileAtomically(Weights(), bytes).ok());
  };
  write_without_digest();
  const ExtractionJob job = Job();
  ASSERT_TRUE(Extract(job).ok());
  EXPECT_TRUE(IsExtracted(job, job.animals[0]));
  EXPECT_EQ(ActivationFile::Open(job.animals[0].output)->metadata().weights_sha256,
            *Sha256OfFile(Weights()));
  {
    const torch::NoGradGuard no_grad;
    model_->named_parameters()["features.0.bias"][0].add_(1.0f);
  }
  WriteWeights(*model_);
  write_without_digest();
  EXPECT_FALSE(IsExtracted(job, job.animals[0]));
}

}  // namespace
}  // namespace iat
