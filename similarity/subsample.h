// How much data does a mapping need: its score against the number of fit stimuli and
// against the number of source units.

#ifndef IAT_SIMILARITY_SUBSAMPLE_H_
#define IAT_SIMILARITY_SUBSAMPLE_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/options.h"
#include "base/sampling_table.h"
#include "similarity/compare.h"
#include "similarity/mapping.h"

namespace iat {

struct SubsampleOptions {
  std::vector<std::string> axes = {"stimuli", "units"};
  std::vector<std::string> layers;  // none: every layer the files hold
  // Same stage on both sides: "pre_relu", "post_relu", "recorded".
  std::vector<std::string> stages = {"pre_relu", "post_relu"};
  std::vector<std::string> mappings = {"ridge", "logistic_ridge"};
  // Fit stimuli (axis "stimuli") and pooled source units (axis "units"); none: a log grid
  // up to what there is.
  std::vector<int64_t> stimulus_sizes, unit_sizes;
  int64_t num_samples = 5;  // subsamples a size, nested within a sample_seed
  int64_t num_fit_stimuli = 8000, num_test_stimuli = 0;
  std::vector<int64_t> split_seeds = {0};
  int64_t num_pooled_sources = 9;  // of axis "units"; fewer where there are fewer animals
  MappingOptions mapping;

  void Describe(OptionVisitor& visitor);
  absl::Status Validate() const;
};

struct SubsampleInput {
  std::string stimuli;  // name of the stimulus set
  // Activation files of one family, or of recorded animals (whose numbers of units may
  // differ), in the order that pools count.
  std::vector<std::filesystem::path> animals;
};

struct SubsampleResult {
  bool complete = false;  // false when other ranks have still to finish theirs
  std::vector<SamplingRow> rows;
  int64_t num_cells = 0;
  int64_t num_reused = 0;
};

// Writes `table` (".../scores/subsample.csv"); finished cells are parts beside it, taken
// up by the next run. Errors as RunCompare's.
absl::StatusOr<SubsampleResult> RunSubsample(const SubsampleOptions& options,
                                             const SubsampleInput& input,
                                             const std::filesystem::path& table,
                                             const CompareControl& control);

absl::StatusOr<ComparePlan> PlanSubsample(const SubsampleOptions& options,
                                          const SubsampleInput& input,
                                          const std::filesystem::path& table);

}  // namespace iat

#endif  // IAT_SIMILARITY_SUBSAMPLE_H_
