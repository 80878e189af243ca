// What every architecture offers: a forward pass that hands out the values around
// each ReLU, parameters under PyTorch's names, and reproducible initial weights.
//
// Architectures register themselves by name; extraction and training know only
// this interface. A ReLU is never applied by hand but through TapContext::Relu,
// so that a tap exists before and after every ReLU of every architecture, and
// "before" can't be overwritten by an in-place ReLU.
//
// Example:
//   auto model = CreateModel({.architecture = "alexnet_bn"}, /*init_seed=*/3);
//   TapRecorder taps({{"conv3", Stage::kPreRelu}});
//   TapContext context{.recorder = &taps};
//   (*model)->Forward(images, context);      // N x 3 x 64 x 64, normalised
//   taps.Get({"conv3", Stage::kPreRelu});    // N x 384 x 3 x 3

#ifndef IAT_MODELS_VISION_MODEL_H_
#define IAT_MODELS_VISION_MODEL_H_

#include <torch/nn/module.h>
#include <torch/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/activation_file.h"
#include "base/random.h"
#include "models/inference.h"
#include "models/model_options.h"

namespace iat {

// Keeps the taps it is asked for.
class TapRecorder {
 public:
  explicit TapRecorder(std::vector<Tap> wanted) : wanted_(std::move(wanted)) {}

  bool Wants(const Tap& tap) const;
  // True once every wanted tap is there: the rest of the network is not needed.
  bool Complete() const { return taken_.size() == wanted_.size(); }
  void Take(const Tap& tap, const torch::Tensor& values);
  // The tap must have been wanted and reached.
  const torch::Tensor& Get(const Tap& tap) const;

 private:
  std::vector<Tap> wanted_;
  std::vector<std::pair<Tap, torch::Tensor>> taken_;
};

// What a forward pass needs besides the images.
struct TapContext {
  TapRecorder* recorder = nullptr;
  // Where dropout masks come from; nullptr switches dropout off. Masks are a
  // function of (data_seed, step, layer), whatever the device.
  const RandomStream* dropout = nullptr;
  // Where set, matrix products and convolutions take this type (models/autocast.h).
  std::optional<torch::ScalarType> autocast = std::nullopt;

  // ReLU of `x`, in place where nobody wants the values before it.
  torch::Tensor Relu(const std::string& layer, torch::Tensor x) const;
  // Keeps each value with probability 1/2 and doubles it (p = 0.5).
  torch::Tensor Dropout(uint32_t layer, torch::Tensor x) const;
  bool Done() const { return recorder != nullptr && recorder->Complete(); }
};

class VisionModel : public torch::nn::Module {
 public:
  // images: N x 3 x 64 x 64 float32 RGB, ImageNet-normalised. Returns the last
  // hidden layer (fc7 after its ReLU), N x num_features() float32; an undefined tensor
  // when the recorder was complete before.
  torch::Tensor Forward(torch::Tensor images, const TapContext& context);
  virtual int64_t num_features() const = 0;
  // Layers with a ReLU, from input to output.
  virtual std::vector<std::string> layers() const = 0;
  // What evaluation mode computes up to the ReLU of `last_layer`, one of layers(), as
  // plain steps with batch norm folded in (inference.h). Nothing for a network that
  // is no chain: its activations come from Forward, its receptive fields are unknown.
  virtual std::optional<InferenceChain> Chain(const std::string& /*last_layer*/) const {
    return std::nullopt;
  }

 private:
  // Forward, in whatever types the operations take.
  virtual torch::Tensor Compute(torch::Tensor images, const TapContext& context) = 0;
};

// NotFound naming the architectures there are. Weights are PyTorch's default
// initialisation drawn from (init_seed, "init", parameter name).
absl::StatusOr<std::shared_ptr<VisionModel>> CreateModel(const ModelOptions& options,
                                                         int64_t init_seed);

// With the weights of a safetensors file, on the CPU; no initial ones are drawn, which
// takes half a second for the 57 million of full width. NotFound as above;
// InvalidArgument: weights that do not fit; DataLoss: a damaged file.
absl::StatusOr<std::shared_ptr<VisionModel>> LoadModel(
    const ModelOptions& options, const std::filesystem::path& weights);

// PyTorch's default for convolutions, linear layers and batch norm: weights and
// biases uniform in +-1/sqrt(fan_in), batch norm 1 and 0. For heads as well.
void InitializeParameters(torch::nn::Module& module, int64_t init_seed,
                          const std::string& prefix);

// Parameters and buffers under PyTorch's state_dict names.
std::map<std::string, torch::Tensor> StateDict(const torch::nn::Module& module);
// Copies values in. InvalidArgument listing what is missing, left over or of
// another shape; nothing is changed then.
absl::Status LoadStateDict(torch::nn::Module& module,
                           const std::map<std::string, torch::Tensor>& state,
                           absl::string_view source);

}  // namespace iat

#endif  // IAT_MODELS_VISION_MODEL_H_
