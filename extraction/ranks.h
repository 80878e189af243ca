// Several processes sharing one piece of work, as their launcher numbers them: no
// coordinator of our own, no connection between them.
//
// Rank r of n takes chunks r, r + n, r + 2n, ... Results do not depend on n; whoever
// finds everything there puts it together.

#ifndef IAT_EXTRACTION_RANKS_H_
#define IAT_EXTRACTION_RANKS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace iat {

struct Rank {
  int64_t index = 0;
  int64_t count = 1;

  bool Takes(int64_t chunk) const { return chunk % count == index; }
  // The rank of worker `worker` of `num_workers` inside this one.
  Rank Worker(int64_t worker, int64_t num_workers) const {
    return {index * num_workers + worker, count * num_workers};
  }
};

// From RANK and WORLD_SIZE (torchrun), OMPI_COMM_WORLD_RANK and _SIZE (mpirun of Open
// MPI), PMI_RANK and PMI_SIZE (MPICH) or SLURM_PROCID and SLURM_STEP_NUM_TASKS (srun),
// whichever pair is there; rank 0 of 1 without any.
// InvalidArgument naming a variable that is missing beside its twin, no number, or not
// below the size.
absl::StatusOr<Rank> RankFromEnvironment();

// "3/8" and back.
std::string RankText(const Rank& rank);
absl::StatusOr<Rank> ParseRank(const std::string& text);

}  // namespace iat

#endif  // IAT_EXTRACTION_RANKS_H_
