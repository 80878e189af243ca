// Which images of a training set networks are judged by, and how they see them.

#ifndef IAT_TRAINING_EVALUATION_IMAGES_H_
#define IAT_TRAINING_EVALUATION_IMAGES_H_

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/activation_file.h"
#include "images/packed_set.h"
#include "models/vision_model.h"

namespace iat {

// Rows of a packed set, rising.
struct HeldOut {
  std::vector<int64_t> training, test;
};

// The same images for every animal, so that their accuracies compare: `num_test` of
// them, at most a fifth. Sets without labels hold nothing out: there is nothing to
// score.
HeldOut ChooseHeldOut(const PackedSet& images, int64_t num_test);

std::vector<int> LabelsOf(const PackedSet& images, const std::vector<int64_t>& rows);

// What `model` answers in evaluation mode, rows x features on the CPU: the values of a
// tap, every position of a map, channel by channel; the last hidden layer without one.
// The model's mode is as before afterwards.
torch::Tensor FeaturesOf(VisionModel& model, const PackedSet& images,
                         const std::vector<int64_t>& rows, torch::Device device,
                         const Tap* tap = nullptr);

}  // namespace iat

#endif  // IAT_TRAINING_EVALUATION_IMAGES_H_
