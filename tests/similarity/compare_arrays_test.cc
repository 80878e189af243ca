// Two matrices compared: the same numbers as the pieces give, whatever runs side by side.

#include "similarity/compare_arrays.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "base/csv.h"
#include "similarity/ridge.h"
#include "similarity/split.h"
#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr Eigen::Index kStimuli = 103, kSource = 6, kTarget = 5;

class CompareArraysTest : public ::testing::Test {
 protected:
  CompareArraysTest() {
    source_.name = "a.npy";
    source_.values = NormalMatrix(kStimuli, kSource, 1);
    target_.name = "b.npy";
    target_.values = (source_.values * NormalMatrix(kSource, kTarget, 2) +
                      NormalMatrix(kStimuli, kTarget, 3))
                         .cwiseMax(0.0);
    target_.values.col(4).setConstant(2.0);  // never scored
    options_.mappings = {"ridge", "logistic_ridge"};
    options_.metrics = {"rsa", "cka"};
    options_.num_splits = 3;
  }

  ArrayComparison Run(int jobs = 1) const {
    auto comparison = CompareArrays(source_, target_, options_, {.jobs = jobs});
    EXPECT_TRUE(comparison.ok()) << comparison.status();
    return comparison.ok() ? *std::move(comparison) : ArrayComparison{};
  }

