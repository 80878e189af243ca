// The protocol: how well does every mapping carry one animal's responses onto
// another's, for every pair, layer, stage and split.
//
// Input    One activation file an animal (base/activation_file.h), all on the same
//          stimuli. Animals of a family are paired with each other; several families
//          (trained, untrained) may share a table.
// Output   in the scores folder:
//   compare.csv       one row a cell and mapping (base/score_table.h)
//   compare_units.nc  per row of compare.csv (dimension row, same order) and per unit
//                     of the target layer (dimension target_unit, the unit's place in
//                     its activation file; NaN where it was not scored or does not
//                     exist): r2, ridge_penalty, logistic_penalty, gate_threshold.
//                     Per row also its key (stimuli, source_animal, target_animal,
//                     source_layer, ..., mapping, split_seed, num_target_units), how
//                     many choices lie at an end of their grid
//                     (num_ridge_penalty_at_edge, num_logistic_penalty_at_edge) and
//                     num_constant_units
//   splits.csv        similarity/split.h
//   timings.csv       seconds a cell; the only output that differs between runs
//   parts/            finished cells of a run under way, or of the last one
//
// Cells    A cell is one ordered pair of animals, a layer, a stage pair, a split and a
//          set of target units; all its mappings are fitted on the same responses and
//          score the same units. Rows of one cell agree in every column of compare.csv
//          but mapping and the scores.
//          LogisticRidge costs far more than ridge. With logistic_max_target_units set
//          it runs on a seeded sample of units, in cells of their own that repeat ridge
//          and ridge_clamped on just these units: their rows carry the smaller
//          num_target_units. To compare mappings, take rows that agree in
//          num_target_units (and split_seed); for ridge on everything, take the rows
//          with the largest. Without a cap there is one cell and no row twice.
// Control  permuted = true adds cells whose target rows are shuffled before anything
//          else; their mappings are called ridge_permuted, logistic_ridge_permuted.
// Bytes    A cell is a function of its own inputs alone, so everything but timings.csv
//          is the same, byte for byte, for any number of jobs and after any
//          interruption. A finished cell is a file in parts/ named by the fingerprint of
//          its inputs (activation files, options, animals, tap, split, units); a run
//          takes up what is there and redoes only what depends on what has changed.
// Memory   Activations are read when the first cell needs them and dropped after the
//          last; a job holds one source (about 5 copies of fit stimuli x units in
//          float64) and one target at a time.
//
// Example:
//   CompareInput input{"held-out", {{files of seed-000 ... seed-003}}};
//   auto result = RunCompare(options, input, "runs/quickstart/scores", {.jobs = 2});

#ifndef IAT_SIMILARITY_COMPARE_H_
#define IAT_SIMILARITY_COMPARE_H_

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/activation_file.h"
#include "base/options.h"
#include "base/score_table.h"
#include "similarity/mapping.h"

namespace iat {

struct CompareOptions {
  std::vector<std::string> layers;  // none: every layer the files hold
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

struct CompareInput {
  std::string stimuli;  // name of the stimulus set
  // Activation files, a list for each family; animals in the order that
  // pairs_from counts.
  std::vector<std::vector<std::filesystem::path>> families;
};

struct CompareControl {
  int jobs = 1;
  // Called after every cell, from any thread but one at a time. `line`:
  // "conv3/post_relu seed-000 -> seed-001 split 2: median R2 ridge 0.81, ... (4.2 s)".
  std::function<void(int64_t done, int64_t total, const std::string& line)> progress = {};
  // Looked at between cells; true ends the run with Cancelled, finished cells kept.
  const std::atomic<bool>* stop = nullptr;
};

struct CompareResult {
  std::vector<ScoreRow> rows;  // as in compare.csv
  int64_t num_cells = 0;
  int64_t num_reused = 0;  // cells that an earlier run had finished
};

// What a run would do.
struct ComparePlan {
  int64_t num_cells = 0;
  int64_t num_complete = 0;
};

// Errors name the file or tap and what differs: other stimuli (the first id that is
// missing), another architecture or scope, other unit counts, layers or stages that are
// not there, values that are not finite, fewer stimuli than asked for.
absl::StatusOr<CompareResult> RunCompare(const CompareOptions& options,
                                         const CompareInput& input,
                                         const std::filesystem::path& scores_folder,
                                         const CompareControl& control);

absl::StatusOr<ComparePlan> PlanCompare(const CompareOptions& options,
                                        const CompareInput& input,
                                        const std::filesystem::path& scores_folder);

}  // namespace iat

#endif  // IAT_SIMILARITY_COMPARE_H_
