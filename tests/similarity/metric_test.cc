// What metrics are blind to, what they see, and what they say about data that have no
// answer.

#include "similarity/metric.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "similarity/rsa.h"
#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

using ::testing::HasSubstr;

constexpr double kPi = 3.14159265358979323846;
// Products of a few hundred terms in float64, then a root or an arc sine.
constexpr double kRounding = 1e-10;

absl::StatusOr<MetricResult> Compare(const std::string& metric, const Eigen::MatrixXd& x,
                                     const Eigen::MatrixXd& y,
                                     const MetricOptions& options = {}) {
  auto source = MetricData::Make(x, "source");
  if (!source.ok()) return source.status();
  auto target = MetricData::Make(y, "target");
  if (!target.ok()) return target.status();
  return (*MakeMetric(metric, options))->Compare(*source, *target);
}

double Value(const std::string& metric, const Eigen::MatrixXd& x,
             const Eigen::MatrixXd& y, const MetricOptions& options = {}) {
  const auto result = Compare(metric, x, y, options);
  EXPECT_TRUE(result.ok()) << metric << ": " << result.status();
  return result.ok() ? result->value : std::nan("");
}

std::string Error(const std::string& metric, const Eigen::MatrixXd& x,
                  const Eigen::MatrixXd& y) {
  const auto result = Compare(metric, x, y);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument) << metric;
  return std::string(result.status().message());
}

Eigen::MatrixXd Rotation(Eigen::Index size, uint64_t seed) {
  return DecomposeSingularValues(NormalMatrix(size, size, seed))->u;
}

Eigen::MatrixXd Permuted(const Eigen::MatrixXd& x) {
  Eigen::MatrixXd permuted(x.rows(), x.cols());
  for (Eigen::Index j = 0; j < x.cols(); ++j) {
    permuted.col(j) = x.col((3 * j + 1) % x.cols());  // 3 and the width have no factor
  }
  return permuted;
}

const std::vector<std::string>& AllMetrics() {
  static const auto* const names = new std::vector<std::string>(MetricNames());
  return *names;
}

// A source and a noisy linear map of it, more stimuli than units.
class MetricTest : public ::testing::Test {
 protected:
  static constexpr Eigen::Index kStimuli = 80, kSource = 10, kTarget = 8;
  const Eigen::MatrixXd x_ = NormalMatrix(kStimuli, kSource, 1) +
                             NormalMatrix(1, kSource, 2).replicate(kStimuli, 1);
  const Eigen::MatrixXd y_ =
      x_ * NormalMatrix(kSource, kTarget, 3) + 2.0 * NormalMatrix(kStimuli, kTarget, 4);
};

TEST_F(MetricTest, AMatrixAndItselfAreAsAlikeAsCanBe) {
  for (const MetricInfo& info : RegisteredMetrics()) {
    const double best = info.direction == MetricInfo::Direction::kSimilarity ? 1.0 : 0.0;
    EXPECT_NEAR(Value(info.name, x_, x_), best, kRounding) << info.name;
    EXPECT_GT(std::abs(Value(info.name, x_, y_) - best), 0.05) << info.name;
  }
  for (const double alpha : {0.0, 0.5}) {
    EXPECT_NEAR(Value("shape_angular", x_, x_, {.shape_alpha = alpha}), 0.0, kRounding);
  }
}

TEST_F(MetricTest, OnlyPwccaDependsOnWhichSideIsTheSource) {
  const Eigen::MatrixXd y = y_ * NormalMatrix(kTarget, kSource, 5);
  for (const MetricInfo& info : RegisteredMetrics()) {
    EXPECT_EQ(info.symmetric, info.name != "pwcca") << info.name;
    // Also of other width.
    EXPECT_NEAR(Value(info.name, x_, y_), Value(info.name, y_, x_), kRounding)
        << info.name;
  }
  const Eigen::MatrixXd other = x_ + 2.0 * NormalMatrix(kStimuli, kSource, 6);
  EXPECT_GT(std::abs(Value("pwcca", x_, other) - Value("pwcca", other, x_)), 1e-4);
}