  std::string Error() const {
    const auto comparison = CompareArrays(source_, target_, options_, {});
    EXPECT_EQ(comparison.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(comparison.status().message());
  }

  ResponseArray source_, target_;
  ArrayCompareOptions options_;
};

TEST_F(CompareArraysTest, SplitsAreThoseOfNumberedStimuliAndScoresThoseOfTheMapping) {
  const ArrayComparison comparison = Run();
  // 20 % of 103, rounded up.
  EXPECT_EQ(comparison.num_test_stimuli, 21);
  EXPECT_EQ(comparison.num_fit_stimuli, 82);
  ASSERT_EQ(comparison.mappings.size(), 2u);
  ASSERT_EQ(comparison.mappings[0].splits.size(), 3u);

  std::vector<std::string> ids;
  for (Eigen::Index i = 0; i < kStimuli; ++i) ids.push_back(absl::StrCat(1000 + i));
  const auto split = MakeSplit(ids, {.split_seed = 2, .num_fit = 82});
  ASSERT_TRUE(split.ok());
  const Eigen::MatrixXd x_fit = source_.values(split->fit, Eigen::all);
  const Eigen::MatrixXd y_fit = target_.values(split->fit, Eigen::all);
  const auto fit = FitRidge(*SourceBasis::Make(x_fit), y_fit, {});
  ASSERT_TRUE(fit.ok());
  const auto predicted = fit->map.Predict(source_.values(split->test, Eigen::all));
  const Eigen::VectorXd r2 =
      R2PerUnit(target_.values(split->test, Eigen::all), *predicted);
  const ArraySplitScores& scores = comparison.mappings[0].splits[2];
  EXPECT_EQ(scores.r2.head(4), r2.head(4));
  EXPECT_TRUE(std::isnan(scores.r2(4)));
  EXPECT_EQ(scores.summary.num_scored_units, 4);
  EXPECT_EQ(scores.chosen.values.at("ridge_penalty"), fit->ridge_penalty);
}

TEST_F(CompareArraysTest, MetricsSeeAllStimuliInTheOrderAskedFor) {
  const ArrayComparison comparison = Run();
  ASSERT_EQ(comparison.metrics.size(), 2u);
  auto x = MetricData::Make(source_.values, "x"),
       y = MetricData::Make(target_.values, "y");
  EXPECT_EQ(comparison.metrics[0].info.name, "rsa");
  EXPECT_EQ(comparison.metrics[1].info.name, "cka");
  EXPECT_EQ(comparison.metrics[1].result.value,
            (*MakeMetric("cka", {}))->Compare(*x, *y)->value);
}

TEST_F(CompareArraysTest, ResultsDoNotDependOnHowMuchRunsSideBySide) {
  EXPECT_EQ(ComparisonJson(Run(1)), ComparisonJson(Run(4)));
}

TEST_F(CompareArraysTest, StimuliNamedInAnotherOrderGiveTheSame) {
  const std::string by_row = ComparisonJson(Run());
  for (Eigen::Index i = 0; i < kStimuli; ++i) {
    source_.stimulus_ids.push_back(absl::StrCat(1000 + i));
  }
  target_.stimulus_ids = source_.stimulus_ids;
  std::reverse(target_.stimulus_ids.begin(), target_.stimulus_ids.end());
  target_.values = target_.values.colwise().reverse().eval();
  EXPECT_EQ(ComparisonJson(Run()), by_row);
}

TEST_F(CompareArraysTest, TheStageFollowsFromTheSmallestValue) {
  EXPECT_EQ(Run().target_stage, Stage::kPostRelu);
  EXPECT_TRUE(Run().stage_was_inferred);
  options_.target_stage = "post_relu";
  EXPECT_FALSE(Run().stage_was_inferred);
  target_.values(7, 3) = -0.25;
  EXPECT_EQ(Error(), "b.npy: [7, 3] is -0.25; a post_relu target is never below 0");
  options_.target_stage = "auto";
  EXPECT_THAT(Error(), StartsWith("b.npy has values below 0: "));
  EXPECT_THAT(Error(), HasSubstr("pre_relu"));
  options_.mappings = {"ridge"};
  EXPECT_EQ(Run().target_stage, Stage::kPreRelu);
  options_.target_stage = "recorded";
  EXPECT_EQ(Run().target_stage, Stage::kRecorded);
}

TEST_F(CompareArraysTest, JsonHoldsWhatTheTableShows) {
  const ArrayComparison comparison = Run();
  const auto json = nlohmann::json::parse(ComparisonJson(comparison));
  EXPECT_EQ(json["source"], "a.npy");
  EXPECT_EQ(json["num_target_units"], kTarget);
  EXPECT_EQ(json["target_stage"], "post_relu");
  const auto& ridge = json["mappings"][0];
  EXPECT_EQ(ridge["name"], "ridge");
  double sum = 0.0, smallest = 1.0;
  int64_t num_at_edge = 0;
  for (const ArraySplitScores& split : comparison.mappings[0].splits) {
    sum += split.summary.median;
    smallest = std::min(smallest, split.summary.median);
    num_at_edge += split.chosen.num_at_edge.at("ridge_penalty");
  }
  EXPECT_DOUBLE_EQ(ridge["median_r2"], sum / 3);
  EXPECT_DOUBLE_EQ(ridge["min_median_r2"], smallest);
  EXPECT_EQ(ridge["chosen"]["ridge_penalty"]["num_choices"], 3 * kTarget);
  EXPECT_EQ(ridge["chosen"]["ridge_penalty"]["num_at_edge"], num_at_edge);
  EXPECT_EQ(ridge["splits"].size(), 3u);
  EXPECT_EQ(json["mappings"][1]["splits"][1]["num_scored_units"], 4);
  EXPECT_EQ(json["metrics"][1]["direction"], "similarity");
  // No unit scored: null, where NaN would break the reader.
  target_.values.setConstant(1.0);
  options_.metrics = {};
  options_.mappings = {"ridge"};
  EXPECT_TRUE(
      nlohmann::json::parse(ComparisonJson(Run()))["mappings"][0]["median_r2"].is_null());
}

TEST_F(CompareArraysTest, TheTableIsForPeople) {
  options_.mappings = {"ridge"};
  options_.metrics = {"shape_angular"};
  target_.values.leftCols(4) = source_.values.leftCols(4);
  const std::string text = ComparisonText(Run());
  EXPECT_THAT(text, StartsWith("source  a.npy: 103 stimuli x 6 units\n"
                               "target  b.npy: 103 stimuli x 5 units, pre_relu\n"
                               "R2 on 21 test stimuli after fitting on 82: over units, "
                               "then the mean of 3 splits\n"));
  EXPECT_THAT(text,
              HasSubstr("\nridge                     1.0000  1.0000 ... 1.0000       "
                        "1.0000    1.0000  4 of 5\n"));
  EXPECT_THAT(text, HasSubstr("\n  ridge_penalty        median "));
  // The constant unit's penalty is at the edge as well, whatever it is.
  EXPECT_THAT(text, HasSubstr("; 15 of 15 at an edge of the grid\n"));
  EXPECT_THAT(text, HasSubstr("\nshape_angular "));
  EXPECT_THAT(text, HasSubstr("  distance\n"));
}

TEST_F(CompareArraysTest, UnitsCsvHasEveryUnitOfEverySplit) {
  const ArrayComparison comparison = Run();
  const auto table = ParseCsv(ComparisonUnitsCsv(comparison), "units.csv");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(table->columns, ElementsAre("mapping", "split_seed", "unit", "r2",
                                          "logistic_penalty", "ridge_penalty"));
  ASSERT_EQ(table->rows.size(), 2u * 3 * kTarget);
  const ArraySplitScores& scores = comparison.mappings[0].splits[1];
  EXPECT_THAT(table->rows[kTarget + 2],
              ElementsAre("ridge", "1", "2", FormatNumber(scores.r2(2)), "",
                          FormatNumber(scores.chosen.values.at("ridge_penalty")(2))));
  EXPECT_EQ(table->rows[4][3], "nan");
}

TEST_F(CompareArraysTest, WhatCannotBeDoneSaysWhy) {
  options_.test_fraction = 0.009;
  EXPECT_EQ(
      Error(),
      "a.npy has 103 stimuli; with a test fraction of 0.009 that is 102 to fit and 1 "
      "to test, and each needs at least 2");
  options_.test_fraction = 0.99;
  EXPECT_EQ(
      Error(),
      "a.npy has 103 stimuli; with a test fraction of 0.99 that is 1 to fit and 102 "
      "to test, and each needs at least 2");
}

TEST_F(CompareArraysTest, OptionsAreCheckedBeforeTheData) {
  const auto message = [this] { return std::string(options_.Validate().message()); };
  options_.mappings = {"rigde"};
  EXPECT_EQ(message(), "no mapping \"rigde\"; did you mean \"ridge\"?");
  options_.mappings = {"ridge", "ridge"};
  EXPECT_EQ(message(), "mapping \"ridge\" is given twice");
  options_.mappings = {};
  options_.metrics = {"cak"};
  EXPECT_THAT(message(), StartsWith("no metric \"cak\"; did you mean"));
  options_.metrics = {};
  EXPECT_EQ(message(), "no mapping and no metric: nothing to compare by");
  options_.mappings = {"logistic_ridge"};
  options_.target_stage = "pre_relu";
  EXPECT_THAT(message(), HasSubstr("pre_relu"));
  options_.target_stage = "post_relu";
  options_.test_fraction = 1.0;
  EXPECT_EQ(message(), "the test fraction is 1; expected a number > 0 and < 1");
  options_.test_fraction = 0.5;
  options_.num_splits = 0;
  EXPECT_EQ(message(), "the number of splits is 0; expected a number >= 1");
  options_.num_splits = 1;
  EXPECT_TRUE(options_.Validate().ok());
}

TEST_F(CompareArraysTest, ARefusalNamesTheMetric) {
  options_.metrics = {"cka", "cca"};
  source_.values = NormalMatrix(kStimuli, 2 * kStimuli, 5);
  EXPECT_THAT(Error(), StartsWith("cca: a.npy: 102 directions for 103 stimuli"));
}

TEST_F(CompareArraysTest, StopsBetweenSplits) {
  const std::atomic<bool> stop = true;
  const auto comparison = CompareArrays(source_, target_, options_, {.stop = &stop});
  EXPECT_TRUE(absl::IsCancelled(comparison.status())) << comparison.status();
}

}  // namespace
}  // namespace iat
