// Values on their way to a device.

#ifndef IAT_MODELS_UPLOAD_H_
#define IAT_MODELS_UPLOAD_H_

#include <torch/types.h>

namespace iat {

// A CPU tensor's values on the device, without waiting for what the device is doing: by
// way of memory that the device reads itself. The tensor itself on the CPU.
inline torch::Tensor Upload(const torch::Tensor& values, torch::Device device) {
  if (device.is_cpu()) return values;
  return values.pin_memory().to(device, /*non_blocking=*/true);
}

}  // namespace iat

#endif  // IAT_MODELS_UPLOAD_H_
