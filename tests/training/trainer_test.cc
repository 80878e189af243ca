#include "training/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <stdexcept>

#include "absl/strings/str_cat.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/random.h"
#include "models/safetensors.h"
#include "models/torch.h"
#include "tests/training/small_world.h"
#include "training/autoencoder.h"
#include "training/barlow_twins.h"
#include "training/instance_recognition.h"
#include "training/moco.h"
#include "training/simclr.h"
#include "training/simsiam.h"
#include "training/vicreg.h"

namespace iat {
namespace {

using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kStepsPerEpoch = 4;  // 64 images in batches of 16

class TrainerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    images_folder_ = new TemporaryFolder;
    images_ = new PackedSet(PackDeadLeaves(images_folder_->path() / "packed", 64));
    labelled_ = new PackedSet(WriteTwoColours(images_folder_->path() / "labelled", 64,
                                              kInputSide, /*shade=*/-80));
  }
  static void TearDownTestSuite() {
    delete labelled_;
    delete images_;
    delete images_folder_;
  }

  // Two epochs of an AlexNet 1/32 wide, checkpoints every 3 steps, rows every 2.
  TrainingJob Job(const std::string& objective, const std::string& folder = "animal") {
    TrainingJob job;
    job.animal = {.name = "seed-001", .init_seed = 1, .data_seed = 1};
    job.model = {.architecture = "alexnet_bn", .width = 1.0 / 32};
    job.options = TrainingOptions::DefaultsFor(objective);
    job.options.epochs = 2;
    job.options.batch_size = 16;
    job.options.checkpoint_every = 3;
    job.options.log_every = 2;
    // Instance Recognition's steps are large in a network as narrow as this.
    job.options.schedule = {.learning_rate = objective == "simclr" ? 0.03 : 2e-5,
                            .schedule = "constant"};
    ObjectiveOptions& objectives = job.options.objective;
    objectives.Of<InstanceRecognition>().num_noise = 16;
    objectives.Of<SimClr>() = {
        .temperature = 0.2, .hidden_size = 64, .embedding_size = 32};
    objectives.Of<MomentumContrast>() = {
        .queue_size = 40, .hidden_size = 64, .embedding_size = 32};
    objectives.Of<SimSiam>() = {.projection_size = 64, .prediction_hidden_size = 16};
    objectives.Of<BarlowTwins>().projection_size = 64;
    objectives.Of<VicReg>().projection_size = 64;
    objectives.Of<Autoencoder>().decoder_channels = 32;
    job.images = images_;
    // Dead leaves have neither classes nor an upright position.
    if (objective == "supervised" || objective == "rotnet") {
      job.images = labelled_;
      job.options.knn_images = 0;
    }
    job.folder = folder_.path() / folder;
    job.message = [this](absl::string_view text) { messages_.emplace_back(text); };
    return job;
  }

  static std::string WeightBytes(const TrainingJob& job) {
    const auto bytes = ReadFile(job.folder / "weights.safetensors");
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    return bytes.ok() ? *bytes : "";
  }
  static std::map<std::string, torch::Tensor> Weights(const TrainingJob& job) {
    const auto file = ReadTensors(job.folder / "weights.safetensors");
    EXPECT_TRUE(file.ok()) << file.status();
    return file->tensors;
  }
  static CsvTable Metrics(const TrainingJob& job) {
    const auto table = ReadCsv(job.folder / "metrics.csv");
    EXPECT_TRUE(table.ok()) << table.status();
    return *table;
  }
  // Everything but the one column that a clock writes.
  static CsvTable TimelessMetrics(const TrainingJob& job) {
    CsvTable table = Metrics(job);
    const int rate = table.Column("images_per_second");
    for (auto& row : table.rows) row[rate] = "";
    return table;
  }
  static double Cell(const CsvTable& table, size_t row, const char* column) {
    return std::stod(table.rows.at(row).at(table.Column(column)));
  }

  static TemporaryFolder* images_folder_;
  static PackedSet* images_;
  static PackedSet* labelled_;
  TemporaryFolder folder_;
  std::vector<std::string> messages_;
};
TemporaryFolder* TrainerTest::images_folder_ = nullptr;
PackedSet* TrainerTest::images_ = nullptr;
PackedSet* TrainerTest::labelled_ = nullptr;

