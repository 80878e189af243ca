#include "similarity/ridge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>

#include "similarity/leave_one_out.h"
#include "similarity/r2.h"
#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

using ::testing::HasSubstr;

// Two float64 roads to a well-conditioned solution.
constexpr double kSolverTolerance = 1e-10;

// The normal equations, nothing shared with the code under test.
Eigen::VectorXd PlainRidge(const Eigen::MatrixXd& x, const Eigen::VectorXd& y,
                           double penalty, const Eigen::MatrixXd& x_new) {
  const Eigen::RowVectorXd mean = x.colwise().mean();
  const Eigen::MatrixXd xc = x.rowwise() - mean;
  const Eigen::VectorXd yc = y.array() - y.mean();
  const Eigen::MatrixXd system =
      xc.transpose() * xc + penalty * Eigen::MatrixXd::Identity(x.cols(), x.cols());
  const Eigen::VectorXd w = system.ldlt().solve(xc.transpose() * yc);
  return ((x_new.rowwise() - mean) * w).array() + y.mean();
}

Eigen::VectorXd BruteLeaveOneOut(const Eigen::MatrixXd& x, const Eigen::VectorXd& y,
                                 double penalty) {
  const Eigen::Index n = x.rows();
  Eigen::VectorXd predicted(n);
  for (Eigen::Index i = 0; i < n; ++i) {
    std::vector<Eigen::Index> rest;
    for (Eigen::Index k = 0; k < n; ++k) {
      if (k != i) rest.push_back(k);
    }
    predicted(i) = PlainRidge(x(rest, Eigen::all), y(rest), penalty, x.row(i))(0);
  }
  return predicted;
}

TEST(RidgeTest, SolvesTheNormalEquationsInPrimalAndDual) {
  for (const Eigen::Index p : {7, 90}) {  // fewer and more units than stimuli
    const Eigen::MatrixXd x = NormalMatrix(40, p, 1), y = NormalMatrix(40, 3, 2);
    const Eigen::MatrixXd x_new = NormalMatrix(11, p, 3);
    const Eigen::Vector3d penalties(0.1, 2.0, 50.0);
    const auto basis = SourceBasis::Make(x);
    ASSERT_TRUE(basis.ok()) << basis.status();
    const auto map = SolveRidge(*basis, y, penalties);
    ASSERT_TRUE(map.ok()) << map.status();
    const auto predicted = map->Predict(x_new);
    ASSERT_TRUE(predicted.ok());
    for (Eigen::Index j = 0; j < 3; ++j) {
      EXPECT_TRUE(predicted->col(j).isApprox(PlainRidge(x, y.col(j), penalties(j), x_new),
                                             kSolverTolerance));
    }
  }
}

TEST(RidgeTest, LeaveOneOutErrorsEqualBruteForce) {
  for (const Eigen::Index p : {5, 40}) {
    const Eigen::MatrixXd x = NormalMatrix(25, p, 1), y = NormalMatrix(25, 2, 2);
    const auto basis = SourceBasis::Make(x);
    ASSERT_TRUE(basis.ok());
    const std::vector<double> penalties = {0.5, 10.0, 400.0};
    const Eigen::MatrixXd errors = LeaveOneOutErrors(*basis, y, penalties);
    for (size_t l = 0; l < penalties.size(); ++l) {
      for (Eigen::Index j = 0; j < 2; ++j) {
        const double brute =
            (y.col(j) - BruteLeaveOneOut(x, y.col(j), penalties[l])).squaredNorm();
        EXPECT_NEAR(errors(l, j), brute, kSolverTolerance * brute);
      }
    }
  }
}

// What FitRidge chooses of the default grid, and every error of that grid.
struct GridChoice {
  Eigen::MatrixXd errors;            // penalties x targets
  std::vector<Eigen::Index> chosen;  // position in the grid, one a target
};
GridChoice ChooseOfTheGrid(const Eigen::MatrixXd& x, const Eigen::MatrixXd& y) {
  const SourceBasis basis = SourceBasis::Make(x).value();
  const RidgeOptions options;
  const std::vector<double> grid = options.Penalties(basis.mean_eigenvalue());
  GridChoice choice{LeaveOneOutErrors(basis, y, grid), {}};
  const Eigen::VectorXd penalties = FitRidge(basis, y, options).value().ridge_penalty;
  for (const double penalty : penalties) {
    choice.chosen.push_back(std::find(grid.begin(), grid.end(), penalty) - grid.begin());
  }
  return choice;
}

