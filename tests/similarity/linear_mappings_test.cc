// Planted truths that one_to_one, soft_matching, procrustes, ols, percentile, pls, lasso
// and elastic_net must recover, and ones that they must not.

#include <gtest/gtest.h>

#include <Eigen/QR>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/random.h"
#include "similarity/lasso.h"
#include "similarity/mapping.h"
#include "similarity/percentile.h"
#include "similarity/pls.h"
#include "similarity/procrustes.h"
#include "similarity/r2.h"
#include "similarity/ridge.h"
#include "similarity/soft_matching.h"
#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

// Two float64 roads to an exact fit.
constexpr double kExact = 1e-9;

constexpr Eigen::Index kNumFit = 200, kNumTest = 100;

// R2 per target on the stimuli after the first kNumFit.
Eigen::VectorXd Score(const std::string& name, const Eigen::MatrixXd& x,
                      const Eigen::MatrixXd& y, const MappingOptions& options = {}) {
  SourceData source(x.topRows(kNumFit));
  FitProblem problem(source, y.topRows(kNumFit), Stage::kPreRelu);
  const auto fitted = (*MakeMapping(name, options))->Fit(problem);
  EXPECT_TRUE(fitted.ok()) << fitted.status();
  if (!fitted.ok()) return Eigen::VectorXd::Constant(y.cols(), NAN);
  return R2PerUnit(y.bottomRows(kNumTest), *(*fitted)->Predict(x.bottomRows(kNumTest)));
}

Eigen::MatrixXd Rotation(Eigen::Index size, uint64_t seed) {
  return Eigen::HouseholderQR<Eigen::MatrixXd>(NormalMatrix(size, size, seed))
      .householderQ();
}

std::vector<Eigen::Index> Order(Eigen::Index size) {
  RandomStream stream(5, "order");
  const std::vector<int64_t> order = stream.Permutation(size);
  return {order.begin(), order.end()};
}

TEST(PlantedTest, ARotationIsFoundByProcrustesOlsPlsAndRidge) {
  const Eigen::MatrixXd x = NormalMatrix(kNumFit + kNumTest, 10, 1);
  const Eigen::MatrixXd y = 3.0 * x * Rotation(10, 2);
  EXPECT_GT(Score("procrustes", x, y).minCoeff(), 1.0 - kExact);
  EXPECT_GT(Score("ols", x, y).minCoeff(), 1.0 - kExact);
  EXPECT_GT(Score("pls", x, y).minCoeff(), 1.0 - kExact);
  EXPECT_GT(Score("ridge", x, y).minCoeff(), 1.0 - 1e-9);
  // ... and by no line of one unit.
  EXPECT_LT(Score("one_to_one", x, y).maxCoeff(), 0.9);
}

TEST(PlantedTest, ProcrustesKeepsGeometry) {
  const Eigen::MatrixXd x = NormalMatrix(kNumFit + kNumTest, 8, 1);
  for (const Eigen::Index t : {5, 8, 12}) {
    const auto fit = FitProcrustes(x, NormalMatrix(kNumFit + kNumTest, t, 2), {});
    ASSERT_TRUE(fit.ok()) << fit.status();
    const Eigen::MatrixXd& q = fit->rotation;
    Eigen::MatrixXd gram = q.transpose() * q;
    if (t > 8) gram = q * q.transpose();
    EXPECT_TRUE(gram.isIdentity(kExact));
  }
  // A linear map that is no rotation is not fitted by one.
  Eigen::MatrixXd stretched = x * Rotation(8, 3);
  stretched.col(0) *= 20.0;
  EXPECT_LT(Score("procrustes", x, stretched).minCoeff(), 0.9);
  EXPECT_GT(Score("ols", x, stretched).minCoeff(), 1.0 - kExact);
}

TEST(PlantedTest, ProcrustesWithoutScaleOnlyRotates) {
  const Eigen::MatrixXd x = NormalMatrix(kNumFit + kNumTest, 6, 1);
  const Eigen::MatrixXd q = Rotation(6, 2);
  ProcrustesOptions options;
  options.scale = false;
  const auto fit = FitProcrustes(x, 4.0 * x * q, options);
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_TRUE(fit->map.weights.isApprox(q, kExact));
  EXPECT_NEAR(FitProcrustes(x, 4.0 * x * q, {})->scale, 4.0, kExact);
}

