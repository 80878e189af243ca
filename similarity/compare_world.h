// Everything about a comparison that is known before the first fit: animals, splits,
// and the cells to be fitted, each with the fingerprint that names its part file.

#ifndef IAT_SIMILARITY_COMPARE_WORLD_H_
#define IAT_SIMILARITY_COMPARE_WORLD_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/activation_file.h"
#include "similarity/compare.h"
#include "similarity/compare_options.h"
#include "similarity/split.h"

namespace iat {

// An animal's file, its rows in the order of the first animal's stimuli.
struct ComparedAnimal {
  ActivationFile file;
  std::string sha256;
  std::vector<int64_t> row_of_stimulus;
  const std::string& name() const { return file.metadata().animal; }
};

struct CompareCell {
  size_t source = 0, target = 0;  // of CompareWorld::animals
  Tap source_tap, target_tap;
  int64_t split_seed = 0;
  bool permuted = false;
  std::vector<int64_t> units;  // of the target
  std::vector<std::string> mappings;
  std::string fingerprint;

  // "conv3/pre_relu seed-000 -> seed-001 split 2".
  std::string Name(const std::vector<ComparedAnimal>& animals) const;
  std::filesystem::path PartPath(const std::filesystem::path& scores_folder) const;
};

struct CompareWorld {
  std::vector<ComparedAnimal> animals;
  std::vector<std::string> stimulus_ids;
  std::vector<Split> splits;
  std::vector<CompareCell> cells;
  // Cells that share a source tap on a split, which is made once for all of them.
  std::vector<std::vector<size_t>> groups;

  const Split& SplitOf(const CompareCell& cell) const;
};

// InvalidArgument naming the file and the first of architecture, scope and preprocessing
// in which it differs from `first`.
absl::Status SameFamily(const ActivationFile& first, const ActivationFile& other);

absl::StatusOr<int64_t> NumUnits(const ActivationFile& file, const std::string& layer);

// A seeded sample of `cap` of the units in `from` (all when cap is 0), ascending.
std::vector<int64_t> SampleUnits(std::vector<int64_t> from, int64_t cap,
                                 int64_t sample_seed, absl::string_view purpose);

absl::StatusOr<CompareWorld> MakeCompareWorld(const CompareOptions& options,
                                              const CompareInput& input);

}  // namespace iat

#endif  // IAT_SIMILARITY_COMPARE_WORLD_H_
