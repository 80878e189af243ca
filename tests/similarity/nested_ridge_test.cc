#include "similarity/nested_ridge.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/parallel.h"
#include "base/random.h"
#include "similarity/leave_one_out.h"
#include "similarity/r2.h"
#include "similarity/ridge.h"
#include "similarity/tridiagonal_coordinates.h"
#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

using Predictions = NestedRidge::Predictions;

// Float64 through other orders of summation and other factorisations of the same systems;
// the bound that the curves promise.
constexpr double kR2Tolerance = 1e-8;

// How far apart two penalties' leave-one-out errors can be and count as equal: what
// similarity/leave_one_out.h says of its float32 sums.
constexpr double kErrorTolerance = 1e-5;

// Rectified responses with means far from 0, units that are silent on most stimuli and a
// unit that is always silent: what makes subsets degenerate.
struct World {
  Eigen::MatrixXd source_fit, target_fit, source_test, target_test;
};

World MakeWorld(Eigen::Index num_fit, Eigen::Index p, Eigen::Index t, uint64_t seed) {
  SetBlasThreads(1);
  const Eigen::Index num_test = 60, n = num_fit + num_test;
  const Eigen::MatrixXd shared = NormalMatrix(n, 12, seed);
  Eigen::MatrixXd source =
      shared * NormalMatrix(12, p, seed + 1) / 3.0 + 0.3 * NormalMatrix(n, p, seed + 2);
  Eigen::MatrixXd target =
      shared * NormalMatrix(12, t, seed + 3) / 3.0 + 0.3 * NormalMatrix(n, t, seed + 4);
  for (Eigen::Index j = 0; j < p; ++j) {
    const double threshold = j % 5 == 1 ? 2.5 : -0.5;
    source.col(j) = (source.col(j).array() - threshold).max(0.0) + (j % 3 == 0 ? 7.0 : 0);
  }
  source.col(p / 2).setConstant(3.25);
  target = target.cwiseMax(0.0);
  return {source.topRows(num_fit), target.topRows(num_fit), source.bottomRows(num_test),
          target.bottomRows(num_test)};
}

std::vector<int64_t> Order(int64_t n, uint64_t seed) {
  return RandomStream(seed, "nested ridge test").Permutation(n);
}

void ExpectScores(const Eigen::VectorXd& expected, const Eigen::VectorXd& found,
                  int64_t size, double tolerance = kR2Tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  for (Eigen::Index j = 0; j < found.size(); ++j) {
    ASSERT_EQ(std::isnan(found(j)), std::isnan(expected(j)))
        << "target " << j << " of size " << size;
    if (std::isnan(expected(j))) continue;
    EXPECT_NEAR(found(j), expected(j), tolerance * std::max(1.0, std::abs(expected(j))))
        << "target " << j << " of size " << size;
  }
}

// A point's penalties beside those of its own rows and columns alone.
void ExpectChoices(const World& world, const RidgePoint& point,
                   const std::vector<int64_t>& stimuli, const std::vector<int64_t>& units,
                   const RidgeOptions& options) {
  const auto basis = SourceBasis::Make(world.source_fit(stimuli, units));
  ASSERT_TRUE(basis.ok()) << basis.status();
  const Eigen::MatrixXd target = world.target_fit(stimuli, Eigen::all);
  const auto fit = FitRidge(*basis, target, options);
  ASSERT_TRUE(fit.ok()) << fit.status();
  ASSERT_EQ(point.ridge_penalty.size(), fit->ridge_penalty.size());
  // Two stimuli leave each other out, and every penalty then predicts the same.
  const std::vector<double> penalties = options.Penalties(basis->mean_eigenvalue());
  const Eigen::MatrixXd errors = LeaveOneOutErrors(*basis, target, penalties);
  bool all_same = true;
  for (Eigen::Index j = 0; j < target.cols(); ++j) {
    const double found = point.ridge_penalty(j), expected = fit->ridge_penalty(j);
    if (std::abs(found - expected) <= 1e-9 * expected) continue;
    all_same = false;
    ASSERT_EQ(options.selection, "loo") << "size " << point.size;
    const auto place = [&](double penalty) {
      const auto nearest =
          std::min_element(penalties.begin(), penalties.end(), [&](double a, double b) {
            return std::abs(a - penalty) < std::abs(b - penalty);
          });
      EXPECT_NEAR(penalty, *nearest, 1e-9 * *nearest);
      return nearest - penalties.begin();
    };
    EXPECT_NEAR(errors(place(found), j), errors(place(expected), j),
                kErrorTolerance * errors(place(expected), j))
        << "target " << j << " of size " << point.size;
  }
  if (all_same) {
    EXPECT_EQ(point.num_at_edge, fit->num_at_edge);
  }
}

