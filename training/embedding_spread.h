// Signs of a collapsed embedding, and what to say about it. Measured by quality.h.

#ifndef IAT_TRAINING_EMBEDDING_SPREAD_H_
#define IAT_TRAINING_EMBEDDING_SPREAD_H_

#include <string>

namespace iat {

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

// What is wrong with a collapsed embedding, then `advice` (Objective::CollapseAdvice).
std::string CollapseMessage(const EmbeddingSpread& spread, const std::string& advice);

}  // namespace iat

#endif  // IAT_TRAINING_EMBEDDING_SPREAD_H_
