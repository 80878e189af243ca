// Fits and scores the cells of a comparison, a part file each.

#ifndef IAT_SIMILARITY_COMPARE_RUNNER_H_
#define IAT_SIMILARITY_COMPARE_RUNNER_H_

#include <filesystem>

#include "absl/status/status.h"
#include "similarity/compare.h"
#include "similarity/compare_world.h"

namespace iat {

// Makes the parts that are missing of this rank's share: group g belongs to rank g
// modulo the number of ranks. Cancelled when control.stop was set; finished parts stay.
absl::Status RunMissingCells(const CompareOptions& options, const CompareWorld& world,
                             const std::filesystem::path& scores_folder,
                             const CompareControl& control);

// Cells whose part is there and whole.
int64_t NumFinishedCells(const CompareWorld& world,
                         const std::filesystem::path& scores_folder);

}  // namespace iat

#endif  // IAT_SIMILARITY_COMPARE_RUNNER_H_
