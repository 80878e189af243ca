#include "similarity/linear_algebra.h"

#include <cblas.h>
#include <lapacke.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace iat {
namespace {

// BLAS refuses a leading dimension of 0, which empty matrices have.
int Stride(Eigen::Index stride) {
  return static_cast<int>(std::max<Eigen::Index>(stride, 1));
}

absl::Status NotTridiagonalised(int size, const char* routine, int info) {
  return absl::InternalError(absl::StrCat("tridiagonalisation of a ", size, " x ", size,
                                          " matrix failed (", routine, ": ", info, ")"));
}

absl::Status NotPositiveDefinite(int size, const char* routine, int info) {
  return absl::FailedPreconditionError(absl::StrCat("a ", size, " x ", size,
                                                    " matrix is not positive definite (",
                                                    routine, ": ", info, ")"));
}

}  // namespace

template <>
void MultiplyTile<double>(bool transpose_a, Eigen::Index rows, Eigen::Index cols,
                          Eigen::Index depth, const double* a, Eigen::Index a_stride,
                          const double* b, Eigen::Index b_stride, double* c,
                          Eigen::Index c_stride) {
  cblas_dgemm(CblasColMajor, transpose_a ? CblasTrans : CblasNoTrans, CblasNoTrans,
              static_cast<int>(rows), static_cast<int>(cols), static_cast<int>(depth),
              1.0, a, Stride(a_stride), b, Stride(b_stride), 0.0, c, Stride(c_stride));
}

template <>
void MultiplyTile<float>(bool transpose_a, Eigen::Index rows, Eigen::Index cols,
                         Eigen::Index depth, const float* a, Eigen::Index a_stride,
                         const float* b, Eigen::Index b_stride, float* c,
                         Eigen::Index c_stride) {
  cblas_sgemm(CblasColMajor, transpose_a ? CblasTrans : CblasNoTrans, CblasNoTrans,
              static_cast<int>(rows), static_cast<int>(cols), static_cast<int>(depth),
              1.0f, a, Stride(a_stride), b, Stride(b_stride), 0.0f, c, Stride(c_stride));
}

Eigen::MatrixXd Product(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b) {
  if (a.cols() == 0) return Eigen::MatrixXd::Zero(a.rows(), b.cols());
  Eigen::MatrixXd c(a.rows(), b.cols());
  if (c.size() == 0) return c;
  MultiplyTile(false, a.rows(), b.cols(), a.cols(), a.data(), a.rows(), b.data(),
               b.rows(), c.data(), c.rows());
  return c;
}

Eigen::MatrixXd TransposedProduct(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b) {
  if (a.rows() == 0) return Eigen::MatrixXd::Zero(a.cols(), b.cols());
  Eigen::MatrixXd c(a.cols(), b.cols());
  if (c.size() == 0) return c;
  MultiplyTile(true, a.cols(), b.cols(), a.rows(), a.data(), a.rows(), b.data(), b.rows(),
               c.data(), c.rows());
  return c;
}

Eigen::MatrixXd LowerGram(const Eigen::MatrixXd& a, bool outer) {
  const Eigen::Index size = outer ? a.rows() : a.cols();
  const Eigen::Index depth = outer ? a.cols() : a.rows();
  Eigen::MatrixXd gram = Eigen::MatrixXd::Zero(size, size);
  if (size == 0 || depth == 0) return gram;
  cblas_dsyrk(CblasColMajor, CblasLower, outer ? CblasNoTrans : CblasTrans,
              static_cast<int>(size), static_cast<int>(depth), 1.0, a.data(),
              Stride(a.rows()), 0.0, gram.data(), Stride(size));
  return gram;
}

absl::StatusOr<SymmetricEigen> Eigendecompose(Eigen::MatrixXd lower) {
  SymmetricEigen result;
  const int size = static_cast<int>(lower.rows());
  result.values.resize(size);
  if (size > 0) {
    const int info = LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'L', size, lower.data(), size,
                                    result.values.data());
    if (info != 0) {
      return absl::InternalError(
          absl::StrCat("eigendecomposition of a ", size, " x ", size,
                       " matrix did not converge (dsyevd: ", info, ")"));
    }
  }
  result.vectors = std::move(lower);
  return result;
}

absl::StatusOr<Tridiagonal> Tridiagonalise(Eigen::MatrixXd lower) {
  const int size = static_cast<int>(lower.rows());
  Tridiagonal result;
  result.diagonal.resize(size);
  result.off_diagonal.resize(size - 1);
  result.reflector_scales.resize(size);
  const int info = LAPACKE_dsytrd(LAPACK_COL_MAJOR, 'L', size, lower.data(), size,
                                  result.diagonal.data(), result.off_diagonal.data(),
                                  result.reflector_scales.data());
  if (info != 0) return NotTridiagonalised(size, "dsytrd", info);
  result.reflectors = std::move(lower);
  return result;
}