class EveryObjectiveTest : public TrainerTest,
                           public ::testing::WithParamInterface<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, EveryObjectiveTest, ::testing::ValuesIn(ObjectiveNames()),
                         [](const auto& of) { return of.param; });

// Gentle views and a network just wide enough to tell 64 images apart. The loss has
// to end well below that of embeddings that say nothing about the image, which
// losing a common direction alone can't reach.
TEST_P(EveryObjectiveTest, TheLossFallsBelowThatOfUninformedEmbeddings) {
  const std::string name = GetParam();
  TrainingJob job = Job(name);
  job.model.width = 1.0 / 16;
  job.options.epochs = 40;
  job.options.batch_size = 32;
  job.options.log_every = 8;
  job.options.knn_every = 0;  // at the end only
  job.options.optimizer = {};
  const std::map<std::string, double> rates = {{"instance_recognition", 0.005},
                                               {"simclr", 0.003},
                                               {"simsiam", 0.05},
                                               {"autoencoder", 0.003}};
  job.options.schedule.learning_rate = rates.contains(name) ? rates.at(name) : 0.01;
  ObjectiveOptions& objectives = job.options.objective;
  objectives.Of<InstanceRecognition>().temperature = 0.2;
  // Fewer keys than images, so that few images meet their own.
  objectives.Of<MomentumContrast>().queue_size = 16;
  objectives.Of<MomentumContrast>().key_momentum = 0.9;
  // Eighty steps are too few to learn through the noise of batch norm over 4 images.
  objectives.Of<MomentumContrast>().batch_norm_groups = 2;
  objectives.Of<BarlowTwins>().redundancy_weight = 0.1;  // for 64 dimensions
  if (name == "autoencoder") job.options.optimizer.optimizer = "adam";
  AugmentOptions& views = job.options.augmentation;
  views.min_crop_area = 0.5;
  views.jitter_probability = views.grayscale_probability = views.blur_probability = 0.0;
  views.second_blur_probability = views.second_solarize_probability = 0.0;
  bool collapsed = false;
  job.progress = [&](const TrainingProgress& at) {
    collapsed = collapsed || at.collapsed;
  };
  ASSERT_TRUE(Train(job).ok());

  const CsvTable metrics = Metrics(job);
  EXPECT_THAT(metrics.columns,
              ElementsAre("step", "epoch", "loss", "learning_rate", "images_per_second",
                          "knn_top1", "knn_weighted_top1", "embedding_deviation",
                          "effective_rank"));
  ASSERT_EQ(metrics.rows.size(), 10u);
  EXPECT_EQ(Cell(metrics, 9, "step"), 80);
  EXPECT_EQ(Cell(metrics, 9, "epoch"), 40);
  EXPECT_EQ(Cell(metrics, 9, "learning_rate"), job.options.schedule.learning_rate);
  EXPECT_GT(Cell(metrics, 9, "images_per_second"), 0);
  EXPECT_TRUE(std::isnan(Cell(metrics, 9, "knn_top1")));  // nothing is held out
  // Instance Recognition: at right angles to the whole bank, P = 1/Z and m/N = 16/64.
  const double p = 1281167.0 / 2876934.2 / 64, rate = 16.0 / 64;
  const std::map<std::string, double> uninformed = {
      {"instance_recognition",
       -std::log(p / (p + rate)) - 16 * std::log(rate / (p + rate))},
      {"simclr", std::log(63.0)},    // all 64 views in one place
      {"moco_v2", std::log(17.0)},   // key and 16 queued keys in one place
      {"barlow_twins", 64.0},        // no dimension of 64 agrees between views
      {"rotnet", std::log(4.0)},     // four answers
      {"supervised", std::log(2.0)}  // two classes
  };
  const double last = Cell(metrics, 9, "loss"), first = Cell(metrics, 0, "loss");
  if (uninformed.contains(name)) {
    EXPECT_LT(last, 0.85 * uninformed.at(name));
  }
  if (name == "simsiam") {
    EXPECT_LT(last, -0.5);  // from 0, cosines at right angles, towards -1
  } else {
    EXPECT_LT(last, 0.85 * first);
  }
  EXPECT_FALSE(collapsed);
}

