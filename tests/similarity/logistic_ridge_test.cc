#include "similarity/logistic_ridge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/Cholesky>
#include <cmath>

#include "similarity/active_ridge.h"
#include "similarity/gate.h"
#include "similarity/logistic.h"
#include "similarity/r2.h"
#include "similarity/ridge.h"
#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

using ::testing::HasSubstr;

// What the header promises of final fits.
constexpr double kProbabilityTolerance = 1e-6;

// Newton's method with the exact Hessian, in float64: margins of `x_new`.
Eigen::VectorXd NewtonMargins(const Eigen::MatrixXd& x, const Eigen::VectorXd& active,
                              double penalty, const Eigen::MatrixXd& x_new) {
  const Eigen::Index p = x.cols();
  Eigen::MatrixXd design(x.rows(), p + 1);
  design << x, Eigen::VectorXd::Ones(x.rows());
  Eigen::VectorXd w = Eigen::VectorXd::Zero(p + 1);
  Eigen::VectorXd ridge = Eigen::VectorXd::Constant(p + 1, 2.0 * penalty);
  ridge(p) = 0.0;
  const auto loss = [&](const Eigen::VectorXd& v) {
    const Eigen::ArrayXd margin = (design * v).array();
    return ((1.0 + (-margin.abs()).exp()).log() + margin.max(0.0) -
            active.array() * margin)
               .sum() +
           penalty * v.head(p).squaredNorm();
  };
  for (int iteration = 0; iteration < 200; ++iteration) {
    const Eigen::ArrayXd q = (1.0 + (-(design * w).array()).exp()).inverse();
    const Eigen::VectorXd gradient =
        design.transpose() * (q - active.array()).matrix() + ridge.cwiseProduct(w);
    Eigen::MatrixXd hessian =
        design.transpose() * (q * (1.0 - q)).matrix().asDiagonal() * design;
    hessian.diagonal() += ridge + Eigen::VectorXd::Constant(p + 1, 1e-12);
    const Eigen::VectorXd step = hessian.ldlt().solve(gradient);
    double scale = 1.0;
    while (loss(w - scale * step) > loss(w) && scale > 1e-10) scale *= 0.5;
    w -= scale * step;
    if (step.norm() < 1e-13 * (1.0 + w.norm())) break;
  }
  return (x_new * w.head(p)).array() + w(p);
}

Eigen::ArrayXd Probabilities(const Eigen::ArrayXd& margins) {
  return (1.0 + (-margins).exp()).inverse();
}

// Post-ReLU targets: a rectified linear map of a Gaussian source plus noise.
struct Planted {
  Eigen::MatrixXd x, y, x_test, y_test;
};
Planted MakePlanted(Eigen::Index n, Eigen::Index p, Eigen::Index t, double noise) {
  const Eigen::MatrixXd x = NormalMatrix(n + 1000, p, 1);
  Eigen::MatrixXd y = x * NormalMatrix(p, t, 2) / std::sqrt(static_cast<double>(p));
  y = (y + noise * NormalMatrix(n + 1000, t, 3)).cwiseMax(0.0);
  return {x.topRows(n), y.topRows(n), x.bottomRows(1000), y.bottomRows(1000)};
}

Eigen::MatrixXd FitAndPredict(const std::string& name, const Planted& data,
                              Chosen* chosen = nullptr,
                              const MappingOptions& options = {}) {
  SourceData source(data.x);
  FitProblem problem(source, data.y, Stage::kPostRelu);
  const auto fitted = (*MakeMapping(name, options))->Fit(problem);
  EXPECT_TRUE(fitted.ok()) << fitted.status();
  if (chosen != nullptr) *chosen = (*fitted)->chosen();
  return *(*fitted)->Predict(data.x_test);
}

double MedianR2(const std::string& name, const Planted& data) {
  return SummariseR2(R2PerUnit(data.y_test, FitAndPredict(name, data))).median;
}

