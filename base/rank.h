// Which of several processes of one run this is. MPI-style launchers say so in the
// environment:
//
//   OMPI_COMM_WORLD_RANK, OMPI_COMM_WORLD_SIZE   Open MPI's mpirun
//   PMI_RANK, PMI_SIZE                           MPICH, Intel MPI
//   SLURM_PROCID, SLURM_STEP_NUM_TASKS           srun (not a batch script outside a step)
//   RANK, WORLD_SIZE                             torchrun
//
// The first pair of which both are set counts; without any, rank 0 of 1. No
// communication: ranks meet only in the files of the run folder.

#ifndef IAT_BASE_RANK_H_
#define IAT_BASE_RANK_H_

#include "absl/status/statusor.h"

namespace iat {

struct Rank {
  int index = 0, size = 1;
};

// InvalidArgument naming the variables and their values unless 0 <= rank < size.
absl::StatusOr<Rank> RankFromEnvironment();

}  // namespace iat

#endif  // IAT_BASE_RANK_H_
