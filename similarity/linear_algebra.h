// The dense kernels that the engine is built from: matrix products through BLAS,
// symmetric eigendecomposition through LAPACK, on column-major matrices.
//
// One BLAS thread is assumed (SetBlasThreads(1)); callers run cells side by side.
// BLAS is called by name rather than through EIGEN_USE_BLAS, which would have to
// be set alike in every source that includes Eigen.

#ifndef IAT_SIMILARITY_LINEAR_ALGEBRA_H_
#define IAT_SIMILARITY_LINEAR_ALGEBRA_H_

#include <Eigen/Core>

#include "absl/status/statusor.h"

namespace iat {

// A * B.
Eigen::MatrixXd Product(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b);
// A' * B.
Eigen::MatrixXd TransposedProduct(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b);
// A * A' where `outer`, else A' * A; only the lower triangle is filled.
Eigen::MatrixXd LowerGram(const Eigen::MatrixXd& a, bool outer);

// C = op(A) * B on raw column-major storage with leading dimensions, for tiles:
// C is rows x cols, the shared dimension is `depth`. float or double.
template <typename Scalar>
void MultiplyTile(bool transpose_a, Eigen::Index rows, Eigen::Index cols,
                  Eigen::Index depth, const Scalar* a, Eigen::Index a_stride,
                  const Scalar* b, Eigen::Index b_stride, Scalar* c,
                  Eigen::Index c_stride);

struct SymmetricEigen {
  Eigen::VectorXd values;   // ascending
  Eigen::MatrixXd vectors;  // one a column
};

// Reads the lower triangle. LAPACK's dsyevd: 2 to 6 times faster than Eigen's own
// solver on one thread. Internal when it does not converge (not finite input).
absl::StatusOr<SymmetricEigen> Eigendecompose(Eigen::MatrixXd lower);

// A = Q T Q', T tridiagonal: a fifth of the work of an eigendecomposition, and as good
// where only (A + penalty I)^-1 is wanted for many penalties. Q is kept as reflectors.
struct TridiagonalForm {
  Eigen::VectorXd diagonal, off_diagonal;  // of T
};
template <typename Scalar>
struct TridiagonalOf : TridiagonalForm {
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  Matrix reflectors;
  Eigen::Matrix<Scalar, Eigen::Dynamic, 1> reflector_scales;

  // Q * B, or Q' * B where `transpose`.
  Matrix Apply(bool transpose, Matrix b) const;
};
using Tridiagonal = TridiagonalOf<double>;
// Reads the lower triangle of a matrix with at least one row. In float32 a matrix whose
// rows come in ascending order of size keeps the accuracy of the small ones: reduced in
// the other direction, Gram matrices of an eigenbasis were of no use at weak penalties.
absl::StatusOr<Tridiagonal> Tridiagonalise(Eigen::MatrixXd lower);
absl::StatusOr<TridiagonalOf<float>> Tridiagonalise(Eigen::MatrixXf lower);

// A = Q [R; 0] by Householder reflections, and Q'B: where A has more rows than columns.
struct OrthogonalFactor {
  Eigen::MatrixXd upper;    // R, columns x columns of A
  Eigen::MatrixXd rotated;  // Q'B, the shape of B; its top rows lie in the span of A
};
OrthogonalFactor FactorOrthogonally(Eigen::MatrixXd a, Eigen::MatrixXd b);

// The lower Cholesky factor; reads the lower triangle, leaves the upper one as it is.
// FailedPrecondition where the matrix is not positive definite.
absl::StatusOr<Eigen::MatrixXd> Cholesky(Eigen::MatrixXd lower);
absl::StatusOr<Eigen::MatrixXf> Cholesky(Eigen::MatrixXf lower);

// lower += the lower triangle of A * A', in float32.
void AddOuterGram(const Eigen::Ref<const Eigen::MatrixXf>& a, Eigen::MatrixXf& lower);

}  // namespace iat

#endif  // IAT_SIMILARITY_LINEAR_ALGEBRA_H_
