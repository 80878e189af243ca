#include "models/autocast.h"

#include <ATen/autocast_mode.h>

#include "models/torch_version.h"

namespace iat {
namespace {

// LibTorch 2.4 made one function of one for each kind of device.
void Switch(torch::DeviceType device, bool on) {
#if IAT_TORCH_AT_LEAST(2, 4)
  at::autocast::set_autocast_enabled(device, on);
#else
  if (device == torch::kCPU) {
    at::autocast::set_cpu_enabled(on);
  } else {
    at::autocast::set_enabled(on);
  }
#endif
}

void SetType(torch::DeviceType device, torch::ScalarType type) {
#if IAT_TORCH_AT_LEAST(2, 4)
  at::autocast::set_autocast_dtype(device, type);
#else
  if (device == torch::kCPU) {
    at::autocast::set_autocast_cpu_dtype(type);
  } else {
    at::autocast::set_autocast_gpu_dtype(type);
  }
#endif
}

}  // namespace

AutocastScope::AutocastScope(torch::DeviceType device, torch::ScalarType type)
    : device_(device) {
  SetType(device, type);
  Switch(device, true);
  at::autocast::increment_nesting();
}

AutocastScope::~AutocastScope() {
  // Copies of the weights in the shorter type: the next step has others.
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  Switch(device_, false);
}

}  // namespace iat
