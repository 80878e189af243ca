#include "neural/noise_correction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/nan.h"
#include "neural/reliability.h"
#include "similarity/r2.h"
#include "tests/similarity/golden_file.h"
#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

// The same sums in another order.
constexpr double kSameArithmetic = 1e-12;
// Two solvers of one ridge (ours by eigenvectors, NumPy's by the normal equations).
constexpr double kTwoSolvers = 1e-9;

// As make_noise_correction.py has them.
constexpr int kNumTrials = 7, kNumFit = 24, kNumTest = 16, kNumSource = 6, kNumTarget = 4;
const std::vector<int64_t> kSourceOrder = {3, 0, 6, 1, 5, 2, 4};
const std::vector<int64_t> kTargetOrder = {2, 5, 0, 4, 6, 3, 1};
constexpr double kRelativePenalty = 0.3;

Trials GoldenTrials(const Eigen::MatrixXd& signal, int64_t salt, double noise) {
  Trials trials;
  for (int t = 0; t < kNumTrials; ++t) {
    Eigen::MatrixXd values =
        signal + noise * FormulaMatrix(signal.rows(), signal.cols(), salt + t);
    for (Eigen::Index i = 0; i < values.rows(); ++i) {
      for (Eigen::Index j = 0; j < values.cols(); ++j) {
        if ((i + 3 * j + 5 * t) % 11 == 0) values(i, j) = kNaN;
      }
    }
    trials.push_back(values);
  }
  return trials;
}

class GoldenNoiseCorrectionTest : public ::testing::Test {
 protected:
  GoldenNoiseCorrectionTest() {
    const Eigen::MatrixXd latent = FormulaMatrix(kNumFit + kNumTest, kNumSource, 21);
    Eigen::MatrixXd signal = latent * FormulaMatrix(kNumSource, kNumTarget, 22);
    signal.rightCols(1).setZero();
    source_ = GoldenTrials(latent, 100, 0.8);
    target_ = GoldenTrials(signal, 200, 1.5);
    s_ = HalveTrials(source_, kSourceOrder);
    t_ = HalveTrials(target_, kTargetOrder);
  }
  static TrialHalves Fit(const TrialHalves& halves) {
    return {halves.first.topRows(kNumFit), halves.second.topRows(kNumFit)};
  }
  static TrialHalves Test(const TrialHalves& halves) {
    return {halves.first.bottomRows(kNumTest), halves.second.bottomRows(kNumTest)};
  }
  void ExpectNear(const Eigen::VectorXd& found, const std::string& key,
                  double tolerance) const {
    const Eigen::MatrixXd& expected = golden_.at(key);
    ASSERT_EQ(found.size(), expected.cols()) << key;
    for (Eigen::Index j = 0; j < found.size(); ++j) {
      if (std::isnan(expected(0, j))) {
        EXPECT_TRUE(std::isnan(found(j))) << key << " " << j;
      } else {
        EXPECT_NEAR(found(j), expected(0, j), tolerance) << key << " " << j;
      }
    }
  }

  const std::map<std::string, Eigen::MatrixXd> golden_ =
      ReadGoldenAt("neural/noise_correction.txt");
  Trials source_, target_;
  TrialHalves s_, t_;
};

TEST_F(GoldenNoiseCorrectionTest, HalvesOfUnequalTrialsEqualNumPys) {
  EXPECT_TRUE(s_.first.isApprox(golden_.at("s1"), kSameArithmetic));
  EXPECT_TRUE(s_.second.isApprox(golden_.at("s2"), kSameArithmetic));
  EXPECT_TRUE(t_.first.isApprox(golden_.at("t1"), kSameArithmetic));
  EXPECT_TRUE(t_.second.isApprox(golden_.at("t2"), kSameArithmetic));
  EXPECT_TRUE(
      MeanOverTrials(target_).isApprox(golden_.at("target_mean"), kSameArithmetic));
}

