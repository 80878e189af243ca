// Assignment, transport and coordinate descent against exhaustive search and optimality
// conditions.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/random.h"
#include "similarity/assignment.h"
#include "similarity/coordinate_descent.h"
#include "similarity/dense_solvers.h"
#include "similarity/optimal_transport.h"
#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

// Sums of tens of numbers of order 1, added in another order.
constexpr double kSumTolerance = 1e-12;

double CostOf(const Eigen::MatrixXd& cost, const std::vector<Eigen::Index>& columns) {
  double sum = 0.0;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] >= 0) sum += cost(i, columns[i]);
  }
  return sum;
}

TEST(AssignmentTest, NoPermutationIsCheaper) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const Eigen::MatrixXd cost = NormalMatrix(6, 6, seed);
    std::vector<Eigen::Index> permutation(6);
    std::iota(permutation.begin(), permutation.end(), 0);
    double least = INFINITY;
    do {
      least = std::min(least, CostOf(cost, permutation));
    } while (std::next_permutation(permutation.begin(), permutation.end()));
    EXPECT_NEAR(CostOf(cost, OptimalAssignment(cost)), least, kSumTolerance);
  }
}

TEST(AssignmentTest, PairsEveryRowOrEveryColumnOnce) {
  for (const auto& [rows, cols] : {std::pair(5, 9), std::pair(9, 5), std::pair(1, 4)}) {
    std::vector<Eigen::Index> columns =
        OptimalAssignment(Eigen::MatrixXd::Zero(rows, cols));  // nothing but ties
    std::erase(columns, -1);
    EXPECT_EQ(columns.size(), std::min(rows, cols));
    std::sort(columns.begin(), columns.end());
    EXPECT_EQ(std::unique(columns.begin(), columns.end()), columns.end());
  }
  EXPECT_TRUE(OptimalAssignment(Eigen::MatrixXd(0, 3)).empty());
}

void ExpectSums(const TransportPlan& plan, const std::vector<int64_t>& supply,
                const std::vector<int64_t>& demand) {
  std::vector<int64_t> sent(supply.size()), received(demand.size());
  for (const Flow& flow : plan.flows) {
    EXPECT_GT(flow.amount, 0);
    sent[flow.source] += flow.amount;
    received[flow.target] += flow.amount;
  }
  EXPECT_EQ(sent, supply);
  EXPECT_EQ(received, demand);
  EXPECT_LE(plan.flows.size(), supply.size() + demand.size() - 1);
}

// Every unit of supply a row of its own, every unit of demand a column: the same optimum
// by another algorithm.
TEST(OptimalTransportTest, EqualsTheAssignmentOfSingleUnits) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const std::vector<int64_t> supply = {4, 1, 7, 2, 6}, demand = {3, 3, 5, 1, 2, 6};
    const Eigen::MatrixXd cost = NormalMatrix(5, 6, seed);
    std::vector<Eigen::Index> rows, columns;
    for (size_t i = 0; i < supply.size(); ++i) rows.insert(rows.end(), supply[i], i);
    for (size_t j = 0; j < demand.size(); ++j)
      columns.insert(columns.end(), demand[j], j);
    const Eigen::MatrixXd units = cost(rows, columns);
    const auto plan = OptimalTransport(cost, supply, demand);
    ASSERT_TRUE(plan.ok()) << plan.status();
    ExpectSums(*plan, supply, demand);
    EXPECT_NEAR(plan->cost, CostOf(units, OptimalAssignment(units)), kSumTolerance);
  }
}

TEST(OptimalTransportTest, TiesEndTheSearch) {
  const std::vector<int64_t> supply(12, 5), demand(15, 4);
  for (const double value : {0.0, 1e20, -1e-20}) {
    const auto plan =
        OptimalTransport(Eigen::MatrixXd::Constant(12, 15, value), supply, demand);
    ASSERT_TRUE(plan.ok()) << plan.status();
    ExpectSums(*plan, supply, demand);
  }
}

// With equal numbers of units the assignment is the optimum of the same problem.
TEST(OptimalTransportTest, OfEqualSidesIsAnAssignment) {
  const Eigen::MatrixXd cost = NormalMatrix(60, 60, 3);
  const std::vector<int64_t> ones(60, 1);
  const auto plan = OptimalTransport(cost, ones, ones);
  ASSERT_TRUE(plan.ok()) << plan.status();
  ExpectSums(*plan, ones, ones);
  EXPECT_NEAR(plan->cost, CostOf(cost, OptimalAssignment(cost)), kSumTolerance * 60);
}

