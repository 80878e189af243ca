// Recordings in a run: simulated where they are to be, scored, and the images'
// consistency measured.
//
//   neural/NAME.nc                    recordings, and their trial means in activations/
//   scores/neural/NAME/neural.csv     and neural_units.csv, neural_splits.csv, parts/
//   scores/neural.csv                 all recordings' rows
//   scores/consistency.csv            and consistency_images.csv

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "app/neural_stage.h"
#include "app/pipeline.h"
#include "base/progress.h"
#include "base/status.h"
#include "base/workers.h"
#include "neural/consistency.h"
#include "neural/neural_scores.h"
#include "neural/neural_summary.h"
#include "neural/recording.h"
#include "neural/simulate.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

absl::Status RequireTables(bool any, const char* table) {
  if (any) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the config has no [", table, ".NAME] table"));
}

}  // namespace

std::vector<fs::path> Pipeline::ModelFiles(const std::string& stimuli_name) const {
  std::vector<fs::path> files;
  for (const Animal& animal : config_.family.Animals()) {
    // Untrained animals are a control of compare's; here a model stands for an animal.
    if (!animal.trained || !Selected(animal)) continue;
    files.push_back(folder_ / "activations" / stimuli_name / (animal.name + ".nc"));
  }
  return files;
}

absl::StatusOr<bool> Pipeline::HaveModelFiles(const std::string& stage,
                                              const std::string& stimuli_name) const {
  for (const fs::path& file : ModelFiles(stimuli_name)) {
    if (fs::exists(file)) continue;
    if (options_.dry_run) {
      Say(stage, absl::StrCat("will go on once ", stimuli_name, " is extracted"));
      return false;
    }
    return absl::NotFoundError(
        absl::StrCat(file.string(), " is not there yet; run iat extract first"));
  }
  return true;
}

absl::StatusOr<bool> Pipeline::Record(const std::string& name) {
  const NeuralOptions& options = config_.neural.at(name);
  const fs::path path = folder_ / "neural" / (name + ".nc");
  if (options.source == "description") {
    NeuralStage stage;
    stage.recordings = {{name, options}};
    stage.folder = folder_;
    stage.jobs = options_.jobs;
    stage.dry_run = options_.dry_run;
    stage.say = [&](const std::string& text) { Say("neural", text); };
    IAT_RETURN_IF_ERROR(RunNeuralStage(stage));
    return fs::exists(path);
  }
  const std::string& stimuli = options.simulation.activations;
  IAT_ASSIGN_OR_RETURN(const bool ready, HaveModelFiles("neural", stimuli));
  if (!ready) return false;
  IAT_ASSIGN_OR_RETURN(
      const std::string wanted,
      SimulationFingerprint(options.simulation, name, ModelFiles(stimuli)));
  const absl::StatusOr<Recording> found =
      fs::exists(path) ? ReadRecording(path) : absl::NotFoundError("");
  if (found.ok() && found->fingerprint == wanted) {
    Say("neural", absl::StrCat(name, " complete and unchanged"));
    return true;
  }
  if (options_.dry_run) {
    Say("neural", absl::StrCat("will simulate ", name));
    return false;
  }
  IAT_ASSIGN_OR_RETURN(const Recording recording,
                       Simulate(options.simulation, name, ModelFiles(stimuli)));
  IAT_RETURN_IF_ERROR(WriteRecording(path, recording));
  IAT_RETURN_IF_ERROR(
      WriteTrialMeans(recording, folder_ / "activations" /
                                     (options.stimuli.empty() ? name : options.stimuli))
          .status());
  Say("neural", absl::StrCat(name, ": ", recording.source, ", ", recording.selection));
  return true;
}