// At each penalty, of the stimuli `x_new`.
void ExpectNewtonsProbabilities(const Planted& data, const Eigen::MatrixXd& x_new,
                                const std::vector<double>& penalties) {
  for (const double penalty : penalties) {
    SourceData source(data.x);
    LogisticRidgeOptions options;
    options.logistic_penalties = {penalty};
    const auto fit = FitGates(source, data.y, options);
    ASSERT_TRUE(fit.ok()) << fit.status();
    const Eigen::MatrixXd margins = *fit->margins.Predict(x_new);
    const Eigen::MatrixXd z = source.standardiser().Apply(data.x);
    const Eigen::MatrixXd z_new = source.standardiser().Apply(x_new);
    for (Eigen::Index j = 0; j < data.y.cols(); ++j) {
      const Eigen::VectorXd active = (data.y.col(j).array() > 0.0).cast<double>();
      const Eigen::VectorXd newton = NewtonMargins(z, active, penalty, z_new);
      EXPECT_LT((Probabilities(margins.col(j)) - Probabilities(newton)).abs().maxCoeff(),
                kProbabilityTolerance)
          << "penalty " << penalty << " target " << j;
    }
  }
}

TEST(LogisticTest, ProbabilitiesAreNewtonsAtEveryPenalty) {
  const Planted data = MakePlanted(700, 9, 4, 0.5);
  ExpectNewtonsProbabilities(data, data.x_test, {500.0, 5.0, 0.5, 0.0005});
}

// Brings a column close to its minimum, and from there to float64's accuracy with its
// Hessian or, beyond what float32 solves, without; how many steps the latter took.
int StepsToTheMinimum(const LogisticDesign& design, const Eigen::VectorXf& classes,
                      double penalty, bool with_hessian, Eigen::VectorXd& coefficients) {
  LogisticColumn column(design, classes);
  column.KeepWeights();
  column.Begin(penalty, LogisticPrecision::kFast);
  while (!column.converged()) Advance(design, {&column});
  if (with_hessian) {
    auto hessian = LogisticHessian::Create(design, column.weights(), penalty);
    EXPECT_TRUE(hessian.ok()) << hessian.status();
    column.SetHessian(*std::move(hessian));
  }
  int num_steps = 0;
  column.Begin(penalty, LogisticPrecision::kExact);
  for (; !column.converged(); ++num_steps) Advance(design, {&column});
  coefficients = column.coefficients();
  return num_steps;
}

TEST(LogisticTest, AHessianSavesStepsOnTheWayToTheSameMinimum) {
  // Rectified sources of few hidden values: stimuli near the boundary differ from others.
  Planted data = MakePlanted(1500, 60, 2, 0.3);
  data.x = (NormalMatrix(1500, 15, 5) * NormalMatrix(15, 60, 6)).cwiseMax(0.0);
  data.y = data.x * NormalMatrix(60, 2, 7);
  data.y = (data.y.rowwise() - data.y.colwise().mean()).eval();
  SourceData source(data.x);
  const auto basis = source.StandardisedBasis();
  ASSERT_TRUE(basis.ok()) << basis.status();
  const LogisticDesign design(**basis);
  for (const double penalty : {50.0, 0.5, 0.0005}) {
    for (Eigen::Index j = 0; j < 2; ++j) {
      const Eigen::VectorXf classes =
          (data.y.col(j).array() > 0.0)
              .select(Eigen::VectorXf::Ones(1500), -Eigen::VectorXf::Ones(1500));
      Eigen::VectorXd plain, with_hessian;
      const int plain_steps = StepsToTheMinimum(design, classes, penalty, false, plain);
      const int steps = StepsToTheMinimum(design, classes, penalty, true, with_hessian);
      // The weaker the penalty, the more the boundary decides.
      EXPECT_LE(penalty < 0.1 ? 2 * steps : steps, plain_steps)
          << "penalty " << penalty << " target " << j;
      EXPECT_LT((with_hessian - plain).norm(), 1e-5 * plain.norm());
    }
  }
}

// Sources with as many axes as make the leading ones go first, and classes that hang on
// more of them than those.
Planted MakeWide(Eigen::Index n, Eigen::Index p, Eigen::Index t) {
  Planted data;
  data.x = NormalMatrix(n, p, 11);
  for (Eigen::Index k = 0; k < p; ++k) data.x.col(k) *= std::pow(0.98, k);
  data.x = (data.x * NormalMatrix(p, p, 12)).eval();
  data.y = data.x * NormalMatrix(p, t, 13) / data.x.norm() * std::sqrt(n * p / 20.0);
  data.y = (data.y + NormalMatrix(n, t, 14)).cwiseMax(0.0);
  return data;
}

