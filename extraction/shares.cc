#include "extraction/shares.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace iat {

bool TakesChunk(const Rank& rank, int64_t chunk) {
  return chunk % rank.size == rank.index;
}

Rank WorkerRank(const Rank& rank, int worker, int num_workers) {
  return {rank.index * num_workers + worker, rank.size * num_workers};
}

std::string RankText(const Rank& rank) {
  return absl::StrCat(rank.index, "/", rank.size);
}

absl::StatusOr<Rank> ParseRank(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  Rank rank;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &rank.index) ||
      !absl::SimpleAtoi(parts[1], &rank.size) || rank.index < 0 ||
      rank.index >= rank.size) {
    return absl::InvalidArgumentError(
        absl::StrCat("rank \"", text, "\"; expected something like 0/2"));
  }
  return rank;
}

}  // namespace iat
