#include "similarity/predictions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <set>

#include "similarity/r2.h"
#include "similarity/unit_table.h"
#include "tests/similarity/compare_fixture.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Of nine digits in the file.
constexpr double kR2Tolerance = 1e-6;

class PredictionsTest : public CompareFixture {
 protected:
  fs::path Scores() const { return folder_ / "scores"; }
  absl::Status Predict(const CompareInput& input) {
    return WritePredictions(options_, input, Scores(), {});
  }
  static double R2(const std::vector<double>& truth, const std::vector<double>& values) {
    const auto size = static_cast<Eigen::Index>(truth.size());
    return R2PerUnit(Eigen::Map<const Eigen::VectorXd>(truth.data(), size),
                     Eigen::Map<const Eigen::VectorXd>(values.data(), size))[0];
  }
};

TEST_F(PredictionsTest, R2FromTheRowsIsThatOfCompare) {
  const CompareInput input = Family(3);
  Run(input, "scores");
  ASSERT_TRUE(Predict(input).ok());
  const auto predictions = ReadPredictions(Scores() / "predictions.csv");
  ASSERT_TRUE(predictions.ok()) << predictions.status();
  // Two layers, before and after the ReLU.
  ASSERT_THAT(*predictions, SizeIs(4));
  const auto units = ReadUnitR2(Scores() / "compare_units.nc", [](const UnitR2Row& row) {
    return row.source_animal == "seed-000" && row.target_animal == "seed-001" &&
           row.split_seed == 0;
  });
  ASSERT_TRUE(units.ok()) << units.status();
  int num_compared = 0;
  for (const UnitPrediction& unit : *predictions) {
    EXPECT_EQ(unit.source_animal, "seed-000");
    EXPECT_EQ(unit.target_animal, "seed-001");
    ASSERT_THAT(unit.truth, SizeIs(50));
    for (const UnitR2Row& row : *units) {
      if (row.target_layer != unit.layer || row.target_stage != unit.stage) continue;
      if (row.mapping == "ridge") {
        EXPECT_NEAR(R2(unit.truth, unit.ridge), row.r2[unit.target_unit], kR2Tolerance);
        ++num_compared;
      } else if (row.mapping == "logistic_ridge") {
        EXPECT_NEAR(R2(unit.truth, unit.logistic_ridge), row.r2[unit.target_unit],
                    kR2Tolerance);
        ++num_compared;
      }
    }
    EXPECT_EQ(std::isnan(unit.logistic_ridge[0]), unit.stage == "pre_relu");
  }
  EXPECT_EQ(num_compared, 6);
}

TEST_F(PredictionsTest, TheUnitIsTheOneOfMedianActivityAmongThoseOfLogisticRidge) {
  // Activity by hand, with all stimuli to fit but those that the split keeps back.
  const CompareInput input = Family(2);
  options_.logistic_max_target_units = 4;
  options_.split_seeds = {3};
  Run(input, "scores");
  ASSERT_TRUE(Predict(input).ok());
  const auto predictions = ReadPredictions(Scores() / "predictions.csv");
  ASSERT_TRUE(predictions.ok()) << predictions.status();
  const auto capped = ReadUnitR2(Scores() / "compare_units.nc", [](const auto& row) {
    return row.mapping == "logistic_ridge" && row.target_animal == "seed-001";
  });
  ASSERT_TRUE(capped.ok());
  for (const UnitPrediction& unit : *predictions) {
    EXPECT_EQ(unit.split_seed, 3);
    const std::set<std::string> test(unit.stimulus_ids.begin(), unit.stimulus_ids.end());
    const ActivationMatrix values = Response({.seed = 1}, unit.layer, Stage::kPostRelu);
    std::vector<std::pair<int, int64_t>> active;
    for (const UnitR2Row& row : *capped) {
      if (row.target_layer != unit.layer) continue;
      for (size_t u = 0; u < row.r2.size(); ++u) {
        if (std::isnan(row.r2[u])) continue;
        int count = 0;
        for (Eigen::Index i = 0; i < kNumStimuli; ++i) {
          const bool held_out = test.count(absl::StrFormat("img_%05d", i)) > 0;
          count += !held_out && values(i, static_cast<Eigen::Index>(u)) > 0;
        }
        active.emplace_back(count, static_cast<int64_t>(u));
      }
    }
    std::sort(active.begin(), active.end());
    ASSERT_FALSE(active.empty());
    EXPECT_EQ(unit.target_unit, active[(active.size() - 1) / 2].second) << unit.layer;
  }
}