TEST(LogisticTest, ProbabilitiesAreNewtonsWhereLeadingAxesGoFirst) {
  const Planted data = MakeWide(600, 140, 2);
  ExpectNewtonsProbabilities(data, data.x, {500.0, 0.5});
}

// More axes than a Hessian couples, and classes that hang on small axes as much as on
// large ones: the curvature along one is millions of times that along another.
TEST(LogisticTest, ProbabilitiesAreNewtonsWhereAxesDifferByMillions) {
  Planted data;
  data.x = NormalMatrix(700, 200, 16);
  data.y = data.x * NormalMatrix(200, 2, 17) + 10.0 * NormalMatrix(700, 2, 19);
  data.y = data.y.cwiseMax(0.0).eval();
  for (Eigen::Index k = 0; k < 200; ++k) data.x.col(k) *= std::pow(0.95, k);
  data.x = (data.x * NormalMatrix(200, 200, 18)).eval();
  ExpectNewtonsProbabilities(data, data.x, {0.5, 1e-6});
}

// The distance of a held-out loss from its value at the minimum lies within three times
// what a column says about it, and within what it says more often than not.
TEST(LogisticTest, AColumnKnowsHowUncertainItsHeldOutLossIs) {
  const Planted data = MakeWide(900, 140, 4);
  SourceData source(data.x);
  const auto basis = source.StandardisedBasis();
  ASSERT_TRUE(basis.ok()) << basis.status();
  const LogisticDesign design(**basis);
  int num_within = 0, num_tried = 0;
  for (Eigen::Index j = 0; j < 4; ++j) {
    Eigen::VectorXf classes =
        (data.y.col(j).array() > 0.0)
            .select(Eigen::VectorXf::Ones(900), -Eigen::VectorXf::Ones(900));
    for (Eigen::Index i = 0; i < 900; i += 3) classes(i) *= 2.0f;
    LogisticColumn column(design, classes);
    for (const double penalty : {500.0, 50.0, 5.0}) {
      std::vector<std::pair<double, double>> said;  // loss, uncertainty
      for (const double decrement : {3e-4, 5e-5, 1e-5, 1e-9}) {
        column.BeginFast(penalty, decrement);
        while (!column.converged()) Advance(design, {&column});
        said.emplace_back(column.held_out_loss(), column.HeldOutUncertainty());
      }
      const auto [minimum, rest] = said.back();
      EXPECT_LT(rest, 0.05 * said.front().second);
      said.pop_back();
      for (const auto& [loss, uncertainty] : said) {
        EXPECT_LT(std::abs(loss - minimum), 3.0 * uncertainty) << "penalty " << penalty;
        num_within += std::abs(loss - minimum) < uncertainty;
        ++num_tried;
      }
    }
  }
  EXPECT_GT(2 * num_within, num_tried);
}

TEST(LogisticTest, AColumnGoesOnFromWhereItStoodBefore) {
  const Planted data = MakeWide(600, 140, 1);
  SourceData source(data.x);
  const auto basis = source.StandardisedBasis();
  ASSERT_TRUE(basis.ok()) << basis.status();
  const LogisticDesign design(**basis);
  Eigen::VectorXf classes =
      (data.y.col(0).array() > 0.0)
          .select(Eigen::VectorXf::Ones(600), -Eigen::VectorXf::Ones(600));
  for (Eigen::Index i = 0; i < 600; i += 3) classes(i) *= 2.0f;
  LogisticColumn column(design, classes);
  const auto run = [&](double penalty, double decrement) {
    column.BeginFast(penalty, decrement);
    int num_steps = 0;
    for (; !column.converged(); ++num_steps) Advance(design, {&column});
    return num_steps;
  };
  const int from_nothing = run(50.0, 1e-6);
  const double loss = column.held_out_loss();
  const LogisticColumn::Point point = column.point();
  EXPECT_EQ(point.coefficients(), column.coefficients());
  run(0.5, 1e-6);
  EXPECT_NE(column.held_out_loss(), loss);
  column.MoveTo(point);
  EXPECT_EQ(column.held_out_loss(), loss);
  EXPECT_EQ(run(50.0, 1e-6), 0);
  EXPECT_LT(run(50.0, 1e-7), from_nothing);
}

