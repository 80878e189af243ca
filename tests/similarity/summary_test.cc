#include "similarity/summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/str_cat.h"

namespace iat {
namespace {

using ::testing::HasSubstr;

constexpr double kTolerance = 1e-12;

ScoreRow Row(int source, int target, const std::string& mapping, const std::string& stage,
             int64_t split, double r2) {
  ScoreRow row;
  row.stimuli = "held-out";
  row.source_animal = absl::StrCat("seed-00", source);
  row.target_animal = absl::StrCat("seed-00", target);
  row.source_layer = row.target_layer = "conv1";
  row.source_stage = row.target_stage = stage;
  row.source_scope = row.target_scope = "hypercolumn";
  row.mapping = mapping;
  row.split_seed = split;
  row.num_fit_stimuli = 80;
  row.num_test_stimuli = 20;
  row.num_source_units = row.num_target_units = row.num_scored_units = 16;
  row.median_r2 = r2;
  return row;
}

// Both directions of the pairs of `animals`, value(i, j) for i -> j.
std::vector<ScoreRow> Rows(int animals, const std::string& mapping,
                           const std::string& stage,
                           const std::function<double(int, int, int)>& value) {
  std::vector<ScoreRow> rows;
  for (int i = 0; i < animals; ++i) {
    for (int j = 0; j < animals; ++j) {
      for (int split = 0; split < 2 && i != j; ++split) {
        rows.push_back(Row(i, j, mapping, stage, split, value(i, j, split)));
      }
    }
  }
  return rows;
}

TEST(SummaryTest, AveragesSplitsThenDirectionsThenPairs) {
  const Summary summary = Summarise(
      {Row(0, 1, "ridge", "pre_relu", 0, 0.2), Row(0, 1, "ridge", "pre_relu", 1, 0.4),
       Row(1, 0, "ridge", "pre_relu", 0, 0.7), Row(0, 2, "ridge", "pre_relu", 0, 0.9)});
  ASSERT_EQ(summary.lines.size(), 1);
  const SummaryLine& line = summary.lines[0];
  EXPECT_NEAR(line.r2.mean, ((0.3 + 0.7) / 2 + 0.9) / 2, kTolerance);
  EXPECT_EQ(line.num_animals, 3);
  EXPECT_EQ(line.num_pairs, 2);
  EXPECT_EQ(line.num_splits, 2);
  EXPECT_EQ(line.key.family, "seed");
}

TEST(SummaryTest, NoIntervalBelowFourAnimals) {
  for (const int animals : {2, 3, 4}) {
    const Summary summary = Summarise(Rows(
        animals, "ridge", "pre_relu", [](int i, int j, int) { return i + 2.0 * j; }));
    EXPECT_EQ(std::isnan(summary.lines[0].r2.low), animals < 4) << animals;
  }
}

// Where a pair's value is the mean of its animals' values, theta is their mean and
// the jackknife is the textbook interval of a mean with deviation scaled by the
// weights: leaving animal a out gives the mean of the others exactly, so
// SE = s / sqrt(m), t_{0.975, 3} = 3.182446305284263.
TEST(SummaryTest, TheIntervalOfAnAdditiveModelIsTheTextbookOne) {
  const double animal[] = {0.5, 0.62, 0.58, 0.74};
  const Summary summary = Summarise(Rows(4, "ridge", "pre_relu", [&](int i, int j, int) {
    return (animal[i] + animal[j]) / 2;
  }));
  const double mean = (0.5 + 0.62 + 0.58 + 0.74) / 4;
  double squares = 0.0;
  for (const double value : animal) squares += (value - mean) * (value - mean);
  const double error = std::sqrt(squares / 3 / 4);
  EXPECT_NEAR(summary.lines[0].r2.mean, mean, kTolerance);
  EXPECT_NEAR(summary.lines[0].r2.low, mean - 3.182446305284263 * error, kTolerance);
  EXPECT_NEAR(summary.lines[0].r2.high, mean + 3.182446305284263 * error, kTolerance);
}

TEST(SummaryTest, RowsWithoutAScoredUnitAreLeftOutAndCounted) {
  const Summary summary = Summarise({Row(0, 1, "ridge", "pre_relu", 0, 0.2),
                                     Row(0, 1, "ridge", "pre_relu", 1, NAN),
                                     Row(1, 0, "ridge", "pre_relu", 0, NAN)});
  EXPECT_NEAR(summary.lines[0].r2.mean, 0.2, kTolerance);
  EXPECT_EQ(summary.lines[0].num_empty, 2);
}

TEST(SummaryTest, DifferencesUseTheSamePairsSplitsAndUnits) {
  std::vector<ScoreRow> rows = Rows(
      4, "ridge", "post_relu", [](int i, int j, int split) { return i + j + split; });
  // All units of ridge, which LogisticRidge did not run on.
  std::vector<ScoreRow> all = rows;
  for (ScoreRow& row : all) {
    row.num_target_units = 64;
    row.median_r2 = 100.0;
  }
  rows.insert(rows.end(), all.begin(), all.end());
  for (ScoreRow& row :
       Rows(4, "logistic_ridge", "post_relu",
            [](int i, int j, int split) { return i + j + split + 0.25; })) {
    if (row.split_seed == 1) rows.push_back(row);
  }
  const Summary summary = Summarise(rows);
  EXPECT_EQ(summary.lines.size(), 3);
  ASSERT_EQ(summary.differences.size(), 1);
  const DifferenceLine& line = summary.differences[0];
  EXPECT_EQ(line.first, "logistic_ridge post_relu");
  EXPECT_EQ(line.second, "ridge post_relu");
  EXPECT_NEAR(line.r2.mean, 0.25, kTolerance);
  EXPECT_NEAR(line.r2.high - line.r2.low, 0.0, kTolerance);  // however pairs differ
  EXPECT_EQ(line.num_splits, 1);
}

TEST(SummaryTest, ComparesRidgeBeforeAndAfterTheRelu) {
  std::vector<ScoreRow> rows =
      Rows(4, "ridge", "pre_relu", [](int, int, int) { return 0.9; });
  for (const ScoreRow& row :
       Rows(4, "ridge", "post_relu", [](int, int, int) { return 0.7; })) {
    rows.push_back(row);
  }
  const Summary summary = Summarise(rows);
  ASSERT_EQ(summary.differences.size(), 1);
  EXPECT_EQ(summary.differences[0].first, "ridge pre_relu");
  EXPECT_NEAR(summary.differences[0].r2.mean, 0.2, kTolerance);
}

TEST(SummaryTest, FamiliesStayApart) {
  std::vector<ScoreRow> rows =
      Rows(2, "ridge", "pre_relu", [](int, int, int) { return 0.9; });
  ScoreRow untrained = Row(0, 1, "ridge", "pre_relu", 0, 0.5);
  untrained.source_animal = "untrained-000";
  untrained.target_animal = "untrained-001";
  rows.push_back(untrained);
  const Summary summary = Summarise(rows);
  ASSERT_EQ(summary.lines.size(), 2);
  EXPECT_EQ(summary.lines[0].key.family, "seed");
  EXPECT_EQ(summary.lines[1].key.family, "untrained");
}

TEST(SummaryTest, TextAndJsonSayHowMuchStandsBehindANumber) {
  const Summary summary = Summarise(
      Rows(4, "ridge", "pre_relu", [](int i, int j, int) { return 0.1 * (i + j); }));
  EXPECT_THAT(SummaryText(summary), HasSubstr("seed         conv1    pre_relu   ridge "));
  EXPECT_THAT(SummaryText(summary), HasSubstr("80+20    16"));
  EXPECT_THAT(SummaryJson(summary), HasSubstr("\"num_animals\": 4"));
  const Summary two = Summarise({Row(0, 1, "ridge", "pre_relu", 0, 0.5)});
  EXPECT_THAT(SummaryJson(two), HasSubstr("\"low\": null"));
}

// A matrix of three layers whose entries fall with the distance of layers; the animals
// differ in level only, which leads do not see.
TEST(SummaryTest, SeparabilityIsTheLeadOfTheMatchingLayer) {
  std::vector<ScoreRow> rows;
  for (int source = 0; source < 3; ++source) {
    for (int target = 0; target < 3; ++target) {
      for (ScoreRow row : Rows(4, "ridge", "pre_relu", [&](int i, int j, int) {
             const double level = 0.01 * (i + j);
             return level + 0.8 - 0.2 * std::abs(source - target) - 0.05 * source;
           })) {
        row.source_layer = absl::StrCat("conv", source + 1);
        row.target_layer = absl::StrCat("conv", target + 1);
        rows.push_back(row);
      }
    }
  }
  const Summary summary = Summarise(rows);
  ASSERT_EQ(summary.separability.size(), 1);
  const SeparabilityLine& line = summary.separability[0];
  // By target, the best other source is the earlier neighbour, 0.2 - 0.05 behind, but for
  // conv1, whose neighbour is later: 0.2 + 0.05. By source it is 0.2 for all.
  EXPECT_NEAR(line.by_target.mean, (0.25 + 0.15 + 0.15) / 3, kTolerance);
  EXPECT_NEAR(line.by_source.mean, 0.2, kTolerance);
  EXPECT_NEAR(line.by_target.high - line.by_target.low, 0.0, 1e-9);
  EXPECT_EQ(line.num_layers, 3);
  EXPECT_EQ(line.num_matched, 3);
  EXPECT_EQ(line.num_animals, 4);
  EXPECT_THAT(SummaryText(summary), HasSubstr("3/3"));
  EXPECT_THAT(SummaryJson(summary), HasSubstr("\"num_matched\": 3"));
  // Without one of its entries there is no matrix.
  std::erase_if(rows, [](const ScoreRow& row) {
    return row.source_layer == "conv1" && row.target_layer == "conv3";
  });
  EXPECT_TRUE(Summarise(rows).separability.empty());
}

}  // namespace
}  // namespace iat