TEST(PlantedTest, RenumberedUnitsAreMatched) {
  const Eigen::MatrixXd x = NormalMatrix(kNumFit + kNumTest, 30, 1).cwiseMax(0.0);
  Eigen::MatrixXd y = x(Eigen::all, Order(30));
  for (Eigen::Index j = 0; j < 30; ++j) {  // each with a gain and an offset of its own
    y.col(j) = ((0.1 + j) * y.col(j).array() + 2.0 * j).matrix();
  }
  for (const char* name : {"one_to_one", "one_to_one_assigned", "soft_matching"}) {
    EXPECT_GT(Score(name, x, y).minCoeff(), 1.0 - kExact) << name;
  }
  MappingOptions best_alone;
  best_alone.percentile.percentile = 100.0;
  EXPECT_GT(Score("percentile", x, y, best_alone).minCoeff(), 1.0 - 1e-9);
}

TEST(PlantedTest, OnlyTheAssignedFormKeepsUnitsApart) {
  // Both targets are nearest to source 0, target 1 almost as near to source 1.
  Eigen::MatrixXd x = NormalMatrix(kNumFit + kNumTest, 2, 1);
  Eigen::MatrixXd y(x.rows(), 2);
  y.col(0) = x.col(0);
  y.col(1) = 0.8 * x.col(0) + 0.7 * x.col(1);
  const auto units = [&](const char* name) {
    SourceData source(x);
    FitProblem problem(source, y, Stage::kPreRelu);
    return Eigen::VectorXd(
        (*(*MakeMapping(name, {}))->Fit(problem))->chosen().values.at("source_unit"));
  };
  EXPECT_EQ(units("one_to_one"), Eigen::Vector2d(0, 0));
  EXPECT_EQ(units("one_to_one_assigned"), Eigen::Vector2d(0, 1));
}

TEST(PlantedTest, AMirroredUnitMatchesOnlyWhereSignsDoNotCount) {
  Eigen::MatrixXd x = NormalMatrix(kNumFit + kNumTest, 8, 1);
  const Eigen::MatrixXd y = -x(Eigen::all, Order(8));
  EXPECT_LT(Score("one_to_one", x, y).maxCoeff(), 0.2);
  MappingOptions options;
  options.one_to_one.absolute = true;
  EXPECT_GT(Score("one_to_one", x, y, options).minCoeff(), 1.0 - kExact);
  EXPECT_GT(Score("one_to_one_assigned", x, y, options).minCoeff(), 1.0 - kExact);
}

TEST(PlantedTest, SoftMatchingSplitsUnitsThatTheOtherSideHasTwice) {
  const Eigen::MatrixXd x = NormalMatrix(kNumFit + kNumTest, 6, 1);
  Eigen::MatrixXd y(x.rows(), 12);
  y << x, x;
  EXPECT_GT(Score("soft_matching", x, y).minCoeff(), 1.0 - kExact);
  EXPECT_GT(Score("soft_matching", y, x).minCoeff(), 1.0 - kExact);
  const auto correlation = CorrelateUnits(x, y);
  ASSERT_TRUE(correlation.ok());
  const auto plan = MatchSoftly(*correlation);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_TRUE(plan->rowwise().sum().isApprox(Eigen::VectorXd::Constant(6, 1.0 / 6)));
  EXPECT_TRUE(plan->colwise().sum().isApprox(Eigen::RowVectorXd::Constant(12, 1.0 / 12)));
}

TEST(PlantedTest, PercentileNeedsTheUnitsThatItIsAllowed) {
  // Each target is the sum of three of twenty units.
  const Eigen::MatrixXd x = NormalMatrix(kNumFit + kNumTest, 20, 1);
  const Eigen::MatrixXd y = x.leftCols(6) + x.middleCols(6, 6) + x.middleCols(12, 6);
  MappingOptions options;
  options.percentile.percentile = 85.0;
  EXPECT_GT(Score("percentile", x, y, options).minCoeff(), 1.0 - 1e-9);
  options.percentile.percentile = 100.0;
  EXPECT_LT(Score("percentile", x, y, options).maxCoeff(), 0.6);
  // All units: the ridge.
  options.percentile.percentile = 0.0;
  EXPECT_TRUE(Score("percentile", x, y, options).isApprox(Score("ridge", x, y), kExact));
}

