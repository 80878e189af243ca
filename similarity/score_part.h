// What one finished cell found, in a file of its own: the unit in which a comparison
// is resumed. Text, so that a part can be read while a run is under way:
//
//   iat score part 2
//   fingerprint <SHA-256 of the cell's inputs>
//   seconds 4.21
//   units 3 17 40
//   mapping ridge
//   r2 0.5 nan 0.75                   one value a unit
//   r 0.71 nan 0.87
//   chosen ridge_penalty 1 2 3
//   edge ridge_penalty 0
//   end

#ifndef IAT_SIMILARITY_SCORE_PART_H_
#define IAT_SIMILARITY_SCORE_PART_H_

#include <Eigen/Core>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/file.h"
#include "similarity/mapping.h"

namespace iat {

struct MappingScores {
  std::string mapping;
  Eigen::VectorXd r2, r;  // one a target unit of the cell
  Chosen chosen;
};

struct ScorePart {
  std::string fingerprint;
  double seconds = 0.0;
  std::vector<int64_t> units;  // places in the target's layer, ascending
  std::vector<MappingScores> mappings;
};

// Numbers keep every bit. Whole or not at all.
absl::Status WriteScorePart(const std::filesystem::path& path, const ScorePart& part);
// NotFound when there is no file; InvalidArgument when it is not a whole part with
// this fingerprint.
absl::StatusOr<ScorePart> ReadScorePart(const std::filesystem::path& path,
                                        const std::string& fingerprint);

// Waits for a lock that is held for as long as it takes to put parts together.
absl::StatusOr<FileLock> LockForAssembly(const std::filesystem::path& path);

// Removes files of `folder` that end in .part and are not among `wanted`: parts of
// options that have changed since.
absl::Status RemoveOtherParts(const std::filesystem::path& folder,
                              const std::set<std::string>& wanted);

}  // namespace iat

#endif  // IAT_SIMILARITY_SCORE_PART_H_
