// Generalised shape metrics: the distance between two animals' responses after the best
// rotation of the units.
//
//   Xc = U S V',   lambda = S^2 scaled to a mean of 1
//   X* = U diag(sqrt(lambda) (alpha + (1 - alpha) / sqrt(max(lambda, 1e-7)))), norm 1
//   shape_angular = min over rotations Q of the angle between X* Q and Y*
//                 = arccos ||X*' Y*||_nuclear
//
//   procrustes_distance = min over rotations Q of ||X1 Q - Y1||_F,
//     X1 = Xc / ||Xc||_F (distance_scale = "unit", at most sqrt 2), or Xc ("raw", in
//     activation units)
//
// The narrower side is padded with units that are 0.
//
// Shapes      X: stimuli x source units (n x p).  Y: stimuli x target units (n x q).
// Units       shape_angular in radians, 0 ... pi/2.
// alpha       shape_alpha: 1, Procrustes, blind to rotations; 0, whitened, blind to every
//             invertible linear map (where no lambda is below 1e-7) and then equal to
//             arccos(sum of canonical correlations / sqrt(rank X rank Y)). lambda is
//             scaled, so that alpha means the same for responses of any scale.
// Invariant   to rotations, shifts, and one scale for all (procrustes_distance "raw": not
//             to scale). Both are metrics: symmetric, 0 for a matrix and itself, triangle
//             inequality.
// Accuracy    Small distances come from the difference itself, not from a cosine near 1.
// Cost        alpha = 1 and fewer units than stimuli: 2 n p q and the singular values
//             of a p x q matrix; otherwise an SVD an animal.
// Source      Williams, Kunz, Kornblith & Linderman, NeurIPS 2021, and their netrep (with
//             units scaled as here); Schoenemann, Psychometrika 31 (1966); scale "unit":
//             Ding, Denain & Steinhardt, NeurIPS 2021.

#ifndef IAT_SIMILARITY_SHAPE_H_
#define IAT_SIMILARITY_SHAPE_H_

#include <memory>

#include "similarity/metric.h"

namespace iat {

std::unique_ptr<Metric> MakeShapeAngularMetric(const MetricOptions& options);
std::unique_ptr<Metric> MakeProcrustesDistanceMetric(const MetricOptions& options);

}  // namespace iat

#endif  // IAT_SIMILARITY_SHAPE_H_