TEST_F(MetricTest, ShiftsAndOneScaleForAllUnitsAreInvisible) {
  const Eigen::MatrixXd moved =
      -3.5 * (x_.rowwise() + NormalMatrix(1, kSource, 7).row(0));
  for (const std::string& name : AllMetrics()) {
    // RSA correlates patterns, which a shift of single units changes; soft matching pairs
    // units with their sign.
    if (name == "rsa" || name == "rsa_spearman") continue;
    const bool signed_units = name.rfind("soft_matching", 0) == 0;
    const Eigen::MatrixXd& other = signed_units ? Eigen::MatrixXd(-moved) : moved;
    EXPECT_NEAR(Value(name, other, y_), Value(name, x_, y_), kRounding) << name;
  }
  for (const double alpha : {0.0, 0.4}) {
    const MetricOptions options{.shape_alpha = alpha};
    EXPECT_NEAR(Value("shape_angular", moved, y_, options),
                Value("shape_angular", x_, y_, options), kRounding);
  }
  for (const std::string name : {"procrustes_distance", "soft_matching_distance"}) {
    const MetricOptions raw{.distance_scale = "raw"};
    EXPECT_NEAR(Value(name, 7.0 * x_, 7.0 * y_, raw), 7.0 * Value(name, x_, y_, raw),
                7.0 * kRounding * x_.norm());
  }
}

TEST_F(MetricTest, RotationsOfTheUnitsAreInvisibleToMetricsOfGeometry) {
  const Eigen::MatrixXd rotated = x_ * Rotation(kSource, 8);
  for (const std::string name :
       {"cka", "cka_debiased", "cca", "svcca", "shape_angular", "procrustes_distance"}) {
    EXPECT_NEAR(Value(name, rotated, y_), Value(name, x_, y_), kRounding) << name;
  }
  const MetricOptions half{.shape_alpha = 0.5};
  EXPECT_NEAR(Value("shape_angular", rotated, y_, half),
              Value("shape_angular", x_, y_, half), kRounding);
  // To RSA rotations are invisible only where they leave patterns' means alone; to soft
  // matching they never are.
  for (const std::string name :
       {"rsa", "soft_matching_distance", "soft_matching_correlation"}) {
    EXPECT_GT(std::abs(Value(name, rotated, y_) - Value(name, x_, y_)), 1e-3) << name;
  }
}

TEST_F(MetricTest, InvertibleLinearMapsAreInvisibleToCanonicalCorrelations) {
  const Eigen::MatrixXd mapped = x_ * NormalMatrix(kSource, kSource, 9);
  EXPECT_NEAR(Value("cca", mapped, y_), Value("cca", x_, y_), kRounding);
  const MetricOptions whitened{.shape_alpha = 0.0};
  EXPECT_NEAR(Value("shape_angular", mapped, y_, whitened),
              Value("shape_angular", x_, y_, whitened), kRounding);
  EXPECT_GT(std::abs(Value("cka", mapped, y_) - Value("cka", x_, y_)), 1e-3);
  // The wider side's units do not weigh in pwcca.
  EXPECT_NEAR(Value("pwcca", mapped, y_), Value("pwcca", x_, y_), kRounding);
}

TEST_F(MetricTest, TheOrderOfUnitsIsInvisibleToAll) {
  for (const std::string& name : AllMetrics()) {
    EXPECT_NEAR(Value(name, Permuted(x_), y_), Value(name, x_, y_), kRounding) << name;
  }
  for (const std::string name : {"soft_matching_distance", "procrustes_distance"}) {
    EXPECT_NEAR(Value(name, Permuted(x_), x_), 0.0, kRounding) << name;
  }
  EXPECT_NEAR(Value("soft_matching_correlation", Permuted(x_), x_), 1.0, kRounding);
}

TEST_F(MetricTest, PatternsOfStimuliCanMoveAndGrowUnseenByRsa) {
  Eigen::MatrixXd moved = x_;
  for (Eigen::Index i = 0; i < kStimuli; ++i) {
    moved.row(i) =
        (1.0 + 0.1 * static_cast<double>(i)) * x_.row(i).array() - static_cast<double>(i);
  }
  for (const std::string name : {"rsa", "rsa_spearman"}) {
    EXPECT_NEAR(Value(name, moved, y_), Value(name, x_, y_), kRounding) << name;
  }
}

