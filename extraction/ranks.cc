#include "extraction/ranks.h"

#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace iat {

absl::StatusOr<Rank> RankFromEnvironment() {
  // Slurm sets SLURM_PROCID and SLURM_NTASKS in a batch script too, where nobody takes
  // the other shares; only a step of srun has SLURM_STEP_NUM_TASKS.
  const std::pair<const char*, const char*> names[] = {
      {"RANK", "WORLD_SIZE"},
      {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
      {"PMI_RANK", "PMI_SIZE"},
      {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS"}};
  for (const auto& [rank_name, size_name] : names) {
    const char* const rank = std::getenv(rank_name);
    const char* const size = std::getenv(size_name);
    const bool is_slurm = rank_name == names[3].first;
    if (rank == nullptr && size == nullptr) continue;
    if (is_slurm && (rank == nullptr || size == nullptr)) continue;
    if (rank == nullptr || size == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(
          rank == nullptr ? size_name : rank_name, " is set, but ",
          rank == nullptr ? rank_name : size_name,
          " is not; set both, or neither, to share the work among processes"));
    }
    Rank result;
    if (!absl::SimpleAtoi(rank, &result.index) ||
        !absl::SimpleAtoi(size, &result.count) || result.index < 0 ||
        result.index >= result.count) {
      return absl::InvalidArgumentError(
          absl::StrCat(rank_name, " is \"", rank, "\" and ", size_name, " \"", size,
                       "\"; expected numbers, the first from 0 to below the second"));
    }
    return result;
  }
  return Rank{};
}

std::string RankText(const Rank& rank) {
  return absl::StrCat(rank.index, "/", rank.count);
}

absl::StatusOr<Rank> ParseRank(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  Rank rank;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &rank.index) ||
      !absl::SimpleAtoi(parts[1], &rank.count) || rank.index < 0 ||
      rank.index >= rank.count) {
    return absl::InvalidArgumentError(
        absl::StrCat("rank \"", text, "\"; expected something like 0/2"));
  }
  return rank;
}

}  // namespace iat
