// Soft matching: how alike the units of two animals are, one to one where they have
// equally many, and in shares of units where they have not.
//
//   P = transport plan with row sums 1/p and column sums 1/q, exact
//   soft_matching_distance    = sqrt(min over P of sum_ij P_ij ||x_i - y_j||^2)
//   soft_matching_correlation = max over P of sum_ij P_ij correlation(x_i, y_j)
//
// Shapes      X: stimuli x source units (n x p), x_i a centred unit.  Y: stimuli x target
//             units (n x q).
// Scale       soft_matching_distance: each animal is scaled to a mean squared norm of its
//             units of 1 (distance_scale = "unit", at most 2), or as it is, in activation
//             units ("raw").
// Range       A matrix and itself: distance 0, correlation 1.
// Invariant   to the order of the units, shifts, and one scale for all ("raw": not to
//             scale); the correlation also to a positive scale for every unit. Not to
//             rotations.
// Left out    soft_matching_correlation: units that never vary, counted in the note.
// Cost        2 n p q and an exact transport of p x q.
// Source      Khosla & Williams, UniReps 2024 (soft matching distance).

#ifndef IAT_SIMILARITY_SOFT_MATCHING_DISTANCE_H_
#define IAT_SIMILARITY_SOFT_MATCHING_DISTANCE_H_

#include <memory>

#include "similarity/metric.h"

namespace iat {

std::unique_ptr<Metric> MakeSoftMatchingDistanceMetric(const MetricOptions& options);
std::unique_ptr<Metric> MakeSoftMatchingCorrelationMetric(const MetricOptions& options);

}  // namespace iat

#endif  // IAT_SIMILARITY_SOFT_MATCHING_DISTANCE_H_