TEST_F(GoldenNoiseCorrectionTest, AFixedLinearMapsScoreEqualsNumPys) {
  const Eigen::MatrixXd w1 = FormulaMatrix(kNumSource, kNumTarget, 23),
                        w2 = FormulaMatrix(kNumSource, kNumTarget, 22);
  const TrialHalves source = Test(s_);
  const CorrectionTerms terms =
      TermsOfHalves({source.first * (w2 + 0.2 * w1), source.second * w2}, Test(t_));
  ExpectNear(terms.mapped_consistency, "fixed.mapped", kSameArithmetic);
  ExpectNear(terms.target_consistency, "fixed.target", kSameArithmetic);
  ExpectNear(NoiseCorrected(terms.mapped_to_target, terms), "fixed.score",
             kSameArithmetic);
}

TEST_F(GoldenNoiseCorrectionTest, RidgesScoreEqualsNumPysAtTheSamePenalty) {
  MappingOptions options;
  options.ridge.num_penalties = 1;
  options.ridge.min_relative_penalty = options.ridge.max_relative_penalty =
      kRelativePenalty;
  std::vector<std::unique_ptr<Mapping>> mappings;
  mappings.push_back(*MakeMapping("ridge", options));
  HalfSources source{SourceData(Fit(s_).first), Test(s_).first,
                     SourceData(Fit(s_).second), Test(s_).second};
  const auto mapped = MapHalves(mappings, source, Fit(t_), Stage::kRecorded);
  ASSERT_TRUE(mapped.ok()) << mapped.status();
  const CorrectionTerms terms = TermsOfHalves((*mapped)[0], Test(t_));
  ExpectNear(terms.mapped_consistency, "ridge.mapped", kTwoSolvers);
  ExpectNear(NoiseCorrected(terms.mapped_to_target, terms), "ridge.score", kTwoSolvers);

  SourceData all(MeanOverTrials(source_).topRows(kNumFit));
  const Eigen::MatrixXd target = MeanOverTrials(target_);
  FitProblem problem(all, target.topRows(kNumFit), Stage::kRecorded);
  const auto fitted = mappings[0]->Fit(problem);
  const Eigen::MatrixXd predicted =
      *(*fitted)->Predict(MeanOverTrials(source_).bottomRows(kNumTest));
  ExpectNear(
      NoiseCorrected(CorrelationPerUnit(predicted, target.bottomRows(kNumTest)), terms),
      "ridge.all_trials", kTwoSolvers);
}

TEST(HalveTrialsTest, CompleteTrialsGiveTheMeansOfTheOrdersHalves) {
  const Trials trials = {
      Eigen::MatrixXd::Constant(1, 1, 1.0), Eigen::MatrixXd::Constant(1, 1, 10.0),
      Eigen::MatrixXd::Constant(1, 1, 100.0), Eigen::MatrixXd::Constant(1, 1, 1000.0),
      Eigen::MatrixXd::Constant(1, 1, 10000.0)};
  const TrialHalves halves = HalveTrials(trials, {4, 0, 3, 2, 1});
  EXPECT_EQ(halves.first(0, 0), 10001.0 / 2);
  EXPECT_EQ(halves.second(0, 0), 1110.0 / 3);
}

TEST(HalveTrialsTest, MissingTrialsAreTakenInTheSameOrder) {
  Trials trials(5, Eigen::MatrixXd::Constant(1, 2, kNaN));
  trials[1](0, 0) = 1.0;
  trials[2](0, 0) = 10.0;
  trials[4](0, 0) = 100.0;
  trials[3](0, 1) = 7.0;  // one trial: the first half has none
  const TrialHalves halves = HalveTrials(trials, {4, 0, 3, 2, 1});
  EXPECT_EQ(halves.first(0, 0), 100.0);
  EXPECT_EQ(halves.second(0, 0), 5.5);
  EXPECT_TRUE(std::isnan(halves.first(0, 1)));
  EXPECT_EQ(halves.second(0, 1), 7.0);
}