TEST(LogisticTest, SeparableClassesHaveAFiniteSolution) {
  Planted data = MakePlanted(300, 5, 1, 0.0);
  data.y.col(0) = data.x.col(0).cwiseMax(0.0);
  ExpectNewtonsProbabilities(data, data.x_test, {0.0005});
}

// The penalty with the smallest summed log-loss over three folds, each fitted to
// convergence by Newton's method.
double ConvergedChoice(const Eigen::MatrixXd& z, const Eigen::VectorXd& active,
                       const std::vector<double>& penalties) {
  std::vector<std::vector<Eigen::Index>> in(3), out(3);
  int seen[2] = {0, 0};
  for (Eigen::Index i = 0; i < active.size(); ++i) {
    const int fold = seen[active(i) > 0]++ % 3;
    for (int f = 0; f < 3; ++f) (f == fold ? out : in)[f].push_back(i);
  }
  double best = NAN, smallest = INFINITY;
  for (const double penalty : penalties) {
    double loss = 0.0;
    for (int f = 0; f < 3; ++f) {
      const Eigen::VectorXd margins = NewtonMargins(z(in[f], Eigen::all), active(in[f]),
                                                    penalty, z(out[f], Eigen::all));
      const Eigen::ArrayXd right = margins.array() * (2.0 * active(out[f]).array() - 1.0);
      loss += ((1.0 + (-right.abs()).exp()).log() + (-right).max(0.0)).sum();
    }
    if (loss < smallest) {
      smallest = loss;
      best = penalty;
    }
  }
  return best;
}

// Folds fitted one by one to convergence choose the same penalties as the float32 path
// that stops early, with few axes and with so many that the leading ones go first.
TEST(LogisticTest, TheFastPathChoosesWhatConvergedFoldsChoose) {
  for (const bool wide : {false, true}) {
    const Planted data = wide ? MakeWide(600, 140, 6) : MakePlanted(500, 8, 12, 0.7);
    SourceData source(data.x);
    LogisticRidgeOptions options;
    if (wide) options.logistic_penalties = {500, 150, 50, 15, 5};
    const auto fit = FitGates(source, data.y, options);
    ASSERT_TRUE(fit.ok());
    const Eigen::MatrixXd z = source.standardiser().Apply(data.x);
    for (Eigen::Index j = 0; j < data.y.cols(); ++j) {
      const Eigen::VectorXd active = (data.y.col(j).array() > 0.0).cast<double>();
      EXPECT_EQ(fit->logistic_penalty(j),
                ConvergedChoice(z, active, options.logistic_penalties))
          << (wide ? "wide, target " : "target ") << j;
    }
  }
}

// Of the chosen penalty's folds, whether they were fitted to choose it or, with a single
// penalty, for their margins alone.
TEST(LogisticTest, OutOfFoldMarginsAreThoseOfTheFoldThatLeftTheStimulusOut) {
  Planted data = MakePlanted(400, 6, 3, 0.7);
  data.y.col(2).setZero();
  data.y(17, 2) = 1.0;  // a single active stimulus makes no folds
  SourceData source(data.x);
  const Eigen::MatrixXd z = source.standardiser().Apply(data.x);
  for (const std::vector<double>& grid :
       {std::vector{5.0}, std::vector{500.0, 5.0, 0.5}}) {
    LogisticRidgeOptions options;
    options.logistic_penalties = grid;
    const auto gates = FitGates(source, data.y, options);
    ASSERT_TRUE(gates.ok()) << gates.status();
    const auto margins = OutOfFoldMargins(source, data.y, *gates, options);
    ASSERT_TRUE(margins.ok()) << margins.status();
    for (Eigen::Index j = 0; j < 2; ++j) {
      const Eigen::VectorXd active = (data.y.col(j).array() > 0.0).cast<double>();
      std::vector<std::vector<Eigen::Index>> in(3), out(3);
      int seen[2] = {0, 0};
      for (Eigen::Index i = 0; i < 400; ++i) {
        const int fold = seen[active(i) > 0]++ % 3;
        for (int f = 0; f < 3; ++f) (f == fold ? out : in)[f].push_back(i);
      }
      for (int f = 0; f < 3; ++f) {
        const Eigen::VectorXd newton =
            NewtonMargins(z(in[f], Eigen::all), active(in[f]), gates->logistic_penalty(j),
                          z(out[f], Eigen::all));
        // Folds are solved to 4e-6 nats a stimulus: margins to a few thousandths.
        EXPECT_LT((margins->col(j)(out[f]).cast<double>() - newton).norm(),
                  0.01 * newton.norm());
      }
    }
    EXPECT_TRUE(std::isnan((*margins)(0, 2)));
  }
}

