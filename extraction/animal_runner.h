// One network, loaded for inference, and what it answers to batches of stimuli.
//
// On the CPU a network that is a chain of steps runs through the inference engine
// (models/inference.h); anything else, and other devices, through Forward, whole maps,
// up to the deepest layer asked for.

#ifndef IAT_EXTRACTION_ANIMAL_RUNNER_H_
#define IAT_EXTRACTION_ANIMAL_RUNNER_H_

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "extraction/extraction_options.h"
#include "extraction/unit_selection.h"
#include "models/inference.h"

namespace iat {

struct ModelOptions;

// A layer's units in the order of its responses.
struct LayerUnits {
  std::string layer;
  UnitCoordinates units;
  std::vector<FieldVariable> fields;  // none for a network that is no chain
};

class AnimalRunner {
 public:
  // InvalidArgument: a layer the network does not have, naming those it has; weights
  // that do not fit; a position outside a map. DataLoss: a damaged file.
  static absl::StatusOr<std::unique_ptr<AnimalRunner>> Load(
      const ModelOptions& model, const std::filesystem::path& weights,
      const ExtractionOptions& options, const std::string& device);
  // The network's steps up to its first ReLU, weights included; nothing for a network
  // that is no chain.
  static absl::StatusOr<std::optional<InferenceChain>> LoadChain(
      const ModelOptions& model, const std::filesystem::path& weights);
  virtual ~AnimalRunner() = default;

  const std::vector<LayerUnits>& layers() const { return layers_; }

  // Answers to up to batch_size images of 64 x 64 x 3 bytes; the batch is filled up
  // with zeros, so that all have one shape. One entry a layer, batch_size rows each, of
  // which the first pixels.size() count.
  virtual absl::Status Run(const std::vector<const uint8_t*>& pixels,
                           std::vector<UnitResponses>& responses) = 0;

 protected:
  explicit AnimalRunner(std::vector<LayerUnits> layers) : layers_(std::move(layers)) {}
  std::vector<LayerUnits> layers_;
};

// Units of one animal over all layers asked for. Unimplemented for a network that is no
// chain; InvalidArgument for positions outside a map.
absl::StatusOr<int64_t> NumUnits(const ModelOptions& model,
                                 const ExtractionOptions& options);

}  // namespace iat

#endif  // IAT_EXTRACTION_ANIMAL_RUNNER_H_
