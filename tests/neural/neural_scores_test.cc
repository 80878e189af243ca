#include "neural/neural_scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/activation_file.h"
#include "base/csv.h"
#include "base/file.h"
#include "neural/neural_scores_world.h"
#include "neural/neural_summary.h"
#include "similarity/r2.h"
#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class NeuralScoresTest : public ::testing::Test {
 protected:
  static constexpr int kStimuli = 48, kTrials = 6, kLatents = 4;

  NeuralScoresTest()
      : folder_(fs::path(::testing::TempDir()) /
                (absl::StrCat("neural_scores_test-", ::getpid()))) {
    fs::create_directories(folder_);
    recording_.name = "planted";
    recording_.unit = "spikes";
    recording_.num_trials = kTrials;
    for (int i = 0; i < kStimuli; ++i) {
      recording_.stimulus_ids.push_back(absl::StrCat("s", 100 + i));
    }
    // V1 of all animals reads the same latents; V2 others, each animal its own.
    for (int a = 0; a < 3; ++a) {
      Add(absl::StrCat("mouse-", a), "V1", NormalMatrix(kStimuli, kLatents, 1), 6 + a,
          10 + a);
      Add(absl::StrCat("mouse-", a), "V2", NormalMatrix(kStimuli, kLatents, 50 + a), 7,
          20 + a);
    }
    recording_.responses = Responses();
    options_.num_bootstraps = 3;
    options_.split_seeds = {0, 1};
  }
  ~NeuralScoresTest() override { fs::remove_all(folder_); }

  void Add(const std::string& animal, const std::string& area,
           const Eigen::MatrixXd& latents, int num_neurons, uint64_t seed) {
    const Eigen::MatrixXd signal = latents * NormalMatrix(kLatents, num_neurons, seed);
    signals_.conservativeResize(kStimuli, signals_.cols() + num_neurons);
    signals_.rightCols(num_neurons) = signal;
    for (int j = 0; j < num_neurons; ++j) {
      recording_.neurons.push_back({animal, area, absl::StrCat(area, "-", j)});
    }
  }
  std::vector<float> Responses() const {
    std::vector<float> responses;
    for (int t = 0; t < kTrials; ++t) {
      const Eigen::MatrixXd noise = NormalMatrix(kStimuli, signals_.cols(), 900 + t);
      for (int i = 0; i < kStimuli; ++i) {
        for (Eigen::Index j = 0; j < signals_.cols(); ++j) {
          responses.push_back(static_cast<float>(signals_(i, j) + 0.5 * noise(i, j)));
        }
      }
    }
    return responses;
  }
  fs::path WriteModel(int k, int num_stimuli = kStimuli) {
    constexpr int kUnits = 9;
    ActivationWriter::Layer layer{"conv1", {}, {Stage::kPreRelu, Stage::kPostRelu}};
    layer.units.channel.assign(kUnits, 0);
    layer.units.row.assign(kUnits, -1);
    layer.units.column.assign(kUnits, -1);
    std::vector<std::string> ids(recording_.stimulus_ids.begin(),
                                 recording_.stimulus_ids.begin() + num_stimuli);
    ActivationMetadata metadata;
    metadata.animal = absl::StrCat("seed-00", k);
    const fs::path path = folder_ / (metadata.animal + ".nc");
    auto writer = ActivationWriter::Create(path, ids, {layer}, metadata);
    const ActivationMatrix before =
        (NormalMatrix(kStimuli, kLatents, 1) * NormalMatrix(kLatents, kUnits, 70 + k))
            .topRows(num_stimuli)
            .cast<float>();
    EXPECT_TRUE(writer->Write({"conv1", Stage::kPreRelu}, 0, before).ok());
    EXPECT_TRUE(
        writer->Write({"conv1", Stage::kPostRelu}, 0, before.cwiseMax(0.0f)).ok());
    EXPECT_TRUE(writer->Close().ok());
    return path;
  }
  absl::StatusOr<NeuralScoresResult> Run(const std::string& scores = "scores",
                                         int jobs = 1) {
    return RunNeuralScores(options_, {"planted", &recording_, models_}, folder_ / scores,
                           {.jobs = jobs});
  }
  std::vector<NeuralScoreRow> Rows() {
    auto result = Run();
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->rows : std::vector<NeuralScoreRow>{};
  }
  std::string Message() { return std::string(Run().status().message()); }
  static const NeuralScoreRow& Find(const std::vector<NeuralScoreRow>& rows,
                                    const std::string& direction,
                                    const std::string& source_area,
                                    const std::string& target_area) {
    const auto found = std::find_if(rows.begin(), rows.end(), [&](const auto& row) {
      return row.direction == direction && row.source_area == source_area &&
             row.target_area == target_area && row.sample_seed < 0;
    });
    EXPECT_NE(found, rows.end());
    return *found;
  }
  std::string Text(const std::string& name) { return *ReadFile(folder_ / name); }

  fs::path folder_;
  Eigen::MatrixXd signals_;
  Recording recording_;
  NeuralScoresOptions options_;
  std::vector<fs::path> models_;
};