TEST_F(PredictionsTest, BothStagesHoldTheSameStimuliAndOnlyTheReluDiffers) {
  const CompareInput input = Family(2);
  ASSERT_TRUE(Predict(input).ok());
  const auto predictions = ReadPredictions(Scores() / "predictions.csv");
  ASSERT_TRUE(predictions.ok()) << predictions.status();
  ASSERT_THAT(*predictions, SizeIs(4));
  for (const size_t first : {0, 2}) {
    const UnitPrediction& before = (*predictions)[first];
    const UnitPrediction& after = (*predictions)[first + 1];
    EXPECT_EQ(before.stage, "pre_relu");
    EXPECT_EQ(after.stage, "post_relu");
    EXPECT_EQ(before.stimulus_ids, after.stimulus_ids);
    for (size_t i = 0; i < before.truth.size(); ++i) {
      EXPECT_EQ(after.truth[i], std::max(before.truth[i], 0.0));
    }
  }
}

TEST_F(PredictionsTest, AnUnchangedFileStaysAndAChangedOptionRenewsIt) {
  const CompareInput input = Family(2);
  ASSERT_TRUE(Predict(input).ok());
  const fs::path path = Scores() / "predictions.csv";
  const std::string made = *ReadFile(path);
  ASSERT_TRUE(WriteFileAtomically(path, "kept").ok());
  ASSERT_TRUE(Predict(input).ok());
  EXPECT_EQ(*ReadFile(path), "kept");
  options_.mapping.ridge.num_penalties = 4;
  ASSERT_TRUE(Predict(input).ok());
  EXPECT_NE(*ReadFile(path), "kept");
  options_.mapping.ridge.num_penalties = 5;
  ASSERT_TRUE(Predict(input).ok());
  EXPECT_EQ(*ReadFile(path), made);
}

TEST_F(PredictionsTest, SplitsOfThePermutedControlDoNotMatter) {
  options_.split_seeds = {0, 1};
  options_.permuted = true;
  options_.permuted_split_seeds = {1};
  const absl::Status status = Predict(Family(2));
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(PredictionsTest, AKillBetweenTheTwoFilesLeavesNothingUnderAnotherFingerprint) {
  const CompareInput input = Family(2);
  ASSERT_TRUE(Predict(input).ok());
  const fs::path path = Scores() / "predictions.csv";
  const fs::path fingerprint = Scores() / "predictions.fingerprint";
  const std::string made = *ReadFile(path);
  options_.mapping.ridge.num_penalties = 4;
  // A folder in the fingerprint's place, which can be neither replaced nor written.
  fs::remove(fingerprint);
  fs::create_directories(fingerprint / "in the way");
  ASSERT_FALSE(Predict(input).ok());
  fs::remove_all(fingerprint);
  options_.mapping.ridge.num_penalties = 5;
  ASSERT_TRUE(Predict(input).ok());
  EXPECT_EQ(*ReadFile(path), made);
}

TEST_F(PredictionsTest, WithoutRidgeOrTheReluThereIsNoFile) {
  const CompareInput input = Family(2);
  ASSERT_TRUE(Predict(input).ok());
  ASSERT_TRUE(fs::exists(Scores() / "predictions.csv"));
  const CompareOptions options = options_;
  options_.mappings = {"ols"};
  ASSERT_TRUE(Predict(input).ok());
  EXPECT_FALSE(fs::exists(Scores() / "predictions.csv"));
  options_ = options;
  options_.stages = {"pre_relu->pre_relu"};
  ASSERT_TRUE(Predict(input).ok());
  EXPECT_FALSE(fs::exists(Scores() / "predictions.csv"));
}

TEST_F(PredictionsTest, AStopIsObeyed) {
  const std::atomic<bool> stop = true;
  const absl::Status status =
      WritePredictions(options_, Family(2), Scores(), {.stop = &stop});
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(fs::exists(Scores() / "predictions.csv"));
}

TEST_F(PredictionsTest, WhatDoesNotFitIsNamed) {
  const fs::path path = folder_ / "predictions.csv";
  ASSERT_TRUE(WriteFileAtomically(path, "stimuli,layer\na,b\n").ok());
  EXPECT_THAT(ReadPredictions(path).status().message(),
              HasSubstr("predictions.csv: expected the columns stimuli, source_animal"));
  ASSERT_TRUE(
      WriteFileAtomically(path,
                          "stimuli,source_animal,target_animal,layer,target_unit,stage,"
                          "split_seed,stimulus_id,truth,ridge,logistic_ridge\n"
                          "s,a,b,conv1,3,pre_relu,0,img,0.5,half,nan\n")
          .ok());
  EXPECT_THAT(ReadPredictions(path).status().message(),
              HasSubstr("predictions.csv:2: ridge is \"half\"; expected a number"));
}

TEST_F(PredictionsTest, TheUnitTableSaysWhichDimensionIsMissing) {
  const CompareInput input = Family(2);
  EXPECT_THAT(ReadUnitR2(input.families[0][0], [](const auto&) { return true; })
                  .status()
                  .message(),
              HasSubstr("seed-000.nc: dimension row: "));
}

}  // namespace
}  // namespace iat
