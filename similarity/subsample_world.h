// Everything about subsampling that is known before the first fit: animals, common
// stimuli, splits, and the cells to be fitted.

#ifndef IAT_SIMILARITY_SUBSAMPLE_WORLD_H_
#define IAT_SIMILARITY_SUBSAMPLE_WORLD_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/activation_file.h"
#include "similarity/compare_world.h"
#include "similarity/split.h"
#include "similarity/subsample.h"

namespace iat {

// One subsample: all sizes of one order.
struct SubsampleCell {
  std::vector<size_t> sources;  // of SubsampleWorld::animals, in the order of the pool
  size_t target = 0;
  Tap tap;
  std::string axis;
  int64_t split_seed = 0, sample_seed = 0;
  bool permuted = false;
  std::vector<int64_t> units;  // of the target
  std::vector<int64_t> sizes;  // ascending
  std::vector<std::string> mappings;
  std::string fingerprint;

  // "conv3/pre_relu seed-000+seed-001 -> seed-002 split 0 units sample 1".
  std::string Name(const std::vector<ComparedAnimal>& animals) const;
  std::filesystem::path PartPath(const std::filesystem::path& table) const;
};

struct SubsampleWorld {
  std::vector<ComparedAnimal> animals;
  std::vector<std::string>
      stimulus_ids;  // common to all, in the order of the first's file
  std::vector<Split> splits;
  std::vector<SubsampleCell> cells;
  // Cells of one target, tap, axis, split and set of target units: subsamples that share
  // their Gram matrices.
  std::vector<std::vector<size_t>> groups;

  const Split& SplitOf(const SubsampleCell& cell) const;
};

absl::StatusOr<SubsampleWorld> MakeSubsampleWorld(const SubsampleOptions& options,
                                                  const SubsampleInput& input);

// "seed-000+seed-001" of the animals in `sources`.
std::string PoolName(const std::vector<ComparedAnimal>& animals,
                     const std::vector<size_t>& sources);

// scores/subsample-parts of scores/subsample.csv.
std::filesystem::path SubsamplePartsFolder(const std::filesystem::path& table);

}  // namespace iat

#endif  // IAT_SIMILARITY_SUBSAMPLE_WORLD_H_