TEST_F(NeuralScoresTest, MapsEveryAnimalsAreasOntoThoseOfOthers) {
  const std::vector<NeuralScoreRow> rows = Rows();
  // 3 x 2 sources onto 2 x 2 populations of others, and 3 animals left out x 2 pools
  // onto 2 areas.
  EXPECT_EQ(rows.size(), 24u + 12u);
  for (const NeuralScoreRow& row : rows) {
    EXPECT_THAT(row.source_animal, testing::Not(HasSubstr(row.target_animal)));
    EXPECT_EQ(row.num_fit_stimuli, kStimuli / 2);
    EXPECT_EQ(row.num_test_stimuli, kStimuli / 2);
    EXPECT_FALSE(row.simulated);
  }
  const NeuralScoreRow pool = Find(rows, "others->animals", "V1", "V1");
  EXPECT_EQ(pool.source_animal, "mouse-0+mouse-1");
  EXPECT_EQ(pool.target_animal, "mouse-2");
  EXPECT_EQ(pool.num_source_units, 6 + 7);
}

TEST_F(NeuralScoresTest, FindsThePlantedAreaAndNotTheOther) {
  const std::vector<NeuralScoreRow> rows = Rows();
  const NeuralScoreRow same = Find(rows, "animals->animals", "V1", "V1");
  EXPECT_GT(same.median_r2, 0.8);
  EXPECT_GT(same.median_r_corrected_all_trials, 0.95);
  EXPECT_GT(same.rsa, 0.5);
  EXPECT_EQ(same.num_reliable_units, same.num_target_units);
  EXPECT_GT(same.median_target_consistency, 0.9);
  const NeuralScoreRow other = Find(rows, "animals->animals", "V2", "V2");
  EXPECT_LT(other.median_r2, 0.2);
  EXPECT_LT(other.rsa, 0.3);
}

TEST_F(NeuralScoresTest, R2EqualsARidgeFittedByHand) {
  options_.directions = {"animals->animals"};
  options_.split_seeds = {4};
  options_.num_bootstraps = 0;
  const std::vector<NeuralScoreRow> rows = Rows();
  const NeuralScoreRow row = Find(rows, "animals->animals", "V1", "V2");
  const auto populations = PopulationsOf(recording_, {});
  ASSERT_EQ(row.source_animal, "mouse-0");
  ASSERT_EQ(row.target_animal, "mouse-1");
  const Eigen::MatrixXd source = MeanOverTrials(populations->populations[0].trials),
                        target = MeanOverTrials(populations->populations[3].trials);
  const auto split =
      MakeSplit(populations->stimulus_ids, {.split_seed = 4, .num_fit = kStimuli / 2});
  SourceData fit(source(split->fit, Eigen::all));
  FitProblem problem(fit, target(split->fit, Eigen::all), Stage::kRecorded);
  const auto mapping = MakeMapping("ridge", {});
  const Eigen::MatrixXd predicted =
      *(*(*mapping)->Fit(problem))->Predict(source(split->test, Eigen::all));
  const Eigen::VectorXd r2 = R2PerUnit(target(split->test, Eigen::all), predicted);
  EXPECT_NEAR(row.median_r2, Quantile({r2.begin(), r2.end()}, 0.5), 1e-12);
  EXPECT_TRUE(std::isnan(row.median_r_corrected)) << "no bootstraps";
}

