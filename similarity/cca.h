// Canonical correlation analysis: the correlations of the most alike linear combinations
// of two animals' units.
//
//   Xc = U_x S_x V_x',  Yc = U_y S_y V_y'  (directions above rounding only)
//   rho_i = singular values of U_x' U_y,   i = 1 ... min(rank X, rank Y)
//   cca   = mean of rho
//   svcca = the same, each side cut to the fewest leading directions whose squared
//           singular values make up svcca_variance (0.99) of their sum
//   pwcca = sum_i a_i rho_i / sum_i a_i,   a_i = sum_j |h_i . x_j|
//           h_i: canonical variates (norm 1) and x_j: centred units of the animal with
//           the smaller rank; of the source when both are the same
//
// Shapes      X: stimuli x source units (n x p).  Y: stimuli x target units (n x q).
// Range       0 ... 1. A matrix and itself: 1.
// Invariant   cca: to every invertible linear map of the units, and shifts. svcca: to
//             rotations, shifts, one scale for all. pwcca: to linear maps of the animal
//             with the larger rank, and to shifts and one scale for all of the other.
// Few stimuli Canonical correlations overfit. Of rank X and rank Y directions in n - 1
//             dimensions, rank X + rank Y - (n - 1) pairs coincide whatever the data: the
//             note says how many. When one side alone spans all n - 1, every correlation
//             is 1 and there is an error instead of a value.
// Cost        An SVD an animal, O(n p min(n, p)), and one of ranks x ranks a pair.
// Source      Hotelling, Biometrika 28 (1936). svcca: Raghu et al., NeurIPS 2017. pwcca:
//             Morcos, Raghu & Bengio, NeurIPS 2018, weights from the smaller side as in
//             google/svcca.

#ifndef IAT_SIMILARITY_CCA_H_
#define IAT_SIMILARITY_CCA_H_

#include <memory>

#include "similarity/metric.h"

namespace iat {

std::unique_ptr<Metric> MakeCcaMetric(const MetricOptions& options);
std::unique_ptr<Metric> MakeSvccaMetric(const MetricOptions& options);
std::unique_ptr<Metric> MakePwccaMetric(const MetricOptions& options);

}  // namespace iat

#endif  // IAT_SIMILARITY_CCA_H_