// A kill leaves the last checkpoint and metrics that may be ahead of it: a copy of
// the folder at every report is what a SIGKILL there would have left.
TEST_P(EveryObjectiveTest, GoingOnAfterAKillEqualsAnUninterruptedRun) {
  TrainingJob whole = Job(GetParam(), "whole");
  std::vector<std::filesystem::path> kills;
  whole.progress = [&](const TrainingProgress& at) {
    kills.push_back(folder_.path() / ("killed-" + std::to_string(at.step)));
    std::filesystem::copy(whole.folder, kills.back());
  };
  std::filesystem::create_directories(whole.folder);
  ASSERT_TRUE(Train(whole).ok());
  // Reports at 2, 4, 6, 8; checkpoints at 3, 6, 8.
  const std::vector<std::string> resumed = {"", "resuming at step 3 of 8",
                                            "resuming at step 3 of 8",
                                            "resuming at step 6 of 8"};
  ASSERT_EQ(kills.size(), resumed.size());
  for (size_t i = 0; i < kills.size(); ++i) {
    messages_.clear();
    TrainingJob again = Job(GetParam(), kills[i].filename());
    ASSERT_TRUE(Train(again).ok());
    EXPECT_EQ(messages_.empty() ? "" : messages_[0], resumed[i]) << kills[i];
    EXPECT_EQ(WeightBytes(again), WeightBytes(whole)) << kills[i];
    EXPECT_EQ(TimelessMetrics(again).rows, TimelessMetrics(whole).rows) << kills[i];
  }
}

TEST_P(EveryObjectiveTest, GoingOnAfterAStopEqualsAnUninterruptedRun) {
  const TrainingJob whole = Job(GetParam(), "whole");
  ASSERT_TRUE(Train(whole).ok());
  for (const int64_t report : {2, 4, 6}) {
    TrainingJob job = Job(GetParam(), "stopped-" + std::to_string(report));
    std::atomic<bool> stop = false;
    job.stop = &stop;
    job.progress = [&](const TrainingProgress& at) { stop = at.step == report; };
    // Asked for while a step is reported, obeyed at the end of the next one: 3 and 7
    // lie between two rows of the metrics.
    const absl::Status status = Train(job);
    EXPECT_TRUE(absl::IsCancelled(status)) << status;
    EXPECT_EQ(status.message(),
              absl::StrCat("stopped at step ", report + 1,
                           " of 8; the same command goes on from there"));
    EXPECT_FALSE(IsTrained(job));
    EXPECT_FALSE(std::filesystem::exists(job.folder / "weights.safetensors"));
    stop = false;
    job.progress = nullptr;
    ASSERT_TRUE(Train(job).ok());
    EXPECT_EQ(messages_.back(), absl::StrCat("resuming at step ", report + 1, " of 8"));
    EXPECT_EQ(WeightBytes(job), WeightBytes(whole)) << report;
    EXPECT_EQ(TimelessMetrics(job).rows, TimelessMetrics(whole).rows) << report;
  }
}

// Dying while it reports leaves what a SIGKILL would: the last checkpoint, and metrics
// and events beyond it.
TEST_P(EveryObjectiveTest, KilledAtTenRandomStepsItArrivesAtTheSameWeights) {
  const auto with_steps = [&](const std::string& folder) {
    TrainingJob job = Job(GetParam(), folder);
    job.options.epochs = 8;  // 32 steps
    job.options.log_every = 1;
    return job;
  };
  const TrainingJob whole = with_steps("whole");
  ASSERT_TRUE(Train(whole).ok());
  TrainingJob killed = with_steps("killed");
  RandomStream stream(11, "kills");
  int64_t done = 0;  // steps of the last checkpoint
  for (int kill = 0; kill < 10; ++kill) {
    const int64_t at = done + 1 + static_cast<int64_t>(stream.UniformInt(5));
    killed.progress = [&](const TrainingProgress& progress) {
      if (progress.step == at) throw std::runtime_error("killed");
    };
    ASSERT_EQ(Train(killed).message(), "seed-001: killed") << "step " << at;
    done = (at - 1) / 3 * 3;  // a checkpoint follows the report of its step
  }
  EXPECT_GE(done, 9);  // it did get on
  killed.progress = nullptr;
  ASSERT_TRUE(Train(killed).ok());
  EXPECT_EQ(messages_.back(), absl::StrCat("resuming at step ", done, " of 32"));
  EXPECT_EQ(Sha256(WeightBytes(killed)), Sha256(WeightBytes(whole)));
  EXPECT_EQ(TimelessMetrics(killed).rows, TimelessMetrics(whole).rows);
  // TensorBoard's file has every step once, with the numbers of the table.
  const auto bytes = ReadFile(killed.folder / "events.out.tfevents.iat");
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const std::vector<Event> events = ParseEvents(*bytes);
  ASSERT_EQ(events.size(), 33u);
  const CsvTable metrics = Metrics(killed);
  for (size_t i = 1; i < events.size(); ++i) {
    EXPECT_EQ(events[i].step, static_cast<int64_t>(i));
    ASSERT_FALSE(events[i].scalars.empty());
    EXPECT_EQ(events[i].scalars[0].first, "loss");
    EXPECT_FLOAT_EQ(events[i].scalars[0].second,
                    static_cast<float>(Cell(metrics, i - 1, "loss")));
  }
}

