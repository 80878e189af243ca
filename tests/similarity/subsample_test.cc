#include "similarity/subsample.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/random.h"
#include "base/status.h"
#include "similarity/mapping.h"
#include "similarity/r2.h"
#include "similarity/ridge.h"
#include "similarity/split.h"
#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Eigen::Index kNumStimuli = 120;

// What makes one animal's file: by layer, how many units it has (0: not there).
struct AnimalSpec {
  int seed = 0;
  std::map<std::string, Eigen::Index> units = {{"conv1", 6}, {"conv2", 9}};
  bool recorded = false;
  int64_t first_stimulus = 0, num_stimuli = kNumStimuli;
  std::string architecture = "alexnet_bn width=0.25";
};

class SubsampleTest : public ::testing::Test {
 protected:
  SubsampleTest() {
    folder_ =
        fs::path(::testing::TempDir()) / absl::StrCat("subsample_test-", ::getpid());
    fs::remove_all(folder_);
    options_.num_fit_stimuli = 80;
    options_.num_sizes = 4;
    options_.num_samples = 2;
    options_.mappings = {"ridge", "ridge_clamped"};
    options_.mapping.ridge.num_penalties = 5;
    options_.mapping.logistic_ridge.logistic_penalties = {50, 0.5};
  }
  ~SubsampleTest() override { fs::remove_all(folder_); }

  // A random rotation of what all animals share, and noise.
  static Eigen::MatrixXd Response(const AnimalSpec& spec, const std::string& layer,
                                  Stage stage) {
    const uint64_t salt = layer == "conv1" || layer == "VISp" ? 10 : 20;
    const Eigen::Index units = spec.units.at(layer);
    Eigen::MatrixXd values =
        NormalMatrix(kNumStimuli, 5, salt) *
            NormalMatrix(5, units, 100 + salt + spec.seed) +
        0.2 * NormalMatrix(kNumStimuli, units, 2000 + salt + spec.seed);
    if (stage == Stage::kPostRelu) {
      values = values.cwiseMax(0.0);
      values.col(2).setZero();  // a dead unit
    }
    // As the file stores them.
    return values.cast<float>().cast<double>();
  }

  fs::path Write(const AnimalSpec& spec) {
    const std::string animal =
        absl::StrFormat("%s-%03d", spec.recorded ? "mouse" : "seed", spec.seed);
    const fs::path path = folder_ / "activations" / absl::StrCat(animal, ".nc");
    const absl::Status status =
        WriteAtomically(path, [&](const fs::path& temporary) -> absl::Status {
          std::vector<std::string> ids;
          for (int64_t i = 0; i < spec.num_stimuli; ++i) {
            ids.push_back(absl::StrFormat("img_%05d", spec.first_stimulus + i));
          }
          const std::vector<Stage> stages =
              spec.recorded ? std::vector<Stage>{Stage::kRecorded}
                            : std::vector<Stage>{Stage::kPreRelu, Stage::kPostRelu};
          std::vector<ActivationWriter::Layer> layers;
          for (const auto& [layer, units] : spec.units) {
            std::vector<int32_t> channel(units), position(units, 0);
            std::iota(channel.begin(), channel.end(), 0);
            layers.push_back({layer, {channel, position, position}, stages});
          }
          ActivationMetadata metadata;
          metadata.animal = animal;
          metadata.architecture = spec.architecture;
          metadata.stimuli_sha256 = "5ha";
          metadata.scope = "hypercolumn";
          metadata.preprocessing = "none";
          IAT_ASSIGN_OR_RETURN(
              ActivationWriter writer,
              ActivationWriter::Create(temporary, ids, layers, metadata));
          for (const auto& [layer, units] : spec.units) {
            for (const Stage stage : stages) {
              IAT_RETURN_IF_ERROR(
                  writer.Write({layer, stage}, 0,
                               Response(spec, layer, stage)
                                   .middleRows(spec.first_stimulus, spec.num_stimuli)
                                   .cast<float>()));
            }
          }
          return writer.Close();
        });
    EXPECT_TRUE(status.ok()) << status;
    return path;
  }