TEST(LogisticRidgeTest, RecoversAPlantedReluClearlyAboveRidge) {
  const Planted data = MakePlanted(2000, 10, 20, 0.05);
  const double ridge = MedianR2("ridge", data), clamped = MedianR2("ridge_clamped", data);
  for (const char* name :
       {"logistic_ridge", "logistic_ridge_soft", "logistic_ridge_tuned"}) {
    const double r2 = MedianR2(name, data);
    EXPECT_GT(r2, ridge + 0.1) << name;
    EXPECT_GT(r2, clamped + 0.02) << name;
  }
}

TEST(LogisticRidgeTest, UnrelatedTargetsScoreZeroOrBelow) {
  Planted data = MakePlanted(1500, 10, 40, 1.0);
  data.x = NormalMatrix(1500, 10, 77);
  data.x_test = NormalMatrix(1000, 10, 78);
  for (const char* name :
       {"logistic_ridge", "logistic_ridge_soft", "logistic_ridge_tuned"}) {
    EXPECT_LT(MedianR2(name, data), 0.01) << name;
  }
}

TEST(LogisticRidgeTest, GatesAreWhatTheySay) {
  const Planted data = MakePlanted(600, 6, 5, 0.5);
  SourceData source(data.x);
  const auto gates = FitGates(source, data.y, {});
  const auto ridges = FitActiveRidges(source, data.y, {}, {});
  ASSERT_TRUE(gates.ok() && ridges.ok());
  const Eigen::ArrayXXd p =
      (1.0 + (-gates->margins.Predict(data.x_test)->array()).exp()).inverse();
  const Eigen::ArrayXXd value = ridges->map.Predict(data.x_test)->array();
  Chosen chosen;
  const Eigen::MatrixXd tuned = FitAndPredict("logistic_ridge_tuned", data, &chosen);
  const Eigen::MatrixXd hard = (p >= 0.5).select(value, 0.0);
  EXPECT_EQ(FitAndPredict("logistic_ridge", data), hard);
  EXPECT_TRUE(
      FitAndPredict("logistic_ridge_soft", data).isApprox((p * value).matrix(), 1e-12));
  const Eigen::VectorXd& tau = chosen.values.at("gate_threshold");
  for (Eigen::Index j = 0; j < 5; ++j) {
    const Eigen::VectorXd expected = (p.col(j) >= tau(j)).select(value.col(j), 0.0);
    EXPECT_EQ(tuned.col(j), expected);
  }
}

TEST(LogisticRidgeTest, TheRidgeIsFittedOnActiveStimuliOnly) {
  const Planted data = MakePlanted(400, 6, 3, 0.5);
  SourceData source(data.x);
  const auto ridges = FitActiveRidges(source, data.y, {}, {});
  ASSERT_TRUE(ridges.ok());
  for (Eigen::Index j = 0; j < 3; ++j) {
    std::vector<Eigen::Index> active;
    for (Eigen::Index i = 0; i < 400; ++i) {
      if (data.y(i, j) > 0.0) active.push_back(i);
    }
    const auto basis = SourceBasis::Make(data.x(active, Eigen::all));
    ASSERT_TRUE(basis.ok());
    const auto plain = FitRidge(*basis, data.y.col(j)(active), RidgeOptions());
    ASSERT_TRUE(plain.ok());
    EXPECT_NEAR(ridges->ridge_penalty(j), plain->ridge_penalty(0),
                1e-10 * plain->ridge_penalty(0));
    EXPECT_TRUE(ridges->map.Predict(data.x_test)
                    ->col(j)
                    .isApprox(plain->map.Predict(data.x_test)->col(0), 1e-9));
  }
}

