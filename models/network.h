// A network with its weights, in evaluation mode, for those that do without LibTorch's
// headers.

#ifndef IAT_MODELS_NETWORK_H_
#define IAT_MODELS_NETWORK_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "models/inference.h"
#include "models/model_options.h"

namespace iat {

class Network {
 public:
  // With the weights of a safetensors file, on the CPU. NotFound naming the
  // architectures there are; InvalidArgument: weights that do not fit; DataLoss: a
  // damaged file.
  static absl::StatusOr<std::unique_ptr<Network>> Load(
      const ModelOptions& options, const std::filesystem::path& weights);
  // With initial weights.
  static absl::StatusOr<std::unique_ptr<Network>> Create(const ModelOptions& options);
  virtual ~Network() = default;

  // As VisionModel has them.
  virtual std::vector<std::string> layers() const = 0;
  virtual std::optional<InferenceChain> Chain(const std::string& last_layer) const = 0;

  // Channels and sides of maps alone, from a black image: for networks that are no
  // chain.
  virtual absl::StatusOr<std::vector<LayerGeometry>> Probe(
      const std::vector<std::string>& layers, int64_t side) = 0;

  // "cpu", "cuda", "cuda:1". Internal: LibTorch has no such device.
  virtual absl::Status MoveTo(const std::string& device) = 0;
  virtual bool is_on_cpu() const = 0;

  // images: N x 3 x side x side, normalised. Runs up to the deepest layer of the requests
  // and fills one entry a request, N rows each. Internal: LibTorch's own words.
  virtual absl::Status Forward(std::vector<float>& images, int64_t side,
                               const std::vector<UnitRequest>& requests,
                               std::vector<UnitResponses>& responses) = 0;
};

}  // namespace iat

#endif  // IAT_MODELS_NETWORK_H_
