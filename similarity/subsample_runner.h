// Fits and scores the cells of similarity/subsample.h, a part file each.

#ifndef IAT_SIMILARITY_SUBSAMPLE_RUNNER_H_
#define IAT_SIMILARITY_SUBSAMPLE_RUNNER_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/sampling_table.h"
#include "similarity/compare.h"
#include "similarity/subsample.h"
#include "similarity/subsample_world.h"

namespace iat {

// What one finished cell found, in a file of its own:
//
//   iat sampling part 1
//   fingerprint <SHA-256 of the cell's inputs>
//   seconds 4.21
//   <its rows, as in subsample.csv>
struct SamplingPart {
  double seconds = 0.0;
  std::vector<SamplingRow> rows;
};
// NotFound when there is no file; InvalidArgument when it is not a whole part with this
// fingerprint.
absl::StatusOr<SamplingPart> ReadSamplingPart(const std::filesystem::path& path,
                                              const std::string& fingerprint);

// Makes the parts that are missing of this rank's share: group g belongs to rank g modulo
// the number of ranks. Cancelled when control.stop was set; finished parts stay.
absl::Status RunMissingSubsamples(const SubsampleOptions& options,
                                  const SubsampleInput& input,
                                  const SubsampleWorld& world,
                                  const std::filesystem::path& table,
                                  const CompareControl& control);

// Cells whose part is there and whole.
int64_t NumFinishedSubsamples(const SubsampleWorld& world,
                              const std::filesystem::path& table);

}  // namespace iat

#endif  // IAT_SIMILARITY_SUBSAMPLE_RUNNER_H_