TEST_P(EveryObjectiveTest, StoppedAtEveryStepItStillArrivesAtTheSameWeights) {
  const TrainingJob whole = Job(GetParam(), "whole");
  ASSERT_TRUE(Train(whole).ok());
  TrainingJob job = Job(GetParam());
  const std::atomic<bool> stop = true;
  job.stop = &stop;
  for (int step = 1; step < 8; ++step) EXPECT_TRUE(absl::IsCancelled(Train(job))) << step;
  EXPECT_TRUE(Train(job).ok());  // the last step is done anyhow
  EXPECT_EQ(WeightBytes(job), WeightBytes(whole));
  EXPECT_EQ(TimelessMetrics(job).rows, TimelessMetrics(whole).rows);
}

// Adam keeps two moments and counts its steps; the recipes keep one velocity.
TEST_F(TrainerTest, WithAdamTooItGoesOnWhereItWas) {
  for (const char* optimizer : {"adam", "adamw"}) {
    const std::string name = optimizer;
    const auto with_adam = [&](const std::string& folder) {
      TrainingJob job = Job("simclr", folder + name);
      job.options.optimizer.optimizer = name;
      job.options.schedule.learning_rate = 1e-3;
      return job;
    };
    const TrainingJob whole = with_adam("whole");
    ASSERT_TRUE(Train(whole).ok());
    TrainingJob job = with_adam("stopped");
    const std::atomic<bool> stop = true;
    job.stop = &stop;
    for (int step = 1; step < 8; ++step) EXPECT_TRUE(absl::IsCancelled(Train(job)));
    EXPECT_TRUE(Train(job).ok());
    EXPECT_EQ(WeightBytes(job), WeightBytes(whole)) << name;
  }
}

TEST_F(TrainerTest, RepeatedItGivesTheSameBytes) {
  const TrainingJob a = Job("simclr", "a"), b = Job("simclr", "b");
  ASSERT_TRUE(Train(a).ok());
  ASSERT_TRUE(Train(b).ok());
  EXPECT_EQ(WeightBytes(a), WeightBytes(b));
}

TEST_F(TrainerTest, ADamagedCheckpointIsNamedAndTrainingStartsAfresh) {
  const TrainingJob whole = Job("simclr", "whole");
  ASSERT_TRUE(Train(whole).ok());
  const std::string good = *ReadFile(whole.folder / "checkpoint.safetensors");
  std::string flipped = good;
  flipped.back() ^= 1;
  const std::pair<std::string, const char*> damages[] = {
      {flipped, "do not match its checksum; the file is damaged"},
      {good.substr(0, good.size() / 2), "truncated"},
      {"", "0 bytes; a safetensors file has at least 8"}};
  for (const auto& [bytes, reason] : damages) {
    messages_.clear();
    const TrainingJob job = Job("simclr");
    std::filesystem::remove_all(job.folder);  // it is the only one
    ASSERT_TRUE(WriteFileAtomically(job.folder / "checkpoint.safetensors", bytes).ok());
    ASSERT_TRUE(Train(job).ok());
    ASSERT_EQ(messages_.size(), 1u);
    EXPECT_THAT(messages_[0], HasSubstr("starting afresh: "));
    EXPECT_THAT(messages_[0],
                HasSubstr((job.folder / "checkpoint.safetensors").string()));
    EXPECT_THAT(messages_[0], HasSubstr(reason));
    EXPECT_EQ(WeightBytes(job), WeightBytes(whole));
  }
}

