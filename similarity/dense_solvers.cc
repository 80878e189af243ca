#include "similarity/dense_solvers.h"

#include <lapacke.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace iat {
namespace {

absl::Status Failed(absl::string_view what, const Eigen::MatrixXd& a,
                    absl::string_view routine, int info) {
  return absl::InternalError(absl::StrCat(what, " of a ", a.rows(), " x ", a.cols(),
                                          " matrix did not converge (", routine, ": ",
                                          info, ")"));
}

}  // namespace

absl::StatusOr<ThinSvd> DecomposeSingularValues(Eigen::MatrixXd a) {
  const Eigen::Index m = a.rows(), n = a.cols(), k = std::min(m, n);
  ThinSvd result{Eigen::MatrixXd(m, k), Eigen::MatrixXd(n, k), Eigen::VectorXd(k)};
  if (k == 0) return result;
  Eigen::MatrixXd v_transposed(k, n);
  const int info =
      LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'S', static_cast<int>(m), static_cast<int>(n),
                     a.data(), static_cast<int>(m), result.s.data(), result.u.data(),
                     static_cast<int>(m), v_transposed.data(), static_cast<int>(k));
  if (info != 0) return Failed("singular value decomposition", a, "dgesdd", info);
  result.v = v_transposed.transpose();
  return result;
}

absl::StatusOr<Eigen::MatrixXd> MinimumNormLeastSquares(Eigen::MatrixXd a,
                                                        const Eigen::MatrixXd& b) {
  const Eigen::Index m = a.rows(), n = a.cols(), size = std::max(m, n);
  if (a.size() == 0 || b.cols() == 0) return Eigen::MatrixXd::Zero(n, b.cols());
  Eigen::MatrixXd x = Eigen::MatrixXd::Zero(size, b.cols());
  x.topRows(m) = b;
  Eigen::VectorXd singular_values(std::min(m, n));
  int rank = 0;
  const int info = LAPACKE_dgelsd(
      LAPACK_COL_MAJOR, static_cast<int>(m), static_cast<int>(n),
      static_cast<int>(b.cols()), a.data(), static_cast<int>(m), x.data(),
      static_cast<int>(size), singular_values.data(),
      std::numeric_limits<double>::epsilon() * static_cast<double>(size), &rank);
  if (info != 0) return Failed("least squares", a, "dgelsd", info);
  return Eigen::MatrixXd(x.topRows(n));
}

absl::StatusOr<Eigen::VectorXd> TopEigenvector(Eigen::MatrixXd lower) {
  const int size = static_cast<int>(lower.rows());
  Eigen::VectorXd values(size), vector(size);
  int num_found = 0, support[2] = {0, 0};
  const int info = LAPACKE_dsyevr(LAPACK_COL_MAJOR, 'V', 'I', 'L', size, lower.data(),
                                  size, 0.0, 0.0, size, size, 0.0, &num_found,
                                  values.data(), vector.data(), size, support);
  if (info != 0 || num_found != 1) {
    return Failed("largest eigenvalue", lower, "dsyevr", info);
  }
  return vector;
}

}  // namespace iat
