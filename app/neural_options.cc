#include "app/neural_options.h"

#include "base/status.h"

namespace iat {

void NeuralOptions::Describe(OptionVisitor& visitor) {
  visitor.Choice("source", source, {"description", "simulated"},
                 "where the responses come from: a description, or this run's models");
  visitor.Path("description", description,
               "what iat neural import reads, e.g. configs/neural/antolik2016.toml");
  visitor.Text("stimuli", stimuli,
               "the [stimuli.NAME] set that the recording's stimuli belong to; empty: "
               "none, its trial means go to a folder of the recording's own name");
  visitor.Table("simulation", "source = \"simulated\" (neural/simulate.h)",
                [&](OptionVisitor& inner) { simulation.Describe(inner); });
  visitor.Table("scores", "what iat neural scores computes (neural/neural_scores.h)",
                [&](OptionVisitor& inner) { scores.Describe(inner); });
}

absl::Status NeuralOptions::Validate() const {
  if (source == "description" && description.empty()) {
    return absl::InvalidArgumentError(
        "description is \"\"; expected the path of a description, which "
        "docs/recordings.md explains");
  }
  if (source == "simulated" && simulation.activations.empty()) {
    return absl::InvalidArgumentError(
        "simulation.activations is \"\"; expected the name of a [stimuli.NAME] table");
  }
  if (source == "simulated") {
    IAT_RETURN_IF_ERROR(Annotate(simulation.Validate(), "simulation"));
  }
  return Annotate(scores.Validate(), "scores");
}

}  // namespace iat