// Where the estimated leverages decide (many stimuli for each axis), where the exact ones
// do, and where activity is above a half, so that the inactive stimuli make the Gram
// matrix: the choices are those of float64 leave-one-out.
TEST(LogisticRidgeTest, ActiveRidgesChooseWhatExactLeaveOneOutChooses) {
  for (const Eigen::Index n : {300, 3000}) {
    Planted data = MakePlanted(n, 24, 40, 1.0);
    data.y.leftCols(10) =
        (data.y.leftCols(10).array() + 0.7 * data.x.leftCols(10).array()).max(0.0);
    SourceData source(data.x);
    const auto ridges = FitActiveRidges(source, data.y, {}, {});
    ASSERT_TRUE(ridges.ok());
    for (Eigen::Index j = 0; j < data.y.cols(); ++j) {
      std::vector<Eigen::Index> active;
      for (Eigen::Index i = 0; i < n; ++i) {
        if (data.y(i, j) > 0.0) active.push_back(i);
      }
      const auto exact =
          FitSingleRidge(data.x(active, Eigen::all), data.y.col(j)(active), {}, 24);
      ASSERT_TRUE(exact.ok());
      EXPECT_NEAR(ridges->ridge_penalty(j), exact->ridge_penalty,
                  1e-9 * exact->ridge_penalty)
          << n << " stimuli, target " << j;
      EXPECT_TRUE(ridges->map.weights.col(j).isApprox(exact->weights, 1e-8));
      const Eigen::VectorXd values = data.y.col(j)(active);
      const Eigen::VectorXd left_out = ridges->out_of_sample.col(j)(active);
      // A few per cent of what leaving out changes, which is itself small.
      EXPECT_LT((left_out - exact->leave_one_out).norm(),
                0.1 * (values - exact->leave_one_out).norm());
    }
  }
}

TEST(LogisticRidgeTest, UnitsThatAreNeverAlwaysOrSeldomActive) {
  Planted data = MakePlanted(300, 4, 5, 0.5);
  data.y.col(0).setZero();
  data.y.col(1) = data.y.col(1).array() + 1.0;  // always active
  data.y.col(2).setZero();                      // one active stimulus
  data.y(17, 2) = 2.5;
  data.y.col(3).setZero();  // fewer than min_active
  for (int i = 0; i < 10; ++i) data.y(i, 3) = 1.0 + i;
  Chosen chosen;
  const Eigen::MatrixXd predicted = FitAndPredict("logistic_ridge_soft", data, &chosen);
  ASSERT_TRUE(predicted.allFinite());
  EXPECT_EQ(predicted.col(0), Eigen::VectorXd::Zero(1000));
  // Up to the rounding of a different basis.
  EXPECT_TRUE(predicted.col(1).isApprox(FitAndPredict("ridge", data).col(1), 1e-9));
  EXPECT_LE(predicted.col(2).maxCoeff(), 2.5);
  const Eigen::MatrixXd hard = FitAndPredict("logistic_ridge", data);
  for (const double value : hard.col(3)) EXPECT_TRUE(value == 0.0 || value == 5.5);
  const Eigen::VectorXd& logistic = chosen.values.at("logistic_penalty");
  const Eigen::VectorXd& ridge = chosen.values.at("ridge_penalty");
  EXPECT_TRUE(std::isnan(logistic(0)) && std::isnan(logistic(1)));
  EXPECT_EQ(logistic(2), 500.0);  // nothing to choose with: the strongest
  EXPECT_TRUE(std::isnan(ridge(0)) && std::isnan(ridge(2)) && std::isnan(ridge(3)));
  EXPECT_FALSE(std::isnan(ridge(1)) || std::isnan(ridge(4)));
}

TEST(LogisticRidgeTest, WorksAtAnyScaleWithConstantAndDuplicateUnits) {
  Planted data = MakePlanted(400, 6, 3, 0.5);
  const Eigen::MatrixXd expected = FitAndPredict("logistic_ridge_soft", data);
  for (const double scale : {1e-20, 1e20}) {
    Planted scaled = data;
    scaled.x *= scale;
    scaled.x_test *= scale;
    scaled.y /= scale;
    EXPECT_TRUE(
        (scale * FitAndPredict("logistic_ridge_soft", scaled)).isApprox(expected, 1e-6));
  }
  Planted wide = data;
  wide.x.conservativeResize(400, 9);
  wide.x.rightCols(3) << data.x.leftCols(2), Eigen::VectorXd::Constant(400, 0.1);
  wide.x_test.conservativeResize(1000, 9);
  wide.x_test.rightCols(3) << data.x_test.leftCols(2),
      Eigen::VectorXd::Constant(1000, 0.1);
  EXPECT_TRUE(FitAndPredict("logistic_ridge_soft", wide).allFinite());
}

