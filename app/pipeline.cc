#include "app/pipeline.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <set>
#include <thread>
#include <unordered_set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "app/provenance.h"
#include "base/fingerprint.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "base/status.h"
#include "base/workers.h"
#include "images/pixel_pages.h"
#include "training/embedding_spread.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

fs::path TrainingFolder(const fs::path& run) { return run / "images" / "training"; }
fs::path StimuliFolder(const fs::path& run, const std::string& name) {
  return run / "images" / "stimuli" / name;
}
fs::path ModelFolder(const fs::path& run, const Animal& animal) {
  return run / "models" / animal.name;
}
// What a packed set was made from: the options, and what the sources looked like
// (size and time of files; times of folders two levels deep, which change when
// files are added or removed).
std::string PackedFrom(const ImageOptions& options) {
  std::string text = OptionsText(options);
  const auto add = [&](const fs::path& path) {
    std::error_code error;
    const auto time = fs::last_write_time(path, error).time_since_epoch().count();
    const auto size = fs::is_regular_file(path, error) ? fs::file_size(path, error) : 0;
    absl::StrAppend(&text, "# ", path.string(), " ", size, " ", time, "\n");
  };
  for (const std::string& path : options.paths) {
    add(path);
    std::error_code error;
    std::set<fs::path> inner;
    for (fs::directory_iterator it(path, error), end; !error && it != end;
         it.increment(error)) {
      if (it->is_directory(error)) inner.insert(it->path());
    }
    for (const fs::path& folder : inner) add(folder);
  }
  return text;
}

// A packed set that needs nothing done to it is read where it is.
bool UsableInPlace(const ImageOptions& options) {
  return options.paths.size() == 1 && options.count == 0 &&
         PackedSet::IsPacked(options.paths[0]);
}

Progress::Style StyleFor(const PipelineOptions& options) {
  return options.quiet ? Progress::Style::kQuiet : Progress::Style::kAuto;
}

const Animal* FindAnimal(const std::vector<Animal>& animals, const std::string& name) {
  for (const Animal& animal : animals) {
    if (animal.name == name) return &animal;
  }
  return nullptr;
}

std::string ProgressText(const Animal& animal, const TrainingProgress& progress) {
  std::string text = absl::StrFormat("%s epoch %d loss %.4g lr %.3g %.0f images/s",
                                     animal.name, progress.epoch, progress.loss,
                                     progress.learning_rate, progress.images_per_second);
  if (progress.knn_top1 == progress.knn_top1) {
    absl::StrAppendFormat(&text, " knn %.3f (weighted %.3f)", progress.knn_top1,
                          progress.knn_weighted_top1);
  }
  if (progress.collapsed) absl::StrAppend(&text, " COLLAPSED");
  return text;
}

}  // namespace

Pipeline::Pipeline(RunConfig config, PipelineOptions options)
    : config_(std::move(config)),
      options_(std::move(options)),
      folder_(config_.run.folder()) {}

absl::StatusOr<Pipeline> Pipeline::Open(RunConfig config, PipelineOptions options,
                                        FileLock::Mode mode) {
  Pipeline pipeline(std::move(config), std::move(options));
  const std::vector<Animal> animals = pipeline.config_.family.Animals();
  for (const int64_t seed : pipeline.options_.seeds) {
    const auto& seeds = pipeline.config_.family.seeds;
    if (std::find(seeds.begin(), seeds.end(), seed) == seeds.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--seeds: ", seed, " is not one of family.seeds"));
    }
  }
  if (pipeline.options_.dry_run) return pipeline;
  IAT_RETURN_IF_ERROR(MakeFolder(pipeline.folder_));
  IAT_ASSIGN_OR_RETURN(FileLock lock,
                       FileLock::TryAcquire(pipeline.folder_ / ".lock", mode));
  pipeline.lock_ = std::move(lock);
  if (mode == FileLock::Mode::kExclusive) {
    IAT_RETURN_IF_ERROR(RemoveTemporaries(pipeline.folder_));
  }
  IAT_RETURN_IF_ERROR(pipeline.WriteConfig());
  return pipeline;
}

