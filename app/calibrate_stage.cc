// The calibrate stage: neurons against units (similarity/calibrate_run.h), and the
// paper's claims held against what a run has measured (similarity/verdict.h).

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "app/pipeline.h"
#include "base/progress.h"
#include "base/sampling_table.h"
#include "base/status.h"
#include "base/workers.h"
#include "similarity/saturation.h"

namespace iat {

std::string Pipeline::CalibrationStimuli() const {
  const std::string& named = config_.calibrate->stimuli;
  return named.empty() ? config_.stimuli.begin()->first : named;
}

absl::StatusOr<bool> Pipeline::CalibrateAll() {
  if (!config_.calibrate) return true;
  bool complete = false;
  const absl::Status status = Timed("calibrate", [&]() -> absl::Status {
    CalibrateInput input;
    input.stimuli = CalibrationStimuli();
    // Networks of one family: trained ones, or imported ones where there are no seeds.
    const CompareInput families = MakeCompareInput(input.stimuli);
    if (families.families.empty()) {
      return absl::FailedPreconditionError("[calibrate] needs a family of networks");
    }
    input.models = families.families.front();
    IAT_ASSIGN_OR_RETURN(input.animals,
                         RecordedAnimals(folder_ / "activations" / input.stimuli));
    if (options_.dry_run) {
      Say("calibrate",
          absl::StrCat("will subsample ", input.models.size(),
                       " networks and the recorded animals on ", input.stimuli));
      return absl::OkStatus();
    }
    for (const auto& file : input.models) {
      if (!std::filesystem::exists(file)) {
        return absl::NotFoundError(
            absl::StrCat(file.string(), " is not there yet; run iat extract first"));
      }
    }
    Progress progress("calibrate", "cells",
                      options_.quiet ? Progress::Style::kQuiet : Progress::Style::kAuto);
    IAT_ASSIGN_OR_RETURN(const CompareControl control, MakeControl(progress));
    IAT_ASSIGN_OR_RETURN(
        const std::optional<CalibrationReport> report,
        RunCalibrate(*config_.calibrate, input, ScoresFolder(input.stimuli), control));
    complete = report.has_value();
    if (!complete) {
      Say("calibrate", "other ranks have still to finish; the last one writes the table");
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return complete;
}

absl::Status Pipeline::Calibrate(bool json) {
  if (!config_.calibrate) {
    return absl::FailedPreconditionError(
        "the config has no [calibrate] table; an empty one takes every default");
  }
  IAT_ASSIGN_OR_RETURN(const bool complete, CalibrateAll());
  if (!complete) return absl::OkStatus();
  IAT_RETURN_IF_ERROR(WriteProvenance());
  IAT_ASSIGN_OR_RETURN(const auto report, CalibrationOfRun());
  std::printf("%s\n",
              (json ? CalibrationJson(*report) : CalibrationText(*report)).c_str());
  return absl::OkStatus();
}

absl::StatusOr<std::optional<CalibrationReport>> Pipeline::CalibrationOfRun() const {
  if (!config_.calibrate) return std::nullopt;
  const auto scores = ScoresFolder(CalibrationStimuli());
  if (!std::filesystem::exists(scores / "calibrate.json")) return std::nullopt;
  return ReadCalibration(*config_.calibrate, scores);
}

absl::StatusOr<std::vector<Saturation>> Pipeline::Saturations() const {
  std::vector<Saturation> all;
  for (const std::string& name : ComparedStimuli()) {
    const auto table = ScoresFolder(name) / "subsample.csv";
    if (!std::filesystem::exists(table)) continue;
    IAT_ASSIGN_OR_RETURN(const std::vector<SamplingRow> rows, ReadSampling(table));
    for (Saturation& line : FindSaturations(MakeTargetCurves(rows), {})) {
      all.push_back(std::move(line));
    }
  }
  return all;
}

absl::StatusOr<std::vector<VerdictLine>> Pipeline::Verdicts() const {
  VerdictInput input;
  IAT_ASSIGN_OR_RETURN(input.compare, ReadScores(folder_ / "scores" / "compare.csv"));
  IAT_ASSIGN_OR_RETURN(input.scopes, ScopeLines());
  IAT_ASSIGN_OR_RETURN(input.saturations, Saturations());
  IAT_ASSIGN_OR_RETURN(const auto calibration, CalibrationOfRun());
  if (calibration) {
    input.calibrations = calibration->calibrations;
    input.simulated_animals = calibration->simulated;
  }
  return MakeVerdicts(input, config_.verdict);
}

}  // namespace iat
