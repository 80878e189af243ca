#include "models/vision_model.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/csv.h"
#include "base/status.h"
#include "models/alexnet.h"
#include "models/autocast.h"
#include "models/device_random.h"
#include "models/safetensors.h"
#include "models/torch.h"

namespace iat {
namespace {

struct Architecture {
  const char* name;
  std::shared_ptr<VisionModel> (*create)(double width);
};

// The registry: a new architecture is one file and one line here.
constexpr Architecture kArchitectures[] = {
    {"alexnet_bn",
     [](double width) -> std::shared_ptr<VisionModel> {
       return std::make_shared<AlexNet>(width, /*batch_norm=*/true);
     }},
    {"alexnet",
     [](double width) -> std::shared_ptr<VisionModel> {
       return std::make_shared<AlexNet>(width, /*batch_norm=*/false);
     }},
};

absl::StatusOr<const Architecture*> FindArchitecture(const std::string& name) {
  for (const Architecture& architecture : kArchitectures) {
    if (name == architecture.name) return &architecture;
  }
  return absl::NotFoundError(absl::StrCat("no architecture \"", name, "\"; there are ",
                                          absl::StrJoin(ArchitectureNames(), ", ")));
}

std::string ShapeText(const torch::Tensor& tensor) {
  return absl::StrCat("[", absl::StrJoin(tensor.sizes().vec(), ", "), "]");
}

}  // namespace

void ModelOptions::Describe(OptionVisitor& visitor) {
  visitor.Choice("architecture", architecture, ArchitectureNames(),
                 "network: AlexNet for 64 x 64 images with or without batch norm");
  visitor.Number("width", width, {.min = 0.0, .max = 8.0, .min_excluded = true},
                 "multiplies every channel count and fully connected width");
}

std::string ModelOptions::Name() const {
  return absl::StrCat(architecture, " width=", FormatNumber(width));
}

bool TapRecorder::Wants(const Tap& tap) const {
  return std::find(wanted_.begin(), wanted_.end(), tap) != wanted_.end();
}

void TapRecorder::Take(const Tap& tap, const torch::Tensor& values) {
  taken_.emplace_back(tap, values);
}

const torch::Tensor& TapRecorder::Get(const Tap& tap) const {
  const auto found = std::find_if(taken_.begin(), taken_.end(),
                                  [&](const auto& entry) { return entry.first == tap; });
  IAT_CHECK(found != taken_.end(), "a tap that was not recorded");
  return found->second;
}

torch::Tensor TapContext::Relu(const std::string& layer, torch::Tensor x) const {
  const Tap pre{layer, Stage::kPreRelu};
  const Tap post{layer, Stage::kPostRelu};
  torch::Tensor y;
  if (recorder != nullptr && recorder->Wants(pre)) {
    recorder->Take(pre, x);
    y = torch::relu(x);
  } else {
    y = torch::relu_(x);
  }
  if (recorder != nullptr && recorder->Wants(post)) recorder->Take(post, y);
  return y;
}

torch::Tensor TapContext::Dropout(uint32_t layer, torch::Tensor x) const {
  if (dropout == nullptr) return x;
  RandomStream stream = *dropout;
  // Each layer reads its own stretch of the stream, keyed by drawing a seed.
  uint64_t key = 0;
  for (uint32_t i = 0; i <= layer; ++i) key = stream.NextU64();
  return x * DropoutMask(RandomStream(key, "dropout-mask"), x.sizes(), x.device(),
                         x.scalar_type());
}

torch::Tensor VisionModel::Forward(torch::Tensor images, const TapContext& context) {
  if (!context.autocast.has_value()) return Compute(std::move(images), context);
  const AutocastScope scope(images.device().type(), *context.autocast);
  const torch::Tensor features = Compute(std::move(images), context);
  return features.defined() ? features.to(torch::kFloat32) : features;
}

std::vector<std::string> ArchitectureNames() {
  std::vector<std::string> names;
  for (const Architecture& architecture : kArchitectures)
    names.push_back(architecture.name);
  return names;
}

std::vector<std::string> LayerNames() {
  static const auto* const names = new std::vector<std::string>([] {
    std::vector<std::string> all;
    for (const Architecture& architecture : kArchitectures) {
      // Names do not depend on the width; the narrowest network is made in no time.
      constexpr double kNarrow = 1e-3;
      for (const std::string& layer : architecture.create(kNarrow)->layers()) {
        if (std::find(all.begin(), all.end(), layer) == all.end()) all.push_back(layer);
      }
    }
    return all;
  }());
  return *names;
}

absl::StatusOr<std::shared_ptr<VisionModel>> CreateModel(const ModelOptions& options,
                                                         int64_t init_seed) {
  IAT_ASSIGN_OR_RETURN(const Architecture* architecture,
                       FindArchitecture(options.architecture));
  auto model = architecture->create(options.width);
  InitializeParameters(*model, init_seed, "model.");
  return model;
}

absl::StatusOr<std::shared_ptr<VisionModel>> LoadModel(
    const ModelOptions& options, const std::filesystem::path& weights) {
  IAT_ASSIGN_OR_RETURN(const Architecture* architecture,
                       FindArchitecture(options.architecture));
  auto model = architecture->create(options.width);
  IAT_ASSIGN_OR_RETURN(const TensorFile file, ReadTensors(weights));
  IAT_RETURN_IF_ERROR(LoadStateDict(*model, file.tensors, weights.string()));
  return model;
}

absl::StatusOr<std::map<std::string, std::vector<int64_t>>> StateShapes(
    const ModelOptions& options) {
  IAT_ASSIGN_OR_RETURN(const Architecture* architecture,
                       FindArchitecture(options.architecture));
  std::map<std::string, std::vector<int64_t>> shapes;
  for (const auto& [name, tensor] : StateDict(*architecture->create(options.width))) {
    shapes[name] = tensor.sizes().vec();
  }
  return shapes;
}

void InitializeParameters(torch::nn::Module& module, int64_t init_seed,
                          const std::string& prefix) {
  const torch::NoGradGuard no_grad;
  const auto parameters = module.named_parameters();
  for (const auto& item : parameters) {
    const std::string& name = item.key();
    torch::Tensor value = item.value();
    // A bias draws within the bound of the weight beside it.
    const bool is_bias = absl::EndsWith(name, "bias");
    const std::string weight_name =
        is_bias ? name.substr(0, name.size() - 4) + "weight" : name;
    const torch::Tensor weight = parameters[weight_name];
    if (weight.dim() < 2) {  // batch norm
      value.fill_(is_bias ? 0.0 : 1.0);
      continue;
    }
    const double fan_in = static_cast<double>(weight.numel() / weight.size(0));
    const double bound = 1.0 / std::sqrt(fan_in);
    RandomStream stream(init_seed, absl::StrCat("init ", prefix, name));
    torch::Tensor draws = torch::empty(value.sizes(), torch::kFloat32);
    float* out = draws.data_ptr<float>();
    for (int64_t i = 0; i < draws.numel(); ++i) {
      out[i] = static_cast<float>(stream.Uniform(-bound, bound));
    }
    value.copy_(draws);
  }
}

std::map<std::string, torch::Tensor> StateDict(const torch::nn::Module& module) {
  std::map<std::string, torch::Tensor> state;
  for (const auto& item : module.named_parameters())
    state[item.key()] = item.value().detach();
  for (const auto& item : module.named_buffers()) state[item.key()] = item.value();
  return state;
}

absl::Status LoadStateDict(torch::nn::Module& module,
                           const std::map<std::string, torch::Tensor>& state,
                           absl::string_view source) {
  const torch::NoGradGuard no_grad;
  std::map<std::string, torch::Tensor> own = StateDict(module);
  std::vector<std::string> problems;
  for (const auto& [name, tensor] : own) {
    const auto found = state.find(name);
    if (found == state.end()) {
      problems.push_back(absl::StrCat("\"", name, "\" is missing"));
    } else if (found->second.sizes() != tensor.sizes()) {
      problems.push_back(absl::StrCat("\"", name, "\" has shape ",
                                      ShapeText(found->second), "; expected ",
                                      ShapeText(tensor)));
    }
  }
  for (const auto& [name, tensor] : state) {
    if (!own.contains(name))
      problems.push_back(absl::StrCat("\"", name, "\" is left over"));
  }
  if (!problems.empty()) {
    const size_t count = problems.size();
    if (count > 5) problems.resize(5);
    return absl::InvalidArgumentError(
        absl::StrCat(source, " does not fit the model: ", absl::StrJoin(problems, "; "),
                     count > 5 ? absl::StrCat("; and ", count - 5, " more") : ""));
  }
  for (auto& [name, tensor] : own) tensor.copy_(state.at(name));
  return absl::OkStatus();
}

}  // namespace iat