TEST_F(NeuralScoresTest, ModelsPredictAnimalsAndAnimalsModels) {
  models_ = {WriteModel(0), WriteModel(1)};
  options_.directions = {"models->animals", "animals->models"};
  options_.activations = "pictures";
  const std::vector<NeuralScoreRow> rows = Rows();
  // 2 models x 2 stages x 6 populations, both ways.
  EXPECT_EQ(rows.size(), 48u);
  const NeuralScoreRow to_v1 = Find(rows, "models->animals", "conv1", "V1");
  EXPECT_EQ(to_v1.source_stage, "post_relu");
  EXPECT_EQ(to_v1.target_stage, "recorded");
  const NeuralScoreRow from_v1 = Find(rows, "animals->models", "V1", "conv1");
  // A model has no noise: its consistency is 1, and all of its units are reliable.
  EXPECT_NEAR(from_v1.median_target_consistency, 1.0, 1e-9);
  EXPECT_EQ(from_v1.num_reliable_units, from_v1.num_scored_units);
  // Before the ReLU the layer is a linear map of what V1 reads.
  double before = 0.0;
  for (const NeuralScoreRow& row : rows) {
    if (row.source_stage == "pre_relu" && row.target_area == "V1") {
      before = row.median_r_corrected_all_trials;
    }
  }
  EXPECT_NEAR(before, 1.0, 0.03);
}

TEST_F(NeuralScoresTest, AnyNumberOfJobsAndAnyInterruptionGiveTheSameBytes) {
  options_.pool_sizes = {4, 8};
  options_.num_pool_samples = 2;
  ASSERT_TRUE(Run("one", 1).ok());
  ASSERT_TRUE(Run("two", 2).ok());
  for (const char* name : {"neural.csv", "neural_units.csv", "neural_splits.csv"}) {
    EXPECT_EQ(Text(absl::StrCat("one/", name)), Text(absl::StrCat("two/", name)));
  }
  // A part that is lost and one that is damaged are made again.
  std::vector<fs::path> parts;
  for (const auto& entry : fs::directory_iterator(folder_ / "two" / "parts")) {
    parts.push_back(entry.path());
  }
  fs::remove(parts[0]);
  fs::resize_file(parts[1], fs::file_size(parts[1]) / 2);
  fs::remove(folder_ / "two" / "neural.csv");
  const auto plan =
      PlanNeuralScores(options_, {"planted", &recording_, {}}, folder_ / "two");
  EXPECT_EQ(plan->num_complete, plan->num_parts - 2);
  const auto again = Run("two", 1);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->num_reused, again->num_parts - 2);
  EXPECT_EQ(Text("one/neural.csv"), Text("two/neural.csv"));
}

TEST_F(NeuralScoresTest, PartsOfAPoolAreNestedAndScoredWithoutBootstraps) {
  options_.directions = {"others->animals"};
  options_.pool_sizes = {4, 8, 1000};
  options_.num_pool_samples = 2;
  const std::vector<NeuralScoreRow> rows = Rows();
  std::set<std::pair<int64_t, int64_t>> sizes;
  for (const NeuralScoreRow& row : rows) {
    sizes.insert({row.num_source_units, row.sample_seed});
    if (row.sample_seed >= 0) {
      EXPECT_EQ(row.num_bootstraps, 0);
      EXPECT_TRUE(std::isnan(row.median_r_corrected));
    }
  }
  EXPECT_TRUE(sizes.contains({4, 0}) && sizes.contains({4, 1}) && sizes.contains({8, 1}));
  EXPECT_FALSE(sizes.contains({1000, 0})) << "larger than any pool";
  const auto world = MakeNeuralWorld(options_, {"planted", &recording_, {}});
  for (const NeuralGroup& large : world->groups) {
    if (large.source.units.size() != 8) continue;
    for (const NeuralGroup& small : world->groups) {
      if (small.source.units.size() != 4 || small.targets != large.targets ||
          small.source.sample_seed != large.source.sample_seed ||
          small.source.members != large.source.members) {
        continue;
      }
      EXPECT_TRUE(std::includes(large.source.units.begin(), large.source.units.end(),
                                small.source.units.begin(), small.source.units.end()));
    }
  }
}

