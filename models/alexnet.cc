#include "models/alexnet.h"

#include <algorithm>
#include <cmath>

#include "models/torch.h"

namespace iat {
namespace {

struct ConvSpec {
  const char* name;
  int64_t channels, kernel, stride, padding;
  bool pool;
};
constexpr ConvSpec kConvolutions[] = {
    {"conv1", 64, 11, 4, 2, true},  {"conv2", 192, 5, 1, 2, true},
    {"conv3", 384, 3, 1, 1, false}, {"conv4", 256, 3, 1, 1, false},
    {"conv5", 256, 3, 1, 1, true},
};
constexpr int64_t kFullWidth = 4096;
constexpr int64_t kPoolSize = 6;
constexpr int64_t kMaxPoolKernel = 3, kMaxPoolStride = 2;

int64_t Scaled(int64_t channels, double width) {
  return std::max<int64_t>(1, std::llround(static_cast<double>(channels) * width));
}

std::vector<float> Values(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.to(torch::kCPU, torch::kFloat32).contiguous();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

// Sets the step to norm(weight * x + bias); an empty norm leaves them alone. In
// float64, so that folding costs one rounding.
template <typename Norm>
void SetFolded(const torch::Tensor& layer_weight, const torch::Tensor& layer_bias,
               const Norm& norm, InferenceStep& step) {
  torch::Tensor weight = layer_weight.detach().to(torch::kFloat64);
  torch::Tensor bias = layer_bias.detach().to(torch::kFloat64);
  if (norm) {
    const torch::Tensor scale =
        norm->weight.detach().to(torch::kFloat64) /
        torch::sqrt(norm->running_var.to(torch::kFloat64) + norm->options.eps());
    std::vector<int64_t> one_each(weight.dim(), 1);
    one_each[0] = weight.size(0);
    weight = weight * scale.view(one_each);
    bias = (bias - norm->running_mean.to(torch::kFloat64)) * scale +
           norm->bias.detach().to(torch::kFloat64);
  }
  step.outputs = weight.size(0);
  step.weight = Values(weight);
  step.bias = Values(bias);
}

}  // namespace

AlexNet::AlexNet(double width, bool batch_norm) {
  const auto features =
      register_module("features", std::make_shared<torch::nn::Module>());
  int64_t channels = 3;
  int index = 0;  // position in the original's Sequential, ReLU and pooling included
  for (const ConvSpec& spec : kConvolutions) {
    ConvLayer layer{.name = spec.name, .pool = spec.pool};
    const int64_t out = Scaled(spec.channels, width);
    layer.convolution = features->register_module(
        std::to_string(index++),
        torch::nn::Conv2d(torch::nn::Conv2dOptions(channels, out, spec.kernel)
                              .stride(spec.stride)
                              .padding(spec.padding)));
    if (batch_norm) {
      layer.norm =
          features->register_module(std::to_string(index++), torch::nn::BatchNorm2d(out));
    }
    index += spec.pool ? 2 : 1;
    channels = out;
    convolutions_.push_back(std::move(layer));
  }
  const auto classifier =
      register_module("classifier", std::make_shared<torch::nn::Module>());
  num_features_ = Scaled(kFullWidth, width);
  int64_t inputs = channels * kPoolSize * kPoolSize;
  index = 0;
  for (const char* name : {"fc6", "fc7"}) {
    FullLayer layer{.name = name};
    ++index;  // dropout
    layer.linear = classifier->register_module(std::to_string(index++),
                                               torch::nn::Linear(inputs, num_features_));
    if (batch_norm) {
      layer.norm = classifier->register_module(std::to_string(index++),
                                               torch::nn::BatchNorm1d(num_features_));
    }
    ++index;  // ReLU
    inputs = num_features_;
    fully_connected_.push_back(std::move(layer));
  }
}

std::vector<std::string> AlexNet::layers() const {
  std::vector<std::string> names;
  for (const ConvLayer& layer : convolutions_) names.push_back(layer.name);
  for (const FullLayer& layer : fully_connected_) names.push_back(layer.name);
  return names;
}

std::optional<InferenceChain> AlexNet::Chain(const std::string& last_layer) const {
  const torch::NoGradGuard no_grad;
  InferenceChain chain;
  const auto relu = [&](const std::string& layer) {
    chain.steps.push_back({.kind = InferenceStep::Kind::kRelu, .layer = layer});
    return layer == last_layer;
  };
  for (size_t i = 0; i < convolutions_.size(); ++i) {
    const ConvLayer& layer = convolutions_[i];
    const ConvSpec& spec = kConvolutions[i];
    InferenceStep step{.kind = InferenceStep::Kind::kConvolution,
                       .kernel = spec.kernel,
                       .stride = spec.stride,
                       .padding = spec.padding};
    SetFolded(layer.convolution->weight, layer.convolution->bias, layer.norm, step);
    chain.steps.push_back(std::move(step));
    if (relu(layer.name)) return chain;
    if (layer.pool) {
      chain.steps.push_back({.kind = InferenceStep::Kind::kMaxPool,
                             .kernel = kMaxPoolKernel,
                             .stride = kMaxPoolStride});
    }
  }
  for (size_t i = 0; i < fully_connected_.size(); ++i) {
    const FullLayer& layer = fully_connected_[i];
    torch::Tensor weight = layer.linear->weight.detach().to(torch::kFloat64);
    if (i == 0) weight = weight.view({weight.size(0), -1, kPoolSize * kPoolSize}).sum(2);
    InferenceStep step{.kind = InferenceStep::Kind::kFull};
    SetFolded(weight, layer.linear->bias, layer.norm, step);
    chain.steps.push_back(std::move(step));
    if (relu(layer.name)) return chain;
  }
  return chain;
}

torch::Tensor AlexNet::Compute(torch::Tensor x, const TapContext& context) {
  for (ConvLayer& layer : convolutions_) {
    x = layer.convolution(x);
    if (layer.norm) x = layer.norm(x);
    x = context.Relu(layer.name, x);
    if (context.Done()) return {};
    if (layer.pool) x = torch::max_pool2d(x, kMaxPoolKernel, kMaxPoolStride);
  }
  // 64 x 64 images leave one position, which the average pooling repeats. A broadcast
  // view costs nothing; dropout, or flattening, writes the copies out.
  x = x.size(2) == 1 && x.size(3) == 1
          ? x.expand({-1, -1, kPoolSize, kPoolSize})
          : torch::adaptive_avg_pool2d(x, {kPoolSize, kPoolSize});
  uint32_t index = 0;
  for (FullLayer& layer : fully_connected_) {
    x = context.Dropout(index++, x);
    x = layer.linear(x.flatten(1));
    if (layer.norm) x = layer.norm(x);
    x = context.Relu(layer.name, x);
    if (context.Done()) return {};
  }
  return x;
}

}  // namespace iat
