// How much data does a mapping need: its score against the number of fit stimuli and
// against the number of source units.
//
// Input    Activation files of one family (stages pre_relu, post_relu) or of recorded
//          animals (stage recorded, layers are areas, each animal with units of its own).
//          Stimuli are matched by id; those that all animals have are used.
// Axes     stimuli  one source animal onto one target animal, all of the source's units,
//                   fitted on the first `size` fit stimuli of a random order. Sources go
//                   round a ring: the source of an animal is the animal after it, so that
//                   each is target once and source once.
//          units    the units of several animals side by side stand for one animal; the
//                   first `size` of them in a random order, all fit stimuli. Every animal
//                   is target once; its sources are the num_pooled_sources animals after
//                   it in the ring.
//          A layer's ring holds the animals that have the layer.
// Subsets  Nested within a sample_seed 0 ... num_samples - 1. The order of the fit
//          stimuli depends on sample_seed and split alone, that of the units on
//          sample_seed, target and layer: layers and stages, and before and after the
//          ReLU, are compared on the same subsets. Test stimuli are those of the split
//          whatever the size.
// Sizes    None given: num_sizes on a log scale, from 8 stimuli (4 units) to all there
//          are. Given unit sizes that a layer's pool does not have are left out there.
// Mappings ridge and ridge_clamped by similarity/nested_ridge.h, every other by a fit of
//          its own a size. LogisticRidge is dear: it runs on at most
//          logistic_max_target_units target units (a seeded sample), logistic_max_sizes
//          of the sizes (spread evenly over the grid, the largest among them) and the
//          first logistic_num_samples subsamples. The other mappings are then scored on
//          these units too, in rows that carry the smaller num_target_units, as in
//          similarity/compare.h.
// NaN      As in compare.csv: a target unit that is constant on the test stimuli is not
//          scored; a row without any is NaN.
// Control  permuted = true adds curves of "ridge_permuted", of targets whose stimuli are
//          shuffled, which nothing can predict.
// Output   TABLE.csv (base/sampling_table.h), TABLE-timings.csv with seconds a cell, and
//          TABLE-parts/ with the finished cells of a run under way, or of the last one. A
//          cell is one subsample of one target, layer, stage, split, axis and set of
//          target units, all its sizes; cells are named by a fingerprint of all they
//          depend on, so that a run takes up what is there and any number of jobs and
//          ranks gives the same bytes.
//
// Example:
//   SubsampleInput input{"held-out", {files of seed-000 ... seed-009}};
//   auto result = RunSubsample(options, input, "runs/x/scores/subsample.csv", {.jobs =
//   2});

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
  // of num_sizes up to what there is.
  std::vector<int64_t> stimulus_sizes, unit_sizes;
  int64_t num_sizes = 12;
  int64_t num_samples = 5;  // subsamples a size, nested within a sample_seed
  int64_t num_fit_stimuli = 8000, num_test_stimuli = 0;
  std::vector<int64_t> split_seeds = {0};
  int64_t num_pooled_sources = 9;  // of axis "units"; fewer where there are fewer animals
  int64_t logistic_max_target_units = 64;
  int64_t logistic_max_sizes = 6;
  int64_t logistic_num_samples = 2;
  bool permuted = false;
  MappingOptions mapping;

  // Config table [subsample].
  void Describe(OptionVisitor& visitor);
  absl::Status Validate() const;
};

// Whole numbers about evenly spaced on a log scale, both ends among them, none twice: at
// most `count`. 1 <= least <= most.
std::vector<int64_t> LogSizes(int64_t least, int64_t most, int64_t count);

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
// up by the next run. Errors name the file, layer or option: fewer than 2 animals with a
// layer, no stimulus that all have, fewer stimuli than asked for, sizes beyond them,
// animals of models that differ in architecture, scope or preprocessing.
absl::StatusOr<SubsampleResult> RunSubsample(const SubsampleOptions& options,
                                             const SubsampleInput& input,
                                             const std::filesystem::path& table,
                                             const CompareControl& control);

absl::StatusOr<ComparePlan> PlanSubsample(const SubsampleOptions& options,
                                          const SubsampleInput& input,
                                          const std::filesystem::path& table);

}  // namespace iat

#endif  // IAT_SIMILARITY_SUBSAMPLE_H_
