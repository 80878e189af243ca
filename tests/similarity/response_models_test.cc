// glm_poisson_softplus, inverse_nonlinear and what they are made of. Golden values are
// from tests/golden/similarity/make_response_models.py.

#include <gtest/gtest.h>

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "similarity/batch_lbfgs.h"
#include "similarity/censored_gaussian.h"
#include "similarity/mapping.h"
#include "similarity/normal_tail.h"
#include "similarity/r2.h"
#include "similarity/yeo_johnson.h"
#include "tests/similarity/golden.h"

namespace iat {
namespace {

// SciPy's BFGS stops where rounding of the loss hides any descent.
constexpr double kMinimiserTolerance = 1e-6;

Eigen::MatrixXd FitAndPredict(const std::string& name, const MappingOptions& options,
                              const Eigen::MatrixXd& x, const Eigen::MatrixXd& y,
                              const Eigen::MatrixXd& x_new,
                              Stage stage = Stage::kPostRelu) {
  SourceData source(x);
  FitProblem problem(source, y, stage);
  const auto fitted = (*MakeMapping(name, options))->Fit(problem);
  EXPECT_TRUE(fitted.ok()) << fitted.status();
  if (!fitted.ok()) return Eigen::MatrixXd::Constant(x_new.rows(), y.cols(), NAN);
  return *(*fitted)->Predict(x_new);
}

Eigen::VectorXd Chosen(const std::string& mapping, const std::string& name,
                       const Eigen::MatrixXd& x, const Eigen::MatrixXd& y) {
  SourceData source(x);
  FitProblem problem(source, y, Stage::kPostRelu);
  return (*(*MakeMapping(mapping, {}))->Fit(problem))->chosen().values.at(name);
}

class ResponseModelGoldenTest : public ::testing::Test {
 protected:
  const Golden golden_{"response_models.txt"};
  const GoldenProblem problem_;
};

TEST_F(ResponseModelGoldenTest, PoissonAtEqualPenalty) {
  MappingOptions options;
  options.glm_poisson_softplus.penalties = {0.02};
  EXPECT_LT((FitAndPredict("glm_poisson_softplus", options, problem_.x, problem_.y,
                           problem_.x_test) -
             golden_["poisson"])
                .cwiseAbs()
                .maxCoeff(),
            kMinimiserTolerance);
  options.glm_poisson_softplus.target_scaling = "none";
  EXPECT_LT((FitAndPredict("glm_poisson_softplus", options, problem_.x, problem_.y,
                           problem_.x_test) -
             golden_["poisson_raw"])
                .cwiseAbs()
                .maxCoeff(),
            kMinimiserTolerance);
}

// Before a ReLU sources are used as they are, which leaves the Tobit regression alone.
TEST_F(ResponseModelGoldenTest, TobitAtEqualPenalty) {
  MappingOptions options;
  options.inverse_nonlinear.penalties = {0.02};
  EXPECT_LT((FitAndPredict("inverse_nonlinear", options, problem_.x, problem_.y,
                           problem_.x_test) -
             golden_["tobit"])
                .cwiseAbs()
                .maxCoeff(),
            kMinimiserTolerance);
}

// What is chosen is the best of refitting each fold exactly, but for penalties that are
// equally good: paths are solved to 1e-8 of a loss a stimulus.
TEST_F(ResponseModelGoldenTest, PenaltiesAreTheBestOverFolds) {
  const auto expect_best = [&](const Eigen::VectorXd& chosen,
                               const Eigen::MatrixXd& errors) {
    const std::vector<double> grid = GlmPoissonSoftplusOptions().penalties;
    for (Eigen::Index j = 0; j < chosen.size(); ++j) {
      const auto place = std::find(grid.begin(), grid.end(), chosen(j));
      ASSERT_NE(place, grid.end()) << chosen(j);
      const double least = errors.col(j).minCoeff();
      EXPECT_LT(errors(place - grid.begin(), j), least + 1e-4 * std::abs(least)) << j;
    }
  };
  expect_best(Chosen("glm_poisson_softplus", "glm_penalty", problem_.x, problem_.y),
              golden_["poisson_errors"]);
  expect_best(
      Chosen("inverse_nonlinear", "inverse_nonlinear_penalty", problem_.x, problem_.y),
      golden_["tobit_errors"]);
}

TEST_F(ResponseModelGoldenTest, YeoJohnsonIsPowerTransformer) {
  const Eigen::MatrixXd f = FormulaMatrix(200, 6, 9);
  Eigen::MatrixXd units(200, 6);
  units.col(0) = f.col(0).array().exp();
  units.col(1) = f.col(1).cwiseMax(0.0);
  units.col(2) = f.col(2);
  units.col(3) = 1e3 * f.col(3).array().square();
  units.col(4) = -1e-3 * f.col(4).array().exp();
  units.col(5) = f.col(5).array() - 0.3;
  const YeoJohnson power = YeoJohnson::Fit(units.topRows(150));
  // Brent's method on both sides; the loss is flat to rounding nearby.
  EXPECT_LT((power.lambda - golden_["yeo_johnson_lambda"].row(0)).cwiseAbs().maxCoeff(),
            1e-6);
  EXPECT_TRUE(power.Apply(units.bottomRows(50)).isApprox(golden_["yeo_johnson"], 1e-6));
}

TEST(YeoJohnsonTest, LeavesConstantUnitsAndIgnoresUnitsOfMeasure) {
  Eigen::MatrixXd x(100, 2);
  x << NormalMatrix(100, 1, 1).array().exp().matrix(),
      Eigen::VectorXd::Constant(100, 0.1);
  const YeoJohnson power = YeoJohnson::Fit(x), scaled = YeoJohnson::Fit(1e-20 * x);
  EXPECT_EQ(power.Apply(x).col(1), x.col(1));
  EXPECT_TRUE(scaled.Apply(1e-20 * x).col(0).isApprox(power.Apply(x).col(0), 1e-6));
}

TEST(NormalTailTest, InverseMillsIsStableWhereItsTermsUnderflow) {
  EXPECT_NEAR(InverseMills(0.0), std::sqrt(2.0 / std::numbers::pi), 1e-15);
  EXPECT_NEAR(InverseMills(-40.0), 0.0, 1e-300);
  // Bounds for d > 0 (Sampford 1953; Birnbaum 1942).
  for (const double d : {0.5, 5.0, 11.999, 12.0, 12.001, 30.0, 1e5}) {
    EXPECT_GE(InverseMills(d), 0.25 * (3.0 * d + std::sqrt(d * d + 8.0)) - 1e-12 * d)
        << d;
    EXPECT_LE(InverseMills(d), 0.5 * (d + std::sqrt(d * d + 4.0)) + 1e-12 * d) << d;
  }
  EXPECT_NEAR(InverseMills(12.0 - 1e-9), InverseMills(12.0), 2e-9);
  // d/dd log Phi(-d) = -m, d/dd m = m (m - d), by central differences.
  for (const double d : {-3.0, 0.0, 4.0, 20.0}) {
    const double m = InverseMills(d), h = 1e-5;
    EXPECT_NEAR((LogProbabilityBelow(d + h) - LogProbabilityBelow(d - h)) / (2 * h), -m,
                1e-7);
    EXPECT_NEAR((InverseMills(d + h) - InverseMills(d - h)) / (2 * h), m * (m - d), 1e-7);
  }
}

// Several quadratics at once, against their closed forms; a path is followed warm.
TEST(BatchLbfgsTest, SolvesQuadratics) {
  constexpr Eigen::Index kSize = 12, kColumns = 3;
  const Eigen::MatrixXd root = NormalMatrix(30, kSize, 1);
  const Eigen::MatrixXd a = root.transpose() * root;
  const Eigen::MatrixXd b = NormalMatrix(kSize, kColumns, 2);
  int evaluated = 0;
  BatchLbfgs solver(
      Eigen::MatrixXd::Zero(kSize, kColumns), kSize - 1,
      [&](const std::vector<Eigen::Index>& columns, const Eigen::MatrixXd& points) {
        evaluated += static_cast<int>(columns.size());
        const Eigen::MatrixXd target = b(Eigen::all, columns);
        return BatchLbfgs::Evaluation{
            points.cwiseProduct(0.5 * a * points - target).colwise().sum().transpose(),
            a * points - target, a.diagonal().replicate(1, points.cols())};
      });
  for (const double penalty : {10.0, 0.1}) {
    solver.Solve({0, 2}, {penalty, penalty}, 1e-20);
    Eigen::MatrixXd system = a;
    system.diagonal().head(kSize - 1).array() += penalty;
    for (const Eigen::Index c : {0, 2}) {
      EXPECT_TRUE(solver.point(c).isApprox(system.ldlt().solve(b.col(c)), 1e-8));
    }
    EXPECT_EQ(solver.point(1), Eigen::VectorXd::Zero(kSize));
  }
  const int before = evaluated;
  solver.Solve({0, 2}, {0.1, 0.1}, 1e-16);
  EXPECT_EQ(evaluated, before);  // already there
}

TEST(CensoredGaussianTest, MomentsInvertTheRelu) {
  for (const double mean : {-1.5, 0.0, 0.7, 2.5}) {
    const double deviation = 0.8, d = mean / deviation;
    const NormalMoments moments = MomentsBeforeRelu(
        NormalProbability(d), mean * NormalProbability(d) + deviation * NormalDensity(d));
    EXPECT_NEAR(moments.mean, mean, 1e-9);
    EXPECT_NEAR(moments.deviation, deviation, 1e-9);
  }
}

// With one silent unit there is no mean field: the estimate is the truncated normal's
// mean at the true parameters, but for sampling.
TEST(CensoredGaussianTest, OneSilentUnitIsItsConditionalMean) {
  constexpr Eigen::Index kNum = 20000;
  const Eigen::MatrixXd e = NormalMatrix(kNum, 2, 1);
  Eigen::MatrixXd x(kNum, 2);
  x.col(1) = e.col(0);
  const Eigen::VectorXd hidden = -0.3 + (0.8 * e.col(0) + 0.6 * e.col(1)).array();
  x.col(0) = hidden.cwiseMax(0.0);
  const CensoredGaussian model = CensoredGaussian::Fit(x);
  EXPECT_TRUE(model.is_rectified(0));
  EXPECT_FALSE(model.is_rectified(1));
  const Eigen::MatrixXd undone = model.Undo(x);
  EXPECT_EQ(undone.col(1), x.col(1));
  for (Eigen::Index i = 0; i < 200; ++i) {
    if (x(i, 0) > 0.0) {
      EXPECT_DOUBLE_EQ(undone(i, 0), x(i, 0));
      continue;
    }
    const double d = (-0.3 + 0.8 * x(i, 1)) / 0.6;
    EXPECT_NEAR(undone(i, 0), 0.6 * (d - InverseMills(d)), 0.05) << i;
  }
}

// Hidden responses of few dimensions, as a layer's are.
Eigen::MatrixXd LowDimensional(Eigen::Index n, Eigen::Index units, uint64_t seed) {
  return NormalMatrix(n, 10, seed) * NormalMatrix(10, units, 7) / std::sqrt(10.0) +
         0.3 * NormalMatrix(n, units, seed + 1);
}

TEST(CensoredGaussianTest, OthersTellWhereASilentUnitWas) {
  const Eigen::MatrixXd hidden = LowDimensional(1500, 40, 1);
  const Eigen::MatrixXd x = hidden.cwiseMax(0.0);
  const CensoredGaussian model = CensoredGaussian::Fit(x.topRows(1000));
  const Eigen::MatrixXd undone = model.Undo(x.bottomRows(500));
  const Eigen::ArrayXXd truth = hidden.bottomRows(500).array();
  const Eigen::ArrayXXd silent = (truth < 0.0).cast<double>();
  EXPECT_LE((undone.array() * silent).maxCoeff(), 0.0);
  const double mean_below = (truth * silent).sum() / silent.sum();
  const double by_the_unit_alone = ((truth - mean_below).square() * silent).sum();
  const double by_all = ((truth - undone.array()).square() * silent).sum();
  EXPECT_LT(by_all, 0.5 * by_the_unit_alone);
  // Each stimulus by itself.
  EXPECT_TRUE(model.Undo(x.middleRows(1000, 3)).isApprox(undone.topRows(3), 1e-12));
}

double MedianR2(const std::string& name, const Eigen::MatrixXd& x,
                const Eigen::MatrixXd& y, Eigen::Index num_fit,
                const MappingOptions& options = {}) {
  const Eigen::Index num_test = x.rows() - num_fit;
  return SummariseR2(R2PerUnit(y.bottomRows(num_test),
                               FitAndPredict(name, options, x.topRows(num_fit),
                                             y.topRows(num_fit), x.bottomRows(num_test))))
      .median;
}

// Two animals that are one linear map apart before their ReLUs.
TEST(InverseNonlinearTest, FindsWhatTheReluHides) {
  const Eigen::MatrixXd hidden = LowDimensional(1500, 40, 1);
  const Eigen::MatrixXd x = hidden.cwiseMax(0.0);
  const Eigen::MatrixXd y =
      (hidden * NormalMatrix(40, 30, 5) / std::sqrt(40.0)).cwiseMax(0.0);
  const double inverse = MedianR2("inverse_nonlinear", x, y, 1000);
  const double ridge = MedianR2("ridge", x, y, 1000);
  const double clamped = MedianR2("ridge_clamped", x, y, 1000);
  RecordProperty("inverse_nonlinear", std::to_string(inverse));
  RecordProperty("ridge", std::to_string(ridge));
  RecordProperty("ridge_clamped", std::to_string(clamped));
  EXPECT_GT(inverse, 0.9);
  EXPECT_GT(inverse, ridge + 0.05);
  EXPECT_GT(inverse, clamped + 0.02);
}

TEST(InverseNonlinearTest, WithoutRelusIsARidge) {
  const Eigen::MatrixXd x = NormalMatrix(120, 8, 1), x_new = NormalMatrix(20, 8, 2);
  const Eigen::MatrixXd y = x * NormalMatrix(8, 3, 3) + NormalMatrix(120, 3, 4);
  for (const Stage stage : {Stage::kPreRelu, Stage::kRecorded}) {
    EXPECT_TRUE(FitAndPredict("inverse_nonlinear", {}, x, y, x_new, stage)
                    .isApprox(FitAndPredict("ridge", {}, x, y, x_new, stage), 1e-12));
  }
}

// A rectified linear map without noise: sigma has no least value, the fit has.
TEST(InverseNonlinearTest, APlantedReluIsExact) {
  const Eigen::MatrixXd x = NormalMatrix(600, 6, 1);
  const Eigen::MatrixXd y = (x * NormalMatrix(6, 5, 2)).cwiseMax(0.0);
  MappingOptions options;
  options.inverse_nonlinear.penalties = {1e-3, 1e-8};
  EXPECT_GT(MedianR2("inverse_nonlinear", x, y, 400, options), 0.9999);
  EXPECT_LT(MedianR2("ridge", x, y, 400), 0.9);
}

TEST(GlmPoissonSoftplusTest, RecoversASoftplusRate) {
  const Eigen::MatrixXd x = NormalMatrix(3000, 10, 1);
  Eigen::MatrixXd eta = 1.2 * x * NormalMatrix(10, 12, 2);
  eta.array() -= 1.0;
  const Eigen::MatrixXd rate = eta.unaryExpr(
      [](double v) { return std::max(v, 0.0) + std::log1p(std::exp(-std::abs(v))); });
  Eigen::MatrixXd counts(rate.rows(), rate.cols());
  RandomStream stream(3, "poisson");
  for (Eigen::Index j = 0; j < rate.cols(); ++j) {
    for (Eigen::Index i = 0; i < rate.rows(); ++i) {
      double left = std::exp(-rate(i, j));  // Knuth's method
      int64_t count = -1;
      for (double product = 1.0; product > left; ++count) product *= stream.Uniform();
      counts(i, j) = static_cast<double>(count);
    }
  }
  MappingOptions options;
  options.glm_poisson_softplus.target_scaling = "none";
  const Eigen::MatrixXd predicted =
      FitAndPredict("glm_poisson_softplus", options, x.topRows(2500),
                    counts.topRows(2500), x.bottomRows(500));
  EXPECT_GT(R2PerUnit(rate.bottomRows(500), predicted).minCoeff(), 0.98);
  EXPECT_GT(MedianR2("glm_poisson_softplus", x, counts, 2500, options),
            MedianR2("ridge", x, counts, 2500) + 0.03);
}

// The gradient vanishes: X'r + n penalty w = 0, r the derivatives of the losses by eta.
// Multiplied by X it needs no weights, X w being eta less its mean. Few source units, and
// more than Hessians are made for.
TEST(GlmPoissonSoftplusTest, IsAtTheMinimumForSourcesOfAnyWidth) {
  for (const Eigen::Index p : {15, 700}) {
    constexpr Eigen::Index kNum = 800;
    constexpr double kPenalty = 1e-3;
    const Eigen::MatrixXd x =
        NormalMatrix(kNum, 12, 1) * NormalMatrix(12, p, 2) + NormalMatrix(kNum, p, 3);
    const Eigen::MatrixXd y =
        (x.leftCols(12) * NormalMatrix(12, 3, 4) / 4.0 + NormalMatrix(kNum, 3, 5))
            .cwiseMax(0.0);
    MappingOptions options;
    options.glm_poisson_softplus.target_scaling = "none";
    options.glm_poisson_softplus.penalties = {kPenalty};
    const Eigen::ArrayXXd rate = FitAndPredict("glm_poisson_softplus", options, x, y, x);
    const Eigen::ArrayXXd slope = 1.0 - (-rate).exp();  // of the softplus
    const Eigen::ArrayXXd eta = rate + slope.log();
    const Eigen::MatrixXd residual = slope * (1.0 - y.array() / rate);
    SourceData source(x);
    const Eigen::MatrixXd z = source.standardiser().Apply(x);
    const Eigen::MatrixXd data = z * (z.transpose() * residual);
    const Eigen::MatrixXd shrinkage =
        kNum * kPenalty * (eta.rowwise() - eta.colwise().mean()).matrix();
    // The 1e-8 to which predictors are promised, times the largest eigenvalue of z z'
    // (n p / 12) over n times the penalty.
    EXPECT_LT((data + shrinkage).norm(), 1e-4 * shrinkage.norm()) << p;
    EXPECT_GT(shrinkage.norm(), 1.0);
  }
}

// Sources that enter by their logarithm: the power transform undoes their skew.
TEST(GlmPoissonSoftplusTest, YeoJohnsonStraightensSkewedSources) {
  const Eigen::MatrixXd z = NormalMatrix(1200, 8, 1);
  const Eigen::MatrixXd x = (1.5 * z).array().exp();
  const Eigen::MatrixXd y = (z * NormalMatrix(8, 10, 2)).unaryExpr([](double v) {
    return std::log1p(std::exp(v));
  });
  MappingOptions straightened;
  straightened.glm_poisson_softplus.source_scaling = "yeo_johnson";
  EXPECT_GT(MedianR2("glm_poisson_softplus", x, y, 800, straightened),
            MedianR2("glm_poisson_softplus", x, y, 800) + 0.1);
}

TEST(GlmPoissonSoftplusTest, SaysWhatIsWrong) {
  const Eigen::MatrixXd x = NormalMatrix(30, 3, 1);
  Eigen::MatrixXd y = NormalMatrix(30, 2, 2).cwiseAbs();
  y(4, 1) = -0.25;
  SourceData source(x);
  FitProblem negative(source, y, Stage::kRecorded);
  EXPECT_EQ(
      (*MakeMapping("glm_poisson_softplus", {}))->Fit(negative).status().message(),
      "glm_poisson_softplus: target unit 1 has -0.25; expected no negative response");
  FitProblem before(source, y.cwiseAbs(), Stage::kPreRelu);
  EXPECT_EQ(
      (*MakeMapping("glm_poisson_softplus", {}))->Fit(before).status().message(),
      "glm_poisson_softplus predicts targets that are never negative (post_relu, or "
      "recorded rates); the target is pre_relu");
  MappingOptions options;
  options.glm_poisson_softplus.penalties = {};
  EXPECT_EQ(MakeMapping("ridge", options).status().message(),
            "glm_poisson_softplus.penalties is empty; expected at least one number > 0");
  options = {};
  options.inverse_nonlinear.penalties = {};
  EXPECT_EQ(MakeMapping("ridge", options).status().message(),
            "inverse_nonlinear.penalties is empty; expected at least one number > 0");
}

}  // namespace
}  // namespace iat
