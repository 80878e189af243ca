// The part of LibTorch that this program uses; precompiled where sources are compiled one
// by one (without IAT_UNITY).
// <torch/torch.h> has every layer, optimiser and data loader besides, which all who
// include it pay for.

#ifndef IAT_MODELS_TORCH_H_
#define IAT_MODELS_TORCH_H_

#include <torch/nn/functional/loss.h>
#include <torch/nn/functional/normalization.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>
#include <torch/utils.h>

#endif  // IAT_MODELS_TORCH_H_
