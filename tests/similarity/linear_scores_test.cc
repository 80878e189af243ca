#include "similarity/linear_scores.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/parallel.h"
#include "similarity/r2.h"
#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

// Sums of some hundred products in float64.
constexpr double kTolerance = 1e-12;

class LinearScoresTest : public ::testing::Test {
 protected:
  LinearScoresTest() { SetBlasThreads(1); }

  // Scores of X W + offset by LinearScores beside those of its predictions.
  void Expect(const Eigen::MatrixXd& x, const Eigen::MatrixXd& y,
              const Eigen::MatrixXd& w, const Eigen::RowVectorXd& offset,
              double tolerance = kTolerance) {
    const Eigen::MatrixXd predicted = (x * w).rowwise() + offset;
    const Eigen::VectorXd r2 = R2PerUnit(y, predicted), r = PearsonPerUnit(y, predicted);
    for (const bool keep_stimuli : {false, true}) {
      const LinearScores scores(x, y, keep_stimuli);
      const Eigen::MatrixXd fitted = scores.Fitted(w);
      EXPECT_TRUE(fitted.isApprox(scores.source() * w, tolerance));
      const Eigen::RowVectorXd mean_residual =
          scores.target_mean() - scores.source_mean() * w - offset;
      const LinearScores::Scores found = scores.Score(fitted, mean_residual);
      for (Eigen::Index j = 0; j < y.cols(); ++j) {
        ASSERT_EQ(std::isnan(found.r2(j)), std::isnan(r2(j))) << j;
        ASSERT_EQ(std::isnan(found.r(j)), std::isnan(r(j))) << j;
        if (std::isnan(r2(j))) continue;
        EXPECT_NEAR(found.r2(j), r2(j), tolerance * std::max(1.0, std::abs(r2(j)))) << j;
        EXPECT_NEAR(found.r(j), r(j), tolerance) << j;
      }
      if (keep_stimuli) {
        EXPECT_TRUE(
            scores.Predictions(fitted, mean_residual).isApprox(predicted, tolerance));
      }
    }
  }
};

TEST_F(LinearScoresTest, EqualTheScoresOfPredictions) {
  const Eigen::MatrixXd x = NormalMatrix(90, 12, 1), w = NormalMatrix(12, 5, 2);
  const Eigen::MatrixXd y = x * NormalMatrix(12, 5, 3) + NormalMatrix(90, 5, 4);
  Expect(x, y, w, NormalMatrix(1, 5, 5));
  Expect(x, x * w + 0.3 * NormalMatrix(90, 5, 6), w, Eigen::RowVectorXd::Zero(5));
}

TEST_F(LinearScoresTest, EqualThemWhereUnitsAreAtLeastAsManyAsStimuli) {
  for (const Eigen::Index p : {19, 20, 21, 50}) {
    const Eigen::MatrixXd x = NormalMatrix(20, p, 1), w = NormalMatrix(p, 3, 2);
    Expect(x, x * w + NormalMatrix(20, 3, 3), w, NormalMatrix(1, 3, 4));
  }
}

TEST_F(LinearScoresTest, TakeAsFewRowsAsUnits) {
  const Eigen::MatrixXd x = NormalMatrix(90, 12, 1), y = NormalMatrix(90, 5, 2);
  EXPECT_EQ(LinearScores(x, y, false).source().rows(), 12);
  EXPECT_EQ(LinearScores(x, y, true).source().rows(), 90);
  EXPECT_EQ(LinearScores(x.topRows(12), y.topRows(12), false).source().rows(), 12);
  EXPECT_EQ(LinearScores(x.topRows(7), y.topRows(7), false).source().rows(), 7);
}

