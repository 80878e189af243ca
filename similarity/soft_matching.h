// Soft matching: one-to-one matching for populations of different size. Every source unit
// spreads its share over target units, so that all units of both sides are used alike and
// the matched units are as alike as can be; a target is then predicted by the source
// units that were matched with it.
//
//   plan    = argmin sum_ij P_ij (1 - r_ij),  P >= 0, row sums 1/p, column sums 1/t
//   z_hat_j = sum_i t P_ij r_ij xn_i,         xn_i = (x_i - x_mean_i) / ||xc_i||
//   y_hat_j = y_mean_j + b_j z_hat_j,         b_j by least squares
//
// Shapes   X: stimuli x source units (n x p).  Y: stimuli x target units (n x t).
// Distance 1 - r is half the squared distance between unit-norm responses, so the plan is
//          that of the soft-matching distance. It is exact (similarity/
//          optimal_transport.h); with p = t it is the best permutation, and the mapping
//          that of one_to_one_assigned.
// Units    Constant units take no part, nor count in p and t; such targets are predicted
//          by their mean.
// Chosen   correlation: of z_hat_j with y_j on the fit stimuli.
// Cost     One product of n x p by n x t (shared), the plan, a sparse p x t map.
// Source   Khosla & Williams, PMLR 243 (2024), arXiv:2311.09466; as a predictor the
//          soft-matching metric of neuroailab's bbscore, which rescales each target.

#ifndef IAT_SIMILARITY_SOFT_MATCHING_H_
#define IAT_SIMILARITY_SOFT_MATCHING_H_

#include <memory>

#include "similarity/mapping.h"
#include "similarity/unit_correlation.h"

namespace iat {

// p x t over all units; rows and columns of constant units are 0, the others sum to
// 1 / (number that are not constant).
absl::StatusOr<Eigen::MatrixXd> MatchSoftly(const UnitCorrelation& correlation);

// Maker for the registry.
std::unique_ptr<Mapping> MakeSoftMatchingMapping(const MappingOptions& options);

}  // namespace iat

#endif  // IAT_SIMILARITY_SOFT_MATCHING_H_
