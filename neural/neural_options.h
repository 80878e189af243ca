// A recording in a run: where it comes from, and what is scored on it.
// Config table [neural.NAME].

#ifndef IAT_NEURAL_NEURAL_OPTIONS_H_
#define IAT_NEURAL_NEURAL_OPTIONS_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/options.h"
#include "neural/neural_scores_options.h"
#include "neural/simulate.h"

namespace iat {

struct NeuralOptions {
  // "file": `path`, a recording that iat neural import has written. "import": made from
  // `description` (neural/import.h). "simulated": from the run's own models.
  std::string source = "file";
  std::string path;
  std::string description;
  SimulationOptions simulation;
  NeuralScoresOptions scores;

  void Describe(OptionVisitor& visitor);
  absl::Status Validate() const;
};

// Where a run keeps the recording NAME: `path` itself, or RUN/neural/NAME.nc.
std::filesystem::path RecordingPath(const NeuralOptions& options,
                                    const std::filesystem::path& run_folder,
                                    const std::string& name);

// Whether the recording is there and made from exactly this. NotFound or the
// description's own error where its files are not there.
absl::StatusOr<bool> IsRecorded(const NeuralOptions& options,
                                const std::filesystem::path& run_folder,
                                const std::string& name,
                                const std::vector<std::filesystem::path>& model_files);

// Imports or simulates unless IsRecorded; returns what was kept and dropped (import), or
// a line on what was simulated; "" where nothing was to be done.
absl::StatusOr<std::string> MakeRecording(
    const NeuralOptions& options, const std::filesystem::path& run_folder,
    const std::string& name, const std::vector<std::filesystem::path>& model_files,
    int jobs);

}  // namespace iat

#endif  // IAT_NEURAL_NEURAL_OPTIONS_H_
