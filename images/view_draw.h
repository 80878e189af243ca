// Everything random about one augmented view, drawn apart from the pixels' work: so that
// the same view can be made wherever the pixels are (images/augment.h on the processor,
// training/device_augment.h on a GPU).
//
// Example:
//   RandomStream stream(data_seed, "augment", epoch * num_images + image, view);
//   const ViewDraw draw = DrawView(options, set.height(), set.width(), stream);

#ifndef IAT_IMAGES_VIEW_DRAW_H_
#define IAT_IMAGES_VIEW_DRAW_H_

#include <array>

#include "base/random.h"
#include "images/augment.h"

namespace iat {

namespace augment {

struct CropBox {
  int top, left, height, width;
};
CropBox RandomCrop(const AugmentOptions& options, int height, int width,
                   RandomStream& stream);

}  // namespace augment

enum class JitterOperation { kBrightness, kContrast, kSaturation, kHue };
inline constexpr int kNumJitterOperations = 4;

struct ViewDraw {
  augment::CropBox crop;  // of the image, before it is resized to work_size
  bool flip = false;
  bool grey = false;
  // Jitter: what is done, one after the other, and by how much; nothing where the view
  // has none.
  bool jitter = false;
  std::array<JitterOperation, kNumJitterOperations> order = {};
  float brightness = 1.0f, contrast = 1.0f, saturation = 1.0f;  // factors
  float hue = 0.0f;   // turns of the colour circle
  float blur = 0.0f;  // deviation in pixels at work_size; 0: none
  bool solarize = false;
};

// A view of a height x width image.
ViewDraw DrawView(const AugmentOptions& options, int height, int width,
                  RandomStream& stream);

}  // namespace iat

#endif  // IAT_IMAGES_VIEW_DRAW_H_
