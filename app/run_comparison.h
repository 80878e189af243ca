// Two runs side by side: what differs in their configs, and by how much their scores.
//
// Scores    lines of the two summaries (similarity/summary.h) with the same stimulus
// set's
//           name, family, layers, stages, scopes and mapping; where a run has several
//           numbers of target units, those on the most.
// Interval  The two runs' animals are taken as independent, each run's jackknife over
//           its own animals: standard errors add in squares, t quantile on the smaller
//           number of animals less one. Below 4 animals in either run there is none.
//
// Example:
//   auto comparison = CompareRuns("runs/a", "runs/b");
//   std::cout << RunComparisonText(*comparison);

#ifndef IAT_APP_RUN_COMPARISON_H_
#define IAT_APP_RUN_COMPARISON_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "similarity/summary.h"

namespace iat {

struct ConfigDifference {
  std::string key;            // "training.epochs"
  std::string first, second;  // TOML values; "" where a run has no such key
};

struct ScoreDifference {
  SummaryKey key;  // of the first run
  std::string mapping;
  Interval first, second;
  Interval difference;  // first - second
  int64_t first_animals = 0, second_animals = 0;
  bool same_size = true;  // same numbers of fit and test stimuli, source and target units
};

struct RunComparison {
  std::string first, second;  // the folders as they were given
  std::vector<ConfigDifference> config;
  std::vector<ScoreDifference> scores;
  // Lines of one run that the other lacks.
  int64_t only_first = 0, only_second = 0;
};

// NotFound naming the file that a folder lacks (config.toml, scores/compare.csv).
absl::StatusOr<RunComparison> CompareRuns(const std::filesystem::path& first,
                                          const std::filesystem::path& second);

// What differs between two resolved configs, in order of keys.
std::vector<ConfigDifference> CompareConfigs(absl::string_view first,
                                             absl::string_view second);
std::vector<ScoreDifference> CompareSummaries(const Summary& first,
                                              const Summary& second);

// For stdout, fixed width.
std::string RunComparisonText(const RunComparison& comparison);
// A page like report.html.
std::string RunComparisonHtml(const RunComparison& comparison);

}  // namespace iat

#endif  // IAT_APP_RUN_COMPARISON_H_
