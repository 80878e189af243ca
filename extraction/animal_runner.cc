#include "extraction/animal_runner.h"

#include <torch/torch.h>

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "images/image.h"
#include "models/safetensors.h"
#include "models/vision_model.h"

namespace iat {
namespace {

constexpr int64_t kPixels = int64_t{kInputSide} * kInputSide;

absl::Status CheckLayers(const VisionModel& model, const ModelOptions& options,
                         const ExtractionOptions& extraction) {
  const std::vector<std::string> layers = model.layers();
  for (const std::string& layer : extraction.layers) {
    if (std::find(layers.begin(), layers.end(), layer) != layers.end()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("extraction.layers: ", options.architecture, " has no layer \"",
                     layer, "\"; it has ", absl::StrJoin(layers, ", ")));
  }
  return absl::OkStatus();
}

std::string DeepestLayer(const VisionModel& model, const ExtractionOptions& extraction) {
  std::string deepest;
  for (const std::string& layer : model.layers()) {
    const auto& wanted = extraction.layers;
    if (std::find(wanted.begin(), wanted.end(), layer) != wanted.end()) deepest = layer;
  }
  return deepest;
}

std::vector<Tap> BothStages(const std::vector<std::string>& layers) {
  std::vector<Tap> taps;
  for (const std::string& layer : layers) {
    taps.push_back({layer, Stage::kPreRelu});
    taps.push_back({layer, Stage::kPostRelu});
  }
  return taps;
}

// Sizes alone, from a black image: for networks that are no chain.
std::vector<LayerGeometry> ProbedGeometry(VisionModel& model,
                                          const std::vector<std::string>& layers) {
  const torch::NoGradGuard no_grad;
  TapRecorder recorder(BothStages(layers));
  model.Forward(torch::zeros({1, 3, kInputSide, kInputSide}), {.recorder = &recorder});
  std::vector<LayerGeometry> geometry;
  for (const std::string& layer : layers) {
    const torch::Tensor& map = recorder.Get({layer, Stage::kPreRelu});
    LayerGeometry entry;
    entry.layer = layer;
    entry.channels = map.size(1);
    entry.side = map.dim() == 4 ? map.size(2) : 0;
    geometry.push_back(std::move(entry));
  }
  return geometry;
}

absl::StatusOr<std::vector<LayerUnits>> SelectLayers(
    VisionModel& model, const std::optional<InferenceChain>& chain,
    const ExtractionOptions& options) {
  const std::vector<LayerGeometry> geometry =
      chain ? Geometry(*chain) : ProbedGeometry(model, options.layers);
  std::vector<LayerUnits> layers;
  for (const std::string& name : options.layers) {
    const auto found = std::find_if(geometry.begin(), geometry.end(),
                                    [&](const auto& g) { return g.layer == name; });
    IAT_CHECK(found != geometry.end(), "a layer without geometry");
    LayerUnits entry{.layer = name, .units = {}, .fields = {}};
    IAT_ASSIGN_OR_RETURN(entry.units, SelectUnits(*found, options));
    if (chain) entry.fields = ReceptiveFields(*found, entry.units);
    layers.push_back(std::move(entry));
  }
  return layers;
}

absl::StatusOr<std::shared_ptr<VisionModel>> LoadNetwork(
    const ModelOptions& model, const std::filesystem::path& weights) {
  IAT_ASSIGN_OR_RETURN(auto network, CreateModel(model, /*init_seed=*/0));
  IAT_ASSIGN_OR_RETURN(const TensorFile file, ReadTensors(weights));
  IAT_RETURN_IF_ERROR(LoadStateDict(*network, file.tensors, weights.string()));
  network->eval();
  return network;
}

class EngineRunner : public AnimalRunner {
 public:
  EngineRunner(std::vector<LayerUnits> layers, InferenceEngine engine)
      : AnimalRunner(std::move(layers)), engine_(std::move(engine)) {
    for (int channel = 0; channel < 3; ++channel) {
      // The arithmetic of NormalizeInto, for each value a byte can have.
      std::array<uint8_t, 3> pixel{};
      std::array<float, 3> normalized{};
      for (int value = 0; value < 256; ++value) {
        pixel.fill(static_cast<uint8_t>(value));
        NormalizeInto(pixel.data(), 1, 1, normalized.data());
        normalized_[value][channel] = normalized[channel];
      }
    }
  }