  SubsampleInput Family(int num_animals) {
    SubsampleInput input{"held-out", {}};
    for (int seed = 0; seed < num_animals; ++seed) {
      input.animals.push_back(Write({.seed = seed}));
    }
    return input;
  }

  fs::path Table(const std::string& name) { return folder_ / name / "subsample.csv"; }

  SubsampleResult Run(const SubsampleInput& input, const std::string& name,
                      const CompareControl& control = {}) {
    const auto result = RunSubsample(options_, input, Table(name), control);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? *result : SubsampleResult();
  }

  std::string Message(const SubsampleInput& input) {
    return std::string(
        RunSubsample(options_, input, Table("refused"), {}).status().message());
  }

  static std::vector<SamplingRow> Select(const std::vector<SamplingRow>& rows,
                                         const std::string& axis,
                                         const std::string& mapping) {
    std::vector<SamplingRow> selected;
    for (const SamplingRow& row : rows) {
      if (row.axis == axis && row.score.mapping == mapping) selected.push_back(row);
    }
    return selected;
  }

  static std::vector<int64_t> SizesOf(const std::vector<SamplingRow>& rows) {
    std::set<int64_t> sizes;
    for (const SamplingRow& row : rows) sizes.insert(row.size);
    return {sizes.begin(), sizes.end()};
  }

  fs::path folder_;
  SubsampleOptions options_;
};

