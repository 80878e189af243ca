// Matrix products and convolutions in a shorter type, as torch.autocast does it: weights
// stay float32, each operation takes the type that its accuracy bears.

#ifndef IAT_MODELS_AUTOCAST_H_
#define IAT_MODELS_AUTOCAST_H_

#include <torch/types.h>

namespace iat {

// In force while it lives, for operations of this thread on this kind of device.
class AutocastScope {
 public:
  AutocastScope(torch::DeviceType device, torch::ScalarType type);
  ~AutocastScope();
  AutocastScope(const AutocastScope&) = delete;
  AutocastScope& operator=(const AutocastScope&) = delete;

 private:
  const torch::DeviceType device_;
};

}  // namespace iat

#endif  // IAT_MODELS_AUTOCAST_H_
