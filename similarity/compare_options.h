// What a comparison compares; similarity/compare.h says how.

#ifndef IAT_SIMILARITY_COMPARE_OPTIONS_H_
#define IAT_SIMILARITY_COMPARE_OPTIONS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/activation_file.h"
#include "base/options.h"
#include "similarity/mapping.h"

namespace iat {

struct CompareOptions {
  // [stimuli.NAME] tables to compare on; none: all of them. Read by the run, not by
  // RunCompare, which is given one set.
  std::vector<std::string> stimuli;
  std::vector<std::string> layers;  // none: every layer the files hold
  // "same", "all" (every layer onto every layer), or "conv1->conv3", ...
  std::vector<std::string> layer_pairs = {"same"};
  std::vector<std::string> stages = {"pre_relu->pre_relu", "post_relu->post_relu"};
  std::vector<std::string> mappings = {"ridge", "ridge_clamped", "logistic_ridge",
                                       "logistic_ridge_soft", "logistic_ridge_tuned"};
  int64_t num_fit_stimuli = 8000;
  int64_t num_test_stimuli = 0;
  std::vector<int64_t> split_seeds = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  int64_t pairs_from = 0;
  bool both_directions = true;
  int64_t max_target_units = 0;
  int64_t logistic_max_target_units = 0;
  std::vector<int64_t> logistic_split_seeds;
  bool permuted = false;
  std::vector<int64_t> permuted_split_seeds;
  int64_t sample_seed = 0;
  MappingOptions mapping;

  void Describe(OptionVisitor& visitor);
  absl::Status Validate() const;
};

struct StagePair {
  Stage source, target;
};
// "pre_relu->post_relu".
absl::StatusOr<StagePair> ParseStagePair(const std::string& text);

using LayerPair = std::pair<std::string, std::string>;  // source, target
// The pairs that options.layer_pairs asks for among `layers`, by source layer in the
// order of `layers`. NotFound naming a layer that is not among them.
absl::StatusOr<std::vector<LayerPair>> MakeLayerPairs(
    const CompareOptions& options, const std::vector<std::string>& layers);

}  // namespace iat

#endif  // IAT_SIMILARITY_COMPARE_OPTIONS_H_