// A point's scores beside those of a ridge at its penalties, fitted from nothing but its
// own rows and columns.
void ExpectSameScores(const World& world, const RidgePoint& point,
                      const std::vector<int64_t>& stimuli,
                      const std::vector<int64_t>& units, bool keeps_predictions,
                      double r_tolerance = kR2Tolerance) {
  const auto basis = SourceBasis::Make(world.source_fit(stimuli, units));
  ASSERT_TRUE(basis.ok()) << basis.status();
  const auto map =
      SolveRidge(*basis, world.target_fit(stimuli, Eigen::all), point.ridge_penalty);
  ASSERT_TRUE(map.ok()) << map.status();
  const Eigen::MatrixXd predicted = *map->Predict(world.source_test(Eigen::all, units));
  const Eigen::VectorXd r2 = R2PerUnit(world.target_test, predicted);
  ExpectScores(r2, point.r2, point.size);
  ExpectScores(PearsonPerUnit(world.target_test, predicted), point.r, point.size,
               r_tolerance);
  ASSERT_EQ(point.predicted.size(), keeps_predictions ? predicted.size() : 0);
  if (keeps_predictions) {
    ExpectScores(r2, R2PerUnit(world.target_test, point.predicted), point.size);
  }
}

void ExpectRefit(const World& world, const RidgePoint& point,
                 const std::vector<int64_t>& stimuli, const std::vector<int64_t>& units,
                 const RidgeOptions& options, bool keeps_predictions) {
  ExpectChoices(world, point, stimuli, units, options);
  ExpectSameScores(world, point, stimuli, units, keeps_predictions);
}

std::vector<int64_t> FirstOf(const std::vector<int64_t>& order, int64_t size) {
  return {order.begin(), order.begin() + size};
}

NestedRidge Make(const World& world, const RidgeOptions& options,
                 Predictions predictions = Predictions::kLeftOut) {
  auto ridge = NestedRidge::Make(world.source_fit, world.target_fit, world.source_test,
                                 world.target_test, options, predictions);
  EXPECT_TRUE(ridge.ok()) << ridge.status();
  return *std::move(ridge);
}

void CheckStimuli(const World& world, const std::vector<int64_t>& sizes,
                  const RidgeOptions& options) {
  const int64_t num_fit = world.source_fit.rows(), p = world.source_fit.cols();
  for (const uint64_t seed : {1, 2}) {
    const bool keeps = seed == 2;
    NestedRidge ridge =
        Make(world, options, keeps ? Predictions::kKept : Predictions::kLeftOut);
    const std::vector<int64_t> order = Order(num_fit, seed);
    std::vector<int64_t> visited;
    const absl::Status status =
        ridge.OverStimuli(order, sizes, [&](const RidgePoint& point) {
          visited.push_back(point.size);
          ExpectRefit(world, point, FirstOf(order, point.size), FirstOf(Order(p, 0), p),
                      options, keeps);
          return absl::OkStatus();
        });
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(visited, sizes);
  }
}

void CheckStimuli(Eigen::Index num_fit, Eigen::Index p, const std::vector<int64_t>& sizes,
                  const RidgeOptions& options) {
  CheckStimuli(MakeWorld(num_fit, p, 7, 10 + num_fit), sizes, options);
}

