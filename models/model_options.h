// What is known of an architecture without its weights: its config table, names and
// shapes. Readable without LibTorch's headers; networks themselves are in
// vision_model.h.

#ifndef IAT_MODELS_MODEL_OPTIONS_H_
#define IAT_MODELS_MODEL_OPTIONS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/options.h"

namespace iat {

// Config table [model].
struct ModelOptions {
  std::string architecture = "alexnet_bn";
  // Multiplies every channel count and fully connected width.
  double width = 1.0;

  void Describe(OptionVisitor& visitor);
  // "alexnet_bn width=0.25".
  std::string Name() const;
};

std::vector<std::string> ArchitectureNames();
// The layers of all architectures, each name once.
std::vector<std::string> LayerNames();

// Names and shapes of the architecture's parameters and buffers. NotFound naming the
// architectures there are.
absl::StatusOr<std::map<std::string, std::vector<int64_t>>> StateShapes(
    const ModelOptions& options);

}  // namespace iat

#endif  // IAT_MODELS_MODEL_OPTIONS_H_
