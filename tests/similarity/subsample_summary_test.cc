#include "similarity/subsample_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace iat {
namespace {

using ::testing::HasSubstr;

SamplingRow Row(int target, int64_t size, int64_t sample, double median,
                int64_t num_target_units = 64) {
  SamplingRow row;
  row.score.stimuli = "held-out";
  row.score.source_animal = "seed-007+seed-008";
  row.score.target_animal = absl::StrCat("seed-00", target);
  row.score.source_layer = row.score.target_layer = "conv1";
  row.score.source_stage = row.score.target_stage = "pre_relu";
  row.score.source_scope = row.score.target_scope = "hypercolumn";
  row.score.mapping = "ridge";
  row.score.num_fit_stimuli = 80;
  row.score.num_test_stimuli = 20;
  row.score.num_source_units = size;
  row.score.num_target_units = num_target_units;
  row.score.median_r2 = median;
  row.axis = "units";
  row.size = size;
  row.sample_seed = sample;
  row.num_pooled_sources = 2;
  return row;
}

TEST(SubsampleSummaryTest, AveragesSubsamplesThenTargetsWithAJackknife) {
  std::vector<SamplingRow> rows;
  const std::vector<double> means = {0.1, 0.2, 0.4, 0.5};
  for (int target = 0; target < 4; ++target) {
    rows.push_back(Row(target, 8, 0, means[target] - 0.05));
    rows.push_back(Row(target, 8, 1, means[target] + 0.05));
    rows.push_back(Row(target, 4, 0, 0.0));
    // On fewer target units: another set, which is left out.
    rows.push_back(Row(target, 8, 0, 0.9, 16));
  }
  const std::vector<SamplingCurve> curves = SummariseSampling(rows);
  ASSERT_EQ(curves.size(), 1u);
  const SamplingCurve& curve = curves[0];
  EXPECT_EQ(curve.family, "seed");
  EXPECT_EQ(curve.num_animals, 4);
  EXPECT_EQ(curve.num_samples, 2);
  EXPECT_EQ(curve.num_splits, 1);
  EXPECT_EQ(curve.num_pooled_sources, 2);
  EXPECT_EQ(curve.min_target_units, 64);
  ASSERT_EQ(curve.points.size(), 2u);
  EXPECT_EQ(curve.points[0].size, 4);
  EXPECT_EQ(curve.points[0].r2.mean, 0.0);
  const SamplingPoint& point = curve.points[1];
  EXPECT_NEAR(point.r2.mean, 0.3, 1e-12);
  // The jackknife error of a mean is its standard error: sd / sqrt(4) with
  // sd^2 = (0.04 + 0.01 + 0.01 + 0.04) / 3; t quantile 3.182446 on 3 degrees of freedom.
  const double half = 3.182446305 * std::sqrt(0.1 / 3.0 / 4.0);
  EXPECT_NEAR(point.r2.low, 0.3 - half, 1e-8);
  EXPECT_NEAR(point.r2.high, 0.3 + half, 1e-8);
}

TEST(SubsampleSummaryTest, FewAnimalsHaveNoIntervalAndMissingValuesAreCounted) {
  const std::vector<SamplingCurve> curves = SummariseSampling(
      {Row(0, 8, 0, 0.2), Row(1, 8, 0, 0.4), Row(1, 8, 1, NAN), Row(2, 8, 0, NAN)});
  ASSERT_EQ(curves.size(), 1u);
  EXPECT_EQ(curves[0].num_empty, 2);
  EXPECT_EQ(curves[0].points[0].num_animals, 2);
  EXPECT_NEAR(curves[0].points[0].r2.mean, 0.3, 1e-12);
  EXPECT_TRUE(std::isnan(curves[0].points[0].r2.low));
  EXPECT_THAT(SamplingSummaryText(curves), HasSubstr("conv1    pre_relu   ridge"));
  const auto json = nlohmann::json::parse(SamplingSummaryJson(curves));
  EXPECT_EQ(json["curves"][0]["axis"], "units");
  EXPECT_EQ(json["curves"][0]["points"][0]["size"], 8);
  EXPECT_TRUE(json["curves"][0]["points"][0]["low"].is_null());
}

}  // namespace
}  // namespace iat
