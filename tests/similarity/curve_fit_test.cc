#include "similarity/curve_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/similarity/curve_world.h"
#include "tests/similarity/golden_file.h"

namespace iat {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// Both minima are flat: SciPy's parameters and ours agree where their sums of squares
// agree to the last digits.
constexpr double kMinimumTolerance = 2e-6;
constexpr double kTolerance = 1e-10;

std::vector<CurvePoint> GoldenPoints(const std::map<std::string, Eigen::MatrixXd>& golden,
                                     const std::string& values) {
  std::vector<CurvePoint> points;
  const Eigen::MatrixXd &sizes = golden.at("sizes"), &r2 = golden.at(values),
                        &spread = golden.at("spread");
  for (Eigen::Index i = 0; i < sizes.cols(); ++i) {
    points.push_back({sizes(0, i), r2(0, i), spread(0, i)});
  }
  return points;
}

std::vector<CurvePoint> Points(const std::vector<int64_t>& sizes,
                               const std::function<double(double)>& r2,
                               double spread = 0.0) {
  std::vector<CurvePoint> points;
  for (const int64_t size : sizes) {
    points.push_back({static_cast<double>(size), r2(static_cast<double>(size)), spread});
  }
  return points;
}

std::string Refusal(const absl::Status& status) {
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  return std::string(status.message());
}

TEST(CurveFitTest, FindsThePlantedArctanFromAnyScale) {
  for (const double k : {0.002, 0.02, 0.5}) {
    for (const double b : {-0.3, 0.0, 0.4}) {
      const ArctanCurve truth{.L = 0.35, .k = k, .b = b};
      // Sizes that see the curve bend.
      const auto fit = FitArctan(
          Points(LogSizes(0.2 / k + 1, 30 / k, 9), [&](double m) { return truth.At(m); }),
          {});
      ASSERT_TRUE(fit.ok()) << fit.status();
      EXPECT_NEAR(fit->curve.L, truth.L, 1e-6);
      EXPECT_NEAR(fit->curve.k / truth.k, 1.0, 1e-6);
      EXPECT_NEAR(fit->curve.b, truth.b, 1e-6);
      EXPECT_LT(fit->rms_residual, 1e-8);
    }
  }
}

TEST(CurveFitTest, WeightedFitsAndTheirIntervalsAreThoseOfSciPy) {
  const auto golden = ReadGolden("curves.txt");
  const std::vector<CurvePoint> points = GoldenPoints(golden, "r2");
  const auto f = FitArctan(points, {});
  ASSERT_TRUE(f.ok()) << f.status();
  const auto g = AnimalCurve::Fit("log", points, {});
  ASSERT_TRUE(g.ok()) << g.status();
  const auto expect = [&](const std::vector<FittedParameter>& ours,
                          Eigen::MatrixXd theirs) {
    ASSERT_EQ(static_cast<Eigen::Index>(ours.size()), theirs.rows());
    for (Eigen::Index i = 0; i < theirs.rows(); ++i) {
      const FittedParameter& parameter = ours[i];
      if (parameter.name == "k") theirs.row(i) = theirs.row(i).array().exp();
      EXPECT_NEAR(parameter.value, theirs(i, 0), kMinimumTolerance) << parameter.name;
      EXPECT_NEAR(parameter.low, theirs(i, 1), kMinimumTolerance) << parameter.name;
      EXPECT_NEAR(parameter.high, theirs(i, 2), kMinimumTolerance) << parameter.name;
    }
  };
  expect(f->parameters, golden.at("arctan"));
  expect(g->parameters(), golden.at("log"));
}

TEST(CurveFitTest, SampledIsSciPysMonotoneInterpolation) {
  const auto golden = ReadGolden("curves.txt");
  const auto g = AnimalCurve::Fit("sampled", GoldenPoints(golden, "bumpy"), {});
  ASSERT_TRUE(g.ok()) << g.status();
  const Eigen::MatrixXd &places = golden.at("places"),
                        &values = golden.at("interpolated");
  for (Eigen::Index i = 0; i < places.cols(); ++i) {
    EXPECT_NEAR(g->At(places(0, i)), values(0, i), kTolerance) << places(0, i);
  }
  EXPECT_EQ(g->smallest_size(), 4);
  EXPECT_EQ(g->largest_size(), 500);
  EXPECT_EQ(g->At(1.0), g->At(4.0));
  EXPECT_EQ(g->knots().size(), 10);
}

// ln(k n) + b has one free number, and its least squares is a mean.
TEST(CurveFitTest, TheLiteralFormHasASlopeOfOne) {
  const auto g = AnimalCurve::Fit(
      "literal", Points({2, 4, 8, 16}, [](double n) { return std::log(n) - 0.5; }), {});
  ASSERT_TRUE(g.ok()) << g.status();
  EXPECT_NEAR(g->At(100.0), std::log(100.0) - 0.5, kTolerance);
  EXPECT_EQ(g->parameters()[0].name, "ln k + b");
  const auto shallow = AnimalCurve::Fit(
      "literal",
      Points({5, 20, 100, 400}, [](double n) { return 0.074 * std::log(n) - 0.15; }), {});
  EXPECT_EQ(
      Refusal(shallow.status()),
      "slope: ln(k n) + b rises by 4.38 from size 5 to 400, R2 by 0.32; the printed "
      "formula lacks a factor");
}

TEST(CurveFitTest, PointsOfLargerSpreadCountLess) {
  std::vector<CurvePoint> points = Points(
      LogSizes(4, 400, 8), [](double n) { return 0.05 * std::log(n); }, 0.01);
  points[7].r2 += 0.1;
  const auto equal = AnimalCurve::Fit("log", points, {});
  points[7].spread = 0.15;
  const auto weighted = AnimalCurve::Fit("log", points, {});
  ASSERT_TRUE(equal.ok() && weighted.ok());
  EXPECT_GT(equal->At(400) - 0.05 * std::log(400.0), 0.04);
  EXPECT_NEAR(weighted->At(400), 0.05 * std::log(400.0), 1e-3);
}

TEST(CurveFitTest, FitsThatDoNotHoldAreRefusedInWords) {
  const std::vector<int64_t> sizes = LogSizes(5, 500, 9);
  const auto refusal = [&](const std::function<double(double)>& r2, double spread = 0.0) {
    return Refusal(FitArctan(Points(sizes, r2, spread), {}).status());
  };
  EXPECT_EQ(Refusal(FitArctan(Points({1, 2, 4, 8}, std::log2<int>), {}).status()),
            "too few sizes: 4; L arctan(k m) + b needs at least 5");
  EXPECT_EQ(
      refusal([](double m) { return -0.02 + 1e-5 * m; }, 0.004),
      "nothing is predicted: R2 at the largest size is -0.0150 (spread 0.0040), not "
      "above 0");
  EXPECT_THAT(refusal([](double m) { return 0.3 + 0.002 * std::atan(0.02 * m); }),
              StartsWith("flat: R2 rises by 0.00"));
  EXPECT_THAT(refusal([](double m) { return 0.6 - 0.05 * std::log(m); }),
              StartsWith("flat: R2 rises by -0."));
  // Noise as large as the rise.
  EXPECT_THAT(refusal([](double m) {
                return 0.3 + 0.01 * std::log(m) + 0.1 * std::sin(37.0 * m);
              }),
              HasSubstr("no better than a constant (F test, p = 0."));
  EXPECT_THAT(refusal([](double m) { return 0.1 + 0.001 * m; }),
              HasSubstr("a straight line over sizes 5 to 500"));
  // Saturated before the first point but for one that lies low.
  EXPECT_THAT(refusal([](double m) { return m < 6 ? 0.1 : 0.5; }),
              HasSubstr("a constant over sizes 5 to 500"));
}

TEST(CurveFitTest, AnimalCurvesAreRefusedToo) {
  const auto refusal = [](const std::string& form,
                          const std::vector<CurvePoint>& points) {
    return Refusal(AnimalCurve::Fit(form, points, {}).status());
  };
  const auto rising = [](double n) { return 0.1 * std::log(n); };
  EXPECT_EQ(refusal("log", Points({2, 4}, rising)),
            "too few sizes: 2; a ln n + c needs at least 3");
  EXPECT_EQ(refusal("sampled", Points({2, 4, 8}, rising)),
            "too few sizes: 3; interpolation needs at least 4");
  for (const char* form : {"log", "sampled"}) {
    EXPECT_THAT(refusal(form, Points({2, 4, 8, 16}, [](double) { return 0.3; })),
                HasSubstr("flat: R2 rises by 0.0000 from size 2 to 16"));
    EXPECT_THAT(refusal(form, Points({2, 4, 8, 16}, [](double) { return -0.3; })),
                StartsWith("nothing is predicted"));
  }
}

TEST(CurveFitTest, BadInputIsNamed) {
  const auto message = [](const std::vector<CurvePoint>& points) {
    return std::string(FitArctan(points, {}).status().message());
  };
  EXPECT_THAT(message({{1, 0.1, 0}, {1, 0.2, 0}}),
              HasSubstr("curve point 1 is size 1, R2 0.2, spread 0; expected sizes"));
  EXPECT_THAT(message({{1, NAN, 0}}), HasSubstr("curve point 0 is size 1, R2 nan"));
  EXPECT_THAT(message({{1, 0.1, 0}, {2, 0.2, 0.1}}),
              HasSubstr("some curve points have a spread of 0"));
  EXPECT_EQ(AnimalCurve::Fit("linear", {}, {}).status().message(),
            "form is \"linear\"; expected \"log\", \"literal\" or \"sampled\"");
}

}  // namespace
}  // namespace iat
