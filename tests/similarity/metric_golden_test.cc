// Against NumPy and SciPy: golden values made by tests/golden/similarity/make_metrics.py,
// each by a road of its own.

#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "similarity/metric.h"
#include "tests/similarity/golden_file.h"
#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

constexpr double kTolerance = 1e-9;
// arccos of a cosine near 1 on NumPy's side leaves half of the digits.
constexpr double kArccosTolerance = 1e-7;

struct Problem {
  const char* name;
  Eigen::Index num_stimuli, num_source, num_target;
};

class MetricGoldenTest : public ::testing::TestWithParam<Problem> {
 protected:
  MetricGoldenTest() {
    const auto [name, n, p, q] = GetParam();
    x_ = FormulaMatrix(n, p, 11);
    y_ = x_ * FormulaMatrix(p, q, 12) / std::sqrt(static_cast<double>(p)) +
         0.8 * FormulaMatrix(n, q, 13);
    y_.rowwise() += Eigen::RowVectorXd::LinSpaced(q, -2.0, 2.0);
  }

  static double Value(const std::string& metric, const Eigen::MatrixXd& x,
                      const Eigen::MatrixXd& y, const MetricOptions& options) {
    auto source = MetricData::Make(x, "source"), target = MetricData::Make(y, "target");
    const auto result = (*MakeMetric(metric, options))->Compare(*source, *target);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->value : std::nan("");
  }

  void ExpectGolden(const std::string& metric, const std::string& suffix = "",
                    const MetricOptions& options = {}, double tolerance = kTolerance) {
    const std::string key = absl::StrCat(GetParam().name, ".", metric, suffix);
    ASSERT_TRUE(golden_.contains(key)) << key;
    EXPECT_NEAR(Value(metric, x_, y_, options), golden_.at(key)(0, 0), tolerance) << key;
  }

  const std::map<std::string, Eigen::MatrixXd> golden_ = ReadGolden("metrics.txt");
  Eigen::MatrixXd x_, y_;
};

TEST_P(MetricGoldenTest, Alignment) {
  ExpectGolden("cka");
  ExpectGolden("cka_debiased");
}

TEST_P(MetricGoldenTest, RepresentationalSimilarity) {
  ExpectGolden("rsa");
  ExpectGolden("rsa_spearman");
}

TEST_P(MetricGoldenTest, Shapes) {
  ExpectGolden("shape_angular", ".0", {.shape_alpha = 0.0}, kArccosTolerance);
  ExpectGolden("shape_angular", ".0.3", {.shape_alpha = 0.3});
  ExpectGolden("shape_angular", ".1");
  ExpectGolden("procrustes_distance", ".unit");
  ExpectGolden("procrustes_distance", ".raw", {.distance_scale = "raw"});
}

TEST_P(MetricGoldenTest, SoftMatching) {
  ExpectGolden("soft_matching_distance", ".unit");
  ExpectGolden("soft_matching_distance", ".raw", {.distance_scale = "raw"});
  ExpectGolden("soft_matching_correlation");
}

TEST_P(MetricGoldenTest, CanonicalCorrelations) {
  if (x_.rows() <= x_.cols()) GTEST_SKIP() << "canonical correlations are refused here";
  ExpectGolden("cca");
  ExpectGolden("svcca", "", {.svcca_variance = 0.9});
  ExpectGolden("pwcca");
  EXPECT_NEAR(Value("pwcca", y_, x_, {}),
              golden_.at(absl::StrCat(GetParam().name, ".pwcca.swapped"))(0, 0),
              kTolerance);
}

// As in make_metrics.py.
INSTANTIATE_TEST_SUITE_P(Problems, MetricGoldenTest,
                         ::testing::Values(Problem{"tall", 60, 8, 6},
                                           Problem{"wide", 20, 50, 35},
                                           Problem{"square", 40, 7, 7}),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace iat
