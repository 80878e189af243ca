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
//                     exist): r2, r (Pearson), ridge_penalty, logistic_penalty,
//                     gate_threshold, and what else any of the mappings chose, under the
//                     name that its header gives (lasso_penalty, num_components, ...).
//                     Per row also its key (stimuli, source_animal, target_animal,
//                     source_layer, ..., mapping, split_seed, num_target_units),
//                     num_constant_units, and how many choices lie at an end of their
//                     grid: num_ridge_penalty_at_edge, num_logistic_penalty_at_edge,
//                     and the same for every other value chosen from a grid
//   paired.csv        every two mappings of a cell, unit against unit: how many of the
//                     scored units each predicts better (num_units_won by mapping,
//                     num_units_lost to other_mapping) and the median difference in R2
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
// Layers   layer_pairs says which source layer is mapped onto which target layer. Source
//          and target stage are independent too; a target's units and the split are the
//          same whatever the source, so the entries of a layer x layer matrix compare.
// Scopes   Targets may come from files of another scope than the sources (hypercolumn
//          and whole layer), on the same stimuli.
// Ranks    Processes of an MPI-style launcher share a scores folder: groups of cells
//          (one source tap on one split) are dealt to them in turn, and the last to
//          finish writes the outputs. One, two or three ranks give the same bytes.
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
#include "base/rank.h"
#include "base/score_table.h"
#include "similarity/compare_options.h"

namespace iat {

struct CompareInput {
  std::string stimuli;  // name of the stimulus set
  // Activation files, a list for each family; animals in the order that
  // pairs_from counts.
  std::vector<std::vector<std::filesystem::path>> families;
  // The targets, where they come from files of their own (another scope): as many
  // families of the same animals in the same order. None: `families`.
  std::vector<std::vector<std::filesystem::path>> target_families = {};
};

struct CompareControl {
  int jobs = 1;
  // Called after every cell, from any thread but one at a time. `line`:
  // "conv3/post_relu seed-000 -> seed-001 split 2: median R2 ridge 0.81, ... (4.2 s)".
  std::function<void(int64_t done, int64_t total, const std::string& line)> progress = {};
  // Looked at between cells; true ends the run with Cancelled, finished cells kept.
  const std::atomic<bool>* stop = nullptr;
  // Which share of the groups of cells is this process's (base/rank.h).
  Rank rank = {};
};

struct CompareResult {
  // False when other ranks have still to finish theirs; the outputs are then theirs to
  // write.
  bool complete = false;
  std::vector<ScoreRow> rows;  // as in compare.csv, once complete
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