void CheckUnits(const World& world, const std::vector<int64_t>& sizes,
                const RidgeOptions& options) {
  const int64_t num_fit = world.source_fit.rows(), p = world.source_fit.cols();
  std::vector<int64_t> stimuli(num_fit);  // folds follow it
  std::iota(stimuli.begin(), stimuli.end(), 0);
  for (const uint64_t seed : {1, 2}) {
    const bool keeps = seed == 2;
    NestedRidge ridge =
        Make(world, options, keeps ? Predictions::kKept : Predictions::kLeftOut);
    const std::vector<int64_t> order = Order(p, seed);
    std::vector<int64_t> visited;
    const absl::Status status =
        ridge.OverUnits(order, sizes, [&](const RidgePoint& point) {
          visited.push_back(point.size);
          ExpectRefit(world, point, stimuli, FirstOf(order, point.size), options, keeps);
          return absl::OkStatus();
        });
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(visited, sizes);
  }
}

void CheckUnits(Eigen::Index num_fit, Eigen::Index p, const std::vector<int64_t>& sizes,
                const RidgeOptions& options) {
  CheckUnits(MakeWorld(num_fit, p, 7, 20 + num_fit), sizes, options);
}

TEST(NestedRidgeTest, StimulusCurvesEqualSeparateRefits) {
  CheckStimuli(300, 40, {2, 5, 11, 23, 39, 40, 41, 60, 120, 299, 300}, {});
}

TEST(NestedRidgeTest, StimulusCurvesEqualSeparateRefitsWithMoreUnitsThanStimuli) {
  CheckStimuli(50, 90, {2, 3, 7, 20, 49, 50}, {});
}

TEST(NestedRidgeTest, UnitCurvesEqualSeparateRefits) {
  CheckUnits(300, 60, {1, 2, 3, 8, 20, 45, 60}, {});
}

TEST(NestedRidgeTest, UnitCurvesEqualSeparateRefitsWithMoreUnitsThanStimuli) {
  CheckUnits(40, 130, {1, 5, 20, 39, 40, 41, 70, 129, 130}, {});
}

// Some targets are fitted almost exactly, which takes float64, beside others that do not.
TEST(NestedRidgeTest, TargetsThatTakeFloat64StandBesideOthers) {
  World world = MakeWorld(400, 40, 7, 9);
  const Eigen::MatrixXd mix = NormalMatrix(40, 2, 90);
  for (const int j : {0, 1}) {
    world.target_fit.col(3 * j) =
        world.source_fit * mix.col(j) + 1e-3 * NormalMatrix(400, 1, 91 + j);
    world.target_test.col(3 * j) = world.source_test * mix.col(j);
  }
  CheckStimuli(world, {20, 45, 90, 250, 400}, {});
  CheckUnits(world, {5, 30, 39, 40}, {});
}

// Offsets of a million deviations, targets that a ridge knows all but 1e-7 of, and
// targets that it knows nothing of.
TEST(NestedRidgeTest, OffsetsAndScoresNearOneAndZeroStayWithinTheBound) {
  World world = MakeWorld(400, 40, 7, 29);
  const Eigen::MatrixXd mix = NormalMatrix(40, 7, 290);
  for (const int j : {0, 1, 2}) {
    world.target_fit.col(j) =
        world.source_fit * mix.col(j) + 1e-5 * NormalMatrix(400, 1, 291 + j);
    world.target_test.col(j) =
        world.source_test * mix.col(j) + 1e-5 * NormalMatrix(60, 1, 294 + j);
  }
  for (const int j : {3, 4}) {
    world.target_fit.col(j) = NormalMatrix(400, 1, 297 + j);
    world.target_test.col(j) = NormalMatrix(60, 1, 300 + j);
  }
  for (Eigen::MatrixXd* matrix : {&world.source_fit, &world.source_test}) {
    matrix->array() += 1e6;
  }
  for (Eigen::MatrixXd* matrix : {&world.target_fit, &world.target_test}) {
    matrix->array() -= 1e6;
  }
  // Predictions of the refit carry the offset: 1e6 * 1e-16 beside the 1e-4 deviations
  // that the largest penalties leave of them.
  constexpr double kOffsetRounding = 1e-6;
  NestedRidge ridge = Make(world, {});
  const std::vector<int64_t> order = Order(400, 1), units = FirstOf(Order(40, 0), 40);
  const absl::Status status =
      ridge.OverStimuli(order, {20, 45, 90, 250, 400}, [&](const RidgePoint& point) {
        ExpectSameScores(world, point, FirstOf(order, point.size), units,
                         /*keeps_predictions=*/false, kOffsetRounding);
        if (point.size == 400) {
          EXPECT_GT(point.r2.head(3).minCoeff(), 1.0 - 1e-7);
          EXPECT_LT(point.r2.segment(3, 2).cwiseAbs().maxCoeff(), 0.2);
        }
        return absl::OkStatus();
      });
  ASSERT_TRUE(status.ok()) << status;
}

