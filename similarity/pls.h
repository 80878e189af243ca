// Partial least squares: all targets are regressed on a few directions of the source,
// each the one whose scores covary most with the targets once earlier scores are removed.
//
//   w_k   = argmax_{||w|| = 1} ||Yc' Xk w||, the first left singular vector of Xk'Yc
//   t_k   = Xk w_k,   X(k+1) = (I - t_k t_k' / t_k't_k) Xk,   X1 = Xc
//   Y_hat = y_mean + sum_{k <= num_components} t_k q_k',      q_k = Yc't_k / t_k't_k
//
// Shapes     X: stimuli x source units.  Y: stimuli x target units, all of which shape
//            the directions together: predictions of a unit depend on which others there
//            are. Responses are centred and not scaled, the field's convention
//            (sklearn: scale=False).
// Components 25, or with num_components = 0 chosen: one number a target unit, the least
//            squared error over num_folds folds (stimulus i in fold i modulo num_folds),
//            from 0 (its mean) to max_components; a tie goes to the fewer. A rank below
//            the number asked for ends the sequence.
// Method     In the source's eigenbasis X'X is diagonal, so after one product Z'Y nothing
//            touches the stimuli again (the kernel algorithm of Dayal & MacGregor); the
//            singular vector is LAPACK's, where sklearn iterates to a tolerance.
// Cost       The basis (shared), then a product and an eigenvector of min(p, t)^2 a
//            component.
// Source     Wold et al., SIAM J. Sci. Stat. Comput. 5 (1984); Dayal & MacGregor,
//            J. Chemometrics 11 (1997); sklearn.cross_decomposition.PLSRegression.

#ifndef IAT_SIMILARITY_PLS_H_
#define IAT_SIMILARITY_PLS_H_

#include <memory>

#include "similarity/mapping.h"

namespace iat {

struct PlsFit {
  LinearMap map;
  Eigen::VectorXi num_components;  // one a target unit
  int64_t num_at_edge = 0;         // choices of all components there are
};
// InvalidArgument: row counts differ, or values that are not finite.
absl::StatusOr<PlsFit> FitPls(const SourceBasis& basis, const Eigen::MatrixXd& target,
                              const PlsOptions& options);

// Maker for the registry.
std::unique_ptr<Mapping> MakePlsMapping(const MappingOptions& options);

}  // namespace iat

#endif  // IAT_SIMILARITY_PLS_H_