TEST_F(LinearScoresTest, ConstantUnitsAreNaNAndFlatPredictionsDoNotCorrelate) {
  Eigen::MatrixXd x = NormalMatrix(40, 6, 1), y = NormalMatrix(40, 3, 2);
  y.col(1).setConstant(0.1);  // its mean is not exactly 0.1
  y.col(2).setConstant(0.0);
  y(7, 2) = 1e-100;  // varies, however little beside the other units
  x.col(3).setConstant(0.1);
  Eigen::MatrixXd w = NormalMatrix(6, 3, 3);
  w.col(0).setZero();
  w(3, 0) = 2.0;  // only of the unit that never changes
  w.col(2) *= 1e-100;
  Expect(x, y, w, Eigen::RowVectorXd::Zero(3));
  const LinearScores scores(x, y, false);
  const LinearScores::Scores found =
      scores.Score(scores.source() * w, Eigen::RowVectorXd::Zero(3));
  EXPECT_TRUE(std::isnan(found.r2(1)) && std::isnan(found.r(1)));
  EXPECT_NEAR(found.r2(0), 0.0, kTolerance);
  EXPECT_EQ(found.r(0), 0.0);
  EXPECT_FALSE(std::isnan(found.r2(2)) || std::isnan(found.r(2)));
}

// A unit whose copies cancel in W takes large weights: Gram matrices of the test stimuli
// would lose 1e12 * 1e-16 of R2, squared weights times rounding.
TEST_F(LinearScoresTest, LargeWeightsThatCancelCostNoMoreThanInPredictions) {
  Eigen::MatrixXd x = NormalMatrix(200, 8, 1);
  x.col(5) = x.col(2) + 1e-6 * NormalMatrix(200, 1, 2);
  Eigen::MatrixXd w = NormalMatrix(8, 2, 3);
  w.row(5).array() += 1e6;
  w.row(2).array() -= 1e6;
  constexpr double kCancelled = 1e-9;  // 1e6 * 1e-16, and a factor for 200 stimuli
  Expect(x, x * w + 0.5 * NormalMatrix(200, 2, 4), w, Eigen::RowVectorXd::Zero(2),
         kCancelled);
}

// What is left of the target is known to its own digits, far below 1e-16 of the variance.
TEST_F(LinearScoresTest, AlmostPerfectPredictionsKeepTheirResidual) {
  const Eigen::MatrixXd x = NormalMatrix(300, 10, 1), w = NormalMatrix(10, 4, 2);
  const Eigen::MatrixXd noise = 1e-5 * NormalMatrix(300, 4, 3);
  const Eigen::MatrixXd y = x * w + noise;
  const LinearScores scores(x, y, false);
  const Eigen::MatrixXd fitted = scores.source() * w;
  const LinearScores::Scores found =
      scores.Score(fitted, scores.target_mean() - scores.source_mean() * w);
  for (Eigen::Index j = 0; j < 4; ++j) {
    const double sst = (y.col(j).array() - y.col(j).mean()).square().sum();
    const double unexplained = noise.col(j).squaredNorm() / sst;
    ASSERT_LT(unexplained, 1e-10);
    EXPECT_NEAR(1.0 - found.r2(j), unexplained, 1e-15);
  }
}

TEST_F(LinearScoresTest, OffsetsOfAMillionDeviationsLeaveScoresAsTheyAre) {
  Eigen::MatrixXd x = NormalMatrix(150, 9, 1);
  const Eigen::MatrixXd w = NormalMatrix(9, 3, 2);
  const Eigen::MatrixXd y = x * w + NormalMatrix(150, 3, 3);
  const LinearScores plain(x, y, false);
  const Eigen::MatrixXd fitted = plain.source() * w;
  const LinearScores::Scores expected =
      plain.Score(fitted, plain.target_mean() - plain.source_mean() * w);
  const Eigen::MatrixXd far_x = x.array() + 1048576.0, far_y = y.array() - 1048576.0;
  const LinearScores far(far_x, far_y, false);
  const LinearScores::Scores found =
      far.Score(far.source() * w, plain.target_mean() - plain.source_mean() * w);
  constexpr double kOffsetRounding = 1e-8;  // 1e6 * 1e-16 of each response, 150 of them
  EXPECT_LT((found.r2 - expected.r2).cwiseAbs().maxCoeff(), kOffsetRounding);
  EXPECT_LT((found.r - expected.r).cwiseAbs().maxCoeff(), kOffsetRounding);
}

}  // namespace
}  // namespace iat