// Passing penalties over must never pass over the best one.
TEST(RidgeTest, ChoosesTheSmallestLeaveOneOutErrorOfTheWholeGrid) {
  const Eigen::MatrixXd x = NormalMatrix(300, 20, 1);
  Eigen::MatrixXd y = x * NormalMatrix(20, 40, 2);
  for (Eigen::Index j = 0; j < 40; ++j) {  // from noiseless to nearly pure noise
    y.col(j) += std::pow(2.0, j - 25.0) * NormalMatrix(300, 1, 100 + j);
  }
  const auto [errors, chosen] = ChooseOfTheGrid(x, y);
  std::set<Eigen::Index> distinct;
  for (Eigen::Index j = 0; j < 40; ++j) {
    Eigen::Index best = 0;
    errors.col(j).minCoeff(&best);
    ASSERT_LT(chosen[j], errors.rows());
    // Errors that agree to float32's rounding are as good as equal.
    EXPECT_LE(errors(chosen[j], j), errors(best, j) * (1.0 + 1e-5)) << "target " << j;
    distinct.insert(chosen[j]);
  }
  EXPECT_GE(distinct.size(), 5);
}

// Responses as networks give them, few latent dimensions and stimuli that drive all units
// more than others do, so that leverages are far from equal; and few stimuli for the
// units. Some of these targets have two minima, and none may end beside one.
TEST(RidgeTest, NeighboursOfTheChosenPenaltyAreWorseWithFewStimuliForTheUnits) {
  for (const Eigen::Index num_stimuli : {75, 120, 240, 480}) {
    const Eigen::VectorXd drive =
        (0.5 * NormalMatrix(num_stimuli, 1, 1).col(0)).array().exp();
    const Eigen::MatrixXd latent = drive.asDiagonal() * NormalMatrix(num_stimuli, 20, 2);
    const Eigen::MatrixXd x = (latent * NormalMatrix(20, 60, 3)).cwiseMax(0.0);
    const Eigen::MatrixXd noise = drive.asDiagonal() * NormalMatrix(num_stimuli, 200, 5);
    const Eigen::MatrixXd y =
        (x * NormalMatrix(60, 200, 4) / 8.0 + 2.0 * noise).cwiseMax(0.0);
    const auto [errors, chosen] = ChooseOfTheGrid(x, y);
    int num_best = 0;
    for (Eigen::Index j = 0; j < y.cols(); ++j) {
      const Eigen::Index at = chosen[j], last = errors.rows() - 1;
      ASSERT_LE(at, last);
      const Eigen::Index low = std::max<Eigen::Index>(at - 1, 0);
      const auto beside = errors.col(j).segment(low, std::min(at + 1, last) - low + 1);
      // Errors that agree to float32's rounding are as good as equal.
      EXPECT_LE(errors(at, j), beside.minCoeff() * (1.0 + 1e-5))
          << "target " << j << ", " << num_stimuli << " stimuli";
      num_best += errors(at, j) <= errors.col(j).minCoeff() * (1.0 + 1e-5);
    }
    EXPECT_GE(num_best, 194) << num_stimuli << " stimuli";
  }
}

TEST(RidgeTest, FoldsChooseWhatRefittingEachFoldChooses) {
  const Eigen::MatrixXd x = NormalMatrix(60, 6, 1);
  const Eigen::MatrixXd y = x * NormalMatrix(6, 4, 2) + 3.0 * NormalMatrix(60, 4, 3);
  RidgeOptions options;
  options.selection = "kfold";
  options.num_folds = 4;
  const auto basis = SourceBasis::Make(x);
  ASSERT_TRUE(basis.ok());
  const auto fit = FitRidge(*basis, y, options);
  ASSERT_TRUE(fit.ok()) << fit.status();
  for (Eigen::Index j = 0; j < 4; ++j) {
    double best = NAN, smallest = INFINITY;
    for (const double penalty : options.Penalties(basis->mean_eigenvalue())) {
      double error = 0.0;
      for (Eigen::Index f = 0; f < 4; ++f) {
        std::vector<Eigen::Index> in, out;
        for (Eigen::Index i = 0; i < 60; ++i) (i % 4 == f ? out : in).push_back(i);
        const Eigen::VectorXd target = y.col(j);
        error += (target(out) -
                  PlainRidge(x(in, Eigen::all), target(in), penalty, x(out, Eigen::all)))
                     .squaredNorm();
      }
      if (error < smallest) {
        smallest = error;
        best = penalty;
      }
    }
    EXPECT_EQ(fit->ridge_penalty(j), best);
  }
}

