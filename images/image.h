// Images in memory: decoding, encoding, and the way to the network's input.
//
// Pixels  uint8 RGB, height x width x 3, C order (row by row, channels last).
// Input   float32 CHW, (pixel / 255 - mean) / deviation with ImageNet's constants.
//
// Preprocessing (Preprocess), as the reference models were trained and tested
// (torchvision's Resize, CenterCrop, Resize on Pillow images):
//   already size x size        used as it is
//   anything else              shorter side to 256, the longer one to
//                              int(256 * long / short); central 224 x 224, the
//                              offset rounded half to even; then to size x size
// Both resizes are Pillow's antialiased bilinear one, bit for bit: a triangle as
// wide as the shrinking factor, columns first, rounded to 8 bits between.
//
// Example:
//   IAT_ASSIGN_OR_RETURN(Image image, DecodeImage(bytes, "cats/tom.jpg"));
//   const Image input = Preprocess(image, 64);

#ifndef IAT_IMAGES_IMAGE_H_
#define IAT_IMAGES_IMAGE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace iat {

struct Image {
  int height = 0;
  int width = 0;
  std::vector<uint8_t> pixels;  // height x width x 3, RGB

  bool operator==(const Image&) const = default;
};

// Side of the network's input.
inline constexpr int kInputSide = 64;

// ImageNet's mean and deviation of R, G, B on the scale 0 ... 1.
inline constexpr float kChannelMean[3] = {0.485f, 0.456f, 0.406f};
inline constexpr float kChannelDeviation[3] = {0.229f, 0.224f, 0.225f};

// JPEG, PNG, BMP, TIFF or WebP; grey images get three equal channels, an alpha
// channel is dropped, and a rotation noted in EXIF is not applied (as the
// reference's loader). `name` is what errors call the image.
// DataLoss: truncated or damaged, also where the codec itself would only warn and
// return a half grey picture. InvalidArgument: not an image, or empty.
absl::StatusOr<Image> DecodeImage(absl::string_view bytes, absl::string_view name);

// The bytes of a PNG file.
absl::StatusOr<std::string> EncodePng(const Image& image);

// Pillow's Image.resize(..., BILINEAR): antialiased when shrinking, half-pixel
// bilinear when enlarging.
Image Resize(const Image& image, int height, int width);

// The reference preprocessing above. Returns a size x size image.
Image Preprocess(Image image, int size);

// What Preprocess does, in words, for the attributes of files.
std::string PreprocessingInWords(int size);

// Writes (pixel / 255 - mean) / deviation as 3 x height x width.
void NormalizeInto(const uint8_t* pixels, int height, int width, float* chw_out);

// "jpg", "png", ...: whether a file of this name is taken for an image.
bool HasImageExtension(absl::string_view name);
// ".jpg, .jpeg, .png, ..." for messages.
std::string ImageExtensionsInWords();

}  // namespace iat

#endif  // IAT_IMAGES_IMAGE_H_