TEST(PlantedTest, PercentileSelectsAsNumPyDoes) {
  UnitCorrelation correlation;
  correlation.r = (Eigen::VectorXd(5) << 0.1, -0.9, 0.5, 0.3, 0.2).finished();
  EXPECT_EQ(SelectUnits(correlation, 0, {.percentile = 100.0}),
            std::vector<Eigen::Index>{2});
  // np.percentile(r, 60) = 0.24.
  EXPECT_EQ(SelectUnits(correlation, 0, {.percentile = 60.0}),
            (std::vector<Eigen::Index>{2, 3}));
  EXPECT_EQ(SelectUnits(correlation, 0, {.percentile = 100.0, .absolute = true}),
            std::vector<Eigen::Index>{1});
  EXPECT_EQ(SelectUnits(correlation, 0, {.percentile = 0.0}).size(), 5);
}

// A source of rank 3 with a little noise, targets that read its 3 dimensions.
TEST(PlantedTest, PlsChoosesAsManyComponentsAsThereAre) {
  const Eigen::MatrixXd hidden = NormalMatrix(kNumFit + kNumTest, 3, 1);
  const Eigen::MatrixXd x =
      hidden * NormalMatrix(3, 25, 2) + 0.05 * NormalMatrix(kNumFit + kNumTest, 25, 3);
  const Eigen::MatrixXd y =
      hidden * NormalMatrix(3, 12, 4) + 0.5 * NormalMatrix(kNumFit + kNumTest, 12, 5);
  MappingOptions options;
  options.pls.num_components = 0;
  SourceData source(x.topRows(kNumFit));
  FitProblem problem(source, y.topRows(kNumFit), Stage::kPreRelu);
  const auto fitted = (*MakeMapping("pls", options))->Fit(problem);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  const Eigen::VectorXd& chosen = (*fitted)->chosen().values.at("num_components");
  EXPECT_EQ(Quantile({chosen.begin(), chosen.end()}, 0.5), 3.0) << chosen.transpose();
  EXPECT_GE(Score("pls", x, y, options).minCoeff(), Score("ols", x, y).minCoeff());
}

// With as many components as the rank PLS is least squares.
TEST(PlantedTest, AllComponentsAreLeastSquares) {
  const Eigen::MatrixXd x = NormalMatrix(kNumFit + kNumTest, 7, 1);
  const Eigen::MatrixXd y =
      NormalMatrix(kNumFit + kNumTest, 9, 2) + x * NormalMatrix(7, 9, 3);
  EXPECT_TRUE(Score("pls", x, y).isApprox(Score("ols", x, y), kExact));
}

TEST(PlantedTest, LassoFindsTheUnitsThatCount) {
  const Eigen::MatrixXd x = NormalMatrix(kNumFit, 40, 1);
  Eigen::VectorXd w = Eigen::VectorXd::Zero(40);
  w(3) = 2.0;
  w(17) = -1.0;
  w(31) = 1.5;
  const Eigen::VectorXd y = x * w + 0.1 * NormalMatrix(kNumFit, 1, 2);
  LassoOptions options;
  const auto fit = FitElasticNet(x, y, 1.0, options);
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_LT((fit->map.weights - w).cwiseAbs().maxCoeff(), 0.05);
  EXPECT_LT((fit->map.weights.array() != 0.0).count(), 30);
  // A heavier penalty keeps the three alone.
  const auto heavy = SolveElasticNet(x, y, 1.0, Eigen::VectorXd::Constant(1, 0.3));
  ASSERT_TRUE(heavy.ok());
  for (Eigen::Index k = 0; k < 40; ++k) {
    EXPECT_EQ(heavy->weights(k, 0) != 0.0, w(k) != 0.0) << k;
  }
}

