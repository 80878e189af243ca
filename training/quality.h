// Is this network learning? Nearest neighbours of held-out images, and signs of a
// collapsed embedding.

#ifndef IAT_TRAINING_QUALITY_H_
#define IAT_TRAINING_QUALITY_H_

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "training/embedding_spread.h"

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

// embeddings: n x d, L2-normalised.
EmbeddingSpread MeasureSpread(const torch::Tensor& embeddings);

}  // namespace iat

#endif  // IAT_TRAINING_QUALITY_H_
