#include "images/augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "images/resample.h"
#include "images/view_draw.h"

namespace iat {
namespace {

constexpr double kMaxBlur = 10.0;
// Three box passes of deviation kMaxBlur reach 9 pixels and a fraction.
constexpr int kMaxBoxRadius = 10;

// Working memory of a thread, kept from view to view.
struct Scratch {
  ResampleScratch resample;
  std::vector<uint8_t> interleaved;  // work_size x work_size x 3
  std::vector<uint8_t> planes;       // 3 x work_size x work_size
  std::vector<uint8_t> plane;        // one more
};

Scratch& ThreadScratch() {
  thread_local Scratch scratch;
  return scratch;
}

// Pillow's "L" of one pixel.
inline int Grey(int red, int green, int blue) {
  return (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16;
}

// Pillow's blend, from `base` (factor 0) to `value` (factor 1) and beyond.
inline uint8_t Blend(float base, float value, float factor) {
  const float blended = base + factor * (value - base);
  return static_cast<uint8_t>(
      static_cast<int>(std::min(std::max(blended, 0.0f), 255.0f)));
}

void Split(const uint8_t* interleaved, int area, uint8_t* planes) {
  uint8_t *red = planes, *green = planes + area, *blue = planes + 2 * area;
  for (int i = 0; i < area; ++i) {
    red[i] = interleaved[3 * i];
    green[i] = interleaved[3 * i + 1];
    blue[i] = interleaved[3 * i + 2];
  }
}

void Interleave(const uint8_t* planes, int area, uint8_t* interleaved) {
  const uint8_t *red = planes, *green = planes + area, *blue = planes + 2 * area;
  for (int i = 0; i < area; ++i) {
    interleaved[3 * i] = red[i];
    interleaved[3 * i + 1] = green[i];
    interleaved[3 * i + 2] = blue[i];
  }
}

// chw_out = (planes / 255 - mean) / deviation, mirrored when `flip`.
void Normalize(const uint8_t* planes, bool flip, float* chw_out) {
  constexpr int kArea = kInputSide * kInputSide;
  for (int channel = 0; channel < 3; ++channel) {
    const float mean = kChannelMean[channel], deviation = kChannelDeviation[channel];
    const uint8_t* in = planes + channel * kArea;
    float* out = chw_out + channel * kArea;
    for (int i = 0; i < kArea; ++i) {
      out[i] = (static_cast<float>(in[i]) / 255.0f - mean) / deviation;
    }
    if (!flip) continue;
    for (int row = 0; row < kInputSide; ++row) {
      std::reverse(out + row * kInputSide, out + (row + 1) * kInputSide);
    }
  }
}

using augment::Box;
using augment::kBoxPasses;

// out(x) = the box's weighted sum over inputs[0..2 radius + 2](x): neighbours in a
// row or in a column, whichever the pointers say.
void BoxSum(const Box& box, const uint8_t* const* inputs, int n, uint8_t* out) {
  constexpr uint32_t kHalf = 1u << 23;
  const int last = 2 * box.radius + 2;
  const uint8_t *low = inputs[0], *high = inputs[last];
  const uint32_t inside = box.inside, end = box.end;
  if (box.radius == 0) {
    const uint8_t* centre = inputs[1];
    for (int x = 0; x < n; ++x) {
      const uint32_t ends = uint32_t{low[x]} + high[x];
      out[x] = static_cast<uint8_t>((inside * centre[x] + end * ends + kHalf) >> 24);
    }
    return;
  }
  uint32_t sums[kReferenceWorkSize];
  std::fill_n(sums, n, 0u);
  for (int k = 1; k < last; ++k) {
    const uint8_t* input = inputs[k];
    for (int x = 0; x < n; ++x) sums[x] += input[x];
  }
  for (int x = 0; x < n; ++x) {
    const uint32_t ends = uint32_t{low[x]} + high[x];
    out[x] = static_cast<uint8_t>((inside * sums[x] + end * ends + kHalf) >> 24);
  }
}

void BlurRows(const Box& box, uint8_t* plane, int side) {
  const int pad = box.radius + 1;
  std::array<uint8_t, kReferenceWorkSize + 2 * (kMaxBoxRadius + 1)> line;
  std::array<const uint8_t*, 2 * kMaxBoxRadius + 3> inputs;
  for (int k = 0; k <= 2 * pad; ++k) inputs[k] = line.data() + k;
  for (int row = 0; row < side; ++row) {
    uint8_t* values = plane + row * side;
    for (int pass = 0; pass < kBoxPasses; ++pass) {
      std::fill_n(line.data(), pad, values[0]);
      std::copy_n(values, side, line.data() + pad);
      std::fill_n(line.data() + pad + side, pad, values[side - 1]);
      BoxSum(box, inputs.data(), side, values);
    }
  }
}

void BlurColumns(const Box& box, uint8_t* plane, int side, uint8_t* scratch) {
  std::array<const uint8_t*, 2 * kMaxBoxRadius + 3> inputs;
  const int pad = box.radius + 1;
  for (int pass = 0; pass < kBoxPasses; ++pass) {
    std::memcpy(scratch, plane, static_cast<size_t>(side) * side);
    for (int row = 0; row < side; ++row) {
      for (int k = 0; k <= 2 * pad; ++k) {
        inputs[k] = scratch + std::clamp(row + k - pad, 0, side - 1) * side;
      }
      BoxSum(box, inputs.data(), side, plane + row * side);
    }
  }
}

// How much of the saturation each 8-bit hue takes from R, G and B: a channel is
// value * (1 - saturation * share).
struct HueTable {
  std::array<std::array<float, 256>, 3> share;

  HueTable() {
    for (int hue = 0; hue < 256; ++hue) {
      const double turn = hue * 6.0 / 255.0;
      const int sector = static_cast<int>(turn);
      const float rising = static_cast<float>(turn - sector);
      const float falling = static_cast<float>(1.0 - rising);
      const float shares[6][3] = {{0, falling, 1}, {rising, 0, 1},  {1, 0, falling},
                                  {1, rising, 0},  {falling, 1, 0}, {0, 1, rising}};
      for (int c = 0; c < 3; ++c) share[c][hue] = shares[sector % 6][c];
    }
  }
};

// Pillow's 8-bit HSV, in its own mixture of single and double precision.
void ToHsv(const uint8_t* red, const uint8_t* green, const uint8_t* blue, int n,
           int32_t* hue, float* saturation, float* value) {
  for (int i = 0; i < n; ++i) {
    const int r = red[i], g = green[i], b = blue[i];
    const int high = std::max(r, std::max(g, b));
    const int low = std::min(r, std::min(g, b));
    const float spread = static_cast<float>(std::max(high - low, 1));
    const float rc = static_cast<float>(high - r) / spread;
    const float gc = static_cast<float>(high - g) / spread;
    const float bc = static_cast<float>(high - b) / spread;
    const float from_red = bc - gc;
    const float from_green = static_cast<float>(2.0 + rc - bc);
    const float from_blue = static_cast<float>(4.0 + gc - rc);
    const float sixths = r == high ? from_red : (g == high ? from_green : from_blue);
    double turn = sixths / 6.0 + 1.0;
    turn = turn >= 1.0 ? turn - 1.0 : turn;
    const float s = spread / static_cast<float>(std::max(high, 1));
    const bool coloured = high != low;
    hue[i] = coloured ? static_cast<int32_t>(static_cast<float>(turn) * 255.0) : 0;
    const float steps =
        static_cast<float>(coloured ? static_cast<int32_t>(s * 255.0) : 0);
    saturation[i] = steps / 255.0f;
    value[i] = static_cast<float>(high);
  }
}

void FromHsv(const float* share, const float* saturation, const float* value, int n,
             uint8_t* out) {
  for (int i = 0; i < n; ++i) {
    out[i] = static_cast<uint8_t>(
        static_cast<int>(value[i] * (1.0f - saturation[i] * share[i]) + 0.5f));
  }
}

// Operations of no range are left out: their bytes would not come back quite the same.
void Jitter(const AugmentOptions& options, const ViewDraw& draw, uint8_t* planes,
            int area) {
  for (const JitterOperation operation : draw.order) {
    switch (operation) {
      case JitterOperation::kBrightness:
        if (options.brightness > 0) augment::Brightness(planes, area, draw.brightness);
        break;
      case JitterOperation::kContrast:
        if (options.contrast > 0) augment::Contrast(planes, area, draw.contrast);
        break;
      case JitterOperation::kSaturation:
        if (options.saturation > 0) augment::Saturation(planes, area, draw.saturation);
        break;
      case JitterOperation::kHue:
        if (options.hue > 0) augment::Hue(planes, area, draw.hue);
    }
  }
}

}  // namespace

namespace augment {

void Grayscale(uint8_t* planes, int area) {
  uint8_t *red = planes, *green = planes + area, *blue = planes + 2 * area;
  for (int i = 0; i < area; ++i) {
    const uint8_t grey = static_cast<uint8_t>(Grey(red[i], green[i], blue[i]));
    red[i] = grey;
    green[i] = grey;
    blue[i] = grey;
  }
}

void Brightness(uint8_t* planes, int area, float factor) {
  for (int i = 0; i < 3 * area; ++i) planes[i] = Blend(0.0f, planes[i], factor);
}

void Contrast(uint8_t* planes, int area, float factor) {
  const uint8_t *red = planes, *green = planes + area, *blue = planes + 2 * area;
  int64_t sum = 0;
  for (int i = 0; i < area; ++i) sum += Grey(red[i], green[i], blue[i]);
  const float mean =
      static_cast<float>(static_cast<int>(static_cast<double>(sum) / area + 0.5));
  for (int i = 0; i < 3 * area; ++i) planes[i] = Blend(mean, planes[i], factor);
}

void Saturation(uint8_t* planes, int area, float factor) {
  uint8_t *red = planes, *green = planes + area, *blue = planes + 2 * area;
  for (int i = 0; i < area; ++i) {
    const float grey = static_cast<float>(Grey(red[i], green[i], blue[i]));
    red[i] = Blend(grey, red[i], factor);
    green[i] = Blend(grey, green[i], factor);
    blue[i] = Blend(grey, blue[i], factor);
  }
}

void Hue(uint8_t* planes, int area, float turns) {
  static const HueTable table;
  // torchvision adds uint8(turns * 255): towards zero, then modulo 256.
  const int shift = static_cast<int>(turns * 255.0f);
  constexpr int kBlock = 256;
  alignas(64) int32_t hue[kBlock];
  alignas(64) float saturation[kBlock], value[kBlock], share[kBlock];
  for (int start = 0; start < area; start += kBlock) {
    const int n = std::min(kBlock, area - start);
    uint8_t* red = planes + start;
    ToHsv(red, red + area, red + 2 * area, n, hue, saturation, value);
    for (int c = 0; c < 3; ++c) {
      for (int i = 0; i < n; ++i) share[i] = table.share[c][(hue[i] + shift) & 255];
      FromHsv(share, saturation, value, n, red + c * area);
    }
  }
}

Box GaussianBox(float deviation) {
  // Gwosdek et al., SSVM 2011, equations 7, 11 and 14; in the precision Pillow has.
  const float variance = deviation * deviation / kBoxPasses;
  const float length = static_cast<float>(std::sqrt(12.0 * variance + 1.0));
  const float whole = static_cast<float>(std::floor((length - 1.0) / 2.0));
  float fraction = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance);
  fraction /= 6 * (variance - (whole + 1) * (whole + 1));
  const float radius = whole + fraction;
  Box box;
  box.radius = static_cast<int>(radius);
  box.inside = static_cast<uint32_t>((1 << 24) / (radius * 2 + 1));
  box.end = ((1 << 24) - (2 * box.radius + 1) * box.inside) / 2;
  return box;
}

void GaussianBlur(uint8_t* planes, int side, float deviation, uint8_t* scratch) {
  const Box box = GaussianBox(deviation);
  for (int channel = 0; channel < 3; ++channel) {
    uint8_t* plane = planes + static_cast<size_t>(channel) * side * side;
    BlurRows(box, plane, side);
    BlurColumns(box, plane, side, scratch);
  }
}

void Solarize(uint8_t* planes, int area) {
  constexpr uint8_t kThreshold = 128;
  for (int i = 0; i < 3 * area; ++i) {
    const uint8_t value = planes[i];
    planes[i] = value < kThreshold ? value : static_cast<uint8_t>(255 - value);
  }
}

}  // namespace augment

void AugmentOptions::Describe(OptionVisitor& visitor) {
  visitor.Integer("work_size", work_size, {.min = kInputSide, .max = kReferenceWorkSize},
                  "side at which views are made: 64, the network's own, or 224, the "
                  "reference's (about ten times slower)");
  const NumberRange share = {.min = 0.0, .max = 1.0};
  const NumberRange area = {.min = 0.0, .max = 1.0, .min_excluded = true};
  visitor.Number("min_crop_area", min_crop_area, area,
                 "smallest share of the image's area that a random crop takes");
  visitor.Number("max_crop_area", max_crop_area, area,
                 "largest share of the image's area that a random crop takes");
  const NumberRange aspect = {.min = 0.1, .max = 10.0};
  visitor.Number("min_crop_aspect", min_crop_aspect, aspect,
                 "smallest width / height of a crop");
  visitor.Number("max_crop_aspect", max_crop_aspect, aspect,
                 "largest width / height of a crop");
  visitor.Choice("crop_filter", crop_filter, {"bilinear", "bicubic"},
                 "how a crop is resized");
  visitor.Number("flip_probability", flip_probability, share, "left to right");
  visitor.Number("grayscale_probability", grayscale_probability, share,
                 "all three channels the same grey");
  visitor.Flag("grayscale_first", grayscale_first,
               "grey before colour jitter (Instance Recognition) or after it (SimCLR)");
  visitor.Number("jitter_probability", jitter_probability, share, "of colour jitter");
  visitor.Number("brightness", brightness, {.min = 0.0, .max = 1.0},
                 "jitter: factor from 1 - x to 1 + x");
  visitor.Number("contrast", contrast, {.min = 0.0, .max = 1.0},
                 "jitter: factor from 1 - x to 1 + x");
  visitor.Number("saturation", saturation, {.min = 0.0, .max = 1.0},
                 "jitter: factor from 1 - x to 1 + x");
  visitor.Number("hue", hue, {.min = 0.0, .max = 0.5},
                 "jitter: turn of the colour circle from -x to x");
  visitor.Number("blur_probability", blur_probability, share, "of Gaussian blur");
  const NumberRange blur = {.min = 0.0, .max = kMaxBlur};
  visitor.Number("min_blur", min_blur, blur, "smallest deviation, pixels at 224");
  visitor.Number("max_blur", max_blur, blur, "largest deviation, pixels at 224");
  visitor.Number("solarize_probability", solarize_probability, share,
                 "of turning values from 128 on upside down");
  const NumberRange second = {.min = -1.0, .max = 1.0};
  visitor.Number("second_blur_probability", second_blur_probability, second,
                 "blur of an image's second view; below 0: as the first");
  visitor.Number("second_solarize_probability", second_solarize_probability, second,
                 "solarize of an image's second view; below 0: as the first");
}

absl::Status AugmentOptions::Validate() const {
  if (work_size != kInputSide && work_size != kReferenceWorkSize) {
    return absl::InvalidArgumentError(absl::StrCat("work_size is ", work_size,
                                                   "; expected ", kInputSide, " or ",
                                                   kReferenceWorkSize));
  }
  const auto ordered = [](const char* low_name, double low, const char* high_name,
                          double high) -> absl::Status {
    if (low <= high) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(low_name, " is ", low, ", above ", high_name, " = ", high));
  };
  absl::Status status =
      ordered("min_crop_area", min_crop_area, "max_crop_area", max_crop_area);
  status.Update(
      ordered("min_crop_aspect", min_crop_aspect, "max_crop_aspect", max_crop_aspect));
  status.Update(ordered("min_blur", min_blur, "max_blur", max_blur));
  return status;
}