TEST_F(MetricTest, DistancesObeyTheTriangleInequality) {
  const MetricOptions whitened{.shape_alpha = 0.0}, half{.shape_alpha = 0.5},
      raw{.distance_scale = "raw"};
  for (uint64_t seed = 0; seed < 20; ++seed) {
    // Of other widths, and b between a and c, where the inequality is nearly tight.
    const Eigen::MatrixXd a = NormalMatrix(30, 6, 100 + seed);
    const Eigen::MatrixXd c = NormalMatrix(30, 6, 200 + seed);
    Eigen::MatrixXd b(30, 7);
    b << 0.6 * a + 0.4 * c, 0.1 * NormalMatrix(30, 1, 300 + seed);
    for (const auto& [name, options] : std::vector<std::pair<std::string, MetricOptions>>{
             {"shape_angular", {}},
             {"shape_angular", half},
             {"shape_angular", whitened},
             {"procrustes_distance", {}},
             {"procrustes_distance", raw},
             {"soft_matching_distance", {}},
             {"soft_matching_distance", raw}}) {
      const double ab = Value(name, a, b, options), bc = Value(name, b, c, options),
                   ac = Value(name, a, c, options);
      EXPECT_LE(ac, ab + bc + kRounding) << name << " seed " << seed;
      EXPECT_GT(ab, 0.0);
    }
  }
}

TEST_F(MetricTest, DebiasedCkaOfIndependentResponsesIsNearZeroWithFewStimuli) {
  // 40 stimuli, 400 units: cka is near 1 by chance alone.
  double sum = 0.0;
  constexpr int kDraws = 20;
  for (uint64_t seed = 0; seed < kDraws; ++seed) {
    const Eigen::MatrixXd x = NormalMatrix(40, 400, 1000 + seed);
    const Eigen::MatrixXd y = NormalMatrix(40, 300, 2000 + seed);
    EXPECT_GT(Value("cka", x, y), 0.85);
    sum += Value("cka_debiased", x, y);
  }
  // One draw's deviation is about 1 / sqrt(pairs of stimuli) = 0.036.
  EXPECT_LT(std::abs(sum / kDraws), 4 * 0.036 / std::sqrt(kDraws));
}

TEST_F(MetricTest, WhitenedShapesAreCanonicalCorrelations) {
  const double sum = Value("cca", x_, y_) * kTarget;
  EXPECT_NEAR(Value("shape_angular", x_, y_, {.shape_alpha = 0.0}),
              std::acos(sum / std::sqrt(1.0 * kSource * kTarget)), kRounding);
}

TEST_F(MetricTest, UnitProcrustesDistanceIsTheChordOfTheAngle) {
  EXPECT_NEAR(Value("procrustes_distance", x_, y_),
              2.0 * std::sin(Value("shape_angular", x_, y_) / 2.0), kRounding);
  EXPECT_LT(Value("shape_angular", x_, y_), kPi / 2);
}

TEST_F(MetricTest, SvccaThatKeepsEverythingIsCca) {
  EXPECT_NEAR(Value("svcca", x_, y_, {.svcca_variance = 1.0}), Value("cca", x_, y_),
              kRounding);
}

TEST_F(MetricTest, OneUnitEachMakesCcaTheirCorrelation) {
  const Eigen::VectorXd a = x_.col(0).array() - x_.col(0).mean();
  const Eigen::VectorXd b = y_.col(0).array() - y_.col(0).mean();
  const double r = a.dot(b) / (a.norm() * b.norm());
  for (const std::string name : {"cca", "svcca", "pwcca"}) {
    EXPECT_NEAR(Value(name, x_.col(0), y_.col(0)), std::abs(r), kRounding) << name;
  }
  EXPECT_NEAR(Value("cka", x_.col(0), y_.col(0)), r * r, kRounding);
  EXPECT_NEAR(Value("soft_matching_correlation", x_.col(0), y_.col(0)), r, kRounding);
}

TEST_F(MetricTest, HugeAndTinyScalesGiveTheSame) {
  for (const double scale : {1e-150, 1e-20, 1e20, 1e150}) {
    for (const std::string& name : AllMetrics()) {
      EXPECT_NEAR(Value(name, scale * x_, y_ / scale), Value(name, x_, y_), kRounding)
          << name << " at " << scale;
    }
  }
  const MetricOptions raw{.distance_scale = "raw"};
  for (const std::string name : {"procrustes_distance", "soft_matching_distance"}) {
    EXPECT_NEAR(
        Value(name, 1e120 * x_, 1e120 * y_, raw) / Value(name, x_, y_, raw) / 1e120, 1.0,
        kRounding)
        << name;
  }
}