// Units far apart in scale, and targets as well: what float32 has no range for.
TEST(NestedRidgeTest, ScalesFarApartStayInRange) {
  World world = MakeWorld(300, 30, 7, 19);
  for (int j = 0; j < 30; ++j) {
    const double scale = j < 15 ? 1e-9 : 1e9;
    world.source_fit.col(j) *= scale;
    world.source_test.col(j) *= scale;
  }
  world.target_fit.col(1) *= 1e-30;
  world.target_test.col(1) *= 1e-30;
  CheckStimuli(world, {10, 60, 200, 300}, {});
  CheckUnits(world, {2, 9, 20, 30}, {});
}

TEST(NestedRidgeTest, OnePenaltyOfTheGridIsTakenAsItIs) {
  RidgeOptions options;
  options.num_penalties = 1;
  options.min_relative_penalty = 1e-3;
  CheckStimuli(120, 30, {4, 20, 30, 50, 120}, options);
  CheckUnits(120, 30, {4, 20, 30}, options);
}

TEST(NestedRidgeTest, FoldsChooseAsTheyDoForRidge) {
  RidgeOptions options;
  options.selection = "kfold";
  options.num_folds = 3;
  CheckStimuli(90, 20, {12, 40, 90}, options);
  CheckUnits(90, 20, {3, 11, 20}, options);
}

// Stimuli on which no source unit changes say nothing but the mean.
TEST(NestedRidgeTest, ASilentSubsetPredictsItsMean) {
  World world = MakeWorld(80, 6, 3, 5);
  world.source_fit.topRows(30).setConstant(0.1);
  NestedRidge ridge = Make(world, {}, Predictions::kKept);
  std::vector<int64_t> order(80);
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  const absl::Status status =
      ridge.OverStimuli(order, {3, 20, 31}, [&](const RidgePoint& point) {
        ExpectRefit(world, point, FirstOf(order, point.size), {0, 1, 2, 3, 4, 5}, {},
                    /*keeps_predictions=*/true);
        if (point.size == 20) {
          const Eigen::RowVectorXd mean = world.target_fit.topRows(20).colwise().mean();
          EXPECT_LT((point.predicted.rowwise() - mean).cwiseAbs().maxCoeff(), 1e-14);
        }
        return absl::OkStatus();
      });
  ASSERT_TRUE(status.ok()) << status;
}

TEST(NestedRidgeTest, AVisitorsErrorEndsTheWalk) {
  const World world = MakeWorld(40, 5, 2, 6);
  NestedRidge ridge = Make(world, {});
  int visits = 0;
  const absl::Status status =
      ridge.OverUnits(Order(5, 1), {1, 2, 3}, [&](const RidgePoint&) {
        ++visits;
        return absl::CancelledError("enough");
      });
  EXPECT_EQ(status.message(), "enough");
  EXPECT_EQ(visits, 1);
}

