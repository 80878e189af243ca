#include "base/rank.h"

#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace iat {

absl::StatusOr<Rank> RankFromEnvironment() {
  struct Names {
    const char *rank, *size;
  };
  for (const Names& names :
       {Names{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
        Names{"PMI_RANK", "PMI_SIZE"}, Names{"SLURM_PROCID", "SLURM_STEP_NUM_TASKS"},
        Names{"RANK", "WORLD_SIZE"}}) {
    const char* const rank_text = std::getenv(names.rank);
    const char* const size_text = std::getenv(names.size);
    if (rank_text == nullptr || size_text == nullptr) continue;
    Rank rank;
    if (!absl::SimpleAtoi(rank_text, &rank.index) ||
        !absl::SimpleAtoi(size_text, &rank.size) || rank.index < 0 ||
        rank.index >= rank.size) {
      return absl::InvalidArgumentError(
          absl::StrCat(names.rank, " is \"", rank_text, "\" and ", names.size, " is \"",
                       size_text, "\"; expected a rank from 0 to one below the size"));
    }
    return rank;
  }
  return Rank();
}

}  // namespace iat
