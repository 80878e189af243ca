// What training/augment.cu reads of a chain and of its views: its structs are these,
// member by member.

#ifndef IAT_TRAINING_AUGMENT_NUMBERS_H_
#define IAT_TRAINING_AUGMENT_NUMBERS_H_

#include <cstdint>

#include "images/augment.h"
#include "images/view_draw.h"

namespace iat {

struct ViewNumbers {
  int32_t image;
  int32_t top, left, height, width;
  int32_t flip, grey, jitter, solarize;
  int32_t order[kNumJitterOperations];
  float brightness, contrast, saturation;
  int32_t hue_shift;
  int32_t blur_radius;  // -1: no blur
  uint32_t blur_inside, blur_end;
};

struct ChainNumbers {
  int32_t image_height, image_width;
  int32_t work_size, size;
  int32_t bicubic, grayscale_first;
  int32_t uses[kNumJitterOperations];
  int32_t max_taps;       // of any resize of this chain
  int32_t scratch_bytes;  // that a view works in
  float mean[3], deviation[3];
};

ViewNumbers NumbersOf(const ViewDraw& draw, int64_t image);
ChainNumbers NumbersOf(const AugmentOptions& options, int image_height, int image_width);

}  // namespace iat

#endif  // IAT_TRAINING_AUGMENT_NUMBERS_H_
