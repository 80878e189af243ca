#include "similarity/source_basis.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "similarity/linear_algebra.h"

namespace iat {

absl::StatusOr<SourceBasis> SourceBasis::Make(Eigen::MatrixXd source) {
  const Eigen::Index n = source.rows(), p = source.cols();
  if (n == 0 || p == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "source is ", n, " stimuli x ", p, " units; expected at least one of each"));
  }
  if (!source.allFinite()) {
    return absl::InvalidArgumentError("source has values that are not finite");
  }
  SourceBasis basis;
  basis.mean_ = source.colwise().mean();
  // The mean of equal numbers is off by rounding; a constant unit must centre to 0.
  for (Eigen::Index j = 0; j < p; ++j) {
    if ((source.col(j).array() == source(0, j)).all()) basis.mean_(j) = source(0, j);
  }
  source.rowwise() -= basis.mean_;
  const bool dual = p > n;
  Eigen::MatrixXd gram = LowerGram(source, dual);
  basis.mean_eigenvalue_ = gram.trace() / static_cast<double>(p);
  IAT_ASSIGN_OR_RETURN(SymmetricEigen eigen, Eigendecompose(std::move(gram)));

  const Eigen::Index size = eigen.values.size();
  const double floor =
      std::numeric_limits<double>::epsilon() * std::max(eigen.values(size - 1), 0.0);
  Eigen::Index rank = 0;
  while (rank < size && eigen.values(size - 1 - rank) > floor) ++rank;
  basis.eigenvalues_ = eigen.values.tail(rank);
  if (dual) {
    const Eigen::ArrayXd root = basis.eigenvalues_.array().sqrt();
    basis.rotated_ = eigen.vectors.rightCols(rank) * root.matrix().asDiagonal();
    eigen.vectors.resize(0, 0);  // as large as what follows
    basis.axes_ = TransposedProduct(source, basis.rotated_);
    basis.axes_.array().rowwise() /= basis.eigenvalues_.array().transpose();
  } else {
    basis.axes_ = eigen.vectors.rightCols(rank);
    basis.rotated_ = Product(source, basis.axes_);
  }
  return basis;
}

}  // namespace iat
