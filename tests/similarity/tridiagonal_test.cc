#include "similarity/tridiagonal.h"

#include <gtest/gtest.h>

#include <Eigen/LU>

#include "similarity/column_forms.h"
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

TEST_F(TridiagonalTest, Float32DoesTheSameToItsOwnRounding) {
  const auto t = Tridiagonalise(Eigen::MatrixXf(gram_.cast<float>()));
  ASSERT_TRUE(t.ok()) << t.status();
  const Eigen::MatrixXd b = NormalMatrix(kSize, 2, 2);
  for (const double penalty : {1.0, 1e4}) {
    const TridiagonalFactor factor(*t, penalty);
    Eigen::MatrixXd solution = t->Apply(true, b.cast<float>()).cast<double>();
    for (int j = 0; j < 2; ++j) solution.col(j) = factor.Solve(solution.col(j));
    solution = t->Apply(false, solution.cast<float>()).cast<double>();
    EXPECT_TRUE(solution.isApprox(Inverse(penalty) * b, 1e-4));
    EXPECT_NEAR(InverseTrace(*t, penalty), Inverse(penalty).trace(),
                1e-4 * Inverse(penalty).trace());
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

// Every size of a group of forms, and columns that are no whole number of packets.
TEST(ColumnFormsTest, AreThoseOfTheProducts) {
  for (const Eigen::Index size : {3, 16, 37}) {
    const Eigen::MatrixXf x = NormalMatrix(size, 9, 5).cast<float>();
    for (Eigen::Index count = 1; count <= 9; ++count) {
      const Eigen::MatrixXf a = NormalMatrix(size, count, 6).cast<float>();
      const Eigen::MatrixXf b = NormalMatrix(size, count, 7).cast<float>();
      Eigen::ArrayXXf linear(8, count), quadratic(8, count);
      ColumnForms(x, a, b, linear, quadratic);
      const Eigen::MatrixXf eight = x.leftCols(8);
      EXPECT_TRUE(linear.matrix().isApprox(eight.transpose() * a, 1e-5f)) << size;
      EXPECT_TRUE(quadratic.matrix().isApprox(eight.cwiseAbs2().transpose() * b, 1e-5f))
          << size;
    }
  }
}

TEST(CholeskyTest, SaysWhatIsNotPositiveDefinite) {
  const Eigen::MatrixXd negative = -Eigen::MatrixXd::Identity(3, 3);
  EXPECT_EQ(Cholesky(negative).status().message(),
            "a 3 x 3 matrix is not positive definite (dpotrf: 1)");
  EXPECT_EQ(Cholesky(Eigen::MatrixXf(negative.cast<float>())).status().message(),
            "a 3 x 3 matrix is not positive definite (spotrf: 1)");
}

TEST(TridiagonaliseTest, WorksOnOneRow) {
  const auto t = Tridiagonalise(Eigen::MatrixXd(Eigen::MatrixXd::Constant(1, 1, 3.0)));
  ASSERT_TRUE(t.ok()) << t.status();
  EXPECT_DOUBLE_EQ(TridiagonalFactor(*t, 1.0).Solve(Eigen::VectorXd::Ones(1))(0), 0.25);
  EXPECT_DOUBLE_EQ(InverseTrace(*t, 1.0), 0.25);
}

}  // namespace
}  // namespace iat
