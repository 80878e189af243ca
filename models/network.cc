#include "models/network.h"

#include <utility>

#include "base/status.h"
#include "models/torch.h"
#include "models/torch_device.h"
#include "models/vision_model.h"

namespace iat {
namespace {

// Units of a map as numbers within an image's values.
torch::Tensor PlacesOf(const UnitCoordinates& units, const torch::Tensor& map) {
  const auto n = static_cast<int64_t>(units.channel.size());
  auto places = torch::empty({n}, torch::kInt64);
  for (int64_t u = 0; u < n; ++u) {
    int64_t place = units.channel[u];
    if (map.dim() == 4) {
      place = (place * map.size(2) + units.row[u]) * map.size(3) + units.column[u];
    }
    places.data_ptr<int64_t>()[u] = place;
  }
  return places;
}

// Chosen on the device, so that a hypercolumn does not move whole maps.
ActivationMatrix TakeUnits(const torch::Tensor& map, const UnitCoordinates& units) {
  const auto taken = map.flatten(1)
                         .index_select(1, PlacesOf(units, map).to(map.device()))
                         .to(torch::kCPU)
                         .contiguous();
  return Eigen::Map<const ActivationMatrix>(taken.data_ptr<float>(), taken.size(0),
                                            taken.size(1));
}

std::vector<Tap> BothStages(const std::vector<UnitRequest>& requests) {
  std::vector<Tap> taps;
  for (const UnitRequest& request : requests) {
    taps.push_back({request.layer, Stage::kPreRelu});
    taps.push_back({request.layer, Stage::kPostRelu});
  }
  return taps;
}

// LibTorch reports by exceptions.
template <typename Function>
auto Guarded(const Function& function) -> decltype(function()) {
  try {
    return function();
  } catch (const c10::Error& error) {
    return absl::InternalError(error.what_without_backtrace());
  }
}

class TorchNetwork : public Network {
 public:
  explicit TorchNetwork(std::shared_ptr<VisionModel> model) : model_(std::move(model)) {
    model_->eval();
  }

  std::vector<std::string> layers() const override { return model_->layers(); }
  std::optional<InferenceChain> Chain(const std::string& last_layer) const override {
    return model_->Chain(last_layer);
  }

  absl::StatusOr<std::vector<LayerGeometry>> Probe(const std::vector<std::string>& layers,
                                                   int64_t side) override {
    const torch::NoGradGuard no_grad;
    std::vector<Tap> taps;
    for (const std::string& layer : layers) taps.push_back({layer, Stage::kPreRelu});
    return Guarded([&]() -> absl::StatusOr<std::vector<LayerGeometry>> {
      TapRecorder recorder(taps);
      model_->Forward(torch::zeros({1, 3, side, side}), {.recorder = &recorder});
      std::vector<LayerGeometry> geometry;
      for (const Tap& tap : taps) {
        const torch::Tensor& map = recorder.Get(tap);
        LayerGeometry& entry = geometry.emplace_back();
        entry.layer = tap.layer;
        entry.channels = map.size(1);
        entry.side = map.dim() == 4 ? map.size(2) : 0;
      }
      return geometry;
    });
  }

  absl::Status MoveTo(const std::string& device) override {
    return Guarded([&] {
      UseFullFloat32();
      device_ = torch::Device(device);
      model_->to(device_);
      return absl::OkStatus();
    });
  }
  bool is_on_cpu() const override { return device_.is_cpu(); }

  absl::Status Forward(std::vector<float>& images, int64_t side,
                       const std::vector<UnitRequest>& requests,
                       std::vector<UnitResponses>& responses) override {
    const torch::NoGradGuard no_grad;
    TapRecorder recorder(BothStages(requests));
    return Guarded([&] {
      const auto num_images = static_cast<int64_t>(images.size()) / (3 * side * side);
      const auto batch = torch::from_blob(images.data(), {num_images, 3, side, side});
      model_->Forward(batch.to(device_), {.recorder = &recorder});
      responses.resize(requests.size());
      for (size_t i = 0; i < requests.size(); ++i) {
        const auto& [layer, units] = requests[i];
        responses[i].pre = TakeUnits(recorder.Get({layer, Stage::kPreRelu}), units);
        responses[i].post = TakeUnits(recorder.Get({layer, Stage::kPostRelu}), units);
      }
      return absl::OkStatus();
    });
  }

 private:
  std::shared_ptr<VisionModel> model_;
  torch::Device device_ = torch::kCPU;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Network>> Network::Create(const ModelOptions& options) {
  return Guarded([&]() -> absl::StatusOr<std::unique_ptr<Network>> {
    IAT_ASSIGN_OR_RETURN(auto model, CreateModel(options, /*init_seed=*/0));
    return std::make_unique<TorchNetwork>(std::move(model));
  });
}

absl::StatusOr<std::unique_ptr<Network>> Network::Load(
    const ModelOptions& options, const std::filesystem::path& weights) {
  return Guarded([&]() -> absl::StatusOr<std::unique_ptr<Network>> {
    IAT_ASSIGN_OR_RETURN(auto model, LoadModel(options, weights));
    return std::make_unique<TorchNetwork>(std::move(model));
  });
}

}  // namespace iat
