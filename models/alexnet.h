// AlexNet for 64 x 64 images, as the mouse-visual-cortex models have it, with or
// without batch norm.
//
//   conv1 64 @ 11/4/2  [BN] ReLU  pool 3/2      15 x 15 ->  7 x 7
//   conv2 192 @ 5/1/2  [BN] ReLU  pool 3/2       7 x 7  ->  3 x 3
//   conv3 384 @ 3/1/1  [BN] ReLU                 3 x 3
//   conv4 256 @ 3/1/1  [BN] ReLU                 3 x 3
//   conv5 256 @ 3/1/1  [BN] ReLU  pool 3/2       3 x 3  ->  1 x 1
//   average pool to 6 x 6 (the one value, 36 times)
//   fc6 4096, fc7 4096: dropout, linear, [BN] ReLU
//
// Convolutions and linear layers keep their bias in front of batch norm. Batch
// norm: eps 1e-5, momentum 0.1. 57,022,528 parameters at width 1 with batch norm.
// Parameter names are those of the PyTorch original (features.0.weight, ...).
//
// Source   Krizhevsky, arXiv:1404.5997; Nayebi et al., PLoS Comput Biol 19(10)
//          e1011506 (2023), its published code.

#ifndef IAT_MODELS_ALEXNET_H_
#define IAT_MODELS_ALEXNET_H_

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <string>
#include <vector>

#include "models/vision_model.h"

namespace iat {

class AlexNet : public VisionModel {
 public:
  AlexNet(double width, bool batch_norm);

  int64_t num_features() const override { return num_features_; }
  std::vector<std::string> layers() const override;
  // The average pool's 36 copies of one value become one input of fc6 whose weights
  // are the sums of the 36.
  std::optional<InferenceChain> Chain(const std::string& last_layer) const override;

 private:
  torch::Tensor Compute(torch::Tensor images, const TapContext& context) override;

  struct ConvLayer {
    std::string name;
    torch::nn::Conv2d convolution{nullptr};
    torch::nn::BatchNorm2d norm{nullptr};  // empty without batch norm
    bool pool = false;
  };
  struct FullLayer {
    std::string name;
    torch::nn::Linear linear{nullptr};
    torch::nn::BatchNorm1d norm{nullptr};
  };

  std::vector<ConvLayer> convolutions_;
  std::vector<FullLayer> fully_connected_;
  int64_t num_features_ = 0;
};

}  // namespace iat

#endif  // IAT_MODELS_ALEXNET_H_
