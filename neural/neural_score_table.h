// scores/neural.csv: one row a source, a target and a mapping, tidy, sorted, without
// times; and scores/neural_units.csv, one row a target unit of such a row.
//
// A pool's source_animal is "mouse-1+mouse-2"; where a row uses only part of its
// neurons, num_source_units is smaller than num_pooled_units. NaN where a value is not
// defined.

#ifndef IAT_NEURAL_NEURAL_SCORE_TABLE_H_
#define IAT_NEURAL_NEURAL_SCORE_TABLE_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace iat {

struct NeuralScoreRow {
  // What identifies and orders a row.
  std::string recording;
  std::string direction;  // "animals->animals", ...
  std::string source_animal, target_animal;
  std::string source_area, target_area;    // areas and layers
  std::string source_stage, target_stage;  // "recorded", "pre_relu", "post_relu"
  std::string mapping;
  int64_t num_pooled_units = 0, num_source_units = 0;
  int64_t sample_seed = -1;  // of a part of a pool; -1: all of it

  bool simulated = false;
  int64_t num_target_units = 0;
  int64_t num_scored_units = 0;    // with an R2 on one split at least
  int64_t num_reliable_units = 0;  // scored, with at least min_reliability
  int64_t num_fit_stimuli = 0, num_test_stimuli = 0, block_size = 1;
  int64_t num_splits = 0, num_bootstraps = 0;
  // Means over splits of medians over units, on trial means.
  double median_r2 = 0, median_r = 0, median_r_reliable = 0;
  // Medians over reliable units of means over splits and bootstraps: with the numerator
  // of half of the trials and of all of them (neural/noise_correction.h).
  double median_r_corrected = 0, median_r_corrected_all_trials = 0;
  // The same of the two factors of the denominator, where they are defined.
  double median_target_consistency = 0, median_mapped_consistency = 0;
  // Of all scored units, splits and bootstraps, those without a corrected score because
  // the target's factor was not above 0, or only that of the mapped source.
  double undefined_target_share = 0, undefined_mapped_share = 0;
  double rsa = 0, rsa_spearman = 0;  // on the trial means of all stimuli, units alike
  // Share of the target's trial means that are above
  // mapping.logistic_ridge.activity_threshold.
  double active_share = 0;

  bool operator<(const NeuralScoreRow& other) const;
};

struct NeuralUnitRow {
  NeuralScoreRow of;  // the identifying columns
  std::string unit_id;
  double reliability = 0;  // internal consistency over all stimuli
  // Means over splits (and bootstraps) in which they are defined.
  double r2 = 0, r = 0, r_corrected = 0, r_corrected_all_trials = 0;
  double target_consistency = 0, mapped_consistency = 0;
};

// Sorted; whole or not at all.
absl::Status WriteNeuralScores(const std::filesystem::path& path,
                               std::vector<NeuralScoreRow> rows);
absl::Status WriteNeuralUnits(const std::filesystem::path& path,
                              std::vector<NeuralUnitRow> rows);
// InvalidArgument naming file, row and column of what does not fit.
absl::StatusOr<std::vector<NeuralScoreRow>> ReadNeuralScores(
    const std::filesystem::path& path);

}  // namespace iat

#endif  // IAT_NEURAL_NEURAL_SCORE_TABLE_H_
