#include "images/image.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "images/jpeg.h"
#include "images/resample.h"

namespace iat {
namespace {

constexpr int kResizedShorterSide = 256;
constexpr int kCropSide = 224;

constexpr std::array<absl::string_view, 7> kExtensions = {".jpg", ".jpeg", ".png", ".bmp",
                                                          ".tif", ".tiff", ".webp"};

constexpr absl::string_view kPngSignature = "\x89PNG\r\n\x1a\n";

bool HasKnownSignature(absl::string_view bytes) {
  return absl::StartsWith(bytes, kPngSignature) || absl::StartsWith(bytes, "BM") ||
         absl::StartsWith(bytes, absl::string_view("II*\0", 4)) ||
         absl::StartsWith(bytes, absl::string_view("MM\0*", 4)) ||
         (absl::StartsWith(bytes, "RIFF") && bytes.size() >= 12 &&
          bytes.substr(8, 4) == "WEBP");
}

// Whether the chunks of a PNG file, each a length, a name, data and a checksum,
// follow one another to the closing IEND.
bool IsWholePng(absl::string_view bytes) {
  constexpr size_t kChunkOverhead = 12;
  bytes.remove_prefix(kPngSignature.size());
  while (bytes.size() >= kChunkOverhead) {
    size_t length = 0;
    for (int i = 0; i < 4; ++i) length = length << 8 | static_cast<uint8_t>(bytes[i]);
    if (length > bytes.size() - kChunkOverhead) return false;
    if (bytes.substr(4, 4) == "IEND") return true;
    bytes.remove_prefix(length + kChunkOverhead);
  }
  return false;
}

uint64_t LittleEndian32(absl::string_view bytes, size_t at) {
  uint64_t value = 0;
  for (size_t i = 4; i > 0; --i) {
    value = value << 8 | static_cast<uint8_t>(bytes[at + i - 1]);
  }
  return value;
}

// Whether the file is shorter than its own header says. Asked before decoding,
// because codecs complain on stderr. TIFF, read at offsets, is left to its codec.
bool IsCutShort(absl::string_view bytes) {
  if (absl::StartsWith(bytes, kPngSignature)) return !IsWholePng(bytes);
  constexpr size_t kBmpHeader = 26, kRiffHeader = 8;
  if (absl::StartsWith(bytes, "BM")) {
    return bytes.size() < kBmpHeader || LittleEndian32(bytes, 2) > bytes.size();
  }
  if (absl::StartsWith(bytes, "RIFF")) {
    return LittleEndian32(bytes, 4) + kRiffHeader > bytes.size();
  }
  return false;
}

// OpenCV keeps blue first. (Its own conversion would start threads.)
void SwapRedAndBlue(const uint8_t* in, std::vector<uint8_t>& out) {
  for (size_t i = 0; i + 2 < out.size(); i += 3) {
    out[i] = in[i + 2];
    out[i + 1] = in[i + 1];
    out[i + 2] = in[i];
  }
}

absl::StatusOr<Image> DecodeWithOpenCv(absl::string_view bytes, absl::string_view name) {
  Image image;
  try {
    const cv::Mat encoded(1, static_cast<int>(bytes.size()), CV_8UC1,
                          const_cast<char*>(bytes.data()));
    const cv::Mat decoded =
        cv::imdecode(encoded, cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION);
    if (decoded.empty()) {
      return absl::DataLossError(
          absl::StrCat(name, ": truncated or damaged image of ", bytes.size(), " bytes"));
    }
    image.height = decoded.rows;
    image.width = decoded.cols;
    image.pixels.resize(static_cast<size_t>(image.height) * image.width * 3);
    SwapRedAndBlue(decoded.data, image.pixels);
  } catch (const cv::Exception& error) {
    return absl::DataLossError(absl::StrCat(name, ": cannot be decoded: ", error.err));
  }
  return image;
}

}  // namespace

absl::StatusOr<Image> DecodeImage(absl::string_view bytes, absl::string_view name) {
  if (bytes.empty())
    return absl::InvalidArgumentError(absl::StrCat(name, ": empty file"));
  if (IsJpeg(bytes)) return DecodeJpeg(bytes, name);
  if (!HasKnownSignature(bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": not an image; expected JPEG, PNG, BMP, TIFF or WebP data"));
  }
  if (IsCutShort(bytes)) {
    return absl::DataLossError(
        absl::StrCat(name, ": truncated image: only ", bytes.size(), " bytes"));
  }
  return DecodeWithOpenCv(bytes, name);
}

