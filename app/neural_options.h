// Config tables [neural.NAME]: recordings that a run brings in.

#ifndef IAT_APP_NEURAL_OPTIONS_H_
#define IAT_APP_NEURAL_OPTIONS_H_

#include <string>

#include "absl/status/status.h"
#include "base/options.h"

namespace iat {

struct NeuralOptions {
  std::string source = "description";
  std::string description;
  std::string stimuli;

  void Describe(OptionVisitor& visitor);
  absl::Status Validate() const;
};

}  // namespace iat

#endif  // IAT_APP_NEURAL_OPTIONS_H_
