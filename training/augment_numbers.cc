#include "training/augment_numbers.h"

#include <algorithm>
#include <cmath>

namespace iat {

ViewNumbers NumbersOf(const ViewDraw& draw, int64_t image) {
  ViewNumbers view = {};
  view.image = static_cast<int32_t>(image);
  view.top = draw.crop.top;
  view.left = draw.crop.left;
  view.height = draw.crop.height;
  view.width = draw.crop.width;
  view.flip = draw.flip ? 1 : 0;
  view.grey = draw.grey ? 1 : 0;
  view.jitter = draw.jitter ? 1 : 0;
  view.solarize = draw.solarize ? 1 : 0;
  for (int turn = 0; turn < kNumJitterOperations; ++turn) {
    view.order[turn] = static_cast<int32_t>(draw.order[turn]);
  }
  view.brightness = draw.brightness;
  view.contrast = draw.contrast;
  view.saturation = draw.saturation;
  // As augment::Hue has it: towards zero.
  view.hue_shift = static_cast<int32_t>(draw.hue * 255.0f);
  view.blur_radius = -1;
  if (draw.blur > 0.0f) {
    const augment::Box box = augment::GaussianBox(draw.blur);
    view.blur_radius = box.radius;
    view.blur_inside = box.inside;
    view.blur_end = box.end;
  }
  return view;
}

ChainNumbers NumbersOf(const AugmentOptions& options, int image_height, int image_width) {
  ChainNumbers chain = {};
  chain.image_height = image_height;
  chain.image_width = image_width;
  chain.work_size = static_cast<int32_t>(options.work_size);
  chain.size = kInputSide;
  chain.bicubic = options.crop_filter == "bicubic" ? 1 : 0;
  chain.grayscale_first = options.grayscale_first ? 1 : 0;
  const double ranges[] = {options.brightness, options.contrast, options.saturation,
                           options.hue};
  for (int k = 0; k < kNumJitterOperations; ++k) chain.uses[k] = ranges[k] > 0 ? 1 : 0;
  // The whole image is the largest crop; the last resize has its own ratio.
  const auto taps = [](int length, int n, double reach) {
    const double scale = std::max(1.0, static_cast<double>(length) / n);
    return 2 * static_cast<int32_t>(std::ceil(reach * scale)) + 1;
  };
  chain.max_taps = std::max(taps(std::max(image_height, image_width), chain.work_size,
                                 chain.bicubic != 0 ? 2.0 : 1.0),
                            taps(chain.work_size, chain.size, 1.0));
  const int32_t axis = (2 + chain.max_taps) * chain.work_size;
  const int32_t bytes = 2 * axis * static_cast<int32_t>(sizeof(int32_t)) +
                        3 * chain.work_size * chain.work_size +
                        3 * chain.work_size * std::max(image_height, chain.work_size);
  constexpr int32_t kAlignment = 16;
  chain.scratch_bytes = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  for (int c = 0; c < 3; ++c) {
    chain.mean[c] = kChannelMean[c];
    chain.deviation[c] = kChannelDeviation[c];
  }
  return chain;
}

}  // namespace iat