TEST(LogisticRidgeTest, WorksWithFewerStimuliThanUnits) {
  const Planted data = MakePlanted(60, 100, 4, 0.1);
  const Eigen::MatrixXd predicted = FitAndPredict("logistic_ridge", data);
  EXPECT_TRUE(predicted.allFinite());
}

// A recording whose resting rate is 3: with the threshold there, predictions are those of
// the rectified target, 3 higher.
TEST(LogisticRidgeTest, AnActivityThresholdMovesWithTheTarget) {
  constexpr double kRest = 3.0;
  const Planted data = MakePlanted(400, 6, 5, 0.5);
  SourceData source(data.x);
  for (const char* name :
       {"logistic_ridge", "logistic_ridge_soft", "logistic_ridge_tuned"}) {
    FitProblem rectified(source, data.y, Stage::kPostRelu);
    FitProblem recorded(source, data.y.array() + kRest, Stage::kRecorded);
    MappingOptions options;
    const auto plain = (*MakeMapping(name, options))->Fit(rectified);
    options.logistic_ridge.activity_threshold = kRest;
    const auto shifted = (*MakeMapping(name, options))->Fit(recorded);
    ASSERT_TRUE(plain.ok() && shifted.ok()) << shifted.status();
    const Eigen::MatrixXd expected = (*plain)->Predict(data.x_test)->array() + kRest;
    EXPECT_TRUE((*shifted)->Predict(data.x_test)->isApprox(expected, 1e-9)) << name;
  }
}

TEST(LogisticRidgeTest, InactiveStimuliArePredictedTheirMean) {
  Planted data = MakePlanted(400, 6, 2, 0.3);
  // Below the threshold of 0 the first target is not constant but -1 or -3 in turn; the
  // second is never active.
  for (Eigen::Index i = 0; i < data.y.rows(); ++i) {
    if (data.y(i, 0) == 0.0) data.y(i, 0) = i % 2 == 0 ? -1.0 : -3.0;
    data.y(i, 1) = i % 2 == 0 ? -1.0 : -2.0;
  }
  double sum = 0.0, count = 0.0;
  for (Eigen::Index i = 0; i < data.y.rows(); ++i) {
    if (data.y(i, 0) > 0.0) continue;
    sum += data.y(i, 0);
    count += 1.0;
  }
  SourceData source(data.x);
  FitProblem problem(source, data.y, Stage::kRecorded);
  const auto fitted = (*MakeMapping("logistic_ridge", {}))->Fit(problem);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  const Eigen::MatrixXd predicted = *(*fitted)->Predict(data.x_test);
  const auto gates = FitGates(source, data.y, {});
  const Eigen::MatrixXd margins = *gates->margins.Predict(data.x_test);
  int64_t closed = 0;
  for (Eigen::Index i = 0; i < predicted.rows(); ++i) {
    if (margins(i, 0) >= 0.0) continue;
    EXPECT_NEAR(predicted(i, 0), sum / count, 1e-12);
    ++closed;
  }
  EXPECT_GT(closed, 100);
  EXPECT_TRUE(predicted.col(1).isApproxToConstant(data.y.col(1).mean(), 1e-12));
}

TEST(LogisticRidgeTest, RefusesTargetsBeforeTheirRelu) {
  const Planted data = MakePlanted(50, 3, 2, 0.5);
  SourceData source(data.x);
  FitProblem problem(source, data.y, Stage::kPreRelu);
  for (const char* name :
       {"logistic_ridge", "logistic_ridge_soft", "logistic_ridge_tuned"}) {
    const auto fitted = (*MakeMapping(name, {}))->Fit(problem);
    EXPECT_EQ(fitted.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(fitted.status().message()),
                HasSubstr("the target is pre_relu"));
  }
  MappingOptions empty;
  empty.logistic_ridge.logistic_penalties.clear();
  EXPECT_THAT(std::string(MakeMapping("logistic_ridge", empty).status().message()),
              HasSubstr("logistic_ridge.logistic_penalties is empty"));
}

}  // namespace
}  // namespace iat