absl::StatusOr<std::vector<NeuralScoreRow>> Pipeline::ScoreRecording(
    const std::string& name) {
  const NeuralScoresOptions& options = config_.neural.at(name).scores;
  IAT_ASSIGN_OR_RETURN(const Recording recording,
                       ReadRecording(folder_ / "neural" / (name + ".nc")));
  NeuralScoresInput input{name, &recording, {}};
  const fs::path scores = folder_ / "scores" / "neural" / name;
  if (options.WantsModels()) {
    IAT_ASSIGN_OR_RETURN(const bool ready, HaveModelFiles("neural", options.activations));
    if (!ready) return std::vector<NeuralScoreRow>{};
    input.model_files = ModelFiles(options.activations);
  }
  IAT_ASSIGN_OR_RETURN(const NeuralScoresPlan plan,
                       PlanNeuralScores(options, input, scores));
  for (const std::string& note : plan.notes)
    Say("neural", absl::StrCat(name, ": ", note));
  if (plan.num_complete > 0) {
    Say("neural", absl::StrCat(name, ": ", plan.num_complete, " of ", plan.num_parts,
                               " parts complete and unchanged"));
  }
  if (options_.dry_run) {
    Say("neural", absl::StrCat(name, ": will score ", plan.num_parts - plan.num_complete,
                               " parts of ", plan.num_populations, " populations on ",
                               plan.num_stimuli, " stimuli"));
    return std::vector<NeuralScoreRow>{};
  }
  Progress progress("neural", "parts",
                    options_.quiet ? Progress::Style::kQuiet : Progress::Style::kAuto);
  NeuralScoresControl control;
  control.jobs = options_.jobs;
  control.stop = &StopRequested();
  control.progress = [&](int64_t done, int64_t total, const std::string& line) {
    progress.Update(static_cast<double>(done), static_cast<double>(total), line);
  };
  IAT_ASSIGN_OR_RETURN(NeuralScoresResult result,
                       RunNeuralScores(options, input, scores, control));
  return std::move(result.rows);
}

absl::Status Pipeline::Record() {
  return Timed("record", [&]() -> absl::Status {
    IAT_RETURN_IF_ERROR(RequireTables(!config_.neural.empty(), "neural"));
    for (const auto& [name, unused] : config_.neural) {
      IAT_RETURN_IF_ERROR(Record(name).status());
    }
    return absl::OkStatus();
  });
}

absl::Status Pipeline::Neural(bool json) {
  IAT_RETURN_IF_ERROR(ScoreRecordings());
  return options_.dry_run ? absl::OkStatus() : PrintNeural(json);
}

absl::Status Pipeline::ScoreRecordings() {
  std::vector<NeuralScoreRow> rows;
  bool any = false;
  const absl::Status status = Timed("neural", [&]() -> absl::Status {
    IAT_RETURN_IF_ERROR(RequireTables(!config_.neural.empty(), "neural"));
    for (const auto& [name, options] : config_.neural) {
      if (options.scores.directions.empty()) continue;
      any = true;
      IAT_ASSIGN_OR_RETURN(const bool recorded, Record(name));
      if (!recorded) continue;
      IAT_ASSIGN_OR_RETURN(const std::vector<NeuralScoreRow> own, ScoreRecording(name));
      rows.insert(rows.end(), own.begin(), own.end());
    }
    return absl::OkStatus();
  });
  if (!status.ok() || options_.dry_run || !any) return status;
  IAT_RETURN_IF_ERROR(WriteNeuralScores(folder_ / "scores" / "neural.csv", rows));
  return WriteProvenance();
}

absl::Status Pipeline::PrintNeural(bool json) const {
  const fs::path table = folder_ / "scores" / "neural.csv";
  if (!fs::exists(table)) return absl::OkStatus();
  IAT_ASSIGN_OR_RETURN(const std::vector<NeuralScoreRow> rows, ReadNeuralScores(table));
  if (rows.empty()) return absl::OkStatus();
  const std::vector<NeuralSummaryLine> lines = SummariseNeuralScores(rows);
  std::fputs((json ? NeuralSummaryJson(lines) : NeuralSummaryText(lines)).c_str(),
             stdout);
  return absl::OkStatus();
}

absl::Status Pipeline::Consistency() { return MeasureAllConsistency(/*print=*/true); }

absl::Status Pipeline::MeasureAllConsistency(bool print) {
  std::vector<ConsistencyTable> tables;
  const absl::Status status = Timed("consistency", [&]() -> absl::Status {
    IAT_RETURN_IF_ERROR(RequireTables(!config_.consistency.empty(), "consistency"));
    for (const auto& [name, options] : config_.consistency) {
      IAT_ASSIGN_OR_RETURN(const bool ready,
                           HaveModelFiles("consistency", options.activations));
      if (!ready) continue;
      if (options_.dry_run) {
        Say("consistency", absl::StrCat("will measure ", name));
        continue;
      }
      IAT_ASSIGN_OR_RETURN(
          tables.emplace_back(),
          MeasureConsistency(options, name, ModelFiles(options.activations)));
    }
    return absl::OkStatus();
  });
  if (!status.ok() || options_.dry_run) return status;
  IAT_RETURN_IF_ERROR(WriteConsistency(folder_ / "scores", tables));
  IAT_RETURN_IF_ERROR(WriteProvenance());
  if (print) std::fputs(ConsistencyText(tables).c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace iat
