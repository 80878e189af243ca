// Linear centred kernel alignment: how alike the stimuli's similarities to one another
// are in two animals.
//
//   K = Xc Xc',  L = Yc Yc',  <K, L> = sum_ij K_ij L_ij = ||Yc'Xc||_F^2
//   cka = <K, L> / sqrt(<K, K> <L, L>)
//
// cka_debiased replaces every <K, L> by
//
//   <K, L> - n / (n - 2) sum_i K_ii L_ii + tr K tr L / ((n - 1)(n - 2)),
//
// which is n (n - 3) times the unbiased estimate of HSIC: near 0 for independent
// responses however many units there are, and then below 0 half of the time.
//
// Shapes      X: stimuli x source units (n x p).  Y: stimuli x target units (n x q).
// Range       cka 0 ... 1; cka_debiased at most 1. A matrix and itself: 1.
// Invariant   to rotations of the units, shifts of each unit, and one scale for all.
// Cost        2 n p q or n^2 (p + q) operations, whichever is fewer, once a pair, and
//             the same once an animal; 6 MB besides the responses.
// Errors      cka_debiased: fewer than 4 stimuli, or all pairs of stimuli equally alike.
// Source      Kornblith, Norouzi, Lee & Hinton, ICML 2019; Song et al., JMLR 13 (2012).

#ifndef IAT_SIMILARITY_CKA_H_
#define IAT_SIMILARITY_CKA_H_

#include <memory>

#include "similarity/metric.h"

namespace iat {

std::unique_ptr<Metric> MakeCkaMetric(const MetricOptions& options);
std::unique_ptr<Metric> MakeCkaDebiasedMetric(const MetricOptions& options);

}  // namespace iat

#endif  // IAT_SIMILARITY_CKA_H_
