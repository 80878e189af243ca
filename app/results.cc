// The last two stages of a run: scores from activations, and what people look at.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "app/figure1_data.h"
#include "app/figure3_data.h"
#include "app/pipeline.h"
#include "app/provenance.h"
#include "base/csv.h"
#include "base/json_text.h"
#include "base/progress.h"
#include "base/rank.h"
#include "base/status.h"
#include "base/workers.h"
#include "report/gnuplot.h"
#include "report/report.h"
#include "similarity/compare.h"
#include "similarity/predictions.h"
#include "similarity/summary.h"
#include "training/embedding_spread.h"
#include "training/held_out.h"

namespace iat {
namespace {

// One table of several runs' tables: the heading once, then all rows sorted.
absl::Status MergeTables(const std::vector<std::filesystem::path>& parts,
                         const std::filesystem::path& merged) {
  CsvTable all;
  for (const auto& part : parts) {
    IAT_ASSIGN_OR_RETURN(CsvTable table, ReadCsv(part));
    all.columns = table.columns;
    std::move(table.rows.begin(), table.rows.end(), std::back_inserter(all.rows));
  }
  return WriteFileAtomically(merged, CsvText(all));
}

}  // namespace

std::filesystem::path Pipeline::ScoresFolder(const std::string& stimuli_name) const {
  const auto scores = folder_ / "scores";
  const std::vector<std::string> compared = ComparedStimuli();
  const bool alone = compared.size() == 1 && compared.front() == stimuli_name;
  return alone ? scores : scores / stimuli_name;
}

std::vector<std::string> Pipeline::ComparedStimuli() const {
  if (!config_.compare.stimuli.empty()) return config_.compare.stimuli;
  std::vector<std::string> names;
  for (const auto& [name, unused] : config_.stimuli) names.push_back(name);
  return names;
}

CompareInput Pipeline::MakeCompareInput(const std::string& stimuli_name) const {
  CompareInput input;
  input.stimuli = stimuli_name;
  std::vector<std::filesystem::path> trained, untrained, imported;
  for (const Animal& animal : config_.family.Animals()) {
    auto& files = !animal.imported.empty() ? imported
                  : animal.trained         ? trained
                                           : untrained;
    files.push_back(folder_ / "activations" / stimuli_name / (animal.name + ".nc"));
  }
  // One imported animal beside a family has nothing of its kind to compare with.
  if (imported.size() == 1 && !trained.empty()) imported.clear();
  for (auto* files : {&trained, &untrained, &imported}) {
    if (!files->empty()) input.families.push_back(std::move(*files));
  }
  return input;
}

absl::StatusOr<CompareControl> Pipeline::MakeControl(Progress& progress) const {
  CompareControl control;
  control.jobs = options_.jobs;
  control.stop = &StopRequested();
  control.progress = [&progress](int64_t done, int64_t total, const std::string& line) {
    progress.Update(static_cast<double>(done), static_cast<double>(total), line);
  };
  IAT_ASSIGN_OR_RETURN(control.rank, RankFromEnvironment());
  return control;
}

absl::StatusOr<bool> Pipeline::CompareOne(const std::string& stimuli_name) {
  const CompareInput input = MakeCompareInput(stimuli_name);
  for (const auto& family : input.families) {
    for (const auto& file : family) {
      if (std::filesystem::exists(file)) continue;
      if (options_.dry_run) {
        Say("compare",
            "will compare once everything is extracted; the time is known from the "
            "first cells on");
        return false;
      }
      return absl::NotFoundError(
          absl::StrCat(file.string(), " is not there yet; run iat extract first"));
    }
  }
  IAT_ASSIGN_OR_RETURN(const ComparePlan plan,
                       PlanCompare(config_.compare, input, ScoresFolder(stimuli_name)));
  if (plan.num_complete > 0) {
    Say("compare", absl::StrCat(plan.num_complete, " of ", plan.num_cells,
                                " cells complete and unchanged"));
  }
  if (options_.dry_run) {
    Say("compare",
        absl::StrCat("will fit ", plan.num_cells - plan.num_complete, " cells"));
    return false;
  }
  Progress progress("compare", "cells",
                    options_.quiet ? Progress::Style::kQuiet : Progress::Style::kAuto);
  IAT_ASSIGN_OR_RETURN(const CompareControl control, MakeControl(progress));
  IAT_ASSIGN_OR_RETURN(
      const CompareResult result,
      RunCompare(config_.compare, input, ScoresFolder(stimuli_name), control));
  if (!result.complete) {
    Say("compare", "other ranks have still to finish; the last one writes the table");
    return false;
  }
  IAT_RETURN_IF_ERROR(
      WritePredictions(config_.compare, input, ScoresFolder(stimuli_name), control));
  return true;
}

absl::StatusOr<bool> Pipeline::CompareAll() {
  bool complete = true;
  const absl::Status status = Timed("compare", [&]() -> absl::Status {
    if (config_.stimuli.empty()) {
      return absl::InvalidArgumentError("the config has no [stimuli.NAME] table");
    }
    std::vector<std::filesystem::path> scores, splits;
    for (const std::string& name : ComparedStimuli()) {
      IAT_ASSIGN_OR_RETURN(const bool complete_here, CompareOne(name));
      complete = complete && complete_here;
      scores.push_back(ScoresFolder(name) / "compare.csv");
      splits.push_back(ScoresFolder(name) / "splits.csv");
    }
    if (!complete || scores.size() == 1) return absl::OkStatus();
    IAT_RETURN_IF_ERROR(MergeTables(scores, folder_ / "scores" / "compare.csv"));
    return MergeTables(splits, folder_ / "scores" / "splits.csv");
  });
  if (!status.ok()) return status;
  return complete;
}

absl::Status Pipeline::Compare(bool json) {
  IAT_ASSIGN_OR_RETURN(const bool complete, CompareAll());
  IAT_ASSIGN_OR_RETURN(const bool scopes_complete, CompareScopes());
  IAT_RETURN_IF_ERROR(MeasureMetrics());
  if (!complete || !scopes_complete || options_.dry_run) return absl::OkStatus();
  IAT_RETURN_IF_ERROR(WriteProvenance());
  return PrintSummary(json);
}

absl::Status Pipeline::PrintSummary(bool json, bool with_verdicts) const {
  IAT_ASSIGN_OR_RETURN(const std::vector<ScoreRow> rows,
                       ReadScores(folder_ / "scores" / "compare.csv"));
  const Summary summary = Summarise(rows);
  IAT_ASSIGN_OR_RETURN(const std::vector<ScopeLine> scopes, ScopeLines());
  IAT_ASSIGN_OR_RETURN(const std::vector<MetricLine> metrics, MetricLines());
  std::vector<VerdictLine> verdicts;
  std::vector<Saturation> saturations;
  std::optional<CalibrationReport> calibration;
  if (with_verdicts) {
    IAT_ASSIGN_OR_RETURN(saturations, Saturations());
    IAT_ASSIGN_OR_RETURN(calibration, CalibrationOfRun());
    IAT_ASSIGN_OR_RETURN(verdicts, Verdicts());
  }
  if (json) {
    auto all = nlohmann::ordered_json::parse(SummaryJson(summary));
    if (!scopes.empty()) {
      all["scopes"] = nlohmann::ordered_json::parse(ScopesJson(scopes));
    }
    if (!metrics.empty()) {
      all["metrics"] = nlohmann::ordered_json::parse(MetricsJson(metrics));
    }
    if (!saturations.empty()) {
      all["saturation"] = nlohmann::ordered_json::parse(SaturationJson(saturations));
    }
    if (calibration) {
      all["calibration"] = nlohmann::ordered_json::parse(CalibrationJson(*calibration));
    }
    if (with_verdicts) {
      all["verdicts"] = nlohmann::ordered_json::parse(VerdictJson(verdicts));
    }
    std::printf("%s\n", JsonText(all).c_str());
    return absl::OkStatus();
  }
  std::printf("%s\n", SummaryText(summary).c_str());
  if (!scopes.empty()) std::printf("%s\n", ScopesText(scopes).c_str());
  if (!metrics.empty()) std::printf("%s\n", MetricsText(metrics).c_str());
  if (!saturations.empty()) std::printf("%s\n", SaturationText(saturations).c_str());
  if (calibration) std::printf("%s\n", CalibrationText(*calibration).c_str());
  if (with_verdicts) std::printf("%s\n", VerdictText(verdicts).c_str());
  return absl::OkStatus();
}

std::string Pipeline::TrainingInWords(bool trained) const {
  if (!trained) return "initial weights, no training";
  if (config_.family.seeds.empty()) {
    return absl::StrCat("weights of other programs, ", config_.model.Name());
  }
  std::string images = "images";
  if (const auto set = PackedSet::Open(folder_ / "images" / "training"); set.ok()) {
    images = absl::StrCat(set->size(), config_.images.source == "dead-leaves"
                                           ? " procedural images"
                                           : " images");
  }
  return absl::StrCat(WordsOf(config_.training.objective.name).title, ", ",
                      config_.training.epochs, " epochs of ", images, ", ",
                      config_.model.Name());
}

TrainingQuality Pipeline::Quality(std::vector<std::string>& warnings) const {
  TrainingQuality quality;
  quality.loss_name = WordsOf(config_.training.objective.name).loss_name;
  for (const Animal& animal : config_.family.Animals()) {
    if (!animal.imported.empty()) continue;  // learned elsewhere
    auto curve =
        ReadTrainingCurve(folder_ / "models" / animal.name / "metrics.csv", animal.name);
    if (!curve.ok()) {
      // Activations can come from elsewhere; the report says what it lacks.
      warnings.push_back(std::string(curve.status().message()));
      continue;
    }
    if (!curve->points.empty() && animal.trained) {
      const TrainingPoint& last = curve->points.back();
      curve->collapsed =
          EmbeddingSpread{last.embedding_deviation, last.effective_rank}.Collapsed();
      if (curve->collapsed) {
        warnings.push_back(
            absl::StrFormat("%s has collapsed (embedding deviation %.3f, effective rank "
                            "%.1f): its scores "
                            "say nothing about trained networks",
                            animal.name, last.embedding_deviation, last.effective_rank));
      }
    }
    quality.curves.push_back(*std::move(curve));
  }
  if (const auto set = PackedSet::Open(folder_ / "images" / "training");
      set.ok() && set->num_labels() > 1) {
    quality.knn_chance = 1.0 / set->num_labels();
    quality.num_knn_images = static_cast<int64_t>(
        ChooseHeldOut(*set, config_.training.knn_images).test.size());
  }
  return quality;
}

absl::Status Pipeline::Report() {
  if (options_.dry_run) {
    Say("report", "will draw the figures and write report.html");
    return absl::OkStatus();
  }
  IAT_RETURN_IF_ERROR(Timed("report", [&] { return DrawAndWrite(); }));
  IAT_RETURN_IF_ERROR(WriteProvenance());
  std::printf("report: %s\n", (folder_ / "report.html").c_str());
  return absl::OkStatus();
}

absl::Status Pipeline::DrawAndWrite() {
  auto rows = ReadScores(folder_ / "scores" / "compare.csv");
  if (!rows.ok()) return Annotate(rows.status(), "iat compare makes the scores first");
  const Summary summary = Summarise(*rows);
  ReportData data;
  data.title = config_.run.name;
  data.figure1 =
      MakeFigure1Data(*rows, summary, TrainingInWords(true), TrainingInWords(false));
  if (data.figure1.family.num_animals < 4) {
    data.warnings.push_back(absl::StrCat("fewer than 4 animals (",
                                         data.figure1.family.num_animals,
                                         "): intervals over animals are not given"));
  }
  data.contrasts = MakeContrasts(summary);
  IAT_ASSIGN_OR_RETURN(const std::vector<ScopeLine> scopes, ScopeLines());
  if (!scopes.empty()) data.tables.push_back(ScopesTable(scopes));
  IAT_ASSIGN_OR_RETURN(const std::vector<MetricLine> metrics, MetricLines());
  if (!metrics.empty()) data.tables.push_back(MetricsTable(metrics));
  data.training = Quality(data.warnings);
  const auto figures = folder_ / "figures";
  IAT_RETURN_IF_ERROR(DrawFigure1(data.figure1, figures, config_.report));
  IAT_ASSIGN_OR_RETURN(data.figure1_svg, ReadFile(figures / "figure-1.svg"));
  if (config_.subsample) IAT_RETURN_IF_ERROR(AddFigure2(data));
  IAT_ASSIGN_OR_RETURN(const auto calibration, CalibrationOfRun());
  if (calibration) {
    for (const std::string& pair : calibration->left_out) {
      data.warnings.push_back(absl::StrCat("figure 3 leaves out ", pair));
    }
  }
  if (calibration && !calibration->calibrations.empty()) {
    const Figure3Data figure3 = MakeFigure3Data(*calibration);
    IAT_RETURN_IF_ERROR(DrawFigure3(figure3, figures, config_.report));
    IAT_ASSIGN_OR_RETURN(const std::string svg, ReadFile(figures / "figure-3.svg"));
    data.figures.push_back(MakeReportFigure3(figure3, svg));
  }
  AddScoreFigures(summary, metrics, data);
  AddTrainingFigures(data);
  IAT_ASSIGN_OR_RETURN(const std::vector<VerdictLine> verdicts, Verdicts());
  data.verdicts = MakeReportVerdicts(verdicts);
  data.config = config_.ResolvedText();
  data.provenance = GetProvenance().entries;
  data.provenance.emplace_back("written", UtcNow());
  for (const auto& [stage, seconds] : TotalSeconds()) {
    data.timings.push_back({.stage = stage, .detail = "", .seconds = seconds});
  }
  return WriteReport(folder_ / "report.html", data);
}

std::map<std::string, double> Pipeline::TotalSeconds() const {
  // Earlier runs in this folder did their share.
  std::map<std::string, double> seconds;
  if (const auto text = ReadFile(folder_ / "provenance.json"); text.ok()) {
    const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
    if (json.is_object() && json.contains("stage_seconds") &&
        json["stage_seconds"].is_object()) {
      for (const auto& [stage, value] : json["stage_seconds"].items()) {
        if (value.is_number()) seconds[stage] = value.get<double>();
      }
    }
  }
  for (const auto& [stage, value] : stage_seconds_) seconds[stage] += value;
  return seconds;
}

absl::Status Pipeline::WriteProvenance() {
  nlohmann::ordered_json json;
  for (const auto& [name, value] : GetProvenance().entries) json[name] = value;
  json["written"] = UtcNow();
  json["jobs"] = options_.jobs;
  json["device"] = options_.device;
  json["stage_seconds"] = TotalSeconds();
  stage_seconds_.clear();
  return WriteFileAtomically(folder_ / "provenance.json", JsonText(json) + "\n");
}

absl::Status Pipeline::Reproduce(bool json) {
  // Hours of training should not end with what was known at the start.
  const absl::Status gnuplot = FindGnuplot(config_.report.gnuplot);
  if (!gnuplot.ok()) {
    const std::string words =
        absl::StrCat(gnuplot.message(), "; iat train, extract and compare do without it");
    if (!options_.dry_run) return absl::Status(gnuplot.code(), words);
    Say("report", absl::StrCat("will not start: ", words));
  }
  IAT_RETURN_IF_ERROR(Train());
  IAT_RETURN_IF_ERROR(Extract());
  if (!config_.neural.empty()) IAT_RETURN_IF_ERROR(Record());
  // The table comes last, below the report's path.
  IAT_RETURN_IF_ERROR(CompareAll().status());
  IAT_RETURN_IF_ERROR(CompareScopes().status());
  IAT_RETURN_IF_ERROR(MeasureMetrics());
  if (config_.subsample) IAT_RETURN_IF_ERROR(SubsampleAll().status());
  IAT_RETURN_IF_ERROR(CalibrateAll().status());
  if (!config_.neural.empty()) IAT_RETURN_IF_ERROR(ScoreRecordings());
  if (!config_.consistency.empty()) {
    IAT_RETURN_IF_ERROR(MeasureAllConsistency(/*print=*/!json));
  }
  IAT_RETURN_IF_ERROR(Report());
  if (options_.dry_run) return absl::OkStatus();
  // As JSON one document: that of compare. iat subsample --json prints the other.
  if (config_.subsample && !json) IAT_RETURN_IF_ERROR(PrintSampling(json));
  if (!config_.neural.empty() && !json) IAT_RETURN_IF_ERROR(PrintNeural(json));
  return PrintSummary(json, /*with_verdicts=*/true);
}

}  // namespace iat