TEST(RidgeTest, RecoversALinearMapAtAnyScale) {
  const Eigen::MatrixXd x = NormalMatrix(200, 12, 1), x_new = NormalMatrix(50, 12, 2);
  const Eigen::MatrixXd q = NormalMatrix(12, 5, 3);
  for (const double source_scale : {1e-20, 1.0, 1e20}) {
    for (const double target_scale : {1e-20, 1e20}) {
      const auto basis = SourceBasis::Make(source_scale * x);
      ASSERT_TRUE(basis.ok());
      const auto fit = FitRidge(*basis, target_scale * (x * q), RidgeOptions());
      ASSERT_TRUE(fit.ok());
      const auto predicted = fit->map.Predict(source_scale * x_new);
      ASSERT_TRUE(predicted.ok());
      const Eigen::VectorXd r2 = R2PerUnit(target_scale * (x_new * q), *predicted);
      EXPECT_GT(r2.minCoeff(), 1.0 - 1e-9);  // the smallest penalty is 1e-6, relative
      EXPECT_EQ(fit->num_at_edge, 5);        // ... and is what is chosen
    }
  }
}

TEST(RidgeTest, ConstantAndDuplicateUnitsChangeNothing) {
  const Eigen::MatrixXd x = NormalMatrix(80, 6, 1), y = NormalMatrix(80, 2, 2);
  Eigen::MatrixXd wide(80, 9);
  wide << x, Eigen::VectorXd::Constant(80, 0.1), x.col(0), x.col(3);
  const auto basis = SourceBasis::Make(wide);
  ASSERT_TRUE(basis.ok());
  Eigen::VectorXd penalties(2);
  penalties << 1.0, 5.0;
  const auto map = SolveRidge(*basis, y, penalties);
  ASSERT_TRUE(map.ok());
  for (Eigen::Index j = 0; j < 2; ++j) {
    EXPECT_TRUE(map->Predict(wide)->col(j).isApprox(
        PlainRidge(wide, y.col(j), penalties(j), wide), kSolverTolerance));
  }
}

TEST(RidgeTest, AConstantSourcePredictsTheMean) {
  const auto basis = SourceBasis::Make(Eigen::MatrixXd::Constant(30, 3, 0.1));
  ASSERT_TRUE(basis.ok());
  const Eigen::MatrixXd y = NormalMatrix(30, 2, 2);
  const auto fit = FitRidge(*basis, y, RidgeOptions());
  ASSERT_TRUE(fit.ok());
  const auto predicted = fit->map.Predict(NormalMatrix(4, 3, 3));
  ASSERT_TRUE(predicted.ok());
  EXPECT_TRUE(predicted->isApprox(y.colwise().mean().replicate(4, 1), kSolverTolerance));
}

TEST(RidgeTest, SingleFitAgreesWithTheBatch) {
  const Eigen::MatrixXd x = NormalMatrix(120, 10, 1);
  const Eigen::MatrixXd y = x * NormalMatrix(10, 3, 2) + 4.0 * NormalMatrix(120, 3, 3);
  const auto basis = SourceBasis::Make(x);
  ASSERT_TRUE(basis.ok());
  const RidgeOptions options;
  const auto fit = FitRidge(*basis, y, options);
  ASSERT_TRUE(fit.ok());
  for (Eigen::Index j = 0; j < 3; ++j) {
    const auto single = FitSingleRidge(x, y.col(j), options, 10);
    ASSERT_TRUE(single.ok());
    EXPECT_NEAR(single->ridge_penalty, fit->ridge_penalty(j),
                kSolverTolerance * fit->ridge_penalty(j));
    EXPECT_TRUE(single->weights.isApprox(fit->map.weights.col(j), kSolverTolerance));
    EXPECT_TRUE(single->leave_one_out.isApprox(
        BruteLeaveOneOut(x, y.col(j), single->ridge_penalty), kSolverTolerance));
  }
}

