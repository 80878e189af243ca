#include "similarity/calibrate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "tests/similarity/curve_world.h"

namespace iat {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// In the range of networks and mice: R2 from just below 0 to 0.4, half of the rise by 50
// units.
constexpr ArctanCurve kTruth{.L = 0.3, .k = 0.02, .b = -0.05};
constexpr double kAlphas[] = {0.5, 2.0, 8.0};

PlantedAnimals Models() {
  PlantedAnimals world;
  world.num_animals = 10;
  world.sizes = LogSizes(4, 2000, 14);
  return world;
}

// Recorded animals whose pools hold up to 400 units' worth of neurons.
PlantedAnimals Animals(double alpha) {
  PlantedAnimals world;
  world.family = "specimen";
  world.stage = "recorded";
  world.num_animals = 8;
  world.sizes = LogSizes(std::max(2.0, 3 * alpha), 400 * alpha, 12);
  return world;
}

double ModelR2(double m) { return kTruth.At(m); }
std::function<double(double)> AnimalR2(double alpha) {
  return [alpha](double n) { return kTruth.At(n / alpha); };
}

Calibration Clean(const std::string& form, double alpha) {
  CalibrationOptions options;
  options.form = form;
  const auto calibration =
      Calibrate(PlantedCurve(Models(), ModelR2, 0),
                PlantedCurve(Animals(alpha), AnimalR2(alpha), 0), options);
  EXPECT_TRUE(calibration.ok()) << calibration.status();
  EXPECT_TRUE(calibration->ratio.has_value())
      << calibration->f_refused << calibration->g_refused;
  return *calibration;
}

TEST(CalibrateTest, RecoversThePlantedRatioFromSampledCurvesWithoutNoise) {
  for (const double alpha : kAlphas) {
    const Calibration calibration = Clean("sampled", alpha);
    EXPECT_NEAR(calibration.ratio->neuron_to_unit_ratio.mean / alpha, 1.0, 0.005);
    EXPECT_NEAR(calibration.f->curve.L, kTruth.L, 1e-6);
    EXPECT_NEAR(calibration.f->curve.k, kTruth.k, 1e-6);
    EXPECT_NEAR(calibration.f->curve.b, kTruth.b, 1e-6);
    EXPECT_LT(calibration.ratio->rms_distance, 1e-3);
    EXPECT_THAT(calibration.warnings, IsEmpty());
  }
}

// The argmin by another road: a and c by the normal equations, the integral by
// trapezoids in u = ln(N / n), where its logarithm is a straight line, and alpha by
// bisecting a fine grid.
TEST(CalibrateTest, TheLogFormsRatioIsTheArgminFoundByAnotherRoad) {
  for (const double alpha : kAlphas) {
    const PlantedAnimals animals = Animals(alpha);
    double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
    for (const int64_t size : animals.sizes) {
      const double x = std::log(size), y = AnimalR2(alpha)(size);
      n += 1, sx += x, sy += y, sxx += x * x, sxy += x * y;
    }
    const double a = (n * sxy - sx * sy) / (n * sxx - sx * sx), c = (sy - a * sx) / n;
    const double largest = animals.sizes.back();
    const auto distance = [&](double ratio) {
      constexpr int kSteps = 8000;
      constexpr double kLast = 40.0;  // e^-40 of N
      double sum = 0.0;
      for (int i = 0; i <= kSteps; ++i) {
        const double u = kLast * i / kSteps, size = largest * std::exp(-u);
        const double difference = kTruth.At(size / ratio) - (a * std::log(size) + c);
        sum += difference * difference * size * (i == 0 || i == kSteps ? 0.5 : 1.0);
      }
      return sum * kLast / kSteps;
    };
    double best = 0.0, best_distance = INFINITY;
    for (double ratio = alpha / 2; ratio < 2 * alpha; ratio *= 1.001) {
      if (const double found = distance(ratio); found < best_distance) {
        best = ratio;
        best_distance = found;
      }
    }
    const Calibration calibration = Clean("log", alpha);
    const double ratio = calibration.ratio->neuron_to_unit_ratio.mean;
    EXPECT_NEAR(ratio / best, 1.0, 0.002);  // the grid's step; 0.02 is asked for
    EXPECT_NEAR(SquaredDistance(calibration.f->curve, *calibration.g, 1.3 * alpha) /
                    distance(1.3 * alpha),
                1.0, 1e-4);
    // The misfit of a logarithm to an arctan moves the ratio, upwards here: the table in
    // docs/sampling.md.
    RecordProperty(absl::StrFormat("bias_percent_at_%g", alpha),
                   absl::StrFormat("%.2f", 100 * (ratio / alpha - 1)));
    EXPECT_GT(ratio / alpha, 1.05);
    EXPECT_LT(ratio / alpha, 1.15);
  }
}

// 100 experiments with noise that a target animal's whole curve shares and noise of every
// point, on both sides; how often does the 90 % interval hold what the estimator would
// have given without noise? 82 to 98 is 90 give or take 2.7 binomial deviations.
TEST(CalibrateTest, The90PercentIntervalCoversTheNoiseFreeArgmin) {
  constexpr int kExperiments = 100;
  for (const char* form : {"sampled", "log"}) {
    for (const double alpha : kAlphas) {
      const double truth = Clean(form, alpha).ratio->neuron_to_unit_ratio.mean;
      CalibrationOptions options;
      options.form = form;
      options.confidence = 0.90;
      int num_covered = 0;
      for (int experiment = 0; experiment < kExperiments; ++experiment) {
        PlantedAnimals models = Models(), animals = Animals(alpha);
        models.animal_noise = 0.01;
        models.point_noise = 0.005;
        animals.animal_noise = 0.02;
        animals.point_noise = 0.01;
        const uint64_t seed = static_cast<uint64_t>(1000 * alpha) + experiment;
        const auto noisy =
            Calibrate(PlantedCurve(models, ModelR2, seed),
                      PlantedCurve(animals, AnimalR2(alpha), seed), options);
        ASSERT_TRUE(noisy.ok()) << noisy.status();
        ASSERT_TRUE(noisy->ratio.has_value()) << noisy->f_refused << noisy->g_refused;
        ASSERT_EQ(noisy->no_interval_because, "");
        const Interval& interval = noisy->ratio->neuron_to_unit_ratio;
        num_covered += interval.low <= truth && truth <= interval.high;
      }
      RecordProperty(absl::StrFormat("covered_%s_%g", form, alpha), num_covered);
      EXPECT_GE(num_covered, 82) << form << " " << alpha;
      EXPECT_LE(num_covered, 98) << form << " " << alpha;
    }
  }
}

// f is at 95 % of its value at 2,000 units at tan((0.95 f - b) / L) / k of them, and the
// animals' curve at alpha times as many neurons.
TEST(CalibrateTest, NeededNeuronsAreTheRatioTimesTheUnitsWhereTheModelsSaturate) {
  const Calibration calibration = Clean("sampled", 2.0);
  const SaturationPoint& needed = calibration.ratio->needed;
  ASSERT_EQ(needed.state, SaturationState::kSaturated);
  const double last = kTruth.At(2000);
  const double units = std::tan((0.95 * last - kTruth.b) / kTruth.L) / kTruth.k;
  EXPECT_NEAR(kTruth.Inverse(0.95 * last), units, 1e-9);
  EXPECT_NEAR(needed.share.size / (2.0 * units), 1.0, 2e-3);
  EXPECT_NEAR(needed.within.size / (2.0 * kTruth.Inverse(last - 0.02)), 1.0, 2e-3);
  // Without noise all refits agree.
  EXPECT_NEAR(needed.share.low / needed.share.size, 1.0, 1e-6);
  EXPECT_NEAR(needed.share.high / needed.share.size, 1.0, 1e-6);
}

TEST(CalibrateTest, AnimalsCountOnBothSides) {
  PlantedAnimals models = Models(), animals = Animals(2.0);
  const auto width = [&](double model_noise, double animal_noise) {
    models.animal_noise = model_noise;
    animals.animal_noise = animal_noise;
    const auto calibration =
        Calibrate(PlantedCurve(models, ModelR2, 5),
                  PlantedCurve(animals, AnimalR2(2.0), 5), {.form = "sampled"});
    const Interval& interval = calibration->ratio->neuron_to_unit_ratio;
    return std::log(interval.high / interval.low);
  };
  const double of_models = width(0.02, 0.0), of_animals = width(0.0, 0.02);
  EXPECT_LT(width(0.0, 0.0), 1e-6);
  EXPECT_GT(of_models, 0.05);
  EXPECT_GT(of_animals, 0.05);
  EXPECT_GT(width(0.02, 0.02), std::max(of_models, of_animals));
}

TEST(CalibrateTest, BelowFourAnimalsThereIsARatioButNoInterval) {
  PlantedAnimals animals = Animals(2.0);
  animals.num_animals = 3;
  const auto calibration = Calibrate(PlantedCurve(Models(), ModelR2, 0),
                                     PlantedCurve(animals, AnimalR2(2.0), 0), {});
  ASSERT_TRUE(calibration.ok()) << calibration.status();
  ASSERT_TRUE(calibration->ratio.has_value());
  EXPECT_TRUE(std::isnan(calibration->ratio->neuron_to_unit_ratio.low));
  EXPECT_EQ(calibration->no_interval_because,
            "recorded animals: fewer than 4 target animals (3)");
  EXPECT_EQ(calibration->f_intervals, "jackknife");
  EXPECT_EQ(calibration->g_intervals, "linearised");
}

TEST(CalibrateTest, WarnsAtTheEdgeOfTheBracket) {
  CalibrationOptions options;
  options.max_ratio = 1.0;
  const auto calibration =
      Calibrate(PlantedCurve(Models(), ModelR2, 0),
                PlantedCurve(Animals(8.0), AnimalR2(8.0), 0), options);
  ASSERT_TRUE(calibration.ok()) << calibration.status();
  EXPECT_TRUE(calibration->ratio->at_edge);
  EXPECT_NEAR(calibration->ratio->neuron_to_unit_ratio.mean, 1.0, 1e-12);
  EXPECT_TRUE(std::isnan(calibration->ratio->neuron_to_unit_ratio.low));
  EXPECT_THAT(
      calibration->warnings,
      Contains(HasSubstr("the ratio, 1, is at the edge of its range (0.001 to 1)")));
  EXPECT_EQ(calibration->no_interval_because, "the ratio is at the edge of its range");
}

TEST(CalibrateTest, WarnsWhereTheModelsWereNotMeasuredWithSoManyUnits) {
  PlantedAnimals models = Models();
  models.sizes = LogSizes(4, 200, 10);
  const auto calibration =
      Calibrate(PlantedCurve(models, ModelR2, 0),
                PlantedCurve(Animals(2.0), AnimalR2(2.0), 0), {.form = "sampled"});
  ASSERT_TRUE(calibration.ok()) << calibration.status();
  EXPECT_THAT(calibration->warnings,
              ElementsAre(AllOf(HasSubstr("800 neurons stand for"),
                                HasSubstr("more than the 200 that f was measured at"))));
}

// With the target's stimuli shuffled nothing can be predicted: R2 is at or below 0, and
// there is no ratio to be had.
TEST(CalibrateTest, ShuffledStimuliGiveARefusedFitAndNoRatio) {
  PlantedAnimals animals = Animals(2.0);
  animals.animal_noise = 0.01;
  animals.point_noise = 0.01;
  const auto calibration =
      Calibrate(PlantedCurve(Models(), ModelR2, 0),
                PlantedCurve(
                    animals, [](double n) { return -0.02 - 0.02 / n; }, 3),
                {});
  ASSERT_TRUE(calibration.ok()) << calibration.status();
  EXPECT_TRUE(calibration->f.has_value());
  EXPECT_FALSE(calibration->g.has_value());
  EXPECT_FALSE(calibration->ratio.has_value());
  EXPECT_THAT(calibration->g_refused, HasSubstr("nothing is predicted"));
  EXPECT_EQ(calibration->no_interval_because, "there is no ratio without both curves");
}

TEST(CalibrateTest, RefusesCurvesThatAreNotTheSameMeasure) {
  const TargetCurves models = PlantedCurve(Models(), ModelR2, 0);
  const auto message = [&](const std::function<void(PlantedAnimals&)>& change) {
    PlantedAnimals animals = Animals(2.0);
    change(animals);
    const auto result = Calibrate(models, PlantedCurve(animals, ModelR2, 0), {});
    EXPECT_TRUE(absl::IsInvalidArgument(result.status()));
    return std::string(result.status().message());
  };
  const std::string start =
      "networks and recorded animals are not the same measure: the ";
  EXPECT_EQ(message([](auto& world) { world.stimuli = "movies"; }),
            start + "stimulus set of the networks is scenes, of the animals movies");
  EXPECT_EQ(message([](auto& world) { world.mapping = "pls"; }),
            start + "mapping of the networks is ridge, of the animals pls");
  EXPECT_EQ(message([](auto& world) { world.num_fit_stimuli = 58; }),
            start + "number of fit stimuli of the networks is 59, of the animals 58");
  EXPECT_EQ(message([](auto& world) { world.num_test_stimuli = 60; }),
            start + "number of test stimuli of the networks is 59, of the animals 60");
  EXPECT_EQ(message([](auto& world) { world.axis = "stimuli"; }),
            start + "axis of the networks is units, of the animals stimuli");
  std::vector<SamplingRow> rows = PlantedRows(Animals(2.0), ModelR2, 0);
  for (SamplingRow& row : rows) row.score.split_seed += 1;
  const auto splits = CheckSameMeasure(models, MakeTargetCurves(rows).at(0));
  EXPECT_EQ(
      splits.message(),
      start + "list of split seeds of the networks is [0, 1], of the animals [1, 2]");
}

TEST(CalibrateTest, TargetNoiseIsDividedOut) {
  std::vector<SamplingRow> rows = PlantedRows(Animals(2.0), ModelR2, 0);
  rows.resize(1);
  rows[0].score.median_r2 = 0.3;
  const auto corrected = CorrectForTargetNoise(rows, {{{"specimen-000", "conv3"}, 0.6}});
  ASSERT_TRUE(corrected.ok()) << corrected.status();
  EXPECT_NEAR((*corrected)[0].score.median_r2, 0.5, 1e-12);
  EXPECT_EQ(CorrectForTargetNoise(rows, {}).status().message(),
            "specimen-000, area conv3 has no reliability; noise_correction = \"target\" "
            "needs one for every recorded target");
  EXPECT_EQ(
      CorrectForTargetNoise(rows, {{{"specimen-000", "conv3"}, -0.1}}).status().message(),
      "specimen-000, area conv3 has reliability -0.1; expected a number in (0, 1]");
}

}  // namespace
}  // namespace iat