TEST_F(MetricTest, ConstantAndDuplicateUnitsChangeNothingWhereTheyHoldNothing) {
  Eigen::MatrixXd more(kStimuli, kSource + 2);
  more << x_, Eigen::VectorXd::Constant(kStimuli, 0.1), Eigen::VectorXd::Zero(kStimuli);
  for (const std::string name : {"cka", "cka_debiased", "cca", "svcca", "pwcca",
                                 "shape_angular", "procrustes_distance"}) {
    EXPECT_NEAR(Value(name, more, y_), Value(name, x_, y_), kRounding) << name;
  }
  const auto result = Compare("soft_matching_correlation", more, y_);
  ASSERT_TRUE(result.ok());
  EXPECT_NEAR(result->value, Value("soft_matching_correlation", x_, y_), kRounding);
  EXPECT_EQ(result->note, "source: 2 of 12 units never vary and are left out");

  Eigen::MatrixXd twice(kStimuli, 2 * kSource);
  twice << x_, x_;
  for (const std::string name :
       {"cka", "cca", "shape_angular", "rsa", "soft_matching_distance"}) {
    EXPECT_NEAR(Value(name, twice, y_), Value(name, x_, y_), kRounding) << name;
  }
}

TEST_F(MetricTest, StimuliWithoutAPatternAreLeftOutOfRsaAndCounted) {
  Eigen::MatrixXd x = x_, y = y_;
  x.row(3).setZero();
  y.row(70).setConstant(0.3);
  Eigen::MatrixXd x_kept(kStimuli - 2, kSource), y_kept(kStimuli - 2, kTarget);
  x_kept << x.topRows(3), x.middleRows(4, 66), x.bottomRows(9);
  y_kept << y.topRows(3), y.middleRows(4, 66), y.bottomRows(9);
  for (const std::string name : {"rsa", "rsa_spearman"}) {
    const auto result = Compare(name, x, y);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_NEAR(result->value, Value(name, x_kept, y_kept), kRounding);
    EXPECT_EQ(result->note, "2 of 80 stimuli left out: the same response in every unit");
  }
}

TEST_F(MetricTest, WhatHasNoAnswerSaysSo) {
  const Eigen::MatrixXd constant = Eigen::MatrixXd::Constant(kStimuli, 3, 1.7);
  Eigen::MatrixXd with_nan = x_;
  with_nan(5, 2) = std::numeric_limits<double>::quiet_NaN();
  Eigen::MatrixXd with_inf = y_;
  with_inf(0, 1) = -std::numeric_limits<double>::infinity();
  for (const std::string& name : AllMetrics()) {
    EXPECT_EQ(Error(name, x_, constant),
              "target: none of its 3 units varies over the 80 stimuli");
    EXPECT_EQ(Error(name, x_.topRows(70), y_),
              "source has 70 stimuli, target has 80; expected responses to the same "
              "stimuli");
    EXPECT_EQ(Error(name, with_nan, y_),
              "source: [5, 2] is nan; expected finite responses");
    EXPECT_EQ(Error(name, x_, with_inf),
              "target: [0, 1] is -inf; expected finite responses");
    EXPECT_EQ(Error(name, x_.topRows(1), y_.topRows(1)),
              "source has 1 stimuli; a metric needs at least 2");
    EXPECT_EQ(Error(name, Eigen::MatrixXd(80, 0), y_), "source has no units");
  }
}

TEST_F(MetricTest, CanonicalCorrelationsThatMeanNothingAreRefusedOrCounted) {
  const Eigen::MatrixXd few = x_.topRows(9);
  EXPECT_EQ(Error("cca", few, y_.topRows(9)),
            "source: 8 directions for 9 stimuli correlate perfectly with anything; "
            "canonical correlations need more stimuli than units");
  const auto result = Compare("cca", x_.topRows(15), y_.topRows(15));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(
      result->note,
      "4 of 8 canonical correlations are 1 whatever the data: 10 + 8 directions for "
      "15 stimuli");
  EXPECT_EQ(Compare("cca", x_, y_)->note, "");
}