AugmentOptions AugmentOptions::ForView(int view) const {
  AugmentOptions options = *this;
  if (view > 0) {
    if (second_blur_probability >= 0.0) {
      options.blur_probability = second_blur_probability;
    }
    if (second_solarize_probability >= 0.0) {
      options.solarize_probability = second_solarize_probability;
    }
  }
  return options;
}

AugmentOptions InstanceRecognitionAugmentation() { return {}; }

AugmentOptions MocoAugmentation() {
  AugmentOptions options;
  options.grayscale_first = false;
  options.jitter_probability = 0.8;
  options.hue = 0.1;
  options.blur_probability = 0.5;
  return options;
}

AugmentOptions TwinAugmentation() {
  AugmentOptions options = MocoAugmentation();
  options.min_crop_area = 0.08;
  options.crop_filter = "bicubic";
  options.saturation = 0.2;
  options.blur_probability = 1.0;
  options.second_blur_probability = 0.1;
  options.second_solarize_probability = 0.2;
  return options;
}

AugmentOptions CropAugmentation() {
  AugmentOptions options;
  options.min_crop_area = 0.08;
  options.grayscale_probability = options.jitter_probability = 0.0;
  return options;
}

AugmentOptions SimClrAugmentation() {
  AugmentOptions options;
  options.min_crop_area = 0.08;
  options.grayscale_first = false;
  options.jitter_probability = 0.8;
  options.brightness = options.contrast = options.saturation = 0.8;
  options.hue = 0.2;
  options.blur_probability = 0.5;
  return options;
}