absl::StatusOr<TridiagonalOf<float>> Tridiagonalise(Eigen::MatrixXf lower) {
  const int size = static_cast<int>(lower.rows());
  TridiagonalOf<float> result;
  result.reflector_scales.resize(size);
  Eigen::VectorXf diagonal(size), off_diagonal(size - 1);
  // From the last row up: small rows, which come first, keep their own accuracy.
  lower.transposeInPlace();
  const int info =
      LAPACKE_ssytrd(LAPACK_COL_MAJOR, 'U', size, lower.data(), size, diagonal.data(),
                     off_diagonal.data(), result.reflector_scales.data());
  if (info != 0) return NotTridiagonalised(size, "ssytrd", info);
  result.diagonal = diagonal.cast<double>();
  result.off_diagonal = off_diagonal.cast<double>();
  result.reflectors = std::move(lower);
  return result;
}

template <>
Eigen::MatrixXd TridiagonalOf<double>::Apply(bool transpose, Eigen::MatrixXd b) const {
  const int size = static_cast<int>(diagonal.size());
  const int info = LAPACKE_dormtr(LAPACK_COL_MAJOR, 'L', 'L', transpose ? 'T' : 'N', size,
                                  static_cast<int>(b.cols()), reflectors.data(), size,
                                  reflector_scales.data(), b.data(), size);
  IAT_CHECK(info == 0, "dormtr refused its arguments");
  return b;
}

template <>
Eigen::MatrixXf TridiagonalOf<float>::Apply(bool transpose, Eigen::MatrixXf b) const {
  const int size = static_cast<int>(diagonal.size());
  const int info = LAPACKE_sormtr(LAPACK_COL_MAJOR, 'L', 'U', transpose ? 'T' : 'N', size,
                                  static_cast<int>(b.cols()), reflectors.data(), size,
                                  reflector_scales.data(), b.data(), size);
  IAT_CHECK(info == 0, "sormtr refused its arguments");
  return b;
}

OrthogonalFactor FactorOrthogonally(Eigen::MatrixXd a, Eigen::MatrixXd b) {
  IAT_CHECK(a.rows() == b.rows() && a.rows() > a.cols(),
            "an orthogonal factor needs more rows than columns, and as many of both");
  const int rows = static_cast<int>(a.rows()), columns = static_cast<int>(a.cols());
  Eigen::VectorXd scales(a.cols());
  OrthogonalFactor factor;
  int info = LAPACKE_dgeqrf(LAPACK_COL_MAJOR, rows, columns, a.data(), Stride(a.rows()),
                            scales.data());
  IAT_CHECK(info == 0, "dgeqrf refused its arguments");
  info = LAPACKE_dormqr(LAPACK_COL_MAJOR, 'L', 'T', rows, static_cast<int>(b.cols()),
                        columns, a.data(), Stride(a.rows()), scales.data(), b.data(),
                        Stride(b.rows()));
  IAT_CHECK(info == 0, "dormqr refused its arguments");
  factor.upper = a.topRows(a.cols()).triangularView<Eigen::Upper>();
  factor.rotated = std::move(b);
  return factor;
}

absl::StatusOr<Eigen::MatrixXd> Cholesky(Eigen::MatrixXd lower) {
  const int size = static_cast<int>(lower.rows());
  const int info =
      LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'L', size, lower.data(), Stride(size));
  if (info != 0) return NotPositiveDefinite(size, "dpotrf", info);
  return lower;
}

absl::StatusOr<Eigen::MatrixXf> Cholesky(Eigen::MatrixXf lower) {
  const int size = static_cast<int>(lower.rows());
  const int info =
      LAPACKE_spotrf(LAPACK_COL_MAJOR, 'L', size, lower.data(), Stride(size));
  if (info != 0) return NotPositiveDefinite(size, "spotrf", info);
  return lower;
}

void AddOuterGram(const Eigen::Ref<const Eigen::MatrixXf>& a, Eigen::MatrixXf& lower) {
  IAT_CHECK(lower.rows() == a.rows() && lower.cols() == a.rows(),
            "the shape of a Gram matrix does not fit");
  if (a.size() == 0) return;
  cblas_ssyrk(CblasColMajor, CblasLower, CblasNoTrans, static_cast<int>(a.rows()),
              static_cast<int>(a.cols()), 1.0f, a.data(), Stride(a.outerStride()), 1.0f,
              lower.data(), Stride(lower.rows()));
}

}  // namespace iat