TEST(NestedRidgeTest, NamesWhatDoesNotFit) {
  const World world = MakeWorld(40, 5, 2, 7);
  NestedRidge ridge = Make(world, {});
  const auto ignore = [](const RidgePoint&) { return absl::OkStatus(); };
  EXPECT_EQ(ridge.OverStimuli(Order(39, 1), {2}, ignore).message(),
            "the order of fit stimuli does not hold each of the 40 once");
  EXPECT_EQ(ridge.OverUnits({0, 1, 2, 3, 3}, {2}, ignore).message(),
            "the order of source units does not hold each of the 5 once");
  EXPECT_EQ(ridge.OverStimuli(Order(40, 1), {1, 4}, ignore).message(),
            "sizes of fit stimuli have 1; expected rising sizes from 2 to 40");
  EXPECT_EQ(ridge.OverUnits(Order(5, 1), {3, 6}, ignore).message(),
            "sizes of source units have 6; expected rising sizes from 1 to 5");
  EXPECT_EQ(ridge.OverUnits(Order(5, 1), {}, ignore).message(),
            "there are no sizes of source units");
  const auto refusal = [&](const Eigen::MatrixXd& source_test,
                           const Eigen::MatrixXd& target_test) {
    return std::string(NestedRidge::Make(world.source_fit, world.target_fit, source_test,
                                         target_test, {})
                           .status()
                           .message());
  };
  const Eigen::MatrixXd &x = world.source_test, &y = world.target_test;
  Eigen::MatrixXd bad_x = x, bad_y = y;
  bad_x(3, 1) = NAN;
  bad_y(3, 1) = INFINITY;
  EXPECT_EQ(refusal(bad_x, y), "source has test values that are not finite");
  EXPECT_EQ(refusal(x, bad_y), "target has test values that are not finite");
  EXPECT_EQ(refusal(x.leftCols(4), y), "source has 4 units; the mapping was fitted on 5");
  EXPECT_EQ(refusal(x, y.topRows(59)),
            "source has 60 test stimuli, target has 59; expected as many, and at least "
            "one");
  EXPECT_EQ(refusal(x.topRows(0), y.topRows(0)),
            "source has 0 test stimuli, target has 0; expected as many, and at least "
            "one");
  EXPECT_EQ(refusal(x, y.leftCols(1)),
            "target has 2 units on the fit stimuli and 1 on the test stimuli");
}

// Tridiagonal coordinates against principal ones: the same ridge in another basis.
TEST(TridiagonalCoordinatesTest, AgreeWithPrincipalCoordinates) {
  constexpr double kRounding = 1e-9;  // of systems with a condition of up to 1e6
  const World world = MakeWorld(77, 20, 4, 8);
  const auto basis = SourceBasis::Make(world.source_fit);
  ASSERT_TRUE(basis.ok());
  const Eigen::MatrixXd centred = CentreUnits(world.source_fit).values;
  const CentredUnits target = CentreUnits(world.target_fit);
  const double scale = 3.0;
  const Eigen::MatrixXf scaled = (centred / scale).cast<float>();
  const auto tridiagonal = TridiagonalCoordinates::Make(
      {scaled, scale, [&] { return centred; }}, centred.transpose() * centred);
  ASSERT_TRUE(tridiagonal.ok());
  const PrincipalCoordinates principal(*basis);
  EXPECT_NEAR(tridiagonal->mean_eigenvalue(), principal.mean_eigenvalue(),
              kRounding * principal.mean_eigenvalue());
  const std::vector<double> penalties =
      RidgeOptions().Penalties(principal.mean_eigenvalue());
  EXPECT_LT((tridiagonal->Freedom(penalties) - principal.Freedom(penalties))
                .cwiseAbs()
                .maxCoeff(),
            kRounding);
  const Eigen::MatrixXd projected =
      tridiagonal->axes().transpose() * (centred.transpose() * target.values);
  const Eigen::MatrixXd expected_projected =
      principal.rotated().transpose() * target.values;
  const Eigen::RowVectorXd total = target.values.colwise().squaredNorm();
  const Eigen::MatrixXd training =
      tridiagonal->TrainingErrors(total, projected, penalties);
  EXPECT_TRUE(training.isApprox(
      principal.TrainingErrors(total, expected_projected, penalties), kRounding));
  for (const double penalty : {penalties[0], penalties[10], penalties[19]}) {
    const Eigen::MatrixXd fitted =
        tridiagonal->rotated() * tridiagonal->Solve(penalty, projected);
    const Eigen::MatrixXd expected =
        principal.rotated() * principal.Solve(penalty, expected_projected);
    EXPECT_TRUE(fitted.isApprox(expected, kRounding)) << penalty;
  }
}

