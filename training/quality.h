// Is this network learning? Nearest neighbours of held-out images, and signs of a
// collapsed embedding.

#ifndef IAT_TRAINING_QUALITY_H_
#define IAT_TRAINING_QUALITY_H_

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace iat {

// Top-1 accuracy of weighted k-nearest-neighbour votes by cosine similarity, each
// neighbour weighing exp(cosine / 0.07), for each of `ks`; k = 1 is the label of the
// nearest. k is cut to the number of references. NaN where there is nothing to score.
// Features: images x d.
// Source: Wu et al., CVPR 2018, section 3.4.
std::vector<double> KnnAccuracies(const torch::Tensor& reference_features,
                                  const std::vector<int>& reference_labels,
                                  const torch::Tensor& features,
                                  const std::vector<int>& labels,
                                  const std::vector<int64_t>& ks);

// Below the first all images are (nearly) in one place, below the second along one
// line.
inline constexpr double kCollapsedDeviation = 0.05;
inline constexpr double kCollapsedRank = 1.5;

struct EmbeddingSpread {
  // Mean over dimensions of the deviation over images, times sqrt(d): 1 for
  // embeddings spread evenly over the sphere, 0 for a point.
  double deviation = 0.0;
  // exp(entropy of the normalised eigenvalues of the covariance): the number of
  // directions in use, at most min(n - 1, d). Roy & Vetterli, EUSIPCO 2007.
  double effective_rank = 0.0;

  bool Collapsed() const {
    return deviation < kCollapsedDeviation || effective_rank < kCollapsedRank;
  }
};
// embeddings: n x d, L2-normalised.
EmbeddingSpread MeasureSpread(const torch::Tensor& embeddings);

// What is wrong with a collapsed embedding, then `advice` (Objective::CollapseAdvice).
std::string CollapseMessage(const EmbeddingSpread& spread, const std::string& advice);

}  // namespace iat

#endif  // IAT_TRAINING_QUALITY_H_
