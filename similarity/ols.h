// Ordinary least squares: the linear map without a penalty, of least norm where several
// fit the fit stimuli equally (fewer stimuli than source units, duplicate units).
//
//   Y_hat = (X - x_mean) W + y_mean,   W = pinv(Xc) Yc
//
// Shapes   X: stimuli x source units.  Y: stimuli x target units.
// Rank     By singular values of Xc itself, not of its Gram matrix, so that ill-
//          conditioned sources keep their digits; those at most max(n, p) roundings of
//          the largest count as zero.
// Cost     O(n p^2) flops and two copies of X; nothing is chosen.
// Source   sklearn.linear_model.LinearRegression; numpy.linalg.lstsq.

#ifndef IAT_SIMILARITY_OLS_H_
#define IAT_SIMILARITY_OLS_H_

#include <memory>

#include "similarity/mapping.h"

namespace iat {

// InvalidArgument as CheckResponses (similarity/centring.h).
absl::StatusOr<LinearMap> FitOls(const Eigen::MatrixXd& source,
                                 const Eigen::MatrixXd& target);

// Maker for the registry.
std::unique_ptr<Mapping> MakeOlsMapping(const MappingOptions& options);

}  // namespace iat

#endif  // IAT_SIMILARITY_OLS_H_