TEST(HalveTrialsTest, AModelHasNoNoise) {
  const Eigen::MatrixXd values = NormalMatrix(5, 3, 1);
  const TrialHalves halves = HalveTrials({values}, {0});
  EXPECT_EQ(halves.first, values);
  EXPECT_EQ(halves.second, values);
  const Eigen::VectorXd consistency = InternalConsistency({values}, 0, "seed-000", 100);
  for (const double value : consistency) EXPECT_NEAR(value, 1.0, kSameArithmetic);
}

TEST(NoiseCorrectedTest, IsUndefinedUnlessBothFactorsAreAboveZero) {
  CorrectionTerms terms;
  terms.mapped_consistency = Eigen::VectorXd{{0.5, -0.5, 0.5, -0.5, 0.0, kNaN}};
  terms.target_consistency = Eigen::VectorXd{{0.5, 0.5, -0.5, -0.5, 0.5, 0.5}};
  const Eigen::VectorXd score = NoiseCorrected(Eigen::VectorXd::Constant(6, 0.3), terms);
  EXPECT_NEAR(score(0), 0.6, kSameArithmetic);
  // Two negative factors would have a root: it means nothing.
  for (Eigen::Index j = 1; j < 6; ++j) EXPECT_TRUE(std::isnan(score(j))) << j;
}

TEST(CorrelationPerUnitTest, IsUndefinedWithoutVariation) {
  Eigen::MatrixXd a = NormalMatrix(6, 2, 1), b = NormalMatrix(6, 2, 2);
  a.col(1).setConstant(0.1);
  const Eigen::VectorXd r = CorrelationPerUnit(a, b);
  EXPECT_FALSE(std::isnan(r(0)));
  EXPECT_TRUE(std::isnan(r(1)));
}

TEST(InternalConsistencyTest, IsTheReliabilityThatWasPlanted) {
  // Unit signal and noise of variance v in each of T trials: the mean of T trials has
  // reliability 1 / (1 + v / T).
  constexpr int kStimuli = 3000, kTrials = 10;
  constexpr double kVariance = 5.0;
  const Eigen::MatrixXd signal = NormalMatrix(kStimuli, 1, 1);
  Trials trials;
  for (int t = 0; t < kTrials; ++t) {
    trials.push_back(signal + std::sqrt(kVariance) * NormalMatrix(kStimuli, 1, 10 + t));
  }
  // Three times the sampling error of a correlation over 3,000 stimuli.
  EXPECT_NEAR(InternalConsistency(trials, 0, "a", 50)(0), 1.0 / 1.5, 0.03);
}

// A target that is a linear map of a source's response, both with noise, scored with
// ridge.
struct Planted {
  double half = 0.0, all_trials = 0.0;              // medians of the corrected scores
  double source_half_r = 0.0, target_half_r = 0.0;  // half to half, median over units
};

double Median(const Eigen::VectorXd& values) {
  return Quantile({values.begin(), values.end()}, 0.5);
}