TEST_F(NeuralScoresTest, SplitsKeepBlocksWhole) {
  options_.block_size = 8;
  const auto splits = MakeBlockSplits(recording_.stimulus_ids, options_);
  ASSERT_TRUE(splits.ok()) << splits.status();
  for (const Split& split : *splits) {
    ASSERT_EQ(split.fit.size(), 24u);
    ASSERT_EQ(split.test.size(), 24u);
    std::set<int64_t> fit, test;
    for (const int64_t row : split.fit) fit.insert(row / 8);
    for (const int64_t row : split.test) test.insert(row / 8);
    EXPECT_EQ(fit.size(), 3u);
    EXPECT_EQ(test.size(), 3u);
    for (const int64_t block : fit) EXPECT_FALSE(test.contains(block));
    // Fold i modulo 3 of the fit stimuli is one block.
    for (size_t i = 0; i < split.fit.size(); ++i) {
      EXPECT_EQ(split.fit[i] / 8, split.fit[i % 3] / 8);
      EXPECT_EQ(split.fit[i] % 8, static_cast<int64_t>(i / 3));
    }
  }
  EXPECT_NE((*splits)[0].fit, (*splits)[1].fit);
}

TEST_F(NeuralScoresTest, LogisticRidgeSaysHowManyTargetsWereActive) {
  options_.directions = {"animals->animals"};
  options_.mappings = {"ridge", "logistic_ridge"};
  options_.mapping.logistic_ridge.activity_threshold = 0.25;
  options_.mapping.logistic_ridge.min_active = 5;
  options_.num_bootstraps = 0;
  options_.areas = {"V1"};
  const std::vector<NeuralScoreRow> rows = Rows();
  const auto populations = PopulationsOf(recording_, {.animals = {}, .areas = {"V1"}});
  for (const NeuralScoreRow& row : rows) {
    const auto& target =
        *std::find_if(populations->populations.begin(), populations->populations.end(),
                      [&](const Population& p) { return p.animal == row.target_animal; });
    const double share =
        (MeanOverTrials(target.trials).array() > 0.25).cast<double>().mean();
    EXPECT_EQ(row.active_share, share);
    EXPECT_GT(row.median_r2, 0.3) << row.mapping;
  }
  EXPECT_EQ(rows.size(), 12u);
}

TEST_F(NeuralScoresTest, TablesComeBackAsWritten) {
  recording_.simulated = true;
  options_.directions = {"animals->animals"};
  const std::vector<NeuralScoreRow> rows = Rows();
  const auto read = ReadNeuralScores(folder_ / "scores" / "neural.csv");
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ((*read)[i].target_animal, rows[i].target_animal);
    EXPECT_TRUE((*read)[i].simulated);
    EXPECT_NEAR((*read)[i].rsa, rows[i].rsa, 1e-8);
  }
  const auto units = ReadCsv(folder_ / "scores" / "neural_units.csv");
  ASSERT_TRUE(units.ok());
  int64_t expected = 0;
  for (const NeuralScoreRow& row : rows) expected += row.num_target_units;
  EXPECT_EQ(static_cast<int64_t>(units->rows.size()), expected);
  ASSERT_TRUE(WriteFileAtomically(folder_ / "bad.csv", "recording\nx\n").ok());
  EXPECT_THAT(ReadNeuralScores(folder_ / "bad.csv").status().message(),
              HasSubstr("bad.csv: no column \"direction\""));
}

TEST_F(NeuralScoresTest, SmallPopulationsAndMissingStimuliAreLeftOutAloud) {
  options_.min_neurons = 8;
  recording_.responses[3] = std::numeric_limits<float>::quiet_NaN();  // one trial of s100
  for (int t = 1; t < kTrials; ++t) {
    for (size_t j = 0; j < recording_.neurons.size(); ++j) {
      recording_.at(t, 5, static_cast<int64_t>(j)) =
          std::numeric_limits<float>::quiet_NaN();
    }
  }
  const auto populations =
      PopulationsOf(recording_, {.animals = {}, .areas = {}, .min_neurons = 8});
  ASSERT_TRUE(populations.ok()) << populations.status();
  EXPECT_EQ(populations->stimulus_ids.size(), kStimuli - 1u);
  EXPECT_EQ(populations->populations.size(), 1u);
  EXPECT_THAT(populations->notes[0],
              HasSubstr("mouse-0 V1 left out: 6 neurons, fewer than 8"));
  EXPECT_THAT(populations->notes.back(), HasSubstr("1 of 48 stimuli left out"));
}