void AugmentInto(const AugmentOptions& options, const uint8_t* pixels, int height,
                 int width, RandomStream& stream, float* chw_out) {
  const int side = static_cast<int>(options.work_size);
  const int area = side * side;
  Scratch& scratch = ThreadScratch();
  scratch.interleaved.resize(static_cast<size_t>(area) * 3);
  scratch.planes.resize(static_cast<size_t>(area) * 3);
  scratch.plane.resize(area);
  uint8_t* planes = scratch.planes.data();

  const ViewDraw draw = DrawView(options, height, width, stream);
  ResampleBox(pixels, width, draw.crop.top, draw.crop.left, draw.crop.height,
              draw.crop.width, side, side, scratch.resample, scratch.interleaved.data(),
              options.crop_filter == "bicubic" ? ResampleFilter::kBicubic
                                               : ResampleFilter::kBilinear);
  Split(scratch.interleaved.data(), area, planes);
  if (draw.grey && options.grayscale_first) augment::Grayscale(planes, area);
  if (draw.jitter) Jitter(options, draw, planes, area);
  if (draw.grey && !options.grayscale_first) augment::Grayscale(planes, area);
  if (draw.blur > 0) augment::GaussianBlur(planes, side, draw.blur, scratch.plane.data());
  if (draw.solarize) augment::Solarize(planes, area);

  if (side != kInputSide) {
    Interleave(planes, area, scratch.interleaved.data());
    // The larger planes are done with: they hold the small interleaved view.
    uint8_t* small = planes;
    ResampleBox(scratch.interleaved.data(), side, 0, 0, side, side, kInputSide,
                kInputSide, scratch.resample, small);
    Split(small, kInputSide * kInputSide, scratch.interleaved.data());
    planes = scratch.interleaved.data();
  }
  Normalize(planes, draw.flip, chw_out);
}

}  // namespace iat
