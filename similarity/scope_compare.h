// Is one hypercolumn all you need? Ridge from hypercolumns and from whole layers, onto
// the same targets.
//
//   hypercolumn -> hypercolumn   what figure 1 has
//   layer -> hypercolumn         the same targets from every position of the layer: the
//                                fair comparison, since only the source differs
//   layer -> layer               a seeded sample of the whole layer's units as targets
//
// All three on the same pairs, splits and stimuli; scores/scopes.csv holds their rows
// (base/score_table.h), told apart by source_scope and target_scope. The paper says of
// hypercolumns that they score almost as high as the whole layer.
//
// Cost     A layer of p units on n fit stimuli takes one eigendecomposition of
//          min(n, p) a source, stage and split: conv1 of the full-width network has
//          14,400 units, 5 copies of 8,000 x 14,400 doubles in memory a job.
//
// Example:
//   ScopeInput input{"held-out", {hypercolumn files}, {layer files of the same animals}};
//   auto rows = RunScopeCompare(options, compare, input, "runs/x/scores", {.jobs = 2});
//   std::cout << ScopesText(SummariseScopes(*rows));

#ifndef IAT_SIMILARITY_SCOPE_COMPARE_H_
#define IAT_SIMILARITY_SCOPE_COMPARE_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/options.h"
#include "base/score_table.h"
#include "similarity/compare.h"
#include "similarity/summary.h"

namespace iat {

// Config table [scopes]; without it nothing of this is done. Numbers of stimuli, the
// seed of samples and the ridge's options are those of [compare].
struct ScopeOptions {
  int64_t animals = 4;
  std::vector<std::string> layers;
  std::vector<std::string> stages = {"pre_relu", "post_relu"};
  std::vector<int64_t> split_seeds = {0, 1};
  bool both_directions = true;
  int64_t max_layer_targets = 256;

  void Describe(OptionVisitor& visitor);
  absl::Status Validate() const;
};

struct ScopeInput {
  std::string stimuli;
  // Activation files of the same animals in the same order.
  std::vector<std::filesystem::path> hypercolumns, layers;
};

struct ScopeResult {
  bool complete = false;  // false: other ranks have still to finish theirs
  std::vector<ScoreRow> rows;
};

// Writes scopes.csv in `scores_folder`; finished cells are kept in scopes/ beside it.
// Errors as RunCompare's.
absl::StatusOr<ScopeResult> RunScopeCompare(const ScopeOptions& options,
                                            const CompareOptions& compare,
                                            const ScopeInput& input,
                                            const std::filesystem::path& scores_folder,
                                            const CompareControl& control);

absl::StatusOr<ComparePlan> PlanScopeCompare(const ScopeOptions& options,
                                             const CompareOptions& compare,
                                             const ScopeInput& input,
                                             const std::filesystem::path& scores_folder);

// One layer and stage: mean R2 over pairs with its interval over animals.
struct ScopeLine {
  std::string stimuli, layer, stage;
  Interval hypercolumn;  // hypercolumn -> hypercolumn
  Interval from_layer;   // layer -> hypercolumn
  Interval whole_layer;  // layer -> layer; NaN: not measured
  Interval difference;   // hypercolumn - from_layer, on the same targets and splits
  int64_t num_animals = 0, num_pairs = 0, num_splits = 0;
  int64_t num_hypercolumn_units = 0, num_layer_units = 0, num_layer_targets = 0;
};
// Rows that are not of one layer and stage onto itself are left out.
std::vector<ScopeLine> SummariseScopes(const std::vector<ScoreRow>& rows);
// The table for stdout. Fixed width.
std::string ScopesText(const std::vector<ScopeLine>& lines);
// [{...}, ...], keys as the members above; NaN is null.
std::string ScopesJson(const std::vector<ScopeLine>& lines);

}  // namespace iat

#endif  // IAT_SIMILARITY_SCOPE_COMPARE_H_
