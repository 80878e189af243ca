// The subsample stage: R2 against the numbers of fit stimuli and of source units, and
// figure 2.

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "app/figure2_data.h"
#include "app/pipeline.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/status.h"
#include "base/workers.h"
#include "report/figure2.h"
#include "similarity/subsample.h"
#include "similarity/subsample_summary.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

constexpr char kTable[] = "subsample.csv";

}  // namespace

// The trained family, or the imported animals of a run without seeds.
absl::StatusOr<bool> Pipeline::SubsampleOne(const std::string& stimuli_name) {
  SubsampleInput input{stimuli_name, MakeCompareInput(stimuli_name).families.front()};
  for (const fs::path& file : input.animals) {
    if (fs::exists(file)) continue;
    if (options_.dry_run) {
      Say("subsample", "will subsample once everything is extracted");
      return false;
    }
    return absl::NotFoundError(
        absl::StrCat(file.string(), " is not there yet; run iat extract first"));
  }
  const fs::path table = ScoresFolder(stimuli_name) / kTable;
  IAT_ASSIGN_OR_RETURN(const ComparePlan plan,
                       PlanSubsample(*config_.subsample, input, table));
  if (plan.num_complete > 0) {
    Say("subsample", absl::StrCat(plan.num_complete, " of ", plan.num_cells,
                                  " curves complete and unchanged"));
  }
  if (options_.dry_run) {
    Say("subsample",
        absl::StrCat("will fit ", plan.num_cells - plan.num_complete, " curves"));
    return false;
  }
  Progress progress("subsample", "curves",
                    options_.quiet ? Progress::Style::kQuiet : Progress::Style::kAuto);
  IAT_ASSIGN_OR_RETURN(const CompareControl control, MakeControl(progress));
  IAT_ASSIGN_OR_RETURN(const SubsampleResult result,
                       RunSubsample(*config_.subsample, input, table, control));
  if (!result.complete) {
    Say("subsample", "other ranks have still to finish; the last one writes the table");
  }
  return result.complete;
}

absl::StatusOr<bool> Pipeline::SubsampleAll() {
  bool complete = true;
  const absl::Status status = Timed("subsample", [&]() -> absl::Status {
    if (config_.stimuli.empty()) {
      return absl::InvalidArgumentError("the config has no [stimuli.NAME] table");
    }
    std::vector<SamplingRow> all;
    for (const std::string& name : ComparedStimuli()) {
      IAT_ASSIGN_OR_RETURN(const bool complete_here, SubsampleOne(name));
      complete = complete && complete_here;
      if (!complete) continue;
      IAT_ASSIGN_OR_RETURN(const std::vector<SamplingRow> rows,
                           ReadSampling(ScoresFolder(name) / kTable));
      all.insert(all.end(), rows.begin(), rows.end());
    }
    if (!complete || ComparedStimuli().size() == 1) return absl::OkStatus();
    return WriteSampling(folder_ / "scores" / kTable, std::move(all));
  });
  if (!status.ok()) return status;
  return complete;
}

absl::Status Pipeline::Subsample(bool json) {
  if (!config_.subsample) {
    return absl::FailedPreconditionError(
        "the config has no [subsample] table, which turns subsampling on");
  }
  IAT_ASSIGN_OR_RETURN(const bool complete, SubsampleAll());
  if (!complete) return absl::OkStatus();
  IAT_RETURN_IF_ERROR(WriteProvenance());
  return PrintSampling(json);
}

absl::Status Pipeline::PrintSampling(bool json) const {
  IAT_ASSIGN_OR_RETURN(const std::vector<SamplingRow> rows,
                       ReadSampling(folder_ / "scores" / kTable));
  const std::vector<SamplingCurve> curves = SummariseSampling(rows);
  const std::string text =
      json ? SamplingSummaryJson(curves) : SamplingSummaryText(curves);
  std::printf("%s\n", text.c_str());
  return absl::OkStatus();
}

absl::Status Pipeline::AddFigure2(ReportData& data) const {
  const auto rows = ReadSampling(folder_ / "scores" / kTable);
  if (!rows.ok()) {
    data.warnings.push_back(absl::StrCat("figure 2 is missing: ", rows.status().message(),
                                         "; iat subsample makes it"));
    return absl::OkStatus();
  }
  const bool has_seeds = !config_.family.seeds.empty();
  const std::string family = has_seeds ? "seed" : "imported";
  Figure2Data figure =
      MakeFigure2Data(SummariseSampling(*rows), family,
                      has_seeds ? "trained" : "imported", TrainingInWords(true));
  IAT_ASSIGN_OR_RETURN(const std::vector<Saturation> saturations, Saturations());
  MarkSaturation(saturations, family, figure);
  const fs::path figures = folder_ / "figures";
  IAT_RETURN_IF_ERROR(DrawFigure2(figure, figures, config_.report));
  IAT_ASSIGN_OR_RETURN(const std::string svg, ReadFile(figures / "figure-2.svg"));
  data.figures.push_back(Figure2ForReport(figure, svg));
  return absl::OkStatus();
}

}  // namespace iat
