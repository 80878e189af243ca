// Against scikit-learn and SciPy: golden values made by
// tests/golden/similarity/make_linear_mappings.py.

#include <gtest/gtest.h>

#include <cmath>

#include "similarity/assignment.h"
#include "similarity/lasso.h"
#include "similarity/mapping.h"
#include "similarity/optimal_transport.h"
#include "similarity/pls.h"
#include "similarity/procrustes.h"
#include "tests/similarity/golden.h"

namespace iat {
namespace {

// Closed forms in float64 on both sides.
constexpr double kClosedFormTolerance = 1e-9;
// scikit-learn's iterations were run until they moved no more than 1e-14.
constexpr double kIterationTolerance = 1e-7;

class LinearMappingGoldenTest : public ::testing::Test {
 protected:
  // Largest difference of a mapping's predictions from `expected`.
  double Difference(const std::string& name, const MappingOptions& options,
                    const Eigen::MatrixXd& expected) {
    SourceData source(problem_.x);
    FitProblem problem(source, problem_.y, Stage::kPostRelu);
    const auto fitted = (*MakeMapping(name, options))->Fit(problem);
    EXPECT_TRUE(fitted.ok()) << fitted.status();
    if (!fitted.ok()) return INFINITY;
    return ((*fitted)->Predict(problem_.x_test).value() - expected).cwiseAbs().maxCoeff();
  }

