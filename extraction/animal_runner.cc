#include "extraction/animal_runner.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "images/image.h"
#include "models/model_options.h"
#include "models/network.h"

namespace iat {
namespace {

constexpr int64_t kPixels = int64_t{kInputSide} * kInputSide;

absl::Status CheckLayers(const Network& network, const ModelOptions& options,
                         const ExtractionOptions& extraction) {
  const std::vector<std::string> layers = network.layers();
  for (const std::string& layer : extraction.layers) {
    if (std::find(layers.begin(), layers.end(), layer) != layers.end()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("extraction.layers: ", options.architecture, " has no layer \"",
                     layer, "\"; it has ", absl::StrJoin(layers, ", ")));
  }
  return absl::OkStatus();
}

std::string DeepestLayer(const Network& network, const ExtractionOptions& extraction) {
  std::string deepest;
  for (const std::string& layer : network.layers()) {
    const auto& wanted = extraction.layers;
    if (std::find(wanted.begin(), wanted.end(), layer) != wanted.end()) deepest = layer;
  }
  return deepest;
}

absl::StatusOr<std::vector<LayerUnits>> SelectLayers(
    Network& network, const std::optional<InferenceChain>& chain,
    const ExtractionOptions& options) {
  std::vector<LayerGeometry> geometry;
  if (chain) {
    geometry = Geometry(*chain);
  } else {
    IAT_ASSIGN_OR_RETURN(geometry, network.Probe(options.layers, kInputSide));
  }
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

std::vector<UnitRequest> RequestsOf(const std::vector<LayerUnits>& layers) {
  std::vector<UnitRequest> requests;
  for (const LayerUnits& layer : layers) requests.push_back({layer.layer, layer.units});
  return requests;
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
  ForwardRunner(std::vector<LayerUnits> layers, std::unique_ptr<Network> network,
                int64_t batch_size)
      : AnimalRunner(std::move(layers)),
        network_(std::move(network)),
        requests_(RequestsOf(layers_)),
        images_(static_cast<size_t>(batch_size * 3 * kPixels)) {}

  absl::Status Run(const std::vector<const uint8_t*>& pixels,
                   std::vector<UnitResponses>& responses) override {
    std::fill(images_.begin(), images_.end(), 0.0f);
    for (size_t i = 0; i < pixels.size(); ++i) {
      NormalizeInto(pixels[i], kInputSide, kInputSide, &images_[i * 3 * kPixels]);
    }
    return network_->Forward(images_, kInputSide, requests_, responses);
  }

 private:
  std::unique_ptr<Network> network_;
  std::vector<UnitRequest> requests_;
  std::vector<float> images_;
};

}  // namespace

absl::StatusOr<std::optional<InferenceChain>> AnimalRunner::LoadChain(
    const ModelOptions& model, const std::filesystem::path& weights) {
  IAT_ASSIGN_OR_RETURN(const auto network, Network::Load(model, weights));
  return network->Chain(network->layers().front());
}

absl::StatusOr<std::unique_ptr<AnimalRunner>> AnimalRunner::Load(
    const ModelOptions& model, const std::filesystem::path& weights,
    const ExtractionOptions& options, const std::string& device) {
  IAT_ASSIGN_OR_RETURN(auto network, Network::Load(model, weights));
  IAT_RETURN_IF_ERROR(CheckLayers(*network, model, options));
  const auto chain = network->Chain(DeepestLayer(*network, options));
  IAT_ASSIGN_OR_RETURN(std::vector<LayerUnits> layers,
                       SelectLayers(*network, chain, options));
  IAT_RETURN_IF_ERROR(network->MoveTo(device));
  if (!chain || !network->is_on_cpu()) {
    return std::make_unique<ForwardRunner>(std::move(layers), std::move(network),
                                           options.batch_size);
  }
  IAT_ASSIGN_OR_RETURN(
      InferenceEngine engine,
      InferenceEngine::Create(*chain, RequestsOf(layers), options.batch_size));
  return std::make_unique<EngineRunner>(std::move(layers), std::move(engine));
}

absl::StatusOr<int64_t> NumUnits(const ModelOptions& model,
                                 const ExtractionOptions& options) {
  IAT_ASSIGN_OR_RETURN(const auto network, Network::Create(model));
  const std::string deepest = DeepestLayer(*network, options);
  const auto chain = deepest.empty() ? std::nullopt : network->Chain(deepest);
  if (!chain) return absl::UnimplementedError("the network is no chain of layers");
  int64_t units = 0;
  for (const LayerGeometry& layer : Geometry(*chain)) {
    if (std::find(options.layers.begin(), options.layers.end(), layer.layer) ==
        options.layers.end()) {
      continue;
    }
    IAT_ASSIGN_OR_RETURN(const UnitCoordinates selected, SelectUnits(layer, options));
    units += static_cast<int64_t>(selected.channel.size());
  }
  return units;
}

}  // namespace iat
