#include "similarity/compare.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/status.h"
#include "similarity/compare_outputs.h"
#include "similarity/compare_runner.h"
#include "similarity/compare_world.h"
#include "similarity/score_part.h"

namespace iat {
absl::StatusOr<ComparePlan> PlanCompare(const CompareOptions& options,
                                        const CompareInput& input,
                                        const std::filesystem::path& scores_folder) {
  IAT_ASSIGN_OR_RETURN(const CompareWorld world, MakeCompareWorld(options, input));
  ComparePlan plan;
  plan.num_cells = static_cast<int64_t>(world.cells.size());
  plan.num_complete = NumFinishedCells(world, scores_folder);
  return plan;
}

absl::StatusOr<CompareResult> RunCompare(const CompareOptions& options,
                                         const CompareInput& input,
                                         const std::filesystem::path& scores_folder,
                                         const CompareControl& control) {
  SetBlasThreads(1);
  KeepFreedMatrices();
  IAT_ASSIGN_OR_RETURN(const CompareWorld world, MakeCompareWorld(options, input));
  IAT_RETURN_IF_ERROR(MakeFolder(scores_folder / "parts"));
  CompareResult result;
  result.num_cells = static_cast<int64_t>(world.cells.size());
  result.num_reused = NumFinishedCells(world, scores_folder);
  IAT_RETURN_IF_ERROR(RunMissingCells(options, world, scores_folder, control));
  // Two ranks that end together both find every part, and write the same bytes.
  IAT_ASSIGN_OR_RETURN(const FileLock lock,
                       LockForAssembly(scores_folder / "assemble.lock"));
  result.complete = NumFinishedCells(world, scores_folder) == result.num_cells;
  if (result.complete) {
    IAT_ASSIGN_OR_RETURN(result.rows, AssembleOutputs(world, input, scores_folder));
  }
  return result;
}

}  // namespace iat