TEST_F(TrainerTest, FromADamagedCheckpointItGoesBackToTheOneBefore) {
  const TrainingJob whole = Job("simclr", "whole");
  ASSERT_TRUE(Train(whole).ok());
  TrainingJob job = Job("simclr");
  job.progress = [&](const TrainingProgress& at) {
    if (at.step == 8) throw std::runtime_error("killed");
  };
  ASSERT_FALSE(Train(job).ok());
  job.progress = nullptr;
  const auto newest = job.folder / "checkpoint.safetensors";
  const auto before = job.folder / "checkpoint-step-00000003.safetensors";
  ASSERT_TRUE(std::filesystem::exists(before));
  std::string bytes = *ReadFile(newest);
  // Its position, which no tensor's checksum covers: step 6 as step 7.
  const size_t step = bytes.find("\"step\":\"6\"");
  ASSERT_NE(step, std::string::npos);
  bytes[step + 8] = '7';
  ASSERT_TRUE(WriteFileAtomically(newest, bytes).ok());
  messages_.clear();
  ASSERT_TRUE(Train(job).ok());
  EXPECT_THAT(messages_,
              ElementsAre(newest.string() +
                              ": its header does not match its checksum; the file is "
                              "damaged; going on from the checkpoint before it",
                          "resuming at step 3 of 8"));
  EXPECT_EQ(WeightBytes(job), WeightBytes(whole));
  EXPECT_EQ(TimelessMetrics(job).rows, TimelessMetrics(whole).rows);
}

// All damaged, the newest in its optimiser only, so that weights are restored before
// it shows: nothing of it may stay.
TEST_F(TrainerTest, WhenAllAreDamagedNothingOfThemStays) {
  const TrainingJob whole = Job("simclr", "whole");
  ASSERT_TRUE(Train(whole).ok());
  auto file = *ReadTensors(whole.folder / "checkpoint.safetensors");
  std::erase_if(file.tensors, [](const auto& entry) {
    return entry.first.find("classifier.1.weight") != std::string::npos &&
           !entry.first.starts_with("model.");
  });
  const TrainingJob job = Job("simclr");
  ASSERT_TRUE(WriteTensors(job.folder / "checkpoint.safetensors", file).ok());
  messages_.clear();
  ASSERT_TRUE(Train(job).ok());
  ASSERT_EQ(messages_.size(), 1u);
  EXPECT_THAT(messages_[0], HasSubstr("starting afresh: "));
  EXPECT_THAT(messages_[0], HasSubstr("model.classifier.1.weight"));
  EXPECT_EQ(WeightBytes(job), WeightBytes(whole));
}

TEST_F(TrainerTest, TheLastCheckpointsAndThoseOfChosenEpochsAreKept) {
  TrainingJob job = Job("simclr");
  job.options.epochs = 6;  // 24 steps
  job.options.checkpoint_every = 5;
  job.options.keep_last = 3;
  job.options.keep_every_epochs = 2;
  ASSERT_TRUE(Train(job).ok());
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(job.folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("checkpoint")) names.insert(name);
  }
  // Saved at 5, 8 (epoch 2), 10, 15, 16 (epoch 4), 20, 24 (epoch 6, the end).
  EXPECT_THAT(names, ElementsAre("checkpoint-epoch-0002.safetensors",
                                 "checkpoint-epoch-0004.safetensors",
                                 "checkpoint-epoch-0006.safetensors",
                                 "checkpoint-step-00000016.safetensors",
                                 "checkpoint-step-00000020.safetensors",
                                 "checkpoint.safetensors"));
  EXPECT_EQ(*ReadFile(job.folder / "checkpoint-epoch-0006.safetensors"),
            *ReadFile(job.folder / "checkpoint.safetensors"));
  EXPECT_EQ(
      ReadTensors(job.folder / "checkpoint-epoch-0002.safetensors")->metadata.at("step"),
      "8");
  // With the newer ones gone, epoch 4 is what there is to go on from.
  const std::string weights = WeightBytes(job);
  for (const char* name :
       {"weights.safetensors", "checkpoint.safetensors",
        "checkpoint-step-00000020.safetensors", "checkpoint-epoch-0006.safetensors"}) {
    std::filesystem::remove(job.folder / name);
  }
  messages_.clear();
  ASSERT_TRUE(Train(job).ok());
  EXPECT_THAT(messages_, ElementsAre("resuming at step 16 of 24"));
  EXPECT_EQ(WeightBytes(job), weights);
}

