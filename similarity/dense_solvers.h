// Dense factorisations through LAPACK that only some mappings need; the rest are in
// similarity/linear_algebra.h.

#ifndef IAT_SIMILARITY_DENSE_SOLVERS_H_
#define IAT_SIMILARITY_DENSE_SOLVERS_H_

#include <Eigen/Core>

#include "absl/status/statusor.h"

namespace iat {

// A = U diag(s) V', s descending; U: m x k, V: n x k, k = min(m, n). dgesdd; Internal
// when it does not converge (not finite input).
struct ThinSvd {
  Eigen::MatrixXd u, v;
  Eigen::VectorXd s;
};
absl::StatusOr<ThinSvd> DecomposeSingularValues(Eigen::MatrixXd a);

// The X of least norm among those that minimise ||A X - B||_F, by singular values
// (dgelsd); those at most max(m, n) x the rounding of 1 times the largest count as zero,
// as in numpy.linalg.lstsq. Internal when it does not converge.
absl::StatusOr<Eigen::MatrixXd> MinimumNormLeastSquares(Eigen::MatrixXd a,
                                                        const Eigen::MatrixXd& b);

// A unit eigenvector of the largest eigenvalue, reading the lower triangle of a matrix
// with at least one row (dsyevr).
absl::StatusOr<Eigen::VectorXd> TopEigenvector(Eigen::MatrixXd lower);

}  // namespace iat

#endif  // IAT_SIMILARITY_DENSE_SOLVERS_H_
