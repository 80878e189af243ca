// scores/subsample.csv and scores/calibrate.csv: what a score becomes when it is given
// less data. One row a measurement, tidy, sorted, without times.
//
// A row is a row of compare.csv (base/score_table.h) for one subsample of the fit stimuli
// or of the source units, with the subsample's size in num_fit_stimuli or
// num_source_units too. Columns: those that identify a row of compare.csv, then axis,
// size, sample_seed and num_pooled_sources, then median_r2 and the other scores.

#ifndef IAT_BASE_SAMPLING_TABLE_H_
#define IAT_BASE_SAMPLING_TABLE_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/score_table.h"

namespace iat {

struct SamplingRow {
  ScoreRow score;           // source_animal of a pool: "seed-000+seed-001"
  std::string axis;         // what is subsampled: "stimuli" or "units"
  int64_t size = 0;         // fit stimuli, or source units of the whole pool
  int64_t sample_seed = 0;  // which subsample; those of one seed are nested
  int64_t num_pooled_sources = 1;

  // score's key, then the further columns.
  bool operator<(const SamplingRow& other) const;
};

// Sorts a copy, writes whole or not at all.
absl::Status WriteSampling(const std::filesystem::path& path,
                           std::vector<SamplingRow> rows);
std::string SamplingText(std::vector<SamplingRow> rows);
// InvalidArgument naming file, line and column of what does not fit.
absl::StatusOr<std::vector<SamplingRow>> ReadSampling(const std::filesystem::path& path);
// The same from text; `name` stands for the file in messages.
absl::StatusOr<std::vector<SamplingRow>> ParseSampling(absl::string_view text,
                                                       absl::string_view name);

}  // namespace iat

#endif  // IAT_BASE_SAMPLING_TABLE_H_