absl::Status Pipeline::WriteConfig() const {
  return WriteFileAtomically(folder_ / "config.toml", config_.ResolvedText());
}

void Pipeline::Say(const std::string& stage, const std::string& text) const {
  if (!options_.quiet) std::fprintf(stderr, "[%s] %s\n", stage.c_str(), text.c_str());
}

absl::StatusOr<PackedSet> Pipeline::Packed(const ImageOptions& options,
                                           const fs::path& folder,
                                           const std::string& name) {
  if (UsableInPlace(options)) return PackedSet::Open(options.paths[0]);
  const fs::path marker = folder / "packed_from.toml";
  const std::string wanted = PackedFrom(options);
  const auto is_packed = [&] {
    const auto found = ReadFile(marker);
    return found.ok() && *found == wanted && PackedSet::IsPacked(folder);
  };
  if (is_packed()) return PackedSet::Open(folder);
  if (options_.dry_run) {
    IAT_RETURN_IF_ERROR(PlanPacking(options, name));
    return absl::UnavailableError(absl::StrCat(name, " are not packed yet"));
  }
  absl::StatusOr<FileLock> lock =
      FileLock::TryAcquire(folder / ".lock", FileLock::Mode::kExclusive);
  if (absl::IsFailedPrecondition(lock.status())) {
    // Another task of the same run packs them: its set will be ours too.
    Say("images", absl::StrCat("waiting: ", lock.status().message()));
    while (absl::IsFailedPrecondition(lock.status()) && !StopRequested()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      lock = FileLock::TryAcquire(folder / ".lock", FileLock::Mode::kExclusive);
    }
  }
  IAT_RETURN_IF_ERROR(lock.status());
  if (is_packed()) return PackedSet::Open(folder);
  std::error_code error;
  fs::remove(marker, error);
  {
    Progress progress("images", "images", StyleFor(options_));
    IAT_ASSIGN_OR_RETURN(
        const PackReport report,
        PackImages(options, folder, options_.jobs, [&](int64_t done, int64_t total) {
          progress.Update(static_cast<double>(done), static_cast<double>(total), name);
        }));
    if (!report.skipped.empty()) {
      progress.Message(absl::StrCat(name, ": ", report.skipped.size(),
                                    " unreadable images skipped, listed in ",
                                    (folder / "skipped.csv").string()));
    }
  }
  ReturnFreedMemory();  // the source's list, before the set's own
  IAT_RETURN_IF_ERROR(WriteFileAtomically(marker, wanted));
  return PackedSet::Open(folder);
}

absl::StatusOr<PackedSet> Pipeline::TrainingImages() {
  return Packed(config_.images, TrainingFolder(folder_), "training images");
}

absl::StatusOr<PackedSet> Pipeline::Stimuli(const std::string& name) {
  return Packed(config_.stimuli.at(name), StimuliFolder(folder_, name),
                absl::StrCat("stimuli ", name));
}