// Ridge in the elastic net's units: l1_ratio near 0.
TEST(PlantedTest, ElasticNetWithoutL1IsARidge) {
  const Eigen::MatrixXd x = NormalMatrix(kNumFit, 10, 1);
  const Eigen::MatrixXd y = NormalMatrix(kNumFit, 3, 2) + x * NormalMatrix(10, 3, 3);
  const auto basis = SourceBasis::Make(x);
  ASSERT_TRUE(basis.ok());
  const Eigen::RowVectorXd deviation =
      (y.rowwise() - y.colwise().mean()).colwise().norm() / std::sqrt(kNumFit);
  const double source_deviation = std::sqrt(basis->mean_eigenvalue() / kNumFit);
  const Eigen::VectorXd penalty =
      (0.7 * kNumFit * source_deviation / deviation.array()).matrix().transpose();
  const auto ridge = SolveRidge(*basis, y, penalty);
  const auto net = SolveElasticNet(x, y, 1e-12, Eigen::VectorXd::Constant(3, 0.7));
  ASSERT_TRUE(ridge.ok() && net.ok());
  EXPECT_TRUE(net->weights.isApprox(ridge->weights, 1e-9));
}

// Ending a path early must not change what the whole path would choose here.
TEST(PlantedTest, PathsThatEndEarlyChooseTheBestOfTheWholeGrid) {
  const Eigen::MatrixXd x = NormalMatrix(kNumFit, 12, 1);
  Eigen::MatrixXd y = x * NormalMatrix(12, 8, 2);
  for (Eigen::Index j = 0; j < 8; ++j) {
    y.col(j) += std::pow(2.0, j - 2.0) * NormalMatrix(kNumFit, 1, 10 + j);
  }
  LassoOptions options;
  const auto fit = FitElasticNet(x, y, 1.0, options);
  ASSERT_TRUE(fit.ok()) << fit.status();
  const Eigen::MatrixXd xc = x.rowwise() - x.colwise().mean();
  for (Eigen::Index j = 0; j < 8; ++j) {
    const double largest = (xc.transpose() * y.col(j)).cwiseAbs().maxCoeff() / kNumFit;
    double best = NAN, smallest = INFINITY;
    for (int l = 0; l < 20; ++l) {
      const double penalty = largest * std::pow(10.0, -4.0 * l / 19.0);
      double error = 0.0;
      for (Eigen::Index f = 0; f < 5; ++f) {
        std::vector<Eigen::Index> in, out;
        for (Eigen::Index i = 0; i < kNumFit; ++i) (i % 5 == f ? out : in).push_back(i);
        const Eigen::VectorXd target = y.col(j);
        const auto map = SolveElasticNet(x(in, Eigen::all), target(in), 1.0,
                                         Eigen::VectorXd::Constant(1, penalty));
        ASSERT_TRUE(map.ok());
        error += (target(out) - *map->Predict(x(out, Eigen::all))).squaredNorm();
      }
      if (error < smallest) {
        smallest = error;
        best = penalty;
      }
    }
    EXPECT_NEAR(fit->penalty(j), best, kExact * best) << j;
  }
}

TEST(PlantedTest, OlsKeepsDigitsThatAGramMatrixLoses) {
  // Condition 1e9: its square is beyond float64.
  const Eigen::VectorXd scales = Eigen::VectorXd::LinSpaced(6, 0.0, -9.0);
  const Eigen::MatrixXd x =
      NormalMatrix(kNumFit + kNumTest, 6, 1) *
      scales.unaryExpr([](double e) { return std::pow(10.0, e); }).asDiagonal() *
      Rotation(6, 2);
  const Eigen::MatrixXd q = Rotation(6, 2).transpose();
  Eigen::MatrixXd y(x.rows(), 1);
  y = (x * q).col(5);  // the faintest direction
  EXPECT_GT(Score("ols", x, y)(0), 1.0 - 1e-6);
}

TEST(PlantedTest, UnrelatedTargetsScoreZeroOrBelow) {
  const Eigen::MatrixXd x = NormalMatrix(kNumFit + kNumTest, 10, 1);
  const Eigen::MatrixXd y = NormalMatrix(kNumFit + kNumTest, 60, 2);
  for (const MappingInfo& info : RegisteredMappings()) {
    if (std::count(info.target_stages.begin(), info.target_stages.end(),
                   Stage::kPreRelu) == 0) {
      continue;
    }
    // The median of 60 units, each with a deviation of about 1 / sqrt(100).
    EXPECT_LT(SummariseR2(Score(info.name, x, y)).median, 0.01) << info.name;
  }
}

}  // namespace
}  // namespace iat