TEST_F(TrainerTest, ACheckpointOfAnotherRecipeIsNotGoneOnFrom) {
  TrainingJob other = Job("simclr");
  other.options.schedule.learning_rate = 0.01;
  ASSERT_TRUE(Train(other).ok());
  const TrainingJob job = Job("simclr"), fresh = Job("simclr", "fresh");
  ASSERT_TRUE(Train(job).ok());
  EXPECT_THAT(messages_,
              ElementsAre("starting afresh: the checkpoint is of another model, "
                          "recipe or image set"));
  ASSERT_TRUE(Train(fresh).ok());
  EXPECT_EQ(WeightBytes(job), WeightBytes(fresh));
}

TEST_F(TrainerTest, SupervisedTrainingRefusesImagesWithoutAClass) {
  TrainingJob job = Job("supervised");
  job.images = images_;  // dead leaves
  const absl::Status status = Train(job);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("needs a class for every"));
}

TEST_F(TrainerTest, FewerImagesThanABatchAreRefused) {
  TrainingJob job = Job("simclr");
  job.options.batch_size = 65;
  const absl::Status status = Train(job);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(
      status.message(),
      "64 training images (0 more are held out for the nearest-neighbour accuracy) do "
      "not fill one batch of training.batch_size = 65; use more images or a smaller "
      "batch");
}

TEST_F(TrainerTest, ALossThatIsNotFiniteNamesItsStepAndWhatToTry) {
  TrainingJob job = Job("simclr");
  job.options.schedule.learning_rate = 1e30;
  const absl::Status status = Train(job);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              ContainsRegex("seed-001: the loss is -?(nan|inf) at step 1; try a smaller "
                            "training.learning_rate or more training.warmup_epochs"));
  EXPECT_FALSE(IsTrained(job));
}

TEST_F(TrainerTest, IsTrainedFollowsTheRecipeAndNotHowOftenWeLook) {
  const TrainingJob job = Job("simclr");
  EXPECT_FALSE(IsTrained(job));
  ASSERT_TRUE(Train(job).ok());
  EXPECT_TRUE(IsTrained(job));
  const auto trained_after = [&](const std::function<void(TrainingJob&)>& change) {
    TrainingJob changed = job;
    change(changed);
    return IsTrained(changed);
  };
  EXPECT_TRUE(trained_after([](TrainingJob& j) { j.options.log_every = 1; }));
  EXPECT_TRUE(trained_after([](TrainingJob& j) { j.options.checkpoint_every = 1; }));
  EXPECT_TRUE(trained_after([](TrainingJob& j) { j.options.keep_last = 9; }));
  EXPECT_TRUE(trained_after([](TrainingJob& j) { j.options.keep_every_epochs = 1; }));
  EXPECT_TRUE(trained_after([](TrainingJob& j) { j.options.knn_every = 1; }));
  EXPECT_TRUE(trained_after([](TrainingJob& j) { j.options.knn_k = 1; }));
  EXPECT_FALSE(trained_after([](TrainingJob& j) { j.options.epochs = 3; }));
  EXPECT_FALSE(trained_after([](TrainingJob& j) { j.options.batch_size = 8; }));
  EXPECT_FALSE(trained_after([](TrainingJob& j) { j.options.optimizer.momentum = 0.8; }));
  EXPECT_FALSE(
      trained_after([](TrainingJob& j) { j.options.optimizer.lars_trust = 0.01; }));
  EXPECT_FALSE(trained_after([](TrainingJob& j) { j.options.augmentation.hue = 0.1; }));
  EXPECT_FALSE(trained_after(
      [](TrainingJob& j) { j.options.objective.Of<SimClr>().temperature = 0.1; }));
  // What another objective or optimiser reads does not concern this one.
  EXPECT_TRUE(trained_after([](TrainingJob& j) {
    j.options.objective.Of<InstanceRecognition>().temperature = 0.5;
    j.options.objective.Of<MomentumContrast>().queue_size = 7;
  }));
  EXPECT_TRUE(trained_after([](TrainingJob& j) {
    j.options.optimizer.adam_beta1 = 0.5;
    j.options.optimizer.nesterov = true;
  }));
  EXPECT_FALSE(
      trained_after([](TrainingJob& j) { j.options.objective.name = "vicreg"; }));
  EXPECT_FALSE(trained_after([](TrainingJob& j) { j.options.threads_per_model = 2; }));
  EXPECT_FALSE(trained_after([](TrainingJob& j) { j.options.dropout = false; }));
  EXPECT_FALSE(trained_after([](TrainingJob& j) { j.animal.init_seed = 2; }));
  EXPECT_FALSE(trained_after([](TrainingJob& j) { j.animal.data_seed = 2; }));
  EXPECT_FALSE(trained_after([](TrainingJob& j) { j.model.width = 1.0 / 16; }));
  EXPECT_FALSE(trained_after([](TrainingJob& j) { j.animal.trained = false; }));
  const PackedSet others = PackDeadLeaves(folder_.path() / "others", 64, /*seed=*/1);
  EXPECT_FALSE(trained_after([&](TrainingJob& j) { j.images = &others; }));
}

