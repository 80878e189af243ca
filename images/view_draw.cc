#include "images/view_draw.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace iat {
namespace {

constexpr int kCropTries = 10;

}  // namespace

namespace augment {

CropBox RandomCrop(const AugmentOptions& options, int height, int width,
                   RandomStream& stream) {
  const double area = static_cast<double>(height) * width;
  const double log_min = std::log(options.min_crop_aspect);
  const double log_max = std::log(options.max_crop_aspect);
  for (int attempt = 0; attempt < kCropTries; ++attempt) {
    const double target =
        area * stream.Uniform(options.min_crop_area, options.max_crop_area);
    const double aspect = std::exp(stream.Uniform(log_min, log_max));
    const int w = static_cast<int>(std::nearbyint(std::sqrt(target * aspect)));
    const int h = static_cast<int>(std::nearbyint(std::sqrt(target / aspect)));
    if (w < 1 || w > width || h < 1 || h > height) continue;
    const int top = static_cast<int>(stream.UniformInt(height - h + 1));
    const int left = static_cast<int>(stream.UniformInt(width - w + 1));
    return {top, left, h, w};
  }
  const double aspect = static_cast<double>(width) / height;
  int h = height, w = width;
  if (aspect < options.min_crop_aspect) {
    h = static_cast<int>(std::nearbyint(width / options.min_crop_aspect));
  } else if (aspect > options.max_crop_aspect) {
    w = static_cast<int>(std::nearbyint(height * options.max_crop_aspect));
  }
  h = std::clamp(h, 1, height);
  w = std::clamp(w, 1, width);
  return {(height - h) / 2, (width - w) / 2, h, w};
}

}  // namespace augment

ViewDraw DrawView(const AugmentOptions& options, int height, int width,
                  RandomStream& stream) {
  ViewDraw draw;
  draw.crop = augment::RandomCrop(options, height, width, stream);
  draw.flip = stream.Bernoulli(options.flip_probability);
  draw.grey = stream.Bernoulli(options.grayscale_probability);
  draw.jitter = stream.Bernoulli(options.jitter_probability);
  if (draw.jitter) {
    const auto factor = [&](double range) {
      return static_cast<float>(stream.Uniform(std::max(0.0, 1.0 - range), 1.0 + range));
    };
    draw.brightness = factor(options.brightness);
    draw.contrast = factor(options.contrast);
    draw.saturation = factor(options.saturation);
    draw.hue = static_cast<float>(stream.Uniform(-options.hue, options.hue));
    draw.order = {JitterOperation::kBrightness, JitterOperation::kContrast,
                  JitterOperation::kSaturation, JitterOperation::kHue};
    for (size_t i = draw.order.size(); i > 1; --i) {
      std::swap(draw.order[i - 1], draw.order[stream.UniformInt(i)]);
    }
  }
  if (stream.Bernoulli(options.blur_probability)) {
    draw.blur =
        static_cast<float>(stream.Uniform(options.min_blur, options.max_blur) *
                           static_cast<double>(options.work_size) / kReferenceWorkSize);
  }
  draw.solarize = stream.Bernoulli(options.solarize_probability);
  return draw;
}

}  // namespace iat