TEST_F(MetricTest, TooFewStimuliAreNamed) {
  EXPECT_EQ(Error("cka_debiased", x_.topRows(3), y_.topRows(3)),
            "cka_debiased needs at least 4 stimuli; source has 3");
  EXPECT_EQ(Error("rsa", x_.topRows(2), y_.topRows(2)),
            "rsa needs at least 3 stimuli; source and target have 2");
  EXPECT_EQ(Error("rsa", x_, y_.col(0)),
            "rsa correlates patterns over units and needs at least 2; target has 1");
}

TEST_F(MetricTest, StimuliAllEquallyFarApartHaveNoGeometry) {
  const Eigen::MatrixXd simplex = Eigen::MatrixXd::Identity(12, 12);
  const Eigen::MatrixXd y = y_.topRows(12);
  EXPECT_THAT(Error("cka_debiased", simplex, y),
              HasSubstr("source: all pairs of stimuli are equally alike"));
  for (const std::string name : {"rsa", "rsa_spearman"}) {
    EXPECT_THAT(Error(name, simplex, y),
                HasSubstr("all pairs of stimuli are equally far apart"));
  }
}

TEST_F(MetricTest, CrossNormsAgreeInFeatureAndKernelSpaceAcrossTiles) {
  // Wider, and longer, than one tile of 512.
  for (const auto& [n, p, q] :
       {std::tuple{700, 9, 600}, std::tuple{530, 2000, 1900}, std::tuple{40, 520, 530}}) {
    const Eigen::MatrixXd a = NormalMatrix(n, p, 11), b = NormalMatrix(n, q, 12);
    const double expected = (a.transpose() * b).squaredNorm();
    EXPECT_NEAR(SquaredCrossNorm(a, b) / expected, 1.0, 1e-12);
    EXPECT_NEAR(SquaredCrossNorm(a, a) / (a.transpose() * a).squaredNorm(), 1.0, 1e-12);
  }
}

TEST_F(MetricTest, CountedRanksAgreeWithSortedRanks) {
  // 180,000 pairs, in more than one tile, with ties: every tenth stimulus comes twice.
  Eigen::MatrixXd x = NormalMatrix(600, 20, 13);
  for (Eigen::Index i = 0; i + 1 < x.rows(); i += 10) x.row(i + 1) = x.row(i);
  const Eigen::MatrixXd y = x + 2.0 * NormalMatrix(600, 20, 14);
  const auto patterns = [](const Eigen::MatrixXd& values) {
    Eigen::MatrixXd z = values.transpose();
    z.rowwise() -= z.colwise().mean().eval();
    z.colwise().normalize();
    return z;
  };
  const double sorted = RankCorrelationOfDissimilarities(patterns(x), patterns(y));
  const double counted = RankCorrelationOfDissimilarities(patterns(x), patterns(y), 0);
  EXPECT_GT(sorted, 0.1);
  // Pairs that share a step and should not: the error falls as 1 / pairs.
  EXPECT_NEAR(counted, sorted, 1e-7);
  EXPECT_NEAR(Value("rsa_spearman", x, y), sorted, kRounding);
}

TEST(MetricRegistryTest, NamesAndNearestNames) {
  EXPECT_THAT(MetricNames(),
              ::testing::ElementsAre("cca", "cka", "cka_debiased", "procrustes_distance",
                                     "pwcca", "rsa", "rsa_spearman", "shape_angular",
                                     "soft_matching_correlation",
                                     "soft_matching_distance", "svcca"));
  EXPECT_EQ(MakeMetric("ckaa", {}).status().message(),
            "no metric \"ckaa\"; did you mean \"cka\"?");
  EXPECT_EQ(MakeMetric("cka", {.shape_alpha = 2.0}).status().message(),
            "shape_alpha is 2; expected a number >= 0 and <= 1");
  EXPECT_EQ(MakeMetric("cka", {.svcca_variance = 0.0}).status().message(),
            "svcca_variance is 0; expected a number > 0 and <= 1");
  EXPECT_EQ(MakeMetric("cka", {.distance_scale = "big"}).status().message(),
            "distance_scale is \"big\"; expected \"unit\" or \"raw\"");
}

}  // namespace
}  // namespace iat
