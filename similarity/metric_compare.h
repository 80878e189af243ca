// Metrics of a family: how alike any two animals' responses are, layer by layer, with
// nothing fitted (similarity/metric.h).
//
// Input    One activation file an animal, rows matched by stimulus_id.
// Stimuli  A seeded sample of them, the same for every animal, layer and stage: a
//          dissimilarity matrix grows with the square of their number.
// Output   metrics.csv in the scores folder, one row a pair of animals, pair of layers,
//          stage and metric, sorted, %.9g. A metric that these data do not define is NaN
//          with its reason in `note`.
// Pairs    Unordered for metrics whose source and target can change places, both ways for
//          the rest.
//
// Example:
//   auto rows = RunMetricCompare(options, {"held-out", {files}}, "runs/x/scores", {});
//   std::cout << MetricsText(SummariseMetrics(*rows));

#ifndef IAT_SIMILARITY_METRIC_COMPARE_H_
#define IAT_SIMILARITY_METRIC_COMPARE_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/options.h"
#include "similarity/compare.h"
#include "similarity/metric_options.h"
#include "similarity/summary.h"

namespace iat {

// Config table [metrics]; without it none is measured.
struct MetricCompareOptions {
  std::vector<std::string> names = {"cka_debiased", "rsa"};
  std::vector<std::string> layers;
  bool every_layer_pair = false;
  std::vector<std::string> stages = {"pre_relu", "post_relu"};
  int64_t num_stimuli = 1000;
  int64_t sample_seed = 0;
  MetricOptions metric;

  void Describe(OptionVisitor& visitor);
  absl::Status Validate() const;
};

struct MetricRow {
  std::string stimuli, source_animal, target_animal;
  std::string source_layer, target_layer, stage, scope, metric;
  int64_t num_stimuli = 0, num_source_units = 0, num_target_units = 0;
  double value = 0.0;
  std::string note;
};

// Writes metrics.csv. Errors name the file, layer or stage that is not there, the first
// stimulus that an animal lacks, and a number of stimuli that there are not. Cancelled
// when control.stop was set.
absl::StatusOr<std::vector<MetricRow>> RunMetricCompare(
    const MetricCompareOptions& options, const CompareInput& input,
    const std::filesystem::path& scores_folder, const CompareControl& control);

absl::StatusOr<std::vector<MetricRow>> ReadMetrics(const std::filesystem::path& path);

struct MetricLine {
  std::string stimuli, family, source_layer, target_layer, stage, metric;
  Interval value;  // mean over pairs; interval over animals
  int64_t num_animals = 0, num_pairs = 0, num_stimuli = 0;
  int64_t num_undefined = 0;  // rows without a value
};
std::vector<MetricLine> SummariseMetrics(const std::vector<MetricRow>& rows);
// The table for stdout. Fixed width.
std::string MetricsText(const std::vector<MetricLine>& lines);
// [{...}, ...], keys as the members above; NaN is null.
std::string MetricsJson(const std::vector<MetricLine>& lines);

}  // namespace iat

#endif  // IAT_SIMILARITY_METRIC_COMPARE_H_
