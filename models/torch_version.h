// Which LibTorch this is built with, for what came or went between versions.

#ifndef IAT_MODELS_TORCH_VERSION_H_
#define IAT_MODELS_TORCH_VERSION_H_

#include <torch/version.h>

#define IAT_TORCH_AT_LEAST(major, minor) \
  (TORCH_VERSION_MAJOR > (major) ||      \
   (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

#endif  // IAT_MODELS_TORCH_VERSION_H_
