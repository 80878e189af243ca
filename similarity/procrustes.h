// Procrustes mapping: a rotation (or reflection) of the source's units onto the target's,
// and one scale for all. It keeps the source's geometry: angles and relative distances
// between stimuli.
//
//   Y_hat = scale (X - x_mean) Q + y_mean
//   Xc'Yc = U diag(s) V',   Q = U V',   scale = <Xc Q, Yc> / ||Xc Q||_F^2
//
// Shapes   X: stimuli x source units (n x p).  Y: stimuli x target units (n x t).
//          Q: p x t. Columns are orthonormal for p >= t, rows for p <= t, as when the
//          smaller side is padded with units that never respond.
// Rank     Singular values within rounding of zero leave Q undetermined there; Q has
//          nothing in those directions (constant units, fewer stimuli than units).
// Scale    By least squares; 1 without `scale`.
// Cost     One product of n x p by n x t and an SVD of p x t; nothing is chosen.
// Source   Schoenemann, Psychometrika 31 (1966); scipy.linalg.orthogonal_procrustes.

#ifndef IAT_SIMILARITY_PROCRUSTES_H_
#define IAT_SIMILARITY_PROCRUSTES_H_

#include <memory>

#include "similarity/mapping.h"

namespace iat {

struct ProcrustesFit {
  Eigen::MatrixXd rotation;  // Q
  double scale = 1.0;
  LinearMap map;  // with weights scale * Q
};
// InvalidArgument as CheckResponses (similarity/centring.h).
absl::StatusOr<ProcrustesFit> FitProcrustes(const Eigen::MatrixXd& source,
                                            const Eigen::MatrixXd& target,
                                            const ProcrustesOptions& options);

// Maker for the registry.
std::unique_ptr<Mapping> MakeProcrustesMapping(const MappingOptions& options);

}  // namespace iat

#endif  // IAT_SIMILARITY_PROCRUSTES_H_