TEST(OptimalTransportTest, SaysWhatIsWrong) {
  const Eigen::MatrixXd cost = Eigen::MatrixXd::Ones(2, 2);
  EXPECT_EQ(OptimalTransport(cost, {1, 1}, {1, 2}).status().message(),
            "supplies sum to 2, demands to 3; expected equal sums");
  EXPECT_EQ(OptimalTransport(cost, {1}, {1, 2}).status().message(),
            "costs are 2 x 2 for 1 sources and 2 targets; expected one a source and "
            "target");
  EXPECT_EQ(OptimalTransport(cost, {0, 2}, {1, 1}).status().message(),
            "supply 0 is 0; expected at least 1, and a sum of at most "
            "3074457345618258601");
  EXPECT_EQ(OptimalTransport(NAN * cost, {1, 1}, {1, 1}).status().message(),
            "a cost of transport is not finite");
  EXPECT_FALSE(UniformTransport(Eigen::MatrixXd(0, 3)).ok());
}

// Optimality itself: g_k = l1 sign(w_k) + l2 w_k where w_k is in use, |g_k| <= l1 else.
TEST(CoordinateDescentTest, SatisfiesTheOptimalityConditions) {
  const Eigen::MatrixXd x = NormalMatrix(90, 40, 1) * NormalMatrix(40, 40, 2);
  const Eigen::VectorXd y =
      x.leftCols(9) * NormalMatrix(9, 1, 3) + NormalMatrix(90, 1, 4);
  const Eigen::MatrixXd gram = x.transpose() * x;
  const Eigen::VectorXd c = x.transpose() * y;
  CoordinateDescent descent(gram, Eigen::VectorXd::Zero(40));
  const double largest = c.cwiseAbs().maxCoeff();
  for (const double share : {0.9, 0.3, 1e-2, 1e-4}) {
    for (const double l2 : {0.0, 5.0}) {
      const double l1 = share * largest;
      Eigen::VectorXd w = Eigen::VectorXd::Zero(40), g = c;
      descent.SolveExactly(c, {l1, l2}, largest, 1e-7 * y.squaredNorm(), w, g);
      EXPECT_GT((w.array() != 0.0).count(), 0);
      const Eigen::VectorXd residual = c - gram * w;
      for (Eigen::Index k = 0; k < 40; ++k) {
        if (w(k) == 0.0) {
          EXPECT_LE(std::abs(residual(k)), l1 * (1.0 + 1e-8));
        } else {
          EXPECT_NEAR(residual(k), std::copysign(l1, w(k)) + l2 * w(k), 1e-8 * largest);
        }
      }
    }
  }
}

// Coordinates come and go, one at a time and many at once; the factor stays that of the
// submatrix, whatever the order of its rows.
TEST(UpdatedCholeskyTest, FollowsItsCoordinates) {
  constexpr Eigen::Index kSize = 30;
  const Eigen::MatrixXd x = NormalMatrix(60, kSize, 1);
  const Eigen::MatrixXd gram = x.transpose() * x;
  UpdatedCholesky factor(gram);
  std::vector<Eigen::Index> wanted;
  RandomStream stream(1, "coordinates");
  for (int turn = 0; turn < 60; ++turn) {
    const int changes = turn % 20 == 0 ? 15 : 2;
    for (int c = 0; c < changes; ++c) {
      const Eigen::Index k = static_cast<Eigen::Index>(stream.UniformInt(kSize));
      const auto place = std::lower_bound(wanted.begin(), wanted.end(), k);
      if (place != wanted.end() && *place == k) {
        wanted.erase(place);
      } else {
        wanted.insert(place, k);
      }
    }
    const double l2 = turn < 30 ? 0.0 : 4.0;
    factor.Match(wanted, l2);
    const std::vector<Eigen::Index>& rows = factor.coordinates();
    ASSERT_EQ(rows.size(), wanted.size());
    EXPECT_TRUE(std::is_permutation(rows.begin(), rows.end(), wanted.begin()));
    Eigen::MatrixXd system = gram(rows, rows);
    system.diagonal().array() += l2;
    const Eigen::VectorXd truth = NormalMatrix(rows.size(), 1, 100 + turn);
    Eigen::VectorXd solved = system * truth;
    factor.Solve(solved);
    EXPECT_TRUE(solved.isApprox(truth, 1e-10)) << turn;
  }
}

