// From finished parts to the files of the scores folder (similarity/compare.h).

#ifndef IAT_SIMILARITY_COMPARE_OUTPUTS_H_
#define IAT_SIMILARITY_COMPARE_OUTPUTS_H_

#include <filesystem>
#include <vector>

#include "absl/status/statusor.h"
#include "base/score_table.h"
#include "similarity/compare.h"
#include "similarity/compare_world.h"

namespace iat {

// Reads every part, writes every output and removes parts of other options; the rows of
// compare.csv. The error of the first part that is missing or damaged.
absl::StatusOr<std::vector<ScoreRow>> AssembleOutputs(
    const CompareWorld& world, const CompareInput& input,
    const std::filesystem::path& scores_folder);

}  // namespace iat

#endif  // IAT_SIMILARITY_COMPARE_OUTPUTS_H_
