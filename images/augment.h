// Random views of an image, written straight into a training batch.
//
//   crop      random area and aspect, ten tries, then the central crop; resized
//             to work_size (Pillow's bilinear or bicubic)
//   grey      Pillow's "L" in all channels: (19595 R + 38470 G + 7471 B) / 2^16
//   jitter    brightness, contrast, saturation, hue in random order, on 8 bits
//   blur      Pillow's GaussianBlur (three box passes), deviation in pixels at
//             224, scaled by work_size / 224
//   solarize  values from 128 on are turned upside down (Pillow's ImageOps)
//   flip      left to right
// then, from work_size to 64 x 64 (Pillow's bilinear), and ImageNet's normalisation.
//
// work_size 64 does everything at the network's own resolution; 224 is the
// reference's, about ten times slower.
//
// A flip commutes with every step, so one flip stands for the published chains,
// whichever place they flip at.
//
// Source   torchvision 0.7 transforms on Pillow images; mouse-vision's trainer
//          transforms (Nayebi et al. 2023).
//
// Example:
//   RandomStream stream(data_seed, "augment", epoch * num_images + image, view);
//   AugmentInto(InstanceRecognitionAugmentation(), set.pixels(i), set.height(),
//               set.width(), stream, batch + row * kViewFloats);

#ifndef IAT_IMAGES_AUGMENT_H_
#define IAT_IMAGES_AUGMENT_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "base/options.h"
#include "base/random.h"
#include "images/image.h"

namespace iat {

// The other work_size there is: the reference's.
inline constexpr int kReferenceWorkSize = 224;

// Floats of one view: 3 x 64 x 64.
inline constexpr size_t kViewFloats = size_t{3} * kInputSide * kInputSide;

// The config table [training.augmentation]. The defaults here are Instance
// Recognition's. An objective's own chain is in its recipe (training/recipe.h).
struct AugmentOptions {
  int64_t work_size = kInputSide;

  // Share of the image's area; the aspect (width / height) is log-uniform.
  double min_crop_area = 0.2;
  double max_crop_area = 1.0;
  double min_crop_aspect = 3.0 / 4.0;
  double max_crop_aspect = 4.0 / 3.0;
  std::string crop_filter = "bilinear";  // or "bicubic"

  double flip_probability = 0.5;

  double grayscale_probability = 0.2;
  // Whether grey comes before jitter, which then changes its brightness and
  // contrast only.
  bool grayscale_first = true;

  // Factors from U(max(0, 1 - x), 1 + x); the hue turns by U(-hue, hue) circles.
  double jitter_probability = 1.0;
  double brightness = 0.4;
  double contrast = 0.4;
  double saturation = 0.4;
  double hue = 0.4;

  // Deviation from U(min, max), pixels at 224.
  double blur_probability = 0.0;
  double min_blur = 0.1;
  double max_blur = 2.0;

  double solarize_probability = 0.0;

  // What the second view of an image has instead; below 0: as the first.
  double second_blur_probability = -1.0;
  double second_solarize_probability = -1.0;

  // The chain of view 0 or of a later one.
  AugmentOptions ForView(int view) const;

  void Describe(OptionVisitor& visitor);

  // InvalidArgument: a minimum above its maximum, or a work_size that is neither
  // 64 nor 224.
  absl::Status Validate() const;
};

// Crop area 0.2 to 1, grey 0.2, jitter 0.4/0.4/0.4/0.4 always, flip 0.5.
AugmentOptions InstanceRecognitionAugmentation();

// MoCo v2 and SimSiam: crop area 0.2 to 1, jitter 0.4/0.4/0.4/0.1 with probability
// 0.8, then grey 0.2, blur 0.1 to 2 with probability 0.5, flip 0.5.
AugmentOptions MocoAugmentation();

// Barlow Twins and VICReg: bicubic crop, area 0.08 to 1, flip 0.5, jitter
// 0.4/0.4/0.2/0.1 with probability 0.8, then grey 0.2; the first view always
// blurred and never solarized, the second with probabilities 0.1 and 0.2.
AugmentOptions TwinAugmentation();

// RotNet, autoencoder, supervised: crop area 0.08 to 1, flip 0.5.
AugmentOptions CropAugmentation();

// Crop area 0.08 to 1, flip 0.5, jitter 0.8/0.8/0.8/0.2 with probability 0.8,
// then grey 0.2, blur 0.1 to 2 with probability 0.5.
AugmentOptions SimClrAugmentation();

// One random view of a height x width RGB image as 3 x 64 x 64 normalised floats.
// A function of the options, the pixels and the stream's numbers. Allocates
// nothing once a thread has made its first view.
void AugmentInto(const AugmentOptions& options, const uint8_t* pixels, int height,
                 int width, RandomStream& stream, float* chw_out);

// The steps of AugmentInto, one by one, on planes: `area` bytes of red, then of
// green, then of blue. Each gives Pillow's bytes (tests/golden/images).
namespace augment {

void Grayscale(uint8_t* planes, int area);
void Brightness(uint8_t* planes, int area, float factor);
void Contrast(uint8_t* planes, int area, float factor);
void Saturation(uint8_t* planes, int area, float factor);
// Turns by `turns` of the circle, in [-0.5, 0.5], on 8-bit hue.
void Hue(uint8_t* planes, int area, float turns);
// Three box passes along rows, three along columns; deviation in pixels, up to 10.
// `scratch` holds `area` bytes.
void GaussianBlur(uint8_t* planes, int side, float deviation, uint8_t* scratch);
// One of its passes is, per pixel, (inside * the 2 radius + 1 nearest + end * the two
// beyond + 2^23) / 2^24, with the border's pixel beyond the border.
struct Box {
  int radius;
  uint32_t inside, end;
};
inline constexpr int kBoxPasses = 3;
Box GaussianBox(float deviation);
void Solarize(uint8_t* planes, int area);

}  // namespace augment

}  // namespace iat

#endif  // IAT_IMAGES_AUGMENT_H_
