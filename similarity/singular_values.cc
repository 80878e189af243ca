#include "similarity/singular_values.h"

#include <lapacke.h>

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"

namespace iat {

absl::StatusOr<Eigen::VectorXd> SingularValues(Eigen::MatrixXd a) {
  const int n = static_cast<int>(a.rows()), p = static_cast<int>(a.cols());
  Eigen::VectorXd values(std::min(n, p));
  if (values.size() == 0) return values;
  double unused = 0.0;
  const int info = LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'N', n, p, a.data(), n, values.data(),
                                  &unused, 1, &unused, 1);
  if (info == 0) return values;
  return absl::InternalError(absl::StrCat("singular values of a ", n, " x ", p,
                                          " matrix: dgesdd returned ", info));
}

Eigen::Index NumericalRank(const Eigen::VectorXd& values, Eigen::Index rows,
                           Eigen::Index cols) {
  if (values.size() == 0) return 0;
  const double rounding = static_cast<double>(std::max(rows, cols)) *
                          std::numeric_limits<double>::epsilon() * values(0);
  return (values.array() > rounding).count();
}

}  // namespace iat
