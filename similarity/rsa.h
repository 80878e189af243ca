// Representational similarity analysis: how alike the stimuli's dissimilarities from one
// another are in two animals.
//
//   d_ij = 1 - correlation over units of the patterns of stimuli i and j
//   rsa          = Pearson correlation of d^X_ij and d^Y_ij over pairs i < j
//   rsa_spearman = the same of their ranks, ties sharing their mean rank
//
// Shapes      X: stimuli x source units (n x p).  Y: stimuli x target units (n x q).
// Range       -1 ... 1. A matrix and itself: 1.
// Invariant   to a shift and a positive scale of each stimulus's pattern and to the order
//             of units; not to rotations or to scales of single units.
// Left out    Stimuli whose pattern is the same in every unit (after a ReLU, all 0) in
//             either animal have no correlation: left out, and the note counts them.
// Cost        rsa: 2 n p q or n^2 (p + q) operations, whichever is fewer: with unit-norm
//             patterns z_i = m + c_i, m their mean, s = C m and a = sum |c_i|^2 / n,
//               sum_{i != j} of (d^X - mean)(d^Y - mean)
//                 = 2 n s^X.s^Y + ||C^X' C^Y||_F^2 - n^2 a^X a^Y / (n - 1).
//             rsa_spearman: n^2 (p + q) / 2 and a sort of the pairs up to 4 million pairs
//             (2,896 stimuli); above, 3 times n^2 (p + q) / 2 and 100 MB at any n:
//             dissimilarities are then counted in 4 million steps between the smallest
//             and the largest, and those of one step are ties, which moves the result by
//             some 1e-9 there and the less the more pairs there are.
// Ties        Dissimilarities that agree to 1e-12 are ties for rsa_spearman.
// Errors      Fewer than 3 stimuli with a pattern, a single unit, or all pairs of stimuli
//             equally far apart.
// Source      Kriegeskorte, Mur & Bandettini, Front. Syst. Neurosci. 2 (2008).

#ifndef IAT_SIMILARITY_RSA_H_
#define IAT_SIMILARITY_RSA_H_

#include <cstdint>
#include <memory>

#include "similarity/metric.h"

namespace iat {

// Up to so many pairs of stimuli are sorted.
inline constexpr int64_t kMaxSortedPairs = int64_t{1} << 22;

// rsa_spearman of patterns of mean 0 and norm 1 over units, units x stimuli: n stimuli in
// both. NaN where all pairs are equally far apart. Above `max_sorted_pairs` pairs by
// counting.
double RankCorrelationOfDissimilarities(const Eigen::MatrixXd& source,
                                        const Eigen::MatrixXd& target,
                                        int64_t max_sorted_pairs = kMaxSortedPairs);

std::unique_ptr<Metric> MakeRsaMetric(const MetricOptions& options);
std::unique_ptr<Metric> MakeRsaSpearmanMetric(const MetricOptions& options);

}  // namespace iat

#endif  // IAT_SIMILARITY_RSA_H_
