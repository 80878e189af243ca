// Singular values alone, several times cheaper than with their vectors
// (similarity/dense_solvers.h), and how many of them are not rounding.

#ifndef IAT_SIMILARITY_SINGULAR_VALUES_H_
#define IAT_SIMILARITY_SINGULAR_VALUES_H_

#include <Eigen/Core>

#include "absl/status/statusor.h"

namespace iat {

// Descending. LAPACK's dgesdd; Internal when it does not converge (not finite input). An
// empty matrix has none.
absl::StatusOr<Eigen::VectorXd> SingularValues(Eigen::MatrixXd a);

// How many values of an n x p matrix are above the rounding of the largest,
// s > max(n, p) eps s_1: NumPy's matrix_rank.
Eigen::Index NumericalRank(const Eigen::VectorXd& values, Eigen::Index rows,
                           Eigen::Index cols);

}  // namespace iat

#endif  // IAT_SIMILARITY_SINGULAR_VALUES_H_