absl::Status Pipeline::CheckDisjoint(const std::string& stimuli_name) {
  // What imported animals learned from is not known here.
  if (config_.family.seeds.empty()) return absl::OkStatus();
  IAT_ASSIGN_OR_RETURN(const PackedSet training, TrainingImages());
  IAT_ASSIGN_OR_RETURN(const PackedSet stimuli, Stimuli(stimuli_name));
  if (training.height() != stimuli.height() || training.width() != stimuli.width()) {
    return absl::OkStatus();
  }
  const auto view = [](const PackedSet& set, int64_t i) {
    return std::string_view(reinterpret_cast<const char*>(set.pixels(i)),
                            size_t{3} * set.height() * set.width());
  };
  // Sets may be larger than the memory.
  constexpr int64_t kBlock = 1024;
  std::unordered_set<std::string_view> seen;
  for (int64_t i = 0; i < training.size(); ++i) {
    seen.insert(view(training, i));
    if (i % kBlock == kBlock - 1) ForgetPixels(training, i + 1 - kBlock, i + 1);
  }
  std::vector<std::string> shared;
  for (int64_t i = 0; i < stimuli.size(); ++i) {
    if (seen.contains(view(stimuli, i))) shared.push_back(stimuli.ids()[i]);
    if (i % kBlock == kBlock - 1) ForgetPixels(stimuli, i + 1 - kBlock, i + 1);
  }
  if (shared.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("stimuli.", stimuli_name, ": ", shared.size(), " of ", stimuli.size(),
                   " stimuli are training images too (first: \"", shared[0],
                   "\"); held-out stimuli must not be trained on"));
}

bool Pipeline::Selected(const Animal& animal) const {
  if (options_.seeds.empty()) return true;
  for (const int64_t seed : options_.seeds) {
    if (absl::StrFormat("seed-%03d", seed) == animal.name ||
        absl::StrFormat("untrained-%03d", seed) == animal.name) {
      return true;
    }
  }
  return false;
}

TrainingJob Pipeline::MakeTrainingJob(const Animal& animal,
                                      const PackedSet* images) const {
  TrainingJob job;
  job.animal = animal;
  job.model = config_.model;
  job.options = config_.training;
  job.images = images;
  job.folder = ModelFolder(folder_, animal);
  job.device = options_.device;
  return job;
}

absl::Status Pipeline::RunTasks(const std::string& stage, const std::string& unit,
                                const std::vector<Task>& tasks, int64_t num_complete) {
  const size_t total = tasks.size() + num_complete;
  if (num_complete > 0 || tasks.empty()) {
    Say(stage, absl::StrCat(num_complete, " of ", total, " complete and unchanged"));
  }
  if (tasks.empty()) return absl::OkStatus();
  if (options_.dry_run) {
    for (const Task& task : tasks) {
      Say(stage, absl::StrCat("will make ", task.animal.name,
                              task.stimuli.empty() ? "" : " on ", task.stimuli));
    }
    return absl::OkStatus();
  }
  std::vector<WorkerTask> workers;
  for (const Task& task : tasks) {
    WorkerTask worker{.name = task.stimuli.empty()
                                  ? task.animal.name
                                  : absl::StrCat(task.animal.name, " on ", task.stimuli),
                      .arguments = {"worker", stage, (folder_ / "config.toml").string(),
                                    "--device", options_.device, "--", task.animal.name},
                      .environment = {}};
    if (!task.stimuli.empty()) worker.arguments.push_back(task.stimuli);
    const int64_t threads = stage == "train" ? config_.training.threads_per_model : 1;
    worker.environment = {absl::StrCat("OMP_NUM_THREADS=", threads),
                          absl::StrCat("OPENBLAS_NUM_THREADS=", threads)};
    workers.push_back(std::move(worker));
  }
  Progress progress(stage, unit, StyleFor(options_));
  // The family's progress is the sum over its workers; those not yet started count
  // as much as the ones that have spoken. Untrained and imported animals take no steps.
  std::map<const WorkerTask*, std::pair<double, double>> state;
  const auto num_counted = std::count_if(tasks.begin(), tasks.end(), [&](const Task& t) {
    return stage != "train" || (t.animal.trained && t.animal.imported.empty());
  });
  const WorkerEvents events = {
      .progress =
          [&](const WorkerTask& task, double done, double worker_total,
              absl::string_view text) {
            if (worker_total <= 0.0) return;
            state[&task] = {done, worker_total};
            double sum = 0.0, mean_total = 0.0;
            for (const auto& [unused, pair] : state) {
              sum += pair.first;
              mean_total += pair.second / static_cast<double>(state.size());
            }
            progress.Update(sum, mean_total * static_cast<double>(num_counted), text);
          },
      .message =
          [&](const WorkerTask& task, absl::string_view text) {
            progress.Message(absl::StrCat(task.name, ": ", text));
          }};
  return RunWorkers(workers, options_.jobs, events, StopRequested());
}

