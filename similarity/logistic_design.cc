#include "similarity/logistic_design.h"

#include <algorithm>

#include "similarity/linear_algebra.h"

namespace iat {

LogisticDesign::LogisticDesign(const SourceBasis& basis)
    : num_stimuli_(basis.num_stimuli()),
      num_tiles_((basis.num_stimuli() + kTileRows - 1) / kTileRows) {
  const Eigen::Index r = basis.rank(), size = r + 1;
  curvature_.resize(size);
  curvature_.head(r) = basis.eigenvalues().array() / static_cast<double>(num_stimuli_);
  curvature_(r) = 1.0;
  exact_ = Eigen::MatrixXd::Zero(size, num_tiles_ * kTileRows);
  exact_.topLeftCorner(r, num_stimuli_) = basis.rotated().transpose();
  exact_.row(r).head(num_stimuli_).setOnes();
  fast_ = exact_.cast<float>();
}

template <>
const float* LogisticDesign::tile<float>(Eigen::Index index) const {
  return fast_.data() + index * kTileRows * num_coefficients();
}
template <>
const double* LogisticDesign::tile<double>(Eigen::Index index) const {
  return exact_.data() + index * kTileRows * num_coefficients();
}

Eigen::MatrixXf LogisticDesign::Margins(const Eigen::MatrixXd& coefficients) const {
  const Eigen::Index size = num_coefficients(), m = coefficients.cols();
  const Eigen::MatrixXf points = coefficients.cast<float>();
  Eigen::MatrixXf tile_margins(kTileRows, m), margins(num_stimuli_, m);
  for (Eigen::Index index = 0; index < num_tiles_; ++index) {
    const Eigen::Index first = index * kTileRows;
    const Eigen::Index rows = std::min(kTileRows, num_stimuli_ - first);
    MultiplyTile(true, kTileRows, m, size, tile<float>(index), size, points.data(), size,
                 tile_margins.data(), kTileRows);
    margins.middleRows(first, rows) = tile_margins.topRows(rows);
  }
  return margins;
}

}  // namespace iat
