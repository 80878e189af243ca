// Which stimuli a mapping is fitted on and which it is scored on.
//
// A split is a function of the set of stimulus ids, the split seed and the two
// sizes: ids are sorted before they are shuffled, so the order of rows in a file
// does not matter, and every pair, layer and stage gets the same split.
//
// Rows within a part are in shuffled order. Folds inside the fit stimuli follow
// that order (stimulus i of a class goes to fold i modulo the number of folds),
// and splits.csv lists stimuli in it, so that other software can refit a cell.
//
// Example:
//   auto split = MakeSplit(file.stimulus_ids(), {.split_seed = 3, .num_fit = 8000});
//   for (const int64_t row : split->fit) ...   // rows of `stimulus_ids`

#ifndef IAT_SIMILARITY_SPLIT_H_
#define IAT_SIMILARITY_SPLIT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace iat {

struct SplitRequest {
  int64_t split_seed = 0;
  int64_t num_fit = 0;
  int64_t num_test = 0;  // 0: all the rest
};

struct Split {
  int64_t split_seed = 0;
  std::vector<int64_t> fit, test;  // rows of the ids it was made from; disjoint
};

// InvalidArgument with the counts when there are fewer stimuli than asked for
// (at least 2 to fit and 1 to test), or an id occurs twice.
absl::StatusOr<Split> MakeSplit(const std::vector<std::string>& stimulus_ids,
                                const SplitRequest& request);

// The stimuli of a target that nothing can predict: fit and test rows shuffled together,
// so that the order of the file plays no part. `target` names animal and layer,
// "seed-001/conv3": each is shuffled in an order of its own.
Split PermutedSplit(const Split& split, int64_t sample_seed, absl::string_view target);

// Text of splits.csv: stimuli,split_seed,stimulus_id,part.
std::string SplitsCsv(absl::string_view stimuli,
                      const std::vector<std::string>& stimulus_ids,
                      const std::vector<Split>& splits);

}  // namespace iat

#endif  // IAT_SIMILARITY_SPLIT_H_
