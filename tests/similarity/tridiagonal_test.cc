#include "similarity/tridiagonal.h"

#include <gtest/gtest.h>

#include <Eigen/LU>

#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

class TridiagonalTest : public ::testing::Test {
 protected:
  static constexpr Eigen::Index kSize = 23, kRows = 32;
  const Eigen::MatrixXd x_ = NormalMatrix(kRows, kSize, 1);
  const Eigen::MatrixXd gram_ = x_.transpose() * x_;

  Eigen::MatrixXd Inverse(double penalty) const {
    return (gram_ + penalty * Eigen::MatrixXd::Identity(kSize, kSize)).inverse();
  }
};

TEST_F(TridiagonalTest, SolvesAndTracesAreThoseOfTheInverse) {
  const auto t = Tridiagonalise(gram_);
  ASSERT_TRUE(t.ok()) << t.status();
  const Eigen::VectorXd b = NormalMatrix(kSize, 1, 2);
  for (const double penalty : {1e-3, 1.0, 1e4}) {
    const TridiagonalFactor factor(*t, penalty);
    const Eigen::VectorXd solution = t->Apply(false, factor.Solve(t->Apply(true, b)));
    EXPECT_TRUE(solution.isApprox(Inverse(penalty) * b, 1e-9));
    EXPECT_NEAR(InverseTrace(*t, penalty), Inverse(penalty).trace(),
                1e-9 * Inverse(penalty).trace());
  }
}

// Every size of a group of penalties.
TEST_F(TridiagonalTest, LeveragesAreQuadraticFormsInTheInverse) {
  const auto t = Tridiagonalise(gram_);
  ASSERT_TRUE(t.ok()) << t.status();
  const Eigen::MatrixXf rotated =
      t->Apply(true, x_.transpose()).transpose().cast<float>();
  for (int count = 1; count <= 11; ++count) {
    std::vector<TridiagonalFactor> factors;
    for (int l = 0; l < count; ++l) factors.emplace_back(*t, 1.0 + l);
    Eigen::MatrixXf leverage(kRows, count);
    TridiagonalLeverages(factors).Compute(kRows, rotated.data(), kRows, leverage.data());
    for (int l = 0; l < count; ++l) {
      const Eigen::VectorXd expected =
          (x_ * Inverse(1.0 + l)).cwiseProduct(x_).rowwise().sum();
      EXPECT_TRUE(leverage.col(l).cast<double>().isApprox(expected, 1e-5)) << count;
    }
  }
}

// One block of reflectors, a whole one and several; one group of columns, a whole one and
// several.
TEST(TridiagonalColumnsTest, AxesAndColumnsAreThoseOfTheReflectors) {
  for (const Eigen::Index size : {1, 2, 20, 65, 150}) {
    const Eigen::MatrixXd x = NormalMatrix(size + 10, size, 3);
    const Eigen::MatrixXd gram = x.transpose() * x;
    const auto t = Tridiagonalise(gram);
    ASSERT_TRUE(t.ok()) << t.status();
    const Eigen::MatrixXd axes = Axes(*t);
    EXPECT_LT((axes - t->Apply(false, Eigen::MatrixXd::Identity(size, size)))
                  .cwiseAbs()
                  .maxCoeff(),
              1e-12)
        << size;
    const std::vector<TridiagonalFactor> factors = {TridiagonalFactor(*t, 0.5),
                                                    TridiagonalFactor(*t, 20.0)};
    for (const Eigen::Index count : {1, 16, 37}) {
      const Eigen::MatrixXd b = NormalMatrix(size, count, 4);
      const TridiagonalForms forms = QuadraticForms(factors, b);
      for (int l = 0; l < 2; ++l) {
        const Eigen::MatrixXd found = SolveColumns(factors[l], b);
        for (Eigen::Index j = 0; j < count; ++j) {
          const Eigen::VectorXd expected = factors[l].Solve(b.col(j));
          EXPECT_TRUE(found.col(j).isApprox(expected, 1e-12)) << size << " " << j;
          EXPECT_NEAR(forms.once(l, j), b.col(j).dot(expected),
                      1e-12 * b.col(j).squaredNorm());
          EXPECT_NEAR(forms.twice(l, j), expected.squaredNorm(),
                      1e-12 * b.col(j).squaredNorm());
        }
      }
    }
  }
}

TEST(TridiagonaliseTest, WorksOnOneRow) {
  const auto t = Tridiagonalise(Eigen::MatrixXd::Constant(1, 1, 3.0));
  ASSERT_TRUE(t.ok()) << t.status();
  EXPECT_DOUBLE_EQ(TridiagonalFactor(*t, 1.0).Solve(Eigen::VectorXd::Ones(1))(0), 0.25);
  EXPECT_DOUBLE_EQ(InverseTrace(*t, 1.0), 0.25);
}

}  // namespace
}  // namespace iat