absl::Status Pipeline::Train() {
  return Timed("train", [&]() -> absl::Status {
    const std::vector<Animal> animals = config_.family.Animals();
    std::vector<Task> tasks;
    int64_t complete = 0;
    absl::StatusOr<PackedSet> images = absl::UnavailableError("not needed");
    if (!config_.family.seeds.empty()) images = TrainingImages();
    if (!images.ok() && !absl::IsUnavailable(images.status())) return images.status();
    for (const Animal& animal : animals) {
      if (!Selected(animal)) continue;
      if (options_.dry_run && !animal.imported.empty() && !fs::exists(animal.imported)) {
        return absl::NotFoundError(absl::StrCat(
            "family.imported: ", animal.imported.string(), ": No such file or folder"));
      }
      if (images.ok()
              ? IsTrained(MakeTrainingJob(animal, &*images))
              : !animal.imported.empty() && IsTrained(MakeTrainingJob(animal, nullptr))) {
        ++complete;
      } else {
        tasks.push_back({animal, ""});
      }
    }
    if (options_.dry_run && !tasks.empty()) {
      const int64_t num_networks =
          std::count_if(tasks.begin(), tasks.end(), [](const Task& task) {
            return task.animal.trained && task.animal.imported.empty();
          });
      SayTrainingPlan(num_networks, static_cast<int64_t>(tasks.size()) - num_networks,
                      images);
    }
    return RunTasks("train", "steps", tasks, complete);
  });
}

absl::Status Pipeline::Work(const RunConfig& config, const PipelineOptions& options,
                            const std::vector<std::string>& job) {
  Pipeline pipeline(config, options);
  const std::string& stage = job[0];
  if (stage == "extract") return pipeline.WorkOnExtraction(job);
  const std::vector<Animal> animals = config.family.Animals();
  const Animal* animal = FindAnimal(animals, job[1]);
  if (animal == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("no animal \"", job[1], "\""));
  }
  SetBlasThreads(stage == "train" ? static_cast<int>(config.training.threads_per_model)
                                  : 1);
  if (stage == "train") {
    std::optional<PackedSet> images;
    if (animal->imported.empty()) {
      IAT_ASSIGN_OR_RETURN(images, pipeline.TrainingImages());
    }
    TrainingJob training = pipeline.MakeTrainingJob(*animal, images ? &*images : nullptr);
    IAT_ASSIGN_OR_RETURN(
        const FileLock lock,
        FileLock::TryAcquire(training.folder / ".lock", FileLock::Mode::kExclusive));
    if (IsTrained(training)) return absl::OkStatus();
    training.stop = &StopRequested();
    training.message = [](absl::string_view text) { TellMessage(text); };
    bool warned = false;
    training.progress = [&](const TrainingProgress& progress) {
      TellProgress(static_cast<double>(progress.step),
                   static_cast<double>(progress.num_steps),
                   ProgressText(*animal, progress));
      if (progress.collapsed && !warned) {
        warned = true;
        TellMessage(
            CollapseMessage({progress.embedding_deviation, progress.effective_rank},
                            progress.collapse_advice));
      }
    };
    return iat::Train(training);
  }
  if (stage == "probe") return pipeline.WorkOnProbe(*animal);
  return absl::InvalidArgumentError(absl::StrCat("no stage \"", stage, "\""));
}

absl::Status Pipeline::Timed(const std::string& stage,
                             const std::function<absl::Status()>& work) {
  const auto start = std::chrono::steady_clock::now();
  const absl::Status status = work();
  stage_seconds_[stage] =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return status;
}

}  // namespace iat
