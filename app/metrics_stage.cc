// The metrics stage: how alike animals are, with nothing fitted
// (similarity/metric_compare.h).

#include "absl/strings/str_cat.h"
#include "app/pipeline.h"
#include "base/progress.h"
#include "base/status.h"
#include "base/workers.h"
#include "similarity/metric_compare.h"

namespace iat {

absl::Status Pipeline::MeasureMetrics() {
  if (!config_.metrics) return absl::OkStatus();
  return Timed("metrics", [&]() -> absl::Status {
    for (const std::string& name : ComparedStimuli()) {
      const CompareInput input = MakeCompareInput(name);
      if (options_.dry_run) {
        Say("metrics", absl::StrCat("will measure ", config_.metrics->names.size(),
                                    " metrics on ", name));
        continue;
      }
      Progress progress(
          "metrics", "taps",
          options_.quiet ? Progress::Style::kQuiet : Progress::Style::kAuto);
      IAT_ASSIGN_OR_RETURN(const CompareControl control, MakeControl(progress));
      IAT_RETURN_IF_ERROR(
          RunMetricCompare(*config_.metrics, input, ScoresFolder(name), control)
              .status());
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<MetricLine>> Pipeline::MetricLines() const {
  std::vector<MetricRow> all;
  if (!config_.metrics) return SummariseMetrics(all);
  for (const std::string& name : ComparedStimuli()) {
    IAT_ASSIGN_OR_RETURN(std::vector<MetricRow> rows,
                         ReadMetrics(ScoresFolder(name) / "metrics.csv"));
    std::move(rows.begin(), rows.end(), std::back_inserter(all));
  }
  return SummariseMetrics(all);
}

}  // namespace iat