Planted Score(double source_noise, double target_noise) {
  constexpr int kFitStimuli = 600, kTestStimuli = 1200, kUnits = 6, kTargets = 9,
                kTrials = 10, kBootstraps = 5;
  const Eigen::MatrixXd latent = NormalMatrix(kFitStimuli + kTestStimuli, kUnits, 1);
  const Eigen::MatrixXd truth =
      latent * NormalMatrix(kUnits, kTargets, 2) / std::sqrt(kUnits);
  const auto with_noise = [&](const Eigen::MatrixXd& signal, double noise, int salt) {
    Trials trials;
    for (int t = 0; t < kTrials; ++t) {
      trials.push_back(signal +
                       noise * NormalMatrix(signal.rows(), signal.cols(), salt + t));
    }
    return trials;
  };
  const Trials source = with_noise(latent, source_noise, 100),
               target = with_noise(truth, target_noise, 200);
  std::vector<std::unique_ptr<Mapping>> mappings;
  mappings.push_back(*MakeMapping("ridge", {}));
  SourceData all(MeanOverTrials(source).topRows(kFitStimuli));
  const Eigen::MatrixXd target_mean = MeanOverTrials(target);
  FitProblem problem(all, target_mean.topRows(kFitStimuli), Stage::kRecorded);
  const Eigen::MatrixXd predicted =
      *(*mappings[0]->Fit(problem))
           ->Predict(MeanOverTrials(source).bottomRows(kTestStimuli));
  const Eigen::VectorXd numerator =
      CorrelationPerUnit(predicted, target_mean.bottomRows(kTestStimuli));
  Eigen::VectorXd half = Eigen::VectorXd::Zero(kTargets), all_trials = half;
  Planted planted;
  for (int b = 0; b < kBootstraps; ++b) {
    const TrialHalves s = HalveTrials(source, TrialOrder(kTrials, 0, "s", b)),
                      t = HalveTrials(target, TrialOrder(kTrials, 0, "t", b));
    HalfSources halves{
        SourceData(s.first.topRows(kFitStimuli)), s.first.bottomRows(kTestStimuli),
        SourceData(s.second.topRows(kFitStimuli)), s.second.bottomRows(kTestStimuli)};
    const auto mapped = MapHalves(
        mappings, halves, {t.first.topRows(kFitStimuli), t.second.topRows(kFitStimuli)},
        Stage::kRecorded);
    const CorrectionTerms terms = TermsOfHalves(
        (*mapped)[0],
        {t.first.bottomRows(kTestStimuli), t.second.bottomRows(kTestStimuli)});
    half += NoiseCorrected(terms.mapped_to_target, terms) / kBootstraps;
    all_trials += NoiseCorrected(numerator, terms) / kBootstraps;
    planted.source_half_r += Median(CorrelationPerUnit(s.first, s.second)) / kBootstraps;
    planted.target_half_r += Median(CorrelationPerUnit(t.first, t.second)) / kBootstraps;
  }
  planted.half = Median(half);
  planted.all_trials = Median(all_trials);
  return planted;
}

TEST(NoiseCorrectionTest, ANoiselessTruthScoresOneFromAReliableSource) {
  const Planted planted = Score(0.1, 0.1);
  ASSERT_GT(SpearmanBrown(planted.source_half_r), 0.99);
  EXPECT_NEAR(planted.half, 1.0, 0.02);
  EXPECT_NEAR(planted.all_trials, 1.0, 0.02);
}

TEST(NoiseCorrectionTest, ATruthBehindNoiseScoresOneWithTheNumeratorOfAllTrials) {
  const Planted planted = Score(0.1, 2.0);
  ASSERT_GT(SpearmanBrown(planted.source_half_r), 0.99);
  ASSERT_LT(planted.target_half_r, 0.7);
  EXPECT_NEAR(planted.all_trials, 1.0, 0.02);
}

TEST(NoiseCorrectionTest, TheNumeratorOfHalvesFallsShortByHalfOfTheTargetsNoise) {
  const Planted planted = Score(0.1, 2.0);
  const double expected = std::sqrt((1.0 + planted.target_half_r) / 2.0);
  ASSERT_LT(expected, 0.95);
  // Sampling error over 1,200 test stimuli.
  EXPECT_NEAR(planted.half, expected, 0.03);
}

TEST(TrialOrderTest, IsAFunctionOfTheAnimalAndTheBootstrap) {
  const std::vector<int64_t> order = TrialOrder(6, 3, "mouse", 4);
  EXPECT_THAT(order, testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ(order, TrialOrder(6, 3, "mouse", 4));
  EXPECT_NE(order, TrialOrder(6, 3, "mouse", 5));
  EXPECT_NE(order, TrialOrder(6, 3, "rat", 4));
  EXPECT_NE(order, TrialOrder(6, 4, "mouse", 4));
}

}  // namespace
}  // namespace iat
