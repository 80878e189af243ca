// What holds for every registered mapping: degenerate inputs give finite predictions or a
// message, units of measure do not matter, and targets that have nothing to do with the
// source score 0 or below.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "similarity/mapping.h"
#include "similarity/r2.h"
#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

// Rectified responses of two animals to the same stimuli, related but for noise.
struct Pair {
  Eigen::MatrixXd x, y;
};
Pair RectifiedPair(Eigen::Index n, Eigen::Index p, Eigen::Index t, uint64_t seed) {
  const Eigen::MatrixXd hidden = NormalMatrix(n, p, seed);
  // Target j is mostly source unit j modulo p.
  Eigen::MatrixXd weights = NormalMatrix(p, t, seed + 1) / (2.0 * std::sqrt(p));
  for (Eigen::Index j = 0; j < t; ++j) weights(j % p, j) += 0.8;
  return {hidden.cwiseMax(0.0),
          (hidden * weights + 0.3 * NormalMatrix(n, t, seed + 2)).cwiseMax(0.0)};
}

class EveryMappingTest : public ::testing::TestWithParam<std::string> {
 protected:
  // Everything that can be chosen is chosen.
  static MappingOptions Options() {
    MappingOptions options;
    options.pls.num_components = 0;
    options.pls.max_components = 10;
    return options;
  }

  absl::StatusOr<Eigen::MatrixXd> FitAndPredict(const Eigen::MatrixXd& x,
                                                const Eigen::MatrixXd& y,
                                                const Eigen::MatrixXd& x_new) const {
    SourceData source(x);
    FitProblem problem(source, y, Stage::kPostRelu);
    auto fitted = (*MakeMapping(GetParam(), Options()))->Fit(problem);
    if (!fitted.ok()) return fitted.status();
    for (const auto& [name, values] : (*fitted)->chosen().values) {
      EXPECT_EQ(values.size(), y.cols()) << name;
    }
    return (*fitted)->Predict(x_new);
  }

  static bool IsLogistic() { return IsLogisticMapping(GetParam()); }
};

INSTANTIATE_TEST_SUITE_P(All, EveryMappingTest, ::testing::ValuesIn(MappingNames()),
                         [](const auto& test) { return test.param; });

TEST_P(EveryMappingTest, IsDescribedAsItBehaves) {
  const auto& all = RegisteredMappings();
  const auto found = std::find_if(all.begin(), all.end(), [&](const MappingInfo& info) {
    return info.name == GetParam();
  });
  ASSERT_NE(found, all.end());
  EXPECT_FALSE(found->description.empty());
  for (const Stage stage : {Stage::kPreRelu, Stage::kPostRelu, Stage::kRecorded}) {
    EXPECT_EQ((*MakeMapping(GetParam(), {}))->CheckTargetStage(stage).ok(),
              std::count(found->target_stages.begin(), found->target_stages.end(), stage))
        << StageName(stage);
  }
}

// Rows of Y shuffled, penalties and components chosen as ever: the mean of the medians of
// several shuffles is not above 0 by more than chance allows.
TEST_P(EveryMappingTest, PermutedTargetsScoreZeroOrBelow) {
  constexpr Eigen::Index kNumFit = 300, kNumTest = 300, kNumUnits = 12, kNumTargets = 12;
  constexpr int kNumShuffles = 6;
  constexpr double kStudent = 2.571;  // 95 %, two-sided, 5 degrees of freedom
  const Pair pair = RectifiedPair(kNumFit + kNumTest, kNumUnits, kNumTargets, 11);
  const auto median = [&](const Eigen::MatrixXd& y) -> double {
    const auto predicted = FitAndPredict(pair.x.topRows(kNumFit), y.topRows(kNumFit),
                                         pair.x.bottomRows(kNumTest));
    EXPECT_TRUE(predicted.ok()) << predicted.status();
    if (!predicted.ok()) return NAN;
    return SummariseR2(R2PerUnit(y.bottomRows(kNumTest), *predicted)).median;
  };
  Eigen::ArrayXd medians(kNumShuffles);
  for (int shuffle = 0; shuffle < kNumShuffles; ++shuffle) {
    RandomStream stream(shuffle, "every_mapping_test");
    const std::vector<int64_t> rows = stream.Permutation(kNumFit + kNumTest);
    medians(shuffle) = median(pair.y(rows, Eigen::all));
  }
  const double mean = medians.mean();
  const double error =
      std::sqrt((medians - mean).square().sum() / (kNumShuffles - 1) / kNumShuffles);
  EXPECT_LE(mean - kStudent * error, 0.0);
  EXPECT_LT(mean, 0.02);
  // The same mapping does find what there is to find.
  EXPECT_GT(median(pair.y), 0.05);
}

TEST_P(EveryMappingTest, ConstantAndDuplicateUnits) {
  const Pair pair = RectifiedPair(120, 6, 4, 21);
  Eigen::MatrixXd x(120, 10), y(120, 9);
  x << pair.x, Eigen::VectorXd::Constant(120, 0.1), Eigen::VectorXd::Zero(120),
      pair.x.col(0), pair.x.col(3);
  y << pair.y, Eigen::VectorXd::Zero(120), Eigen::VectorXd::Constant(120, 0.3),
      pair.y.col(1), (pair.y.col(2).array() + 0.1).matrix(),
      Eigen::VectorXd::Unit(120, 17);  // active once
  const auto predicted = FitAndPredict(x, y, x);
  ASSERT_TRUE(predicted.ok()) << predicted.status();
  EXPECT_TRUE(predicted->allFinite());
  EXPECT_LT(predicted->col(4).cwiseAbs().maxCoeff(), 1e-9);
  EXPECT_LT((predicted->col(5).array() - 0.3).abs().maxCoeff(), 1e-9);
}