absl::StatusOr<std::string> EncodePng(const Image& image) {
  try {
    std::vector<uint8_t> swapped(image.pixels.size());
    SwapRedAndBlue(image.pixels.data(), swapped);
    const cv::Mat bgr(image.height, image.width, CV_8UC3, swapped.data());
    std::vector<uint8_t> bytes;
    if (cv::imencode(".png", bgr, bytes)) return std::string(bytes.begin(), bytes.end());
  } catch (const cv::Exception& error) {
    return absl::InternalError(absl::StrCat("cannot encode a ", image.height, " x ",
                                            image.width, " PNG: ", error.err));
  }
  return absl::InternalError(
      absl::StrCat("cannot encode a ", image.height, " x ", image.width, " PNG"));
}

Image Resize(const Image& image, int height, int width) {
  Image out{height, width, std::vector<uint8_t>(static_cast<size_t>(height) * width * 3)};
  ResampleScratch scratch;
  ResampleBox(image.pixels.data(), image.width, 0, 0, image.height, image.width, height,
              width, scratch, out.pixels.data());
  return out;
}

Image Preprocess(Image image, int size) {
  if (image.height == size && image.width == size) return image;
  const int64_t shorter = std::min(image.height, image.width);
  const auto scaled = [&](int64_t side) {
    return static_cast<int>(kResizedShorterSide * side / shorter);
  };
  Image resized = std::move(image);
  if (shorter != kResizedShorterSide) {
    resized = Resize(resized, scaled(resized.height), scaled(resized.width));
  }
  // std::nearbyint rounds halves to even, as Python's round does.
  const int top = static_cast<int>(std::nearbyint((resized.height - kCropSide) / 2.0));
  const int left = static_cast<int>(std::nearbyint((resized.width - kCropSide) / 2.0));
  Image out{size, size, std::vector<uint8_t>(static_cast<size_t>(size) * size * 3)};
  ResampleScratch scratch;
  ResampleBox(resized.pixels.data(), resized.width, top, left, kCropSide, kCropSide, size,
              size, scratch, out.pixels.data());
  return out;
}

std::string PreprocessingInWords(int size) {
  return absl::StrCat(
      "RGB; images of ", size, "x", size,
      " as they are, others with the shorter side resized to ", kResizedShorterSide,
      ", centre crop ", kCropSide, ", resized to ", size,
      " (antialiased bilinear); then (pixel/255 - mean)/deviation with mean "
      "0.485 0.456 0.406 and deviation 0.229 0.224 0.225");
}

void NormalizeInto(const uint8_t* pixels, int height, int width, float* chw_out) {
  const int area = height * width;
  for (int channel = 0; channel < 3; ++channel) {
    const float mean = kChannelMean[channel], deviation = kChannelDeviation[channel];
    float* out = chw_out + static_cast<size_t>(channel) * area;
    for (int i = 0; i < area; ++i) {
      out[i] = (static_cast<float>(pixels[3 * i + channel]) / 255.0f - mean) / deviation;
    }
  }
}

bool HasImageExtension(absl::string_view name) {
  const std::string lower = absl::AsciiStrToLower(name);
  return std::any_of(kExtensions.begin(), kExtensions.end(),
                     [&](absl::string_view e) { return absl::EndsWith(lower, e); });
}

std::string ImageExtensionsInWords() { return absl::StrJoin(kExtensions, ", "); }

}  // namespace iat
