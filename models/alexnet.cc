#include "models/alexnet.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

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

int64_t Scaled(int64_t channels, double width) {
  return std::max<int64_t>(1, std::llround(static_cast<double>(channels) * width));
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

torch::Tensor AlexNet::Forward(torch::Tensor x, const TapContext& context) {
  for (ConvLayer& layer : convolutions_) {
    x = layer.convolution(x);
    if (layer.norm) x = layer.norm(x);
    x = context.Relu(layer.name, x);
    if (context.Done()) return {};
    if (layer.pool) x = torch::max_pool2d(x, /*kernel_size=*/3, /*stride=*/2);
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
