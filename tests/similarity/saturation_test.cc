#include "similarity/saturation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "similarity/jackknife.h"
#include "tests/similarity/curve_world.h"

namespace iat {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr double kTolerance = 1e-9;

Eigen::VectorXd Values(const std::vector<double>& values) {
  return Eigen::Map<const Eigen::VectorXd>(values.data(),
                                           static_cast<Eigen::Index>(values.size()));
}

// A straight line in log2 size up to a plateau: 0.1 a doubling from 16 to 256, then
// level.
double Ramp(double size, double plateau_at = 256.0) {
  return 0.4 + 0.1 * std::log2(std::min(size, plateau_at) / 16.0);
}

TEST(SaturationTest, SizesAreInterpolatedInLogSize) {
  const std::vector<double> sizes = {16, 32, 64, 128, 256, 512, 1024};
  std::vector<double> r2;
  for (const double size : sizes) r2.push_back(Ramp(size));
  const SaturationPoint point = FindSaturation(sizes, Values(r2), {});
  EXPECT_EQ(point.state, SaturationState::kSaturated);
  EXPECT_NEAR(point.largest_r2, 0.8, kTolerance);
  EXPECT_NEAR(point.last_gain, 0.0, kTolerance);
  // 0.95 * 0.8 = 0.76 is 3.6 doublings above 16, and 0.78 is 3.8.
  EXPECT_NEAR(point.share.size, 16 * std::pow(2, 3.6), 1e-6);
  EXPECT_NEAR(point.within.size, 16 * std::pow(2, 3.8), 1e-6);
  EXPECT_FALSE(point.share.at_smallest);
}

TEST(SaturationTest, AGainOfTheLastDoublingIsNoSaturation) {
  const std::vector<double> sizes = {10, 40, 160};  // half of 160 is between two sizes
  const auto state = [&](double last_step) {
    return FindSaturation(sizes, Values({0.2, 0.5, 0.5 + last_step}), {}).state;
  };
  // Two doublings gain the step: one gains half of it.
  EXPECT_EQ(state(0.0199), SaturationState::kSaturated);
  EXPECT_EQ(state(0.0201), SaturationState::kNotSaturated);
  const SaturationPoint point = FindSaturation(sizes, Values({0.2, 0.5, 0.56}), {});
  EXPECT_NEAR(point.last_gain, 0.03, kTolerance);
  EXPECT_TRUE(std::isnan(point.share.size));
}

TEST(SaturationTest, UndefinedWhereThereIsNothingToSaturate) {
  EXPECT_EQ(FindSaturation({10, 20, 40}, Values({0.01, 0.04, 0.049}), {}).state,
            SaturationState::kUndefined);
  EXPECT_EQ(FindSaturation({10, 20, 40}, Values({0.01, 0.04, 0.0501}), {}).state,
            SaturationState::kNotSaturated);
  // No measurement at half the largest size.
  EXPECT_EQ(FindSaturation({30, 40}, Values({0.5, 0.5}), {}).state,
            SaturationState::kUndefined);
}

TEST(SaturationTest, ABumpAtSmallSizesDoesNotCount) {
  const SaturationPoint point =
      FindSaturation({10, 20, 40, 80, 160}, Values({0.5, 0.2, 0.49, 0.5, 0.5}), {});
  EXPECT_GT(point.share.size, 20);
  EXPECT_LT(point.share.size, 40);
}

TEST(SaturationTest, ACurveThatIsThereFromTheStartGivesAnUpperBound) {
  PlantedAnimals world;
  world.sizes = {25, 50, 100, 200};
  world.animal_noise = 0.001;
  const Saturation line = FindSaturations({PlantedCurve(
                                              world, [](double) { return 0.9; }, 1)},
                                          {})[0];
  EXPECT_TRUE(line.point.share.at_smallest);
  EXPECT_EQ(line.point.share.size, 25);
  EXPECT_EQ(line.point.share.low, 0.0);
  EXPECT_EQ(SaturationSizeText(line.point, line.point.share), "<= 25 [0, 25]");
}

// Animals on ramps that end at sizes of their own. The mean curve and every one without
// an animal are computed here from scratch, and the interval is the textbook one on the
// log of the sizes, t_{0.975, 4} = 2.7764451052.
TEST(SaturationTest, TheIntervalIsAJackknifeOverTargetAnimalsOnLogSize) {
  const double plateaus[] = {128, 180, 256, 300, 400};
  const std::vector<int64_t> sizes = LogSizes(16, 2048, 29);
  std::vector<SamplingRow> rows;
  for (int animal = 0; animal < 5; ++animal) {
    PlantedAnimals world;
    world.num_animals = 5;
    world.sizes = sizes;
    for (const SamplingRow& row : PlantedRows(
             world, [&](double size) { return Ramp(size, plateaus[animal]); }, 0)) {
      if (row.score.target_animal == absl::StrFormat("seed-%03d", animal)) {
        rows.push_back(row);
      }
    }
  }
  const auto share_size = [&](int without) {
    std::vector<double> at(sizes.begin(), sizes.end()), mean(sizes.size(), 0.0);
    for (int animal = 0; animal < 5; ++animal) {
      if (animal == without) continue;
      for (size_t i = 0; i < sizes.size(); ++i) {
        mean[i] += Ramp(at[i], plateaus[animal]) / (without < 0 ? 5 : 4);
      }
    }
    size_t i = 0;
    while (mean[i] < 0.95 * mean.back()) ++i;
    const double part = (0.95 * mean.back() - mean[i - 1]) / (mean[i] - mean[i - 1]);
    return std::log(at[i - 1]) + part * std::log(at[i] / at[i - 1]);
  };
  double mean = 0.0, squares = 0.0;
  for (int animal = 0; animal < 5; ++animal) mean += share_size(animal) / 5;
  for (int animal = 0; animal < 5; ++animal) {
    squares += std::pow(share_size(animal) - mean, 2);
  }
  const double half = 2.7764451052 * std::sqrt(4.0 / 5.0 * squares);

  const auto lines = FindSaturations(MakeTargetCurves(rows), {});
  ASSERT_THAT(lines, SizeIs(1));
  const SaturationSize& size = lines[0].point.share;
  EXPECT_NEAR(std::log(size.size), share_size(-1), kTolerance);
  EXPECT_NEAR(std::log(size.low), share_size(-1) - half, 1e-8);
  EXPECT_NEAR(std::log(size.high), share_size(-1) + half, 1e-8);
  EXPECT_EQ(lines[0].num_animals, 5);
  EXPECT_EQ(lines[0].without_because, "");
}

TEST(SaturationTest, NoIntervalBelowFourAnimalsOrWhereOneAnimalDecides) {
  PlantedAnimals world;
  world.sizes = {16, 32, 64, 128, 256, 512};
  world.num_animals = 3;
  Saturation line =
      FindSaturations({PlantedCurve(
                          world, [](double size) { return Ramp(size); }, 0)},
                      {})[0];
  EXPECT_TRUE(std::isnan(line.point.share.low));
  EXPECT_EQ(line.without_because, "fewer than 4 target animals");
  // Three rise to the end, the fourth falls there as much.
  world.num_animals = 4;
  TargetCurves curve = PlantedCurve(
      world, [](double size) { return Ramp(size, 1e9); }, 0);
  curve.r2.row(3).setConstant(1.0);
  curve.r2(3, 5) = 1.0 - 0.3;
  line = FindSaturations({curve}, {})[0];
  EXPECT_EQ(line.point.state, SaturationState::kSaturated);
  EXPECT_EQ(line.without_because, "without seed-003 it is not saturated");
  EXPECT_TRUE(std::isnan(line.point.share.low));
}

TEST(SaturationTest, ThePapersNumbersStandBesideRidgeOnly) {
  EXPECT_EQ(PaperSaturation("stimuli", "post_relu", "ridge"), 500);
  EXPECT_EQ(PaperSaturation("stimuli", "pre_relu", "ridge"), 200);
  EXPECT_EQ(PaperSaturation("units", "post_relu", "ridge"), 500);
  EXPECT_EQ(PaperSaturation("units", "pre_relu", "ridge"), 100);
  EXPECT_EQ(PaperSaturation("units", "pre_relu", "logistic_ridge"), std::nullopt);
  EXPECT_EQ(PaperSaturation("units", "recorded", "ridge"), std::nullopt);
}

TEST(SaturationTest, TextAndJsonSayTheSame) {
  PlantedAnimals world;
  world.sizes = {16, 32, 64, 128, 256, 512};
  const auto lines =
      FindSaturations({PlantedCurve(
                           world, [](double size) { return Ramp(size); }, 0),
                       PlantedCurve(
                           world, [](double size) { return Ramp(size, 1e9); }, 0)},
                      {});
  const std::string text = SaturationText(lines);
  EXPECT_THAT(text, HasSubstr("95 % of it at"));
  EXPECT_THAT(text, HasSubstr("194 [194, 194]"));
  EXPECT_THAT(text, HasSubstr("not saturated"));
  const auto json = nlohmann::json::parse(SaturationJson(lines));
  ASSERT_THAT(json, SizeIs(2));
  EXPECT_NEAR(json[0]["share_size"]["size"].get<double>(), 16 * std::pow(2, 3.6), 1e-6);
  EXPECT_EQ(json[0]["paper"], 500);
  EXPECT_EQ(json[1]["state"], "not saturated");
  EXPECT_TRUE(json[1]["share_size"]["size"].is_null());
}

TEST(TargetCurvesTest, AveragesRowsThenAnimals) {
  std::vector<SamplingRow> rows = PlantedRows(
      {.num_animals = 2, .sizes = {10, 20}}, [](double size) { return size / 100; }, 0);
  rows[0].score.median_r2 = NAN;  // of four rows, the one at 0.1 - 0.005 - 0.002
  const TargetCurves curve = MakeTargetCurves(rows).at(0);
  EXPECT_EQ(curve.key.Name(), "seed conv3/post_relu ridge, units");
  EXPECT_THAT(curve.animals, ElementsAre("seed-000", "seed-001"));
  EXPECT_THAT(curve.sizes, ElementsAre(10, 20));
  EXPECT_NEAR(curve.r2(0, 0), 0.1 + 0.007 / 3, kTolerance);
  EXPECT_NEAR(curve.r2(1, 0), 0.1, kTolerance);
  EXPECT_NEAR(curve.Mean()[0], 0.1 + 0.0035 / 3, kTolerance);
  EXPECT_NEAR(curve.MeanWithout(0)[0], 0.1, kTolerance);
  // Two animals d apart: variance of their mean is d^2 / 4. The other size has none.
  const double variance = std::pow(0.007 / 3, 2) / 4;
  EXPECT_NEAR(curve.Spread()[0], std::sqrt((variance + variance / 2) / 2), kTolerance);
  EXPECT_NEAR(curve.Spread()[1], std::sqrt(variance / 2 / 2), kTolerance);
}

TEST(TargetCurvesTest, PoolsOfOtherSizesMeetInLogSize) {
  PlantedAnimals world{.family = "specimen", .stage = "recorded", .num_animals = 1};
  std::vector<SamplingRow> rows;
  const auto log2 = [](double size) { return 0.1 * std::log2(size); };
  world.sizes = {4, 16, 64, 100};
  for (const SamplingRow& row : PlantedRows(world, log2, 0)) rows.push_back(row);
  world.sizes = {8, 32, 128};
  for (SamplingRow row : PlantedRows(world, log2, 0)) {
    row.score.target_animal = "region2";
    row.score.num_target_units = 31;
    rows.push_back(row);
  }
  const auto curves = MakeTargetCurves(rows);
  ASSERT_THAT(curves, SizeIs(1));
  EXPECT_EQ(curves[0].key.family, "recorded");
  EXPECT_THAT(curves[0].sizes, ElementsAre(8, 16, 32, 64, 100));
  for (Eigen::Index animal = 0; animal < 2; ++animal) {
    for (Eigen::Index i = 0; i < 5; ++i) {
      EXPECT_NEAR(curves[0].r2(animal, i), log2(curves[0].sizes[i]), kTolerance);
    }
  }
}

TEST(TargetCurvesTest, RowsAcrossLayersAndGroupsStayApart) {
  std::vector<SamplingRow> rows = PlantedRows(
      {.sizes = {10, 20}}, [](double) { return 0.5; }, 0);
  for (SamplingRow row : PlantedRows(
           {.mapping = "pls", .sizes = {10, 20}}, [](double) { return 0.4; }, 0)) {
    rows.push_back(row);
    row.score.source_layer = "conv1";
    row.score.mapping = "ols";
    rows.push_back(row);
  }
  const auto curves = MakeTargetCurves(rows);
  ASSERT_THAT(curves, SizeIs(2));
  EXPECT_EQ(curves[0].key.mapping, "pls");
  EXPECT_EQ(curves[1].key.mapping, "ridge");
}

// The variance of a mean of values x is their variance over m, whichever road.
TEST(JackknifeTest, OfAMeanIsTheTextbookVariance) {
  const std::vector<double> x = {0.3, 0.7, 0.4, 0.9, 0.2};
  double mean = 0.0, squares = 0.0;
  for (const double value : x) mean += value / 5;
  std::vector<double> without;
  for (const double value : x) {
    squares += (value - mean) * (value - mean);
    without.push_back((5 * mean - value) / 4);
  }
  const SampleVariance variance = JackknifeVariance(without);
  EXPECT_NEAR(variance.variance, squares / 4 / 5, kTolerance);
  EXPECT_EQ(variance.degrees_of_freedom, 4);
  EXPECT_TRUE(std::isnan(JackknifeVariance({1, 2, 3}).variance));
}

// Welch's test on samples of 5 and 8: (2 + 3)^2 / (4 / 4 + 9 / 7).
TEST(JackknifeTest, TwoSamplesHaveSatterthwaitesDegreesOfFreedom) {
  const SampleVariance sum = SumOfVariances({2, 4}, {3, 7});
  EXPECT_NEAR(sum.variance, 5, kTolerance);
  EXPECT_NEAR(sum.degrees_of_freedom, 25 / (1 + 9.0 / 7), kTolerance);
  const Interval none = TInterval(0.5, SumOfVariances({0, 4}, {0, 7}), 0.9);
  EXPECT_EQ(none.low, 0.5);
  EXPECT_EQ(none.high, 0.5);
}

}  // namespace
}  // namespace iat
