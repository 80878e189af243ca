// Small synthetic responses with known answers, seeded afresh for every test.

#ifndef IAT_TESTS_SIMILARITY_SYNTHETIC_H_
#define IAT_TESTS_SIMILARITY_SYNTHETIC_H_

#include <Eigen/Core>
#include <cmath>
#include <cstdint>

#include "base/random.h"

namespace iat {

inline Eigen::MatrixXd NormalMatrix(Eigen::Index rows, Eigen::Index cols, uint64_t seed) {
  RandomStream stream(seed, "test");
  Eigen::MatrixXd matrix(rows, cols);
  for (Eigen::Index j = 0; j < cols; ++j) {
    for (Eigen::Index i = 0; i < rows; ++i) matrix(i, j) = stream.Normal();
  }
  return matrix;
}

// The same numbers in tests/golden/similarity/formula.py: sums of sines of integer
// phases, so that both sides agree to the last bits of sin().
inline Eigen::MatrixXd FormulaMatrix(Eigen::Index rows, Eigen::Index cols, int64_t salt) {
  Eigen::MatrixXd matrix(rows, cols);
  for (int64_t j = 0; j < cols; ++j) {
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t a = (i * 7919 + j * 104729 + salt * 611953 + i * j * 31) % 100003;
      const int64_t b = (i * i * 13 + j * j * 17 + salt) % 100019;
      matrix(i, j) =
          std::sin(static_cast<double>(a)) + 0.5 * std::sin(static_cast<double>(b));
    }
  }
  return matrix;
}

}  // namespace iat

#endif  // IAT_TESTS_SIMILARITY_SYNTHETIC_H_