TEST_P(EveryMappingTest, AConstantSourcePredictsNoStimulusFromAnother) {
  const Pair pair = RectifiedPair(60, 3, 4, 31);
  const auto predicted = FitAndPredict(Eigen::MatrixXd::Constant(60, 3, 0.1), pair.y,
                                       Eigen::MatrixXd::Constant(7, 3, 0.1));
  ASSERT_TRUE(predicted.ok()) << predicted.status();
  for (Eigen::Index j = 0; j < 4; ++j) {
    EXPECT_EQ(predicted->col(j).minCoeff(), predicted->col(j).maxCoeff());
    EXPECT_GE((*predicted)(0, j), 0.0);
    EXPECT_LE((*predicted)(0, j), pair.y.col(j).maxCoeff());
    // A hard gate shuts for all stimuli or for none.
    if (IsLogistic()) continue;
    EXPECT_NEAR((*predicted)(0, j), pair.y.col(j).mean(), 0.1 * pair.y.col(j).mean());
  }
}

TEST_P(EveryMappingTest, FewerStimuliThanUnits) {
  const Pair pair = RectifiedPair(55, 40, 5, 41);
  const auto predicted =
      FitAndPredict(pair.x.topRows(15), pair.y.topRows(15), pair.x.bottomRows(40));
  ASSERT_TRUE(predicted.ok()) << predicted.status();
  EXPECT_TRUE(predicted->allFinite());
  EXPECT_LT(predicted->cwiseAbs().maxCoeff(), 100.0 * pair.y.maxCoeff());
}

TEST_P(EveryMappingTest, OneStimulusIsWhatEveryStimulusWillBe) {
  const Pair pair = RectifiedPair(10, 4, 6, 51);
  const auto predicted =
      FitAndPredict(pair.x.topRows(1), pair.y.topRows(1), pair.x.bottomRows(5));
  ASSERT_TRUE(predicted.ok()) << predicted.status();
  EXPECT_TRUE(predicted->isApprox(pair.y.row(0).replicate(5, 1), 1e-9)) << *predicted;
}

// What is chosen depends on units of measure only where two candidates tie.
TEST_P(EveryMappingTest, UnitsOfMeasureDoNotMatter) {
  const Pair pair = RectifiedPair(140, 6, 4, 61);
  const auto plain =
      FitAndPredict(pair.x.topRows(100), pair.y.topRows(100), pair.x.bottomRows(40));
  ASSERT_TRUE(plain.ok()) << plain.status();
  for (const double source_scale : {1e-20, 1e20}) {
    for (const double target_scale : {1e-20, 1e20}) {
      const auto scaled = FitAndPredict(source_scale * pair.x.topRows(100),
                                        target_scale * pair.y.topRows(100),
                                        source_scale * pair.x.bottomRows(40));
      ASSERT_TRUE(scaled.ok()) << scaled.status();
      EXPECT_TRUE((*scaled / target_scale).isApprox(*plain, 1e-5))
          << source_scale << " " << target_scale;
    }
  }
}

TEST_P(EveryMappingTest, FitsUnitsAloneWhereItSaysSo) {
  if (!(*MakeMapping(GetParam(), Options()))->FitsUnitsAlone()) return;
  const Pair pair = RectifiedPair(140, 6, 5, 91);
  const auto together =
      FitAndPredict(pair.x.topRows(100), pair.y.topRows(100), pair.x.bottomRows(40));
  ASSERT_TRUE(together.ok()) << together.status();
  for (Eigen::Index j = 0; j < 5; ++j) {
    const auto alone = FitAndPredict(pair.x.topRows(100), pair.y.col(j).head(100),
                                     pair.x.bottomRows(40));
    ASSERT_TRUE(alone.ok()) << alone.status();
    EXPECT_TRUE(alone->col(0).isApprox(together->col(j), 1e-6)) << j;
  }
}

TEST_P(EveryMappingTest, SaysWhatIsNotFinite) {
  const Pair pair = RectifiedPair(40, 4, 3, 71);
  for (const double bad : {static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
    Eigen::MatrixXd x = pair.x, y = pair.y;
    x(7, 2) = bad;
    EXPECT_EQ(FitAndPredict(x, pair.y, pair.x).status().message(),
              "source has values that are not finite");
    y(3, 1) = bad;
    EXPECT_EQ(FitAndPredict(pair.x, y, pair.x).status().message(),
              "target has values that are not finite");
  }
}

TEST_P(EveryMappingTest, SaysThatStimuliOrUnitsDiffer) {
  const Pair pair = RectifiedPair(40, 4, 3, 81);
  EXPECT_EQ(FitAndPredict(pair.x, pair.y, pair.x.leftCols(3)).status().message(),
            "source has 3 units; the mapping was fitted on 4");
  EXPECT_EQ(FitAndPredict(pair.x, pair.y.topRows(39), pair.x).status().message(),
            "source has 40 stimuli, target has 39");
}

TEST(RegisteredMappingsTest, AreSortedAndNamedOnce) {
  const std::vector<std::string> names = MappingNames();
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

}  // namespace
}  // namespace iat