// What float32 makes of both, and that it leaves leverages to float64 where a stimulus
// has all of it.
TEST(TridiagonalCoordinatesTest, FloatCoordinatesAgreeWithFloat64) {
  constexpr double kFloatRounding = 1e-5;
  const World world = MakeWorld(300, 20, 4, 18);
  Eigen::MatrixXd centred = CentreUnits(world.source_fit).values;
  const auto make = [&](const Eigen::MatrixXf& scaled) {
    return TridiagonalCoordinates::Make({scaled, 2.0, [&] { return centred; }},
                                        centred.transpose() * centred);
  };
  const Eigen::MatrixXf scaled = (centred / 2.0).cast<float>();
  const auto source = make(scaled);
  ASSERT_TRUE(source.ok());
  const std::vector<double> penalties =
      RidgeOptions().Penalties(source->mean_eigenvalue());
  const FloatCoordinates found = source->InFloat(0.5, penalties);
  EXPECT_TRUE(
      (0.5 * found.rotated.cast<double>()).isApprox(source->rotated(), kFloatRounding));
  ASSERT_TRUE(found.freedom.has_value());
  EXPECT_LT((*found.freedom - source->Freedom(penalties)).cwiseAbs().maxCoeff(),
            kFloatRounding);

  centred.col(1).setZero();
  centred(7, 1) = 3.0;
  const Eigen::MatrixXf alone = (centred / 2.0).cast<float>();
  const auto leveraged = make(alone);
  ASSERT_TRUE(leveraged.ok());
  EXPECT_FALSE(leveraged->InFloat(0.5, penalties).freedom.has_value());
}

// More units than stimuli: kernels against principal coordinates.
TEST(KernelCoordinatesTest, AgreeWithPrincipalCoordinates) {
  constexpr double kRounding = 1e-9;  // of systems with a condition of up to 1e6
  const World world = MakeWorld(30, 80, 4, 28);
  const auto basis = SourceBasis::Make(world.source_fit);
  ASSERT_TRUE(basis.ok());
  const Eigen::MatrixXd centred = CentreUnits(world.source_fit).values;
  const CentredUnits target = CentreUnits(world.target_fit);
  const auto kernel = KernelCoordinates::Make(centred * centred.transpose(), 80);
  ASSERT_TRUE(kernel.ok());
  const PrincipalCoordinates principal(*basis);
  EXPECT_NEAR(kernel->mean_eigenvalue(), principal.mean_eigenvalue(),
              kRounding * principal.mean_eigenvalue());
  const std::vector<double> penalties =
      RidgeOptions().Penalties(principal.mean_eigenvalue());
  EXPECT_LT(
      (kernel->Freedom(penalties) - principal.Freedom(penalties)).cwiseAbs().maxCoeff(),
      kRounding);
  const Eigen::MatrixXd projected = kernel->rotated().transpose() * target.values;
  const Eigen::MatrixXd principal_projected =
      principal.rotated().transpose() * target.values;
  const Eigen::RowVectorXd total = target.values.colwise().squaredNorm();
  EXPECT_LT((kernel->TrainingErrors(total, projected, penalties) -
             principal.TrainingErrors(total, principal_projected, penalties))
                .cwiseAbs()
                .maxCoeff(),
            kRounding * total.maxCoeff());
  for (const double penalty : {penalties[3], penalties[10], penalties[19]}) {
    const Eigen::MatrixXd fitted = kernel->rotated() * kernel->Solve(penalty, projected);
    const Eigen::MatrixXd expected =
        principal.rotated() * principal.Solve(penalty, principal_projected);
    EXPECT_TRUE(fitted.isApprox(expected, kRounding)) << penalty;
    const Eigen::MatrixXd weights =
        centred.transpose() * (kernel->rotated() * kernel->Dual(penalty, projected));
    EXPECT_TRUE((centred * weights).isApprox(expected, kRounding)) << penalty;
  }
}

}  // namespace
}  // namespace iat