  const Golden golden_{"linear_mappings.txt"};
  const GoldenProblem problem_;
};

TEST_F(LinearMappingGoldenTest, OlsIsLinearRegression) {
  EXPECT_LT(Difference("ols", {}, golden_["ols"]), kClosedFormTolerance);
}

TEST_F(LinearMappingGoldenTest, OlsWithFewStimuliIsTheLeastNormSolution) {
  SourceData source(problem_.x.topRows(9));
  FitProblem problem(source, problem_.y.topRows(9), Stage::kPostRelu);
  const auto fitted = (*MakeMapping("ols", {}))->Fit(problem);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_LT(
      (*(*fitted)->Predict(problem_.x_test) - golden_["ols_few"]).cwiseAbs().maxCoeff(),
      kClosedFormTolerance);
}

TEST_F(LinearMappingGoldenTest, PlsIsPlsRegression) {
  MappingOptions options;
  options.pls.num_components = 4;
  EXPECT_LT(Difference("pls", options, golden_["pls"]), kIterationTolerance);
}

TEST_F(LinearMappingGoldenTest, PlsChoosesWhatRefittingEachFoldChooses) {
  const auto basis = SourceBasis::Make(problem_.x);
  ASSERT_TRUE(basis.ok());
  PlsOptions options;
  options.num_components = 0;
  const auto fit = FitPls(*basis, problem_.y, options);
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_EQ(fit->num_components.cast<double>().transpose(), golden_["pls_chosen"].row(0));
}

TEST_F(LinearMappingGoldenTest, LassoAndElasticNetAtEqualPenalties) {
  const Eigen::RowVectorXd relative =
      (Eigen::RowVectorXd(5) << 0.5, 0.1, 0.03, 0.01, 1e-3).finished();
  const Eigen::MatrixXd xc = problem_.x.rowwise() - problem_.x.colwise().mean();
  const Eigen::RowVectorXd largest =
      (xc.transpose() * problem_.y).cwiseAbs().colwise().maxCoeff() / xc.rows();
  for (const double l1_ratio : {1.0, 0.3}) {
    const auto map = SolveElasticNet(
        problem_.x, problem_.y, l1_ratio,
        (largest.array() * relative.array() / l1_ratio).matrix().transpose());
    ASSERT_TRUE(map.ok()) << map.status();
    EXPECT_LT((*map->Predict(problem_.x_test) -
               golden_[l1_ratio == 1.0 ? "lasso" : "elastic_net"])
                  .cwiseAbs()
                  .maxCoeff(),
              kIterationTolerance);
    // The largest penalties leave units out.
    EXPECT_GT((map->weights.col(0).array() == 0.0).count(), 3);
  }
}

// What is chosen is the best of scikit-learn's own errors, but for penalties that are
// equally good: paths are solved to 1e-9 of the variance.
TEST_F(LinearMappingGoldenTest, LassoAndElasticNetChooseAsTheirCrossValidations) {
  const Eigen::MatrixXd xc = problem_.x.rowwise() - problem_.x.colwise().mean();
  const Eigen::RowVectorXd largest =
      (xc.transpose() * problem_.y).cwiseAbs().colwise().maxCoeff() / xc.rows();
  for (const double l1_ratio : {1.0, 0.3}) {
    const Eigen::MatrixXd& errors =
        golden_[l1_ratio == 1.0 ? "lasso_errors" : "elastic_net_errors"];
    const auto fit = FitElasticNet(problem_.x, problem_.y, l1_ratio, {});
    ASSERT_TRUE(fit.ok()) << fit.status();
    for (Eigen::Index j = 0; j < GoldenProblem::kNumTarget; ++j) {
      const double place = -4.75 * std::log10(fit->penalty(j) * l1_ratio / largest(j));
      const Eigen::Index chosen = std::lround(place);
      EXPECT_NEAR(place, static_cast<double>(chosen), 1e-9);  // of the same grid
      EXPECT_LT(errors(chosen, j), errors.col(j).minCoeff() * (1.0 + 1e-4));
    }
  }
}

TEST_F(LinearMappingGoldenTest, PercentileIsARidgeOnTheSelectedUnits) {
  MappingOptions options;
  options.percentile.percentile = 60.0;
  options.ridge.num_penalties = 1;
  options.ridge.min_relative_penalty = options.ridge.max_relative_penalty = 3.0;
  EXPECT_LT(Difference("percentile", options, golden_["percentile"]),
            kClosedFormTolerance);
}

TEST_F(LinearMappingGoldenTest, ProcrustesIsOrthogonalProcrustes) {
  EXPECT_LT(Difference("procrustes", {}, golden_["procrustes"]), kClosedFormTolerance);
  const Eigen::MatrixXd square =
      FormulaMatrix(GoldenProblem::kNumFit + GoldenProblem::kNumTest, 12, 5)
          .topRows(GoldenProblem::kNumFit) +
      problem_.x;
  const auto fit = FitProcrustes(problem_.x, square, {});
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_LT((*fit->map.Predict(problem_.x_test) - golden_["procrustes_square"])
                .cwiseAbs()
                .maxCoeff(),
            kClosedFormTolerance);
}

TEST_F(LinearMappingGoldenTest, OneToOneIsALineOfTheChosenUnit) {
  EXPECT_LT(Difference("one_to_one", {}, golden_["one_to_one"]), kClosedFormTolerance);
  EXPECT_LT(Difference("one_to_one_assigned", {}, golden_["one_to_one_assigned"]),
            kClosedFormTolerance);
}

TEST_F(LinearMappingGoldenTest, TargetsLeftOverAreTheirMean) {
  SourceData source(problem_.y);
  FitProblem problem(source, problem_.x, Stage::kPreRelu);
  const auto fitted = (*MakeMapping("one_to_one_assigned", {}))->Fit(problem);
  ASSERT_TRUE(fitted.ok()) << fitted.status();
  EXPECT_LT((*(*fitted)->Predict(problem_.y.topRows(10)) - golden_["one_to_one_reversed"])
                .cwiseAbs()
                .maxCoeff(),
            kClosedFormTolerance);
  EXPECT_EQ((*fitted)->chosen().values.at("source_unit").array().isNaN().count(), 7);
}

// The transport by linear programming, the rest by NumPy.
TEST_F(LinearMappingGoldenTest, SoftMatchingIsTheTransportPlanRescaled) {
  EXPECT_LT(Difference("soft_matching", {}, golden_["soft_matching"]),
            kClosedFormTolerance);
}

TEST_F(LinearMappingGoldenTest, AssignmentAndTransportReachTheLeastCost) {
  struct Shape {
    const char* name;
    Eigen::Index rows, cols;
  };
  for (const Shape& shape : {Shape{"wide", 17, 40}, Shape{"tall", 40, 17},
                             Shape{"even", 30, 30}, Shape{"shared", 24, 36}}) {
    const Eigen::MatrixXd cost = FormulaMatrix(shape.rows, shape.cols, 7);
    double assigned = 0.0;
    const std::vector<Eigen::Index> columns = OptimalAssignment(cost);
    for (Eigen::Index i = 0; i < shape.rows; ++i) {
      if (columns[i] >= 0) assigned += cost(i, columns[i]);
    }
    EXPECT_NEAR(assigned, golden_[std::string("assignment_") + shape.name](0, 0),
                kClosedFormTolerance)
        << shape.name;
    const auto plan = UniformTransport(cost);
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_NEAR(plan->cwiseProduct(cost).sum(),
                golden_[std::string("transport_") + shape.name](0, 0),
                kClosedFormTolerance)
        << shape.name;
  }
}

}  // namespace
}  // namespace iat