TEST(LogSizesTest, AreWholeRisingAndHoldBothEnds) {
  EXPECT_THAT(LogSizes(8, 8000, 4), ElementsAre(8, 80, 800, 8000));
  EXPECT_THAT(LogSizes(1, 5, 12), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_THAT(LogSizes(7, 7, 3), ElementsAre(7));
  EXPECT_THAT(LogSizes(2, 9, 1), ElementsAre(9));
}

TEST_F(SubsampleTest, EveryAnimalIsTargetOnceOnEachAxis) {
  const SubsampleResult result = Run(Family(3), "scores");
  EXPECT_TRUE(result.complete);
  // 3 targets x 2 layers x 2 stages x 2 axes x 2 samples.
  EXPECT_EQ(result.num_cells, 48);
  const auto stimuli = Select(result.rows, "stimuli", "ridge");
  EXPECT_EQ(stimuli.size(), 3u * 2 * 2 * 2 * 4);
  EXPECT_THAT(SizesOf(stimuli), ElementsAre(8, 17, 37, 80));
  std::set<std::string> pairs;
  for (const SamplingRow& row : stimuli) {
    pairs.insert(row.score.source_animal + ">" + row.score.target_animal);
    EXPECT_EQ(row.score.num_fit_stimuli, row.size);
    EXPECT_EQ(row.score.num_source_units, row.score.source_layer == "conv1" ? 6 : 9);
    EXPECT_EQ(row.num_pooled_sources, 1);
    EXPECT_EQ(row.score.num_test_stimuli, 40);
  }
  EXPECT_THAT(pairs,
              ElementsAre("seed-000>seed-002", "seed-001>seed-000", "seed-002>seed-001"));
  const auto units = Select(result.rows, "units", "ridge");
  pairs.clear();
  for (const SamplingRow& row : units) {
    pairs.insert(row.score.source_animal + ">" + row.score.target_animal);
    EXPECT_EQ(row.score.num_fit_stimuli, 80);
    EXPECT_EQ(row.score.num_source_units, row.size);
    EXPECT_EQ(row.num_pooled_sources, 2);
    EXPECT_EQ(row.score.num_scored_units,
              row.score.num_target_units - (row.score.target_stage == "post_relu"));
  }
  EXPECT_THAT(pairs,
              ElementsAre("seed-000+seed-001>seed-002", "seed-001+seed-002>seed-000",
                          "seed-002+seed-000>seed-001"));
  EXPECT_THAT(SizesOf(units), ElementsAre(4, 6, 7, 8, 11, 12, 18));
  // Clamping has no meaning before the ReLU.
  for (const SamplingRow& row : Select(result.rows, "units", "ridge_clamped")) {
    EXPECT_EQ(row.score.target_stage, "post_relu");
  }
  const auto read = ReadSampling(Table("scores"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(SamplingText(*read), SamplingText(result.rows));
}

// A point by hand: split, order, fit and score with nothing of subsample*.cc.
TEST_F(SubsampleTest, APointIsTheRidgeOfItsSubset) {
  const SubsampleInput input = Family(3);
  const SubsampleResult result = Run(input, "scores");
  std::vector<std::string> ids;
  for (Eigen::Index i = 0; i < kNumStimuli; ++i) {
    ids.push_back(absl::StrFormat("img_%05d", i));
  }
  const auto split = MakeSplit(ids, {.split_seed = 0, .num_fit = 80});
  ASSERT_TRUE(split.ok());
  const auto median = [&](const Eigen::MatrixXd& x, const Eigen::MatrixXd& y,
                          const std::vector<int64_t>& fit) {
    const auto basis = SourceBasis::Make(x(fit, Eigen::all));
    const auto ridge = FitRidge(*basis, y(fit, Eigen::all), options_.mapping.ridge);
    return SummariseR2(R2PerUnit(y(split->test, Eigen::all),
                                 *ridge->map.Predict(x(split->test, Eigen::all))))
        .median;
  };
  const auto found = [&](const std::string& axis, const std::string& target,
                         int64_t size) {
    for (const SamplingRow& row : Select(result.rows, axis, "ridge")) {
      if (row.score.target_animal == target && row.size == size && row.sample_seed == 1 &&
          row.score.source_layer == "conv2" && row.score.source_stage == "post_relu") {
        return row.score.median_r2;
      }
    }
    ADD_FAILURE() << "no row";
    return 0.0;
  };
  const auto response = [](int seed) {
    return Response({.seed = seed}, "conv2", Stage::kPostRelu);
  };
  constexpr double kWritten = 1e-8;  // nine digits, and nested_ridge's own 1e-8
  std::vector<int64_t> first;
  for (const int64_t place : RandomStream(1, "subsampled stimuli", 0).Permutation(80)) {
    if (first.size() < 37) first.push_back(split->fit[place]);
  }
  EXPECT_NEAR(found("stimuli", "seed-000", 37), median(response(1), response(0), first),
              kWritten);
  Eigen::MatrixXd pool(kNumStimuli, 18);
  pool << response(0), response(1);
  std::vector<int64_t> units =
      RandomStream(1, "subsampled units/seed-002/conv2").Permutation(18);
  units.resize(11);
  const Eigen::MatrixXd subset = pool(Eigen::all, units);
  EXPECT_NEAR(found("units", "seed-002", 11), median(subset, response(2), split->fit),
              kWritten);
}

TEST_F(SubsampleTest, RecordingsHaveUnitsAreasAndStimuliOfTheirOwn) {
  options_.stages = {"recorded"};
  options_.num_fit_stimuli = 60;
  options_.num_pooled_sources = 2;
  SubsampleInput input{"scenes", {}};
  input.animals = {
      Write({.seed = 0, .units = {{"VISl", 5}, {"VISp", 7}}, .recorded = true}),
      Write({.seed = 1,
             .units = {{"VISp", 4}},
             .recorded = true,
             .first_stimulus = 10,
             .num_stimuli = 100}),
      Write({.seed = 2, .units = {{"VISp", 11}, {"VISal", 3}}, .recorded = true}),
      Write({.seed = 3, .units = {{"VISl", 6}, {"VISp", 3}}, .recorded = true})};
  const SubsampleResult result = Run(input, "scores");
  std::map<std::string, std::set<std::string>> targets;
  for (const SamplingRow& row : result.rows) {
    targets[row.score.target_layer].insert(row.score.target_animal);
    EXPECT_EQ(row.score.source_stage, "recorded");
    EXPECT_EQ(row.score.num_test_stimuli, 40);  // 100 are common
  }
  // VISal has one animal, which is no pair.
  EXPECT_EQ(targets.size(), 2u);
  EXPECT_EQ(targets["VISp"].size(), 4u);
  EXPECT_THAT(targets["VISl"], ElementsAre("mouse-000", "mouse-003"));
  for (const SamplingRow& row : Select(result.rows, "units", "ridge")) {
    if (row.score.target_animal == "mouse-001") {
      EXPECT_EQ(row.score.source_animal, "mouse-002+mouse-003");
      EXPECT_LE(row.size, 10);  // the smallest pool, of mouse-002
      EXPECT_EQ(row.score.num_target_units, 4);
    }
  }
  options_.layers = {"VISal"};
  EXPECT_EQ(Message(input),
            "subsample.layers has \"VISal\", but 1 of 4 animals have VISal/recorded; "
            "expected at least 2");
  options_.layers = {"VISpm"};
  EXPECT_THAT(Message(input), HasSubstr("\"VISpm\"; the animals hold VISl, VISp, VISal"));
}

TEST_F(SubsampleTest, AnyNumberOfJobsAndRanksGivesTheSameBytes) {
  options_.mappings.push_back("logistic_ridge");
  options_.logistic_max_target_units = 4;
  const SubsampleInput input = Family(3);
  Run(input, "one", {.jobs = 1});
  Run(input, "four", {.jobs = 4});
  EXPECT_FALSE(Run(input, "ranks", {.rank = {1, 2}}).complete);
  EXPECT_FALSE(fs::exists(Table("ranks")));
  EXPECT_TRUE(Run(input, "ranks", {.rank = {0, 2}}).complete);
  const std::string one = *ReadFile(Table("one"));
  EXPECT_TRUE(one == *ReadFile(Table("four")));
  EXPECT_TRUE(one == *ReadFile(Table("ranks")));
}

TEST_F(SubsampleTest, AnInterruptedRunContinuesAndEndsWithTheSameBytes) {
  const SubsampleInput input = Family(2);
  Run(input, "whole");
  std::atomic<bool> stop{false};
  CompareControl control;
  control.stop = &stop;
  control.progress = [&](int64_t done, int64_t, const std::string&) { stop = done == 5; };
  const auto broken_off = RunSubsample(options_, input, Table("resumed"), control);
  EXPECT_EQ(broken_off.status().code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(fs::exists(Table("resumed")));
  const auto plan = PlanSubsample(options_, input, Table("resumed"));
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->num_complete, 5);
  // A part that is cut short is made again.
  const fs::path parts = folder_ / "resumed" / "subsample-parts";
  for (const auto& entry : fs::directory_iterator(parts)) {
    if (entry.path().extension() != ".part") continue;
    const std::string text = *ReadFile(entry.path());
    ASSERT_TRUE(WriteFileAtomically(entry.path(), text.substr(0, text.size() / 2)).ok());
    break;
  }
  EXPECT_EQ(Run(input, "resumed").num_reused, 4);
  EXPECT_TRUE(*ReadFile(Table("whole")) == *ReadFile(Table("resumed")));
}

TEST_F(SubsampleTest, AChangedOptionRedoesWhatDependsOnIt) {
  const SubsampleInput input = Family(2);
  const int64_t num_cells = Run(input, "scores").num_cells;
  EXPECT_EQ(Run(input, "scores").num_reused, num_cells);
  options_.num_samples = 3;
  EXPECT_EQ(Run(input, "scores").num_reused, num_cells);
  options_.stimulus_sizes = {10, 80};
  EXPECT_EQ(Run(input, "scores").num_reused, num_cells * 3 / 4);  // axis units
  options_.mapping.ridge.num_penalties = 6;
  EXPECT_EQ(Run(input, "scores").num_reused, 0);
}

TEST_F(SubsampleTest, LogisticRidgeRunsOnFewerUnitsSizesAndSamples) {
  options_.mappings = {"ridge", "logistic_ridge"};
  options_.layers = {"conv2"};
  options_.axes = {"stimuli"};
  options_.stages = {"post_relu"};
  options_.logistic_max_target_units = 4;
  options_.logistic_max_sizes = 2;
  options_.logistic_num_samples = 1;
  const SubsampleResult result = Run(Family(2), "scores");
  const auto logistic = Select(result.rows, "stimuli", "logistic_ridge");
  EXPECT_EQ(logistic.size(), 2u * 1 * 2);
  EXPECT_THAT(SizesOf(logistic), ElementsAre(8, 80));
  int num_paired = 0;
  for (const SamplingRow& row : Select(result.rows, "stimuli", "ridge")) {
    num_paired += row.score.num_target_units == 4;
  }
  EXPECT_EQ(num_paired, 4);
  // Where all units are few enough, ridge is not scored on them twice.
  options_.logistic_max_target_units = 64;
  const SubsampleResult all = Run(Family(2), "all");
  EXPECT_EQ(Select(all.rows, "stimuli", "ridge").size(), 2u * 2 * 4);
  EXPECT_EQ(Select(all.rows, "stimuli", "logistic_ridge").size(), 4u);
}

TEST_F(SubsampleTest, MoreDataPredictBetterAndShuffledTargetsNotAtAll) {
  options_.permuted = true;
  options_.stages = {"pre_relu"};
  options_.mappings = {"ridge"};
  const SubsampleResult result = Run(Family(3), "scores");
  for (const char* axis : {"stimuli", "units"}) {
    std::map<int64_t, double> sum;
    for (const SamplingRow& row : Select(result.rows, axis, "ridge")) {
      if (row.score.source_layer == "conv2") sum[row.size] += row.score.median_r2;
    }
    EXPECT_GT(sum.rbegin()->second, sum.begin()->second + 0.5) << axis;
    double permuted = 0.0;
    int count = 0;
    for (const SamplingRow& row : Select(result.rows, axis, "ridge_permuted")) {
      permuted += row.score.median_r2;
      ++count;
    }
    ASSERT_GT(count, 0);
    EXPECT_LE(permuted / count, 0.02) << axis;
  }
}

TEST_F(SubsampleTest, NamesWhatDoesNotFit) {
  SubsampleInput input = Family(2);
  options_.num_fit_stimuli = 120;
  EXPECT_EQ(Message(input),
            "held-out: asked for 120 fit and at least 1 test stimuli, but there are 120 "
            "stimuli");
  options_.num_fit_stimuli = 80;
  options_.stimulus_sizes = {10, 90};
  EXPECT_EQ(Message(input),
            "stimulus_sizes has 90; expected at most num_fit_stimuli (80)");
  options_.stimulus_sizes = {10, 10};
  EXPECT_EQ(Message(input), "stimulus_sizes is 10, 10; expected rising numbers from 2");
  options_.stimulus_sizes = {};
  options_.unit_sizes = {100};
  EXPECT_EQ(Message(input),
            "subsample.unit_sizes begins with 100, but the smallest pool of conv1 has 6 "
            "units");
  options_.unit_sizes = {};
  options_.axes = {"neurons"};
  EXPECT_EQ(Message(input), "axes has \"neurons\"; expected stimuli or units");
  options_.axes = {"units"};
  options_.mappings = {"logistic_ridge"};
  options_.stages = {"pre_relu"};
  EXPECT_THAT(Message(input), HasSubstr("nothing to subsample"));
  options_.mappings = {"ridge"};
  EXPECT_EQ(Message({"held-out", {input.animals[0]}}),
            "subsampling needs at least 2 animals; there are 1");
  EXPECT_THAT(Message({"held-out", {input.animals[0], input.animals[0]}}),
              HasSubstr("animal \"seed-000\" occurs twice"));
  input.animals.push_back(Write({.seed = 5, .architecture = "alexnet"}));
  EXPECT_THAT(Message(input), HasSubstr("animals of one family must agree"));
  input = {
      "scenes",
      {Write({.seed = 0, .recorded = true, .num_stimuli = 50}),
       Write({.seed = 1, .recorded = true, .first_stimulus = 60, .num_stimuli = 50})}};
  options_.stages = {"recorded"};
  EXPECT_EQ(Message(input),
            "scenes: no stimulus is common to all 2 animals; mouse-000 has "
            "\"img_00000\", ...");
}

}  // namespace
}  // namespace iat
