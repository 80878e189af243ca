// Is this network learning? Nearest neighbours of held-out images, and signs of a
// collapsed embedding.

#ifndef IAT_TRAINING_QUALITY_H_
#define IAT_TRAINING_QUALITY_H_

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace iat {

// Top-1 accuracy of weighted k-nearest-neighbour votes by cosine similarity, each
// neighbour weighing exp(cosine / 0.07); k is cut to the number of references. NaN
// where there is nothing to score. Features: images x d.
// Source: Wu et al., CVPR 2018, section 3.4.
double KnnAccuracy(const torch::Tensor& reference_features,
                   const std::vector<int>& reference_labels,
                   const torch::Tensor& features, const std::vector<int>& labels,
                   int64_t k);

struct EmbeddingSpread {
  // Mean over dimensions of the deviation over images, times sqrt(d): 1 for
  // embeddings spread evenly over the sphere, 0 for a point.
  double deviation = 0.0;
  // exp(entropy of the normalised eigenvalues of the covariance): the number of
  // directions in use, at most min(n - 1, d). Roy & Vetterli, EUSIPCO 2007.
  double effective_rank = 0.0;

  // All images (nearly) in one place, or along one line.
  bool Collapsed() const { return deviation < 0.05 || effective_rank < 1.5; }
};
// embeddings: n x d, L2-normalised.
EmbeddingSpread MeasureSpread(const torch::Tensor& embeddings);

}  // namespace iat

#endif  // IAT_TRAINING_QUALITY_H_