TEST(UpdatedCholeskyTest, LeavesOutCombinationsOfOthers) {
  Eigen::MatrixXd x(50, 5);
  x.leftCols(3) = NormalMatrix(50, 3, 1);
  x.col(3) = x.col(0);
  x.col(4) = x.col(1) - x.col(2);
  const Eigen::MatrixXd gram = x.transpose() * x;
  UpdatedCholesky factor(gram);
  factor.Match({0, 1, 2, 3, 4}, 0.0);
  EXPECT_EQ(factor.coordinates(), (std::vector<Eigen::Index>{0, 1, 2}));
  factor.Match({1, 2, 3, 4}, 0.0);
  EXPECT_EQ(factor.coordinates(), (std::vector<Eigen::Index>{1, 2, 3}));
  factor.Match({0, 1, 2, 3, 4}, 1.0);
  EXPECT_EQ(factor.coordinates().size(), 5u);  // with an L2 penalty none is
}

// Where units are correlated, sweeps alone would still be far away after thousands.
TEST(CoordinateDescentTest, ConvergesWhereUnitsAreCorrelated) {
  const Eigen::MatrixXd x =
      NormalMatrix(300, 8, 1) * NormalMatrix(8, 60, 2) + 0.05 * NormalMatrix(300, 60, 3);
  const Eigen::VectorXd y = x * NormalMatrix(60, 1, 4) + NormalMatrix(300, 1, 5);
  const Eigen::MatrixXd gram = x.transpose() * x;
  const Eigen::VectorXd c = x.transpose() * y;
  CoordinateDescent descent(gram, Eigen::VectorXd::Zero(60));
  const double largest = c.cwiseAbs().maxCoeff();
  Eigen::VectorXd w = Eigen::VectorXd::Zero(60), g = c;
  double previous = largest;
  for (const double share : {0.3, 1e-2, 1e-4, 1e-6}) {
    const double l1 = share * largest;
    descent.Solve({l1, 0.0}, previous, 1e-20 * y.squaredNorm(), w, g);
    previous = l1;
    EXPECT_LT((c - gram * w - g).norm(), 1e-9 * c.norm());  // g was carried along
    for (Eigen::Index k = 0; k < 60; ++k) {
      const double excess =
          w(k) == 0.0 ? std::abs(g(k)) - l1 : std::abs(g(k) - std::copysign(l1, w(k)));
      EXPECT_LE(excess, 1e-8 * largest) << share << " " << k;
    }
  }
}

TEST(CoordinateDescentTest, DuplicatesAndConstantsEnd) {
  Eigen::MatrixXd x(50, 5);
  x << NormalMatrix(50, 3, 1), Eigen::VectorXd::Zero(50), Eigen::VectorXd::Zero(50);
  x.col(4) = x.col(0);
  const Eigen::VectorXd y = x.col(0) + 0.1 * x.col(1);
  const Eigen::MatrixXd gram = x.transpose() * x;
  const Eigen::VectorXd c = x.transpose() * y;
  Eigen::VectorXd w = Eigen::VectorXd::Zero(5), g = c;
  CoordinateDescent(gram, Eigen::VectorXd::Zero(5))
      .SolveExactly(c, {1e-6, 0.0}, c.cwiseAbs().maxCoeff(), 1e-7 * y.squaredNorm(), w,
                    g);
  EXPECT_EQ(w(3), 0.0);
  EXPECT_LT((x * w - y).norm(), 1e-6);
}

TEST(DenseSolversTest, LeastSquaresIsOfLeastNorm) {
  const Eigen::MatrixXd a = NormalMatrix(8, 20, 1), b = NormalMatrix(8, 3, 2);
  const auto x = MinimumNormLeastSquares(a, b);
  ASSERT_TRUE(x.ok()) << x.status();
  EXPECT_TRUE((a * *x).isApprox(b, 1e-10));
  // Least norm: in the row space of A.
  const auto svd = DecomposeSingularValues(a);
  ASSERT_TRUE(svd.ok()) << svd.status();
  EXPECT_TRUE((svd->v * (svd->v.transpose() * *x)).isApprox(*x, 1e-10));
  EXPECT_TRUE(
      (svd->u * svd->s.asDiagonal() * svd->v.transpose()).isApprox(a, kSumTolerance));
}

TEST(DenseSolversTest, TheTopEigenvectorIsTheLeadingSingularVector) {
  const Eigen::MatrixXd a = NormalMatrix(15, 30, 4);
  const auto top = TopEigenvector(a * a.transpose());
  const auto svd = DecomposeSingularValues(a);
  ASSERT_TRUE(top.ok() && svd.ok());
  EXPECT_NEAR(std::abs(top->dot(svd->u.col(0))), 1.0, kSumTolerance);
}

}  // namespace
}  // namespace iat
