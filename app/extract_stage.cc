// The extract stage: all animals in one pass over each stimulus set, shared by worker
// processes that are ranks of their own (extraction/shares.h).

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "app/pipeline.h"
#include "base/progress.h"
#include "base/status.h"
#include "base/workers.h"
#include "extraction/parts.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> Names(const std::vector<Animal>& animals) {
  std::vector<std::string> names;
  for (const Animal& animal : animals) names.push_back(animal.name);
  return names;
}

}  // namespace

std::vector<Pipeline::ExtractionTarget> Pipeline::ExtractionTargets() const {
  std::vector<Animal> selected;
  for (const Animal& animal : config_.family.Animals()) {
    if (Selected(animal)) selected.push_back(animal);
  }
  std::vector<ExtractionTarget> targets;
  for (const auto& [name, unused] : config_.stimuli) {
    targets.push_back({name, config_.extraction.scope, selected});
  }
  if (config_.scopes) {
    for (const std::string& name : ComparedStimuli()) {
      targets.push_back({name, "layer", ScopeAnimals()});
    }
  }
  return targets;
}

fs::path Pipeline::ActivationPath(const std::string& stimuli_name,
                                  const std::string& scope,
                                  const std::string& animal) const {
  fs::path folder = folder_ / "activations" / stimuli_name;
  // Whole layers beside the hypercolumns of the same animals.
  if (scope != config_.extraction.scope) folder /= scope;
  return folder / (animal + ".nc");
}

ExtractionJob Pipeline::MakeExtractionJob(const std::vector<Animal>& animals,
                                          const std::string& stimuli_name,
                                          const std::string& scope,
                                          const PackedSet& stimuli) const {
  ExtractionJob job;
  for (const Animal& animal : animals) {
    job.animals.push_back(
        {.name = animal.name,
         .init_seed = animal.init_seed,
         .data_seed = animal.trained ? animal.data_seed : -1,
         .model = config_.model,
         .weights = folder_ / "models" / animal.name / "weights.safetensors",
         .output = ActivationPath(stimuli_name, scope, animal.name)});
  }
  job.stimuli = &stimuli;
  job.options = config_.extraction;
  job.options.scope = scope;
  job.device = options_.device;
  return job;
}

absl::Status Pipeline::Extract() {
  // An imported recording may bring the pictures that a stimulus set is made of.
  for (const auto& [name, options] : config_.neural) {
    if (options.source == "description") IAT_RETURN_IF_ERROR(Record(name).status());
  }
  return Timed("extract", [&]() -> absl::Status {
    IAT_ASSIGN_OR_RETURN(const Rank rank, RankFromEnvironment());
    std::vector<WorkerTask> workers;
    std::vector<fs::path> outputs;
    size_t num_complete = 0, num_wanted = 0;
    double total = 0.0;
    for (const auto& [name, scope, selected] : ExtractionTargets()) {
      const auto stimuli = Stimuli(name);
      if (!stimuli.ok() && !absl::IsUnavailable(stimuli.status()))
        return stimuli.status();
      if (stimuli.ok() && !options_.dry_run) IAT_RETURN_IF_ERROR(CheckDisjoint(name));
      std::vector<Animal> missing = selected;
      if (stimuli.ok()) {
        const ExtractionJob job = MakeExtractionJob(selected, name, scope, *stimuli);
        missing.clear();
        for (size_t i = 0; i < selected.size(); ++i) {
          if (IsExtracted(job, job.animals[i])) {
            if (!options_.dry_run) {
              IAT_RETURN_IF_ERROR(RemoveParts(job.animals[i].output));
            }
            continue;
          }
          missing.push_back(selected[i]);
          outputs.push_back(job.animals[i].output);
        }
      }
      num_wanted += selected.size();
      num_complete += selected.size() - missing.size();
      if (options_.dry_run) {
        for (const Animal& animal : missing) {
          Say("extract",
              absl::StrCat("will make ", animal.name, " on ", name, ", scope ", scope));
        }
        SayExtractionPlan(static_cast<int64_t>(missing.size()), name, scope, stimuli);
      }
      if (missing.empty() || options_.dry_run) continue;
      const int64_t num_chunks = (stimuli->size() + config_.extraction.ChunkSize() - 1) /
                                 config_.extraction.ChunkSize();
      const int num_workers =
          static_cast<int>(std::min<int64_t>(options_.jobs, num_chunks));
      for (int w = 0; w < num_workers; ++w) {
        WorkerTask worker{
            .name = name,
            .arguments = {"worker", "extract", (folder_ / "config.toml").string(),
                          "--device", options_.device, "--",
                          RankText(WorkerRank(rank, w, num_workers)), name, scope},
            .environment = {"OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1"}};
        for (const std::string& animal : Names(missing)) {
          worker.arguments.push_back(animal);
        }
        workers.push_back(std::move(worker));
      }
      total += static_cast<double>(stimuli->size()) *
               static_cast<double>(missing.size()) / static_cast<double>(rank.size);
    }
    if (num_complete > 0 || workers.empty()) {
      Say("extract",
          absl::StrCat(num_complete, " of ", num_wanted, " complete and unchanged"));
    }
    if (workers.empty()) return absl::OkStatus();

    {
      Progress progress(
          "extract", "responses",
          options_.quiet ? Progress::Style::kQuiet : Progress::Style::kAuto);
      std::map<const WorkerTask*, double> done_by;
      const WorkerEvents events = {
          .progress =
              [&](const WorkerTask& task, double done, double, absl::string_view text) {
                done_by[&task] = done;
                double sum = 0.0;
                for (const auto& [unused, of_worker] : done_by) sum += of_worker;
                // Chunks that an earlier run has left are not counted as done.
                progress.Update(sum, std::max(sum, total), text);
              },
          .message =
              [&](const WorkerTask& task, absl::string_view text) {
                progress.Message(absl::StrCat(task.name, ": ", text));
              }};
      IAT_RETURN_IF_ERROR(RunWorkers(workers, options_.jobs, events, StopRequested()));
    }
    for (const fs::path& output : outputs) {
      if (fs::exists(output)) continue;
      if (rank.size == 1) {
        return absl::UnavailableError(absl::StrCat(
            output.string(), " is being put together by another process; run it again"));
      }
      Say("extract", absl::StrCat("rank ", RankText(rank),
                                  ": this share is done; the last rank to finish puts "
                                  "the files together"));
      break;
    }
    return absl::OkStatus();
  });
}

absl::Status Pipeline::WorkOnExtraction(const std::vector<std::string>& job) {
  IAT_ASSIGN_OR_RETURN(const Rank rank, ParseRank(job[1]));
  const std::string &stimuli_name = job[2], &scope = job[3];
  IAT_ASSIGN_OR_RETURN(const PackedSet stimuli, Stimuli(stimuli_name));
  std::vector<Animal> animals;
  for (const Animal& animal : config_.family.Animals()) {
    if (std::find(job.begin() + 4, job.end(), animal.name) != job.end()) {
      animals.push_back(animal);
    }
  }
  ExtractionJob extraction = MakeExtractionJob(animals, stimuli_name, scope, stimuli);
  extraction.rank = rank;
  extraction.stop = &StopRequested();
  extraction.message = [](absl::string_view text) { TellMessage(text); };
  extraction.progress = [&](int64_t done, int64_t total) {
    TellProgress(static_cast<double>(done), static_cast<double>(total), stimuli_name);
  };
  return iat::Extract(extraction);
}

}  // namespace iat
