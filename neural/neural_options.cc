#include "neural/neural_options.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "neural/import.h"

namespace iat {

namespace fs = std::filesystem;

void NeuralOptions::Describe(OptionVisitor& visitor) {
  visitor.Choice("source", source, {"file", "import", "simulated"},
                 "where the recording comes from");
  visitor.Path("path", path, "source = \"file\": a recording, NAME.nc");
  visitor.Path("description", description,
               "source = \"import\": a description as iat neural import reads it");
  visitor.Table("simulation", "source = \"simulated\"",
                [&](OptionVisitor& inner) { simulation.Describe(inner); });
  visitor.Table("scores", "what is scored on the recording",
                [&](OptionVisitor& inner) { scores.Describe(inner); });
}

absl::Status NeuralOptions::Validate() const {
  if (source == "file" && path.empty()) {
    return absl::InvalidArgumentError(
        "path is empty; expected the recording of source = \"file\"");
  }
  if (source == "import" && description.empty()) {
    return absl::InvalidArgumentError(
        "description is empty; expected the description of source = \"import\"");
  }
  if (source == "simulated") {
    if (simulation.activations.empty()) {
      return absl::InvalidArgumentError(
          "simulation.activations is empty; expected the name of a [stimuli.NAME]");
    }
    IAT_RETURN_IF_ERROR(Annotate(simulation.Validate(), "simulation"));
  }
  return Annotate(scores.Validate(), "scores");
}

fs::path RecordingPath(const NeuralOptions& options, const fs::path& run_folder,
                       const std::string& name) {
  return options.source == "file" ? fs::path(options.path)
                                  : run_folder / "neural" / (name + ".nc");
}

absl::StatusOr<bool> IsRecorded(const NeuralOptions& options, const fs::path& run_folder,
                                const std::string& name,
                                const std::vector<fs::path>& model_files) {
  const fs::path path = RecordingPath(options, run_folder, name);
  if (options.source == "file") {
    if (fs::exists(path)) return true;
    return absl::NotFoundError(
        absl::StrCat(path.string(), ": no such recording; iat neural import makes one"));
  }
  std::string wanted;
  if (options.source == "import") {
    IAT_ASSIGN_OR_RETURN(const Description description,
                         Description::Load(options.description, {}));
    IAT_ASSIGN_OR_RETURN(wanted, description.Fingerprint());
  } else {
    IAT_ASSIGN_OR_RETURN(wanted,
                         SimulationFingerprint(options.simulation, name, model_files));
  }
  if (!fs::exists(path)) return false;
  const auto recording = ReadRecording(path);
  return recording.ok() && recording->fingerprint == wanted;
}

absl::StatusOr<std::string> MakeRecording(const NeuralOptions& options,
                                          const fs::path& run_folder,
                                          const std::string& name,
                                          const std::vector<fs::path>& model_files,
                                          int jobs) {
  IAT_ASSIGN_OR_RETURN(const bool recorded,
                       IsRecorded(options, run_folder, name, model_files));
  if (recorded) return std::string();
  const fs::path path = RecordingPath(options, run_folder, name);
  if (options.source == "import") {
    IAT_ASSIGN_OR_RETURN(const Description description,
                         Description::Load(options.description, {}));
    return ImportRecording(description, path, jobs);
  }
  IAT_ASSIGN_OR_RETURN(const Recording recording,
                       Simulate(options.simulation, name, model_files));
  IAT_RETURN_IF_ERROR(WriteRecording(path, recording));
  return absl::StrCat(recording.source, ": ", recording.neurons.size(), " neurons of ",
                      recording.animals().size(), " animals, ",
                      recording.stimulus_ids.size(), " stimuli, ", recording.num_trials,
                      " trials\n", recording.selection, "\n");
}

}  // namespace iat
