// Against scikit-learn: golden values made by tests/golden/similarity/make_mappings.py.

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>

#include "similarity/gate.h"
#include "similarity/leave_one_out.h"
#include "similarity/mapping.h"
#include "similarity/r2.h"
#include "similarity/ridge.h"
#include "tests/similarity/golden.h"

namespace iat {
namespace {

constexpr double kRidgeTolerance = 1e-9;
constexpr double kLogisticTolerance = 1e-6;

class MappingGoldenTest : public ::testing::Test {
 protected:
  const Eigen::MatrixXd& Golden(const std::string& name) const { return golden_[name]; }

  const iat::Golden golden_{"mappings.txt"};
  const GoldenProblem problem_;
  const Eigen::MatrixXd &x_fit_ = problem_.x, &y_fit_ = problem_.y,
                        &x_test_ = problem_.x_test, &y_test_ = problem_.y_test;
};

TEST_F(MappingGoldenTest, RidgePredictionsAtEqualPenalties) {
  const auto basis = SourceBasis::Make(x_fit_);
  ASSERT_TRUE(basis.ok());
  const Eigen::VectorXd penalties =
      Golden("relative_penalties").row(0).transpose() * basis->mean_eigenvalue();
  const auto map = SolveRidge(*basis, y_fit_, penalties);
  ASSERT_TRUE(map.ok());
  EXPECT_LT((*map->Predict(x_test_) - Golden("ridge_predictions")).cwiseAbs().maxCoeff(),
            kRidgeTolerance);
}

TEST_F(MappingGoldenTest, LeaveOneOutEqualsRefittingWithoutEachStimulus) {
  const auto basis = SourceBasis::Make(x_fit_);
  ASSERT_TRUE(basis.ok());
  const RidgeOptions options;
  const Eigen::MatrixXd errors =
      LeaveOneOutErrors(*basis, y_fit_, options.Penalties(basis->mean_eigenvalue()));
  EXPECT_TRUE(errors.isApprox(Golden("leave_one_out_errors"), kRidgeTolerance));
  const auto fit = FitRidge(*basis, y_fit_, options);
  ASSERT_TRUE(fit.ok());
  EXPECT_TRUE(fit->ridge_penalty.isApprox(
      Golden("leave_one_out_penalties").row(0).transpose(), kRidgeTolerance));
}

TEST_F(MappingGoldenTest, LogisticRidgeWithEverythingChosenInside) {
  SourceData source(x_fit_);
  FitProblem problem(source, y_fit_, Stage::kPostRelu);
  const auto gates = FitGates(source, y_fit_, {});
  ASSERT_TRUE(gates.ok());
  EXPECT_EQ(gates->logistic_penalty, Golden("logistic_penalties").row(0).transpose());
  const Eigen::ArrayXXd p =
      (1.0 + (-gates->margins.Predict(x_test_)->array()).exp()).inverse();
  EXPECT_LT((p - Golden("probabilities").array()).abs().maxCoeff(), kLogisticTolerance);

  const std::map<std::string, std::string> gate_of = {
      {"logistic_ridge", "r2_hard"},
      {"logistic_ridge_soft", "r2_soft"},
      {"logistic_ridge_tuned", "r2_tuned"}};
  for (const auto& [name, golden] : gate_of) {
    const auto fitted = (*MakeMapping(name, {}))->Fit(problem);
    ASSERT_TRUE(fitted.ok()) << fitted.status();
    EXPECT_TRUE((*fitted)
                    ->chosen()
                    .values.at("ridge_penalty")
                    .isApprox(Golden("active_ridge_penalties").row(0).transpose(),
                              kRidgeTolerance));
    if (name == "logistic_ridge_tuned") {
      EXPECT_TRUE((*fitted)
                      ->chosen()
                      .values.at("gate_threshold")
                      .isApprox(Golden("gate_thresholds").row(0).transpose(), 1e-12));
    }
    const Eigen::VectorXd r2 = R2PerUnit(y_test_, *(*fitted)->Predict(x_test_));
    EXPECT_LT((r2 - Golden(golden).row(0).transpose()).cwiseAbs().maxCoeff(),
              kLogisticTolerance)
        << name;
  }
}

}  // namespace
}  // namespace iat
