// Config tables [neural.NAME]: recordings that a run brings in or simulates, and what is
// scored on them.

#ifndef IAT_APP_NEURAL_OPTIONS_H_
#define IAT_APP_NEURAL_OPTIONS_H_

#include <string>

#include "absl/status/status.h"
#include "base/options.h"
#include "neural/neural_scores_options.h"
#include "neural/simulate.h"

namespace iat {

struct NeuralOptions {
  std::string source = "description";
  std::string description;
  std::string stimuli;
  SimulationOptions simulation;
  NeuralScoresOptions scores;

  void Describe(OptionVisitor& visitor);
  absl::Status Validate() const;
};

}  // namespace iat

#endif  // IAT_APP_NEURAL_OPTIONS_H_