  absl::Status Run(const std::vector<const uint8_t*>& pixels,
                   std::vector<UnitResponses>& responses) override {
    const int64_t batch = engine_.batch_size();
    constexpr int64_t kRowFloats = int64_t{kInputSide} * 3;
    input_.assign(static_cast<size_t>(batch * kPixels * 3), 0.0f);
    for (int64_t i = 0; i < static_cast<int64_t>(pixels.size()); ++i) {
      const uint8_t* from = pixels[i];
      for (int64_t row = 0; row < kInputSide; ++row) {
        float* to = &input_[(row * batch + i) * kRowFloats];
        for (int64_t x = 0; x < kInputSide; ++x, from += 3, to += 3) {
          to[0] = normalized_[from[0]][0];
          to[1] = normalized_[from[1]][1];
          to[2] = normalized_[from[2]][2];
        }
      }
    }
    engine_.Run(input_.data(), workspace_, responses);
    return absl::OkStatus();
  }

 private:
  InferenceEngine engine_;
  InferenceEngine::Workspace workspace_;
  std::array<std::array<float, 3>, 256> normalized_{};
  std::vector<float> input_;
};

class ForwardRunner : public AnimalRunner {
 public:
  ForwardRunner(std::vector<LayerUnits> layers, std::shared_ptr<VisionModel> model,
                const std::string& device, int64_t batch_size)
      : AnimalRunner(std::move(layers)),
        model_(std::move(model)),
        device_(device),
        batch_size_(batch_size) {
    model_->to(device_);
  }

  absl::Status Run(const std::vector<const uint8_t*>& pixels,
                   std::vector<UnitResponses>& responses) override {
    const torch::NoGradGuard no_grad;
    std::vector<std::string> names;
    for (const LayerUnits& layer : layers_) names.push_back(layer.layer);
    TapRecorder recorder(BothStages(names));
    auto images = torch::zeros({batch_size_, 3, kInputSide, kInputSide});
    for (size_t i = 0; i < pixels.size(); ++i) {
      NormalizeInto(pixels[i], kInputSide, kInputSide,
                    images[static_cast<int64_t>(i)].data_ptr<float>());
    }
    try {
      model_->Forward(images.to(device_), {.recorder = &recorder});
      responses.resize(layers_.size());
      for (size_t l = 0; l < layers_.size(); ++l) {
        responses[l].pre = Take(recorder.Get({names[l], Stage::kPreRelu}), layers_[l]);
        responses[l].post = Take(recorder.Get({names[l], Stage::kPostRelu}), layers_[l]);
      }
    } catch (const c10::Error& error) {
      return absl::InternalError(error.what_without_backtrace());
    }
    return absl::OkStatus();
  }

 private:
  // Chosen on the device, so that a hypercolumn does not move whole maps.
  ActivationMatrix Take(const torch::Tensor& values, const LayerUnits& layer) const {
    const int64_t n = static_cast<int64_t>(layer.units.channel.size());
    auto places = torch::empty({n}, torch::kInt64);
    for (int64_t u = 0; u < n; ++u) {
      int64_t place = layer.units.channel[u];
      if (values.dim() == 4) {
        place = (place * values.size(2) + layer.units.row[u]) * values.size(3) +
                layer.units.column[u];
      }
      places.data_ptr<int64_t>()[u] = place;
    }
    const auto taken = values.flatten(1)
                           .index_select(1, places.to(device_))
                           .to(torch::kCPU)
                           .contiguous();
    return Eigen::Map<const ActivationMatrix>(taken.data_ptr<float>(), taken.size(0), n);
  }

  std::shared_ptr<VisionModel> model_;
  torch::Device device_;
  int64_t batch_size_;
};

}  // namespace

absl::StatusOr<std::optional<InferenceChain>> AnimalRunner::LoadChain(
    const ModelOptions& model, const std::filesystem::path& weights) {
  IAT_ASSIGN_OR_RETURN(const auto network, LoadNetwork(model, weights));
  return network->Chain(network->layers().front());
}

absl::StatusOr<std::unique_ptr<AnimalRunner>> AnimalRunner::Load(
    const ModelOptions& model, const std::filesystem::path& weights,
    const ExtractionOptions& options, const std::string& device) {
  try {
    IAT_ASSIGN_OR_RETURN(const auto network, LoadNetwork(model, weights));
    IAT_RETURN_IF_ERROR(CheckLayers(*network, model, options));
    const auto chain = network->Chain(DeepestLayer(*network, options));
    IAT_ASSIGN_OR_RETURN(std::vector<LayerUnits> layers,
                         SelectLayers(*network, chain, options));
    if (!chain || torch::Device(device).type() != torch::kCPU) {
      return std::make_unique<ForwardRunner>(std::move(layers), network, device,
                                             options.batch_size);
    }
    std::vector<UnitRequest> requests;
    for (const LayerUnits& layer : layers) requests.push_back({layer.layer, layer.units});
    IAT_ASSIGN_OR_RETURN(InferenceEngine engine,
                         InferenceEngine::Create(*chain, requests, options.batch_size));
    return std::make_unique<EngineRunner>(std::move(layers), std::move(engine));
  } catch (const c10::Error& error) {
    return absl::InternalError(error.what_without_backtrace());
  }
}

}  // namespace iat