TEST_F(TrainerTest, HowOftenWeLookDoesNotChangeTheWeights) {
  const TrainingJob job = Job("simclr", "a");
  TrainingJob closer = Job("simclr", "b");
  closer.options.log_every = 1;
  closer.options.checkpoint_every = 1;
  ASSERT_TRUE(Train(job).ok());
  ASSERT_TRUE(Train(closer).ok());
  EXPECT_EQ(WeightBytes(job), WeightBytes(closer));
  EXPECT_EQ(Metrics(closer).rows.size(), 8u);
}

// One step at a vanishing rate: batch norm's statistics say what went in. fc6's
// (classifier.2) are behind the first dropout, conv5's (features.15) before it.
TEST_F(TrainerTest, WithoutDropoutNothingIsDropped) {
  const auto weights_of = [&](bool dropout, const char* folder) {
    TrainingJob job = Job("autoencoder", folder);
    job.options.epochs = 1;
    job.options.batch_size = 64;
    job.options.knn_images = 0;
    job.options.schedule.learning_rate = 1e-12;
    job.options.dropout = dropout;
    EXPECT_TRUE(Train(job).ok());
    return Weights(job);
  };
  const auto with = weights_of(true, "with"), without = weights_of(false, "without");
  const auto ratio = [&](const std::string& name) {
    return (with.at(name) / without.at(name)).mean().item<double>();
  };
  EXPECT_NEAR(ratio("features.15.running_var"), 1.0, 1e-5);
  EXPECT_GT(ratio("classifier.2.running_var"), 1.0 + 1e-4);
}

TEST_F(TrainerTest, AnUntrainedAnimalKeepsItsInitialWeights) {
  TrainingJob job = Job("simclr");
  job.animal.trained = false;
  ASSERT_TRUE(Train(job).ok());
  EXPECT_TRUE(IsTrained(job));
  const auto initial = StateDict(**CreateModel(job.model, job.animal.init_seed));
  const auto weights = Weights(job);
  ASSERT_EQ(weights.size(), initial.size());
  for (const auto& [name, tensor] : initial) {
    EXPECT_TRUE(torch::equal(weights.at(name), tensor)) << name;
  }
  // Neither recipe nor data_seed concern it.
  job.options.epochs = 7;
  job.animal.data_seed = 5;
  EXPECT_TRUE(IsTrained(job));
  EXPECT_EQ(Metrics(job).rows.size(), 1u);
  EXPECT_FALSE(std::filesystem::exists(job.folder / "checkpoint.safetensors"));
}

// At a vanishing rate the weights stay where they started, and only what batch norm
// saw tells the orders apart.
TEST_F(TrainerTest, DataSeedChangesTheDataAndNotTheInitialWeights) {
  TrainingJob a = Job("simclr", "a"), b = Job("simclr", "b"), c = Job("simclr", "c");
  for (TrainingJob* job : {&a, &b, &c}) {
    job->options.schedule.learning_rate = 1e-30;
    job->options.epochs = 1;
  }
  b.animal.data_seed = 2;
  c.animal.init_seed = 2;
  for (const TrainingJob* job : {&a, &b, &c}) ASSERT_TRUE(Train(*job).ok());
  const auto first = Weights(a), other_data = Weights(b), other_init = Weights(c);
  const auto initial = StateDict(**CreateModel(a.model, 1));
  for (const char* name :
       {"features.0.weight", "classifier.1.weight", "classifier.5.bias"}) {
    EXPECT_TRUE(torch::equal(first.at(name), initial.at(name))) << name;
    EXPECT_TRUE(torch::equal(first.at(name), other_data.at(name))) << name;
    EXPECT_FALSE(torch::equal(first.at(name), other_init.at(name))) << name;
  }
  EXPECT_FALSE(torch::equal(first.at("features.1.running_mean"),
                            other_data.at("features.1.running_mean")));
}

