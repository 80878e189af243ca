// The source of logistic regressions as their products read it: Z, the source in its
// eigenbasis (similarity/source_basis.h), with a column of ones.

#ifndef IAT_SIMILARITY_LOGISTIC_DESIGN_H_
#define IAT_SIMILARITY_LOGISTIC_DESIGN_H_

#include <Eigen/Core>

#include "similarity/source_basis.h"

namespace iat {

// One stimulus after the other, in tiles that stay in cache. The last tile is padded with
// stimuli of zeros, which no regression ever learns from.
class LogisticDesign {
 public:
  static constexpr Eigen::Index kTileRows = 512;

  explicit LogisticDesign(const SourceBasis& basis);

  Eigen::Index num_stimuli() const { return num_stimuli_; }
  Eigen::Index num_tiles() const { return num_tiles_; }
  Eigen::Index num_coefficients() const { return curvature_.size(); }  // rank + 1
  // s_k / n, and 1 for the intercept.
  const Eigen::ArrayXd& curvature() const { return curvature_; }
  // Coefficients x kTileRows, column-major: a stimulus is contiguous.
  template <typename Scalar>
  const Scalar* tile(Eigen::Index index) const;

  // z_i a + b in float32: stimuli x columns of `coefficients`.
  Eigen::MatrixXf Margins(const Eigen::MatrixXd& coefficients) const;

 private:
  Eigen::Index num_stimuli_, num_tiles_;
  Eigen::ArrayXd curvature_;
  Eigen::MatrixXf fast_;  // coefficients x padded stimuli
  Eigen::MatrixXd exact_;
};

}  // namespace iat

#endif  // IAT_SIMILARITY_LOGISTIC_DESIGN_H_
