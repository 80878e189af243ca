// Ridges at many penalties from one tridiagonal form A = Q T Q' of a Gram matrix:
// (A + penalty I)^-1 = Q (T + penalty I)^-1 Q', and T + penalty I factors in O(size).
//
// Leverages  h(x) = x' (A + penalty I)^-1 x = sum_k u_k^2 / d_k,
//            u = L^-1 Q'x with T + penalty I = L diag(d) L'
//            costs 3 operations for each coordinate and penalty once Q'x is known.

#ifndef IAT_SIMILARITY_TRIDIAGONAL_H_
#define IAT_SIMILARITY_TRIDIAGONAL_H_

#include <Eigen/Core>
#include <vector>

#include "similarity/linear_algebra.h"

namespace iat {

// (T + penalty I)^-1 by its LDL' factors. T is a Gram matrix's: positive
// semidefinite but for rounding.
struct TridiagonalFactor {
  Eigen::VectorXd lower, inverse_pivot;

  TridiagonalFactor(const TridiagonalForm& t, double penalty);
  Eigen::VectorXd Solve(Eigen::VectorXd b) const;
};

// Q of A = Q T Q': 4 p^3 / 3 operations, in products with twice as many reflectors at a
// time as LAPACK's dorgtr, which takes twice as long at p = 256.
Eigen::MatrixXd Axes(const Tridiagonal& t);

// The inverse of T + penalty I times many columns, and its quadratic forms, a group of
// columns side by side: one by one, each would wait for its own last multiplication.
// solution: (T + penalty I)^-1 b.
Eigen::MatrixXd SolveColumns(const TridiagonalFactor& factor, const Eigen::MatrixXd& b);
// b' (T + penalty I)^-1 b and || (T + penalty I)^-1 b ||^2: penalties x columns of b.
struct TridiagonalForms {
  Eigen::MatrixXd once, twice;
};
TridiagonalForms QuadraticForms(const std::vector<TridiagonalFactor>& factors,
                                const Eigen::MatrixXd& b);

// trace((T + penalty I)^-1).
double InverseTrace(const TridiagonalForm& t, double penalty);

// Leverages in float32 of many rows at several penalties.
class TridiagonalLeverages {
 public:
  // What the numbers of rows and every stride must be a multiple of.
  static constexpr Eigen::Index kRowMultiple = 16;

  explicit TridiagonalLeverages(const std::vector<TridiagonalFactor>& factors);

  Eigen::Index num_penalties() const { return num_penalties_; }

  // rotated: rows x size, one Q'x a row, column-major with leading dimension `stride`
  // (not a multiple of 256 floats, or a row's columns fall on few cache lines).
  // leverage: rows x num_penalties, leading dimension `rows`.
  void Compute(Eigen::Index rows, const float* rotated, Eigen::Index stride,
               float* leverage) const;

 private:
  // Penalties that share a pass over a row: what fits the registers.
  static constexpr int kGroup = 5;

  template <int kCount>
  void ComputeGroup(Eigen::Index first, Eigen::Index rows, const float* rotated,
                    Eigen::Index stride, float* leverage) const;

  Eigen::Index size_, num_penalties_;
  // Of each group, for each coordinate and penalty: -L(k, k - 1) and 1 / d_k.
  std::vector<float> coefficients_;
};

}  // namespace iat

#endif  // IAT_SIMILARITY_TRIDIAGONAL_H_
