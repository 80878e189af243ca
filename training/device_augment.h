// Augmented views made on the GPU where a network trains: the training images stay there
// as bytes, and a batch of views is one kernel (training/augment.cu), a block a view.
// What is random comes from the same draws as on the CPU (images/view_draw.h), and the
// pixels follow images/augment.h in the same whole numbers: the views are the same bytes.
//
// Example:
//   IAT_ASSIGN_OR_RETURN(DeviceAugmenter augmenter,
//                        DeviceAugmenter::Create(set, rows, torch::kCUDA));
//   IAT_ASSIGN_OR_RETURN(torch::Tensor views, augmenter.Views(options, places, draws));

#ifndef IAT_TRAINING_DEVICE_AUGMENT_H_
#define IAT_TRAINING_DEVICE_AUGMENT_H_

#include <torch/types.h>

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "images/augment.h"
#include "images/packed_set.h"
#include "images/view_draw.h"

namespace iat {

class DeviceAugmenter {
 public:
  // Copies the rows of `images` to the device: 12 KiB an image of 64 x 64.
  // ResourceExhausted: they do not fit there. Unavailable, Internal: no kernel can be
  // made for it (models/cuda_program.h).
  static absl::StatusOr<DeviceAugmenter> Create(const PackedSet& images,
                                                const std::vector<int64_t>& rows,
                                                torch::Device device);

  // One view of each of the images at these places among the rows, as AugmentInto makes
  // it with this draw: n x 3 x 64 x 64 float32, normalised, channels last in memory.
  // Waits for nothing on the device. Internal: what CUDA says.
  absl::StatusOr<torch::Tensor> Views(const AugmentOptions& options,
                                      const std::vector<int64_t>& places,
                                      const std::vector<ViewDraw>& draws) const;

 private:
  explicit DeviceAugmenter(torch::Tensor images) : images_(std::move(images)) {}

  torch::Tensor images_;  // n x height x width x 3 bytes
};

}  // namespace iat

#endif  // IAT_TRAINING_DEVICE_AUGMENT_H_
