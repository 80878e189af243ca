// How much of the classes a linear reader finds in frozen features: multinomial
// logistic regression, its accuracy on images that neither network nor reader has
// learned from, with an interval.
//
//   minimise  mean_i -log p(y_i | x_i) + l2_penalty * ||W||_F^2
//   p(. | x) = softmax(W' x + b), b unpenalised, x standardised by the images fitted on
//
// Shapes   features: images x d. W: d x classes. b: classes.
// Units    l2_penalty is per image: sklearn's C is 1 / (2 * images * l2_penalty).
// Solver   L-BFGS (10 pairs) with a weak Wolfe line search, float64.
// Penalty  chosen by the log-loss on the last fifth of the images given, along a path
//          from the strongest down that ends when two in a row made it worse; then
//          all are fitted at the chosen one.
// Source   Liu & Nocedal, Math. Prog. 45 (1989); Lewis & Overton, Math. Prog. 141
//          (2013); interval: Wilson, JASA 22 (1927).

#ifndef IAT_TRAINING_LINEAR_PROBE_H_
#define IAT_TRAINING_LINEAR_PROBE_H_

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "training/probe_options.h"

namespace iat {

struct SoftmaxRegression {
  torch::Tensor weights, intercepts;  // d x classes, classes; float64
  double loss = 0.0;                  // the minimised value, penalty included
  int iterations = 0;
  bool converged = false;  // largest gradient at most kProbeTolerance

  torch::Tensor LogProbabilities(const torch::Tensor& features) const;
};

inline constexpr double kProbeTolerance = 1e-5;

// Labels from 0 to num_classes - 1. Starts from `start` where there is one.
SoftmaxRegression FitSoftmaxRegression(const torch::Tensor& features,
                                       const std::vector<int>& labels, int num_classes,
                                       double l2_penalty, int max_iterations,
                                       const SoftmaxRegression* start = nullptr,
                                       double tolerance = kProbeTolerance);

struct ProbeResult {
  int64_t num_features = 0, num_images = 0, num_test_images = 0, num_correct = 0;
  double top1 = 0.0, low = 0.0, high = 0.0;  // 95 % Wilson interval
  double chance = 0.0;  // share of the commonest class among the test images
  double l2_penalty = 0.0;
  bool penalty_at_edge = false;  // of the grid
  int iterations = 0;            // of the last fit
  bool converged = false;
};

// The images are taken in the order given: shuffle them. InvalidArgument: fewer than
// two classes, ten images, or one test image.
absl::StatusOr<ProbeResult> LinearProbe(const torch::Tensor& features,
                                        const std::vector<int>& labels,
                                        const torch::Tensor& test_features,
                                        const std::vector<int>& test_labels,
                                        const ProbeOptions& options);

struct ShareInterval {
  double low = 0.0, high = 0.0;
};
// 95 % for a share of `correct` in `n`, n > 0.
ShareInterval WilsonInterval(int64_t correct, int64_t n);

}  // namespace iat

#endif  // IAT_TRAINING_LINEAR_PROBE_H_