// The bank follows the embeddings of so few images within an epoch; at a high rate
// both run into one direction.
TEST_F(TrainerTest, ACollapsedEmbeddingRaisesTheAlarm) {
  TrainingJob job = Job("instance_recognition");
  job.options.objective.Of<InstanceRecognition>().bank_steps = 0;
  job.options.schedule.learning_rate = 0.1;
  job.options.epochs = 12;
  job.options.log_every = kStepsPerEpoch;
  std::vector<bool> alarms;
  job.progress = [&](const TrainingProgress& at) {
    alarms.push_back(at.collapsed);
    EXPECT_EQ(at.collapsed, at.embedding_deviation < 0.05 || at.effective_rank < 1.5);
    EXPECT_EQ(at.collapse_advice.empty(), !at.collapsed);
  };
  ASSERT_TRUE(Train(job).ok());
  ASSERT_EQ(alarms.size(), 12u);
  EXPECT_FALSE(alarms.front());
  EXPECT_TRUE(alarms.back());
}

TEST_F(TrainerTest, LabelledImagesAreHeldOutAndScoredWhenAsked) {
  const PackedSet colours = WriteTwoColours(folder_.path() / "colours", 60);
  TrainingJob job = Job("simclr");
  job.images = &colours;
  job.options.knn_images = 10;
  job.options.knn_every = 2;
  job.options.knn_k = 5;
  job.options.epochs = 3;
  std::vector<std::pair<int64_t, double>> scored;
  job.progress = [&](const TrainingProgress& at) {
    if (!std::isnan(at.knn_top1)) scored.emplace_back(at.step, at.knn_top1);
    EXPECT_EQ(at.num_steps, 9);  // 50 images are left: 3 batches of 16
  };
  ASSERT_TRUE(Train(job).ok());
  // After epoch 2 and at the end. Red against blue is easy.
  EXPECT_THAT(scored, ElementsAre(std::pair{6, 1.0}, std::pair{9, 1.0}));
  // At most a fifth is held out.
  job.options.knn_images = 1000;
  job.progress = [&](const TrainingProgress& at) { EXPECT_EQ(at.num_steps, 9); };
  job.folder = folder_.path() / "fifth";
  EXPECT_TRUE(Train(job).ok());
  job.options.batch_size = 49;
  EXPECT_THAT(std::string(Train(job).message()),
              HasSubstr("48 training images (12 more are held out"));
}

TEST_F(TrainerTest, ImagesPackedLargerThanTheNetworksInputAreScoredToo) {
  const PackedSet large = WriteTwoColours(folder_.path() / "large", 40, /*side=*/96);
  TrainingJob job = Job("simclr");
  job.images = &large;
  job.options.knn_k = 5;
  job.options.epochs = 1;
  double accuracy = 0.0;
  job.progress = [&](const TrainingProgress& at) { accuracy = at.knn_top1; };
  ASSERT_TRUE(Train(job).ok());
  EXPECT_EQ(accuracy, 1.0);
}

TEST_F(TrainerTest, SimSiamsPredictorHasARateOfItsOwn) {
  TrainingJob job = Job("simsiam");
  job.options.epochs = 1;
  const auto trained = [&](double predictor_rate) {
    job.options.objective.Of<SimSiam>().predictor_rate = predictor_rate;
    EXPECT_TRUE(Train(job).ok());
    const auto file = ReadTensors(job.folder / "checkpoint.safetensors");
    EXPECT_TRUE(file.ok()) << file.status();
    return file->tensors;
  };
  const auto moving = trained(4.0), still = trained(1e-12);
  const char* const predictor = "objective.predictor.0.weight";
  const char* const projector = "objective.projector.0.weight";
  auto model = *CreateModel(job.model, job.animal.init_seed);
  const SimSiam initial(job.options.objective.Get<SimSiam>(),
                        {.model = *model, .model_options = job.model, .init_seed = 1});
  const auto start = initial.named_parameters();
  EXPECT_TRUE(torch::equal(still.at(predictor), start["predictor.0.weight"]));
  EXPECT_FALSE(torch::equal(moving.at(predictor), start["predictor.0.weight"]));
  EXPECT_FALSE(torch::equal(still.at(projector), start["projector.0.weight"]));
}

}  // namespace
}  // namespace iat
