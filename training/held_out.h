// Which images of a training set networks are judged by.

#ifndef IAT_TRAINING_HELD_OUT_H_
#define IAT_TRAINING_HELD_OUT_H_

#include <cstdint>
#include <vector>

#include "images/packed_set.h"

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

}  // namespace iat

#endif  // IAT_TRAINING_HELD_OUT_H_
