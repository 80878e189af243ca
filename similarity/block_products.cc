#include "similarity/block_products.h"

#include <cblas.h>

#include <algorithm>

#include "base/status.h"

namespace iat {
namespace {

// BLAS refuses a leading dimension of 0, which empty matrices have.
int Stride(const MatrixView& matrix) {
  return static_cast<int>(std::max<Eigen::Index>(matrix.outerStride(), 1));
}

void Add(bool transpose_a, const MatrixView& a, const MatrixView& b,
         Eigen::Ref<Eigen::MatrixXd> sum) {
  const Eigen::Index rows = transpose_a ? a.cols() : a.rows();
  const Eigen::Index depth = transpose_a ? a.rows() : a.cols();
  IAT_CHECK(sum.rows() == rows && sum.cols() == b.cols() && depth == b.rows(),
            "the shapes of a product do not fit");
  if (sum.size() == 0 || depth == 0) return;
  cblas_dgemm(CblasColMajor, transpose_a ? CblasTrans : CblasNoTrans, CblasNoTrans,
              static_cast<int>(rows), static_cast<int>(b.cols()), static_cast<int>(depth),
              1.0, a.data(), Stride(a), b.data(), Stride(b), 1.0, sum.data(),
              Stride(sum));
}

}  // namespace

void AddProduct(const MatrixView& a, const MatrixView& b,
                Eigen::Ref<Eigen::MatrixXd> sum) {
  Add(false, a, b, sum);
}

void AddTransposedProduct(const MatrixView& a, const MatrixView& b,
                          Eigen::Ref<Eigen::MatrixXd> sum) {
  Add(true, a, b, sum);
}

void AddLowerGram(const MatrixView& a, bool outer, Eigen::Ref<Eigen::MatrixXd> lower) {
  const Eigen::Index size = outer ? a.rows() : a.cols();
  const Eigen::Index depth = outer ? a.cols() : a.rows();
  IAT_CHECK(lower.rows() == size && lower.cols() == size,
            "the shape of a Gram matrix does not fit");
  if (size == 0 || depth == 0) return;
  cblas_dsyrk(CblasColMajor, CblasLower, outer ? CblasNoTrans : CblasTrans,
              static_cast<int>(size), static_cast<int>(depth), 1.0, a.data(), Stride(a),
              1.0, lower.data(), Stride(lower));
}

void MultiplyByUpper(double factor, const MatrixView& upper, Eigen::MatrixXd& matrix) {
  IAT_CHECK(upper.rows() == upper.cols() && upper.rows() == matrix.rows(),
            "the shapes of a triangular product do not fit");
  if (matrix.size() == 0) return;
  cblas_dtrmm(CblasColMajor, CblasLeft, CblasUpper, CblasNoTrans, CblasNonUnit,
              static_cast<int>(matrix.rows()), static_cast<int>(matrix.cols()), factor,
              upper.data(), Stride(upper), matrix.data(), Stride(matrix));
}

}  // namespace iat
