#include "app/neural_stage.h"

#include <chrono>
#include <set>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/activation_file.h"
#include "base/file.h"
#include "base/netcdf.h"
#include "base/status.h"
#include "base/workers.h"
#include "neural/import.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

// Of a recording that is there already; "" otherwise.
std::string FingerprintOf(const fs::path& path) {
  if (!fs::exists(path)) return "";
  const auto file = NetcdfFile::Open(path);
  if (!file.ok()) return "";
  return file->TextAttribute(NC_GLOBAL, "fingerprint").value_or("");
}

bool HasMeans(const fs::path& recording, const fs::path& folder,
              const std::string& fingerprint) {
  const auto file = NetcdfFile::Open(recording);
  if (!file.ok()) return false;
  const auto animals = file->ReadStrings("animal");
  if (!animals.ok()) return false;
  for (const std::string& animal :
       std::set<std::string>(animals->begin(), animals->end())) {
    const fs::path path = folder / (animal + ".nc");
    if (!fs::exists(path)) return false;
    const auto means = ActivationFile::Open(path);
    if (!means.ok() || means->metadata().fingerprint != fingerprint) return false;
  }
  return true;
}

// The lock of one recording; waits while another process of the run holds it.
absl::StatusOr<FileLock> Lock(const fs::path& path, const NeuralStage& stage) {
  absl::StatusOr<FileLock> lock = FileLock::TryAcquire(path, FileLock::Mode::kExclusive);
  if (absl::IsFailedPrecondition(lock.status())) {
    stage.say(absl::StrCat("waiting: ", lock.status().message()));
  }
  while (absl::IsFailedPrecondition(lock.status()) && !StopRequested()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    lock = FileLock::TryAcquire(path, FileLock::Mode::kExclusive);
  }
  return lock;
}

absl::Status Plan(const std::string& name, const NeuralOptions& options,
                  const Description& description, const NeuralStage& stage) {
  std::vector<std::string> missing;
  for (const std::string& file : description.files()) {
    if (!fs::exists(file)) missing.push_back(file);
  }
  stage.say(absl::StrCat("will import ", name, " from ", description.files().size(),
                         " file(s) by ", options.description));
  if (!missing.empty()) {
    stage.say(absl::StrCat(missing.size(), " of them missing, first ", missing[0]));
  }
  return absl::OkStatus();
}

absl::Status ImportOne(const std::string& name, const NeuralOptions& options,
                       const NeuralStage& stage) {
  IAT_ASSIGN_OR_RETURN(const Description description,
                       Description::Load(options.description, {}));
  const fs::path recording = stage.folder / "neural" / (name + ".nc");
  const fs::path means =
      stage.folder / "activations" / (options.stimuli.empty() ? name : options.stimuli);
  const absl::StatusOr<std::string> wanted = description.Fingerprint();
  const auto is_complete = [&] {
    return wanted.ok() && FingerprintOf(recording) == *wanted &&
           HasMeans(recording, means, *wanted);
  };
  if (is_complete()) {
    stage.say(absl::StrCat(name, " complete and unchanged"));
    return absl::OkStatus();
  }
  if (stage.dry_run) return Plan(name, options, description, stage);
  IAT_RETURN_IF_ERROR(wanted.status());
  IAT_RETURN_IF_ERROR(MakeFolder(recording.parent_path()));
  IAT_ASSIGN_OR_RETURN(
      const FileLock lock,
      Lock(stage.folder / "neural" / absl::StrCat(".", name, ".lock"), stage));
  if (is_complete()) return absl::OkStatus();
  if (FingerprintOf(recording) != *wanted) {
    IAT_ASSIGN_OR_RETURN(const std::string log,
                         ImportRecording(description, recording, stage.jobs));
    stage.say(absl::StrCat(name, ":\n", log));
  }
  IAT_ASSIGN_OR_RETURN(const Recording imported, ReadRecording(recording));
  return WriteTrialMeans(imported, means).status();
}

}  // namespace

absl::Status RunNeuralStage(const NeuralStage& stage) {
  for (const auto& [name, options] : stage.recordings) {
    // Made from activations, which come later (app/neural_scores_stage.cc).
    if (options.source == "simulated") continue;
    IAT_RETURN_IF_ERROR(
        Annotate(ImportOne(name, options, stage), absl::StrCat("neural.", name)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> RecordingThatBrings(
    const std::map<std::string, NeuralOptions>& recordings, const fs::path& folder,
    const fs::path& path) {
  for (const auto& [name, options] : recordings) {
    const fs::path pictures = folder / "neural" / (name + ".npy");
    if (options.source != "description" ||
        fs::weakly_canonical(path) != fs::weakly_canonical(pictures)) {
      continue;
    }
    IAT_ASSIGN_OR_RETURN(const Description description,
                         Description::Load(options.description, {}));
    if (!description.images.empty()) return name;
  }
  return std::string();
}

absl::StatusOr<std::string> RecordingText(const std::string& path) {
  IAT_ASSIGN_OR_RETURN(const Recording recording, ReadRecording(path));
  return DescribeRecording(recording);
}

}  // namespace iat
