// scores/compare.csv: one row a measurement, tidy, sorted, without times.
//
// A row says how well one mapping predicts the units of one target animal's tap
// from one source animal's tap, on the test stimuli of one split.

#ifndef IAT_BASE_SCORE_TABLE_H_
#define IAT_BASE_SCORE_TABLE_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace iat {

struct ScoreRow {
  std::string stimuli;                       // name of the stimulus set
  std::string source_animal, target_animal;  // "seed-000", "untrained-001"
  std::string source_layer, target_layer;    // "conv1"
  std::string source_stage, target_stage;    // "pre_relu", "post_relu", "recorded"
  std::string source_scope, target_scope;    // "hypercolumn", "layer"
  std::string mapping;  // "ridge", "logistic_ridge", ...; "ridge_permuted" is the
                        // null control with shuffled target rows
  int64_t split_seed = 0;
  int64_t num_fit_stimuli = 0, num_test_stimuli = 0;
  int64_t num_source_units = 0, num_target_units = 0;
  int64_t num_scored_units = 0;  // target units that vary on the test stimuli
  // Over the scored units; NaN when there are none. Never headline the mean:
  // nearly silent units dominate it.
  double median_r2 = 0, mean_r2 = 0, q25_r2 = 0, q75_r2 = 0;
  double median_r = 0;  // of Pearson's correlations, over the same units

  // The columns before median_r2, which identify and order a row.
  bool operator<(const ScoreRow& other) const;
};

// Sorts a copy, writes whole or not at all.
absl::Status WriteScores(const std::filesystem::path& path, std::vector<ScoreRow> rows);
std::string ScoresText(std::vector<ScoreRow> rows);
// InvalidArgument naming file, line and column of what does not fit.
absl::StatusOr<std::vector<ScoreRow>> ReadScores(const std::filesystem::path& path);

}  // namespace iat

#endif  // IAT_BASE_SCORE_TABLE_H_