TEST_F(NeuralScoresTest, SaysWhatDoesNotFit) {
  options_.animals = {"mouse-7"};
  EXPECT_THAT(Message(), HasSubstr("recording planted: no animal \"mouse-7\"; it holds "
                                   "mouse-0, mouse-1, mouse-2"));
  options_.animals = {"mouse-1"};
  EXPECT_THAT(Message(), HasSubstr("nothing to score: no two animals"));
  options_.animals = {};
  options_.areas = {"V4"};
  EXPECT_THAT(Message(), HasSubstr("no area \"V4\""));
  options_.areas = {};
  options_.block_size = 7;
  EXPECT_THAT(Message(),
              HasSubstr("block_size is 7, which does not divide the 48 stimuli"));
  options_.block_size = 1;
  options_.num_fit_stimuli = 47;
  EXPECT_THAT(Message(), HasSubstr("expected at least 3 to be left for the test"));
  options_.num_fit_stimuli = 0;
  options_.directions = {"models->animals"};
  EXPECT_THAT(Message(), HasSubstr("activations is empty"));
  options_.activations = "pictures";
  EXPECT_THAT(Message(), HasSubstr("there are no activation files; run iat extract"));
  models_ = {WriteModel(0, 10)};
  EXPECT_THAT(Message(), HasSubstr("no stimulus \"s110\", which the recording has"));
  options_.mappings = {"ridge_clamped"};
  models_ = {WriteModel(0)};
  EXPECT_THAT(Message(), HasSubstr("nothing to score"));
}

NeuralScoreRow Row(const std::string& direction, const std::string& source,
                   const std::string& target, double r2) {
  NeuralScoreRow row;
  row.recording = "x";
  row.direction = direction;
  row.source_animal = source;
  row.target_animal = target;
  row.source_area = row.target_area = "V1";
  row.source_stage = row.target_stage = "recorded";
  row.mapping = "ridge";
  row.median_r2 = r2;
  return row;
}

TEST(NeuralSummaryTest, NeedsFourAnimalsForAnInterval) {
  std::vector<NeuralScoreRow> rows = {Row("animals->animals", "a", "b", 0.2),
                                      Row("animals->animals", "b", "a", 0.4)};
  auto lines = SummariseNeuralScores(rows);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NEAR(lines[0].r2.mean, 0.3, 1e-12);
  EXPECT_TRUE(std::isnan(lines[0].r2.low));
  EXPECT_THAT(NeuralSummaryText(lines), HasSubstr("none: 2 animals, fewer than 4"));
  for (const char* other : {"c", "d"}) {
    for (const char* one : {"a", "b"}) {
      rows.push_back(Row("animals->animals", one, other, 0.5));
    }
  }
  lines = SummariseNeuralScores(rows);
  EXPECT_FALSE(std::isnan(lines[0].r2.low));
  EXPECT_THAT(NeuralSummaryText(lines), HasSubstr("4 animals"));
}

TEST(NeuralSummaryTest, WithFewAnimalsModelsGiveTheIntervalAndItSaysSo) {
  std::vector<NeuralScoreRow> rows;
  for (int k = 0; k < 5; ++k) {
    for (const char* animal : {"region1", "region2"}) {
      rows.push_back(Row("models->animals", absl::StrCat("seed-00", k), animal, 0.1 * k));
      rows.back().source_area = "conv3";
      rows.back().source_stage = "pre_relu";
    }
  }
  const auto lines = SummariseNeuralScores(rows);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NEAR(lines[0].r2.mean, 0.2, 1e-12);
  EXPECT_EQ(lines[0].interval_over, "models");
  EXPECT_EQ(lines[0].num_interval, 5);
  // The standard error of five values 0, 0.1, ... times t(4).
  EXPECT_NEAR(lines[0].r2.high - 0.2, 2.7764451052 * std::sqrt(0.025 / 5.0), 1e-6);
  EXPECT_THAT(NeuralSummaryText(lines), HasSubstr("conv3/pre_relu"));
  EXPECT_THAT(NeuralSummaryJson(lines), HasSubstr("\"interval_over\": \"models\""));
}

TEST(NeuralSummaryTest, CallsSimulatedScoresSimulated) {
  std::vector<NeuralScoreRow> rows = {Row("animals->animals", "a", "b", 0.2)};
  rows[0].simulated = true;
  EXPECT_THAT(NeuralSummaryText(SummariseNeuralScores(rows)), HasSubstr("SIMULATED"));
}

}  // namespace
}  // namespace iat
