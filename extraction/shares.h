// How processes share the chunks of one extraction (base/rank.h says which they are).
// Rank r of n takes chunks r, r + n, r + 2n, ... Results do not depend on n; whoever
// finds everything there puts it together.

#ifndef IAT_EXTRACTION_SHARES_H_
#define IAT_EXTRACTION_SHARES_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "base/rank.h"

namespace iat {

bool TakesChunk(const Rank& rank, int64_t chunk);

// The rank of worker `worker` of `num_workers` inside `rank`.
Rank WorkerRank(const Rank& rank, int worker, int num_workers);

// "3/8" and back.
std::string RankText(const Rank& rank);
absl::StatusOr<Rank> ParseRank(const std::string& text);

}  // namespace iat

#endif  // IAT_EXTRACTION_SHARES_H_
