// The neural stage of a run: recordings to neural/NAME.nc, and their means over trials to
// activations/, where everything that compares animals finds them.

#ifndef IAT_APP_NEURAL_STAGE_H_
#define IAT_APP_NEURAL_STAGE_H_

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "app/neural_options.h"

namespace iat {

struct NeuralStage {
  std::map<std::string, NeuralOptions> recordings;  // by name
  std::filesystem::path folder;                     // of the run
  int jobs = 1;
  bool dry_run = false;
  std::function<void(const std::string& text)> say;
};

// For every recording: imports neural/NAME.nc unless it was made from the same
// description and files; writes activations/STIMULI/ANIMAL.nc (or activations/NAME/...)
// unless they are its means. Waits where another process of the same run is importing. A
// dry run says what would be done, and which files are missing.
absl::Status RunNeuralStage(const NeuralStage& stage);

// The one of `recordings` whose import into the run folder writes `path`, the pictures
// that the animals saw; empty where none does.
absl::StatusOr<std::string> RecordingThatBrings(
    const std::map<std::string, NeuralOptions>& recordings,
    const std::filesystem::path& folder, const std::filesystem::path& path);

// What a recording's file holds, in words, for iat show.
absl::StatusOr<std::string> RecordingText(const std::string& path);

}  // namespace iat

#endif  // IAT_APP_NEURAL_STAGE_H_
