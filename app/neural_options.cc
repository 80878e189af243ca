#include "app/neural_options.h"

namespace iat {

void NeuralOptions::Describe(OptionVisitor& visitor) {
  visitor.Choice("source", source, {"description"}, "where the responses come from");
  visitor.Path("description", description,
               "what iat neural import reads, e.g. configs/neural/antolik2016.toml");
  visitor.Text("stimuli", stimuli,
               "the [stimuli.NAME] set that the recording's stimuli belong to; empty: "
               "none, its trial means go to a folder of the recording's own name");
}

absl::Status NeuralOptions::Validate() const {
  if (source == "description" && description.empty()) {
    return absl::InvalidArgumentError(
        "description is \"\"; expected the path of a description, which "
        "docs/recordings.md explains");
  }
  return absl::OkStatus();
}

}  // namespace iat
