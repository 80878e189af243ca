// What networks answer to images of a training set.

#ifndef IAT_TRAINING_EVALUATION_IMAGES_H_
#define IAT_TRAINING_EVALUATION_IMAGES_H_

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "base/activation_file.h"
#include "images/packed_set.h"
#include "models/vision_model.h"

namespace iat {

// What `model` answers in evaluation mode, rows x features on the CPU: the values of a
// tap, every position of a map, channel by channel; the last hidden layer without one.
// The model's mode is as before afterwards.
torch::Tensor FeaturesOf(VisionModel& model, const PackedSet& images,
                         const std::vector<int64_t>& rows, torch::Device device,
                         const Tap* tap = nullptr);

}  // namespace iat

#endif  // IAT_TRAINING_EVALUATION_IMAGES_H_