TEST(RidgeTest, SingleFitIsARidgeOnEveryRoad) {
  for (const Eigen::Index n : {15, 200}) {
    for (const double noise : {0.0, 1e-3, 1.0}) {
      const Eigen::MatrixXd x = NormalMatrix(n, 30, 1), x_new = NormalMatrix(9, 30, 5);
      const Eigen::VectorXd y =
          x * NormalMatrix(30, 1, 2) + noise * NormalMatrix(n, 1, 3);
      const auto single = FitSingleRidge(x, y, {}, 30);
      ASSERT_TRUE(single.ok()) << single.status();
      const Eigen::VectorXd predicted =
          ((x_new.rowwise() - single->source_mean) * single->weights).array() +
          single->target_mean;
      EXPECT_TRUE(
          predicted.isApprox(PlainRidge(x, y, single->ridge_penalty, x_new), 1e-8));
    }
  }
}

TEST(RidgeTest, UnrelatedTargetsScoreZeroOrBelow) {
  const Eigen::MatrixXd x = NormalMatrix(2000, 30, 1), y = NormalMatrix(2000, 60, 2);
  const auto basis = SourceBasis::Make(x.topRows(1500));
  ASSERT_TRUE(basis.ok());
  const auto fit = FitRidge(*basis, y.topRows(1500), RidgeOptions());
  ASSERT_TRUE(fit.ok());
  const R2Summary summary =
      SummariseR2(R2PerUnit(y.bottomRows(500), *fit->map.Predict(x.bottomRows(500))));
  // The median of 60 units; one unit's R2 has a deviation of about 1 / sqrt(500).
  EXPECT_LT(summary.median, 0.01);
  EXPECT_GT(summary.median, -0.05);
}

TEST(RidgeTest, ClampedIsTheRidgeWithoutNegativeValues) {
  const Eigen::MatrixXd x = NormalMatrix(100, 5, 1);
  const Eigen::MatrixXd y = (x * NormalMatrix(5, 3, 2)).cwiseMax(0.0);
  SourceData source(x);
  FitProblem problem(source, y, Stage::kPostRelu);
  const auto ridge = (*MakeMapping("ridge", {}))->Fit(problem);
  const auto clamped = (*MakeMapping("ridge_clamped", {}))->Fit(problem);
  ASSERT_TRUE(ridge.ok() && clamped.ok());
  const Eigen::MatrixXd expected = (*ridge)->Predict(x)->cwiseMax(0.0);
  EXPECT_LT((*ridge)->Predict(x)->minCoeff(), 0.0);
  EXPECT_EQ(*(*clamped)->Predict(x), expected);
}

TEST(RidgeTest, SaysWhatIsWrong) {
  const auto basis = SourceBasis::Make(NormalMatrix(20, 3, 1));
  ASSERT_TRUE(basis.ok());
  EXPECT_EQ(FitRidge(*basis, NormalMatrix(19, 3, 2), RidgeOptions()).status().message(),
            "source has 20 stimuli, target has 19");
  Eigen::MatrixXd nan = NormalMatrix(20, 3, 2);
  nan(4, 1) = NAN;
  EXPECT_EQ(FitRidge(*basis, nan, RidgeOptions()).status().message(),
            "target has values that are not finite");
  EXPECT_EQ(SourceBasis::Make(nan).status().message(),
            "source has values that are not finite");
  const auto map = SolveRidge(*basis, NormalMatrix(20, 1, 2), Eigen::VectorXd::Ones(1));
  EXPECT_EQ(map->Predict(NormalMatrix(5, 4, 1)).status().message(),
            "source has 4 units; the mapping was fitted on 3");
  EXPECT_EQ(MakeMapping("rigde", {}).status().message(),
            "no mapping \"rigde\"; did you mean \"ridge\"?");
  SourceData source(NormalMatrix(20, 3, 1));
  FitProblem problem(source, NormalMatrix(20, 1, 2), Stage::kPreRelu);
  EXPECT_THAT(
      std::string((*MakeMapping("ridge_clamped", {}))->Fit(problem).status().message()),
      HasSubstr("the target is pre_relu"));
  RidgeOptions folds;
  folds.selection = "kfold";
  folds.num_folds = 11;
  EXPECT_EQ(FitRidge(*basis, NormalMatrix(20, 1, 2), folds).status().message(),
            "ridge.num_folds is 11, which needs at least 22 fit stimuli; there are 20");
  MappingOptions reversed;
  reversed.ridge.min_relative_penalty = 1.0;
  reversed.ridge.max_relative_penalty = 0.1;
  EXPECT_EQ(
      MakeMapping("ridge", reversed).status().message(),
      "ridge.min_relative_penalty is 1; expected at most ridge.max_relative_penalty "
      "(0.1)");
}

}  // namespace
}  // namespace iat
