#include "training/embedding_spread.h"

#include "absl/strings/str_format.h"

namespace iat {

std::string CollapseMessage(const EmbeddingSpread& spread, const std::string& advice) {
  // A point has lost its deviation, a line only its rank.
  const std::string what = spread.deviation < kCollapsedDeviation
                               ? "all images fall on nearly one point"
                               : "all images fall on nearly one line";
  return absl::StrFormat(
      "the embedding has collapsed: %s (deviation %.3f, effective rank %.1f); %s", what,
      spread.deviation, spread.effective_rank, advice);
}

}  // namespace iat
