#include "images/dead_leaves.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numbers>
#include <opencv2/core.hpp>
#include <vector>

#include "absl/strings/str_format.h"
#include "base/random.h"
#include "images/resample.h"

namespace iat {
namespace {

// Pictures are rendered at twice their size: "fine" pixels.
constexpr int kFine = 2 * DeadLeaves::kSide;
constexpr int kWords = kFine / 64;
static_assert(kFine % 64 == 0);

// ---------------------------------------------------------------- textures

constexpr int kTextureSide = 256;  // periodic, so any patch of it will do
constexpr int kTextureMask = kTextureSide - 1;
constexpr int kNumTextures = 48;
constexpr float kTextureDeviation = 40.0f;  // of the signed bytes stored

using Texture = std::vector<int8_t>;  // kTextureSide x kTextureSide

// Gaussian noise whose amplitude spectrum is `filter(fx, fy)`, in cycles a side.
template <typename Filter>
cv::Mat1f FilteredNoise(RandomStream& stream, const Filter& filter) {
  cv::Mat1f noise(kTextureSide, kTextureSide);
  for (float& value : noise) value = static_cast<float>(stream.Normal());
  cv::Mat2f spectrum;
  cv::dft(noise, spectrum, cv::DFT_COMPLEX_OUTPUT);
  for (int y = 0; y < kTextureSide; ++y) {
    for (int x = 0; x < kTextureSide; ++x) {
      const float fx = static_cast<float>(x < kTextureSide / 2 ? x : x - kTextureSide);
      const float fy = static_cast<float>(y < kTextureSide / 2 ? y : y - kTextureSide);
      spectrum(y, x) *= (x == 0 && y == 0) ? 0.0f : filter(fx, fy);
    }
  }
  cv::Mat1f out;
  cv::dft(spectrum, out, cv::DFT_INVERSE | cv::DFT_REAL_OUTPUT | cv::DFT_SCALE);
  return out;
}

void Standardize(cv::Mat1f& field) {
  double sum = 0, squares = 0;
  for (const float value : field) sum += value;
  const double mean = sum / static_cast<double>(field.total());
  for (const float value : field) squares += (value - mean) * (value - mean);
  const double deviation = std::sqrt(squares / static_cast<double>(field.total()));
  for (float& value : field) value = static_cast<float>((value - mean) / deviation);
}

// 1/f^a, grainy (0.7) to cloudy (1.5).
cv::Mat1f Clouds(RandomStream& stream) {
  const float exponent = static_cast<float>(stream.Uniform(0.7, 1.5));
  return FilteredNoise(stream, [&](float fx, float fy) {
    return std::pow(fx * fx + fy * fy, -exponent / 2);
  });
}

// 1/f along one axis, much slower along the other: grain, bark, grass.
cv::Mat1f Fibres(RandomStream& stream) {
  const float stretch = static_cast<float>(stream.Uniform(4.0, 12.0));
  const float exponent = static_cast<float>(stream.Uniform(0.8, 1.3));
  return FilteredNoise(stream, [&](float fx, float fy) {
    return std::pow(fx * fx + stretch * stretch * fy * fy, -exponent / 2);
  });
}

// One band of frequencies, its contrast pressed: spots and blotches.
cv::Mat1f Spots(RandomStream& stream) {
  const float centre =
      static_cast<float>(std::exp(stream.Uniform(std::log(6.0), std::log(28.0))));
  const float press = static_cast<float>(stream.Uniform(0.5, 4.0));
  cv::Mat1f field = FilteredNoise(stream, [&](float fx, float fy) {
    const float octaves = std::log2(std::sqrt(fx * fx + fy * fy) / centre);
    return std::exp(-4.0f * octaves * octaves);
  });
  Standardize(field);
  for (float& value : field) value = std::tanh(press * value);
  return field;
}

// A grating bent by clouds, plain or sharpened.
cv::Mat1f Stripes(RandomStream& stream) {
  const int cycles = 4 + static_cast<int>(stream.UniformInt(18));
  const float bend = static_cast<float>(stream.Uniform(0.2, 2.5));
  const float press = static_cast<float>(stream.Uniform(0.5, 3.0));
  cv::Mat1f warp = FilteredNoise(
      stream, [](float fx, float fy) { return std::pow(fx * fx + fy * fy, -0.9f); });
  Standardize(warp);
  cv::Mat1f field(kTextureSide, kTextureSide);
  for (int y = 0; y < kTextureSide; ++y) {
    for (int x = 0; x < kTextureSide; ++x) {
      const float phase = 2 * std::numbers::pi_v<float> * cycles * x / kTextureSide;
      field(y, x) = std::tanh(press * std::sin(phase + bend * warp(y, x)));
    }
  }
  return field;
}

// Distance to the nearest of random points on the torus: pebbles, cells.
cv::Mat1f Cells(RandomStream& stream) {
  const int num_points = 30 + static_cast<int>(stream.UniformInt(220));
  std::vector<std::array<int, 2>> points(num_points);
  for (auto& point : points) {
    point = {static_cast<int>(stream.UniformInt(kTextureSide)),
             static_cast<int>(stream.UniformInt(kTextureSide))};
  }
  cv::Mat1f field(kTextureSide, kTextureSide);
  for (int y = 0; y < kTextureSide; ++y) {
    std::array<int, kTextureSide> nearest;
    nearest.fill(2 * kTextureSide * kTextureSide);
    for (const auto& [px, py] : points) {
      int dy = std::abs(y - py);
      dy = std::min(dy, kTextureSide - dy);
      for (int x = 0; x < kTextureSide; ++x) {
        int dx = std::abs(x - px);
        dx = std::min(dx, kTextureSide - dx);
        nearest[x] = std::min(nearest[x], dx * dx + dy * dy);
      }
    }
    for (int x = 0; x < kTextureSide; ++x) {
      field(y, x) = -std::sqrt(static_cast<float>(nearest[x]));
    }
  }
  return field;
}

// Valleys of clouds: veins and cracks.
cv::Mat1f Veins(RandomStream& stream) {
  const float exponent = static_cast<float>(stream.Uniform(1.2, 1.8));
  cv::Mat1f field = FilteredNoise(stream, [&](float fx, float fy) {
    return std::pow(fx * fx + fy * fy, -exponent / 2);
  });
  Standardize(field);
  for (float& value : field) value = std::sqrt(std::abs(value));
  return field;
}

Texture MakeTexture(uint64_t seed, int index) {
  RandomStream stream(seed, "dead_leaves_texture", index);
  using Maker = cv::Mat1f (*)(RandomStream&);
  // Clouds twice: they are the commonest thing in nature.
  constexpr std::array<Maker, 8> kMakers = {Clouds, Fibres,  Clouds, Spots,
                                            Clouds, Stripes, Cells,  Veins};
  cv::Mat1f field = kMakers[index % kMakers.size()](stream);
  Standardize(field);
  Texture texture(kTextureSide * kTextureSide);
  for (int i = 0; i < kTextureSide * kTextureSide; ++i) {
    const float value =
        std::nearbyint(field(i / kTextureSide, i % kTextureSide) * kTextureDeviation);
    texture[i] = static_cast<int8_t>(std::clamp(value, -127.0f, 127.0f));
  }
  return texture;
}

// ------------------------------------------------------------------ scenes

using Colour = std::array<float, 3>;

Colour FromHsv(float hue, float saturation, float value) {
  Colour colour;
  for (int c = 0; c < 3; ++c) {
    float k = std::fmod(5.0f - 2.0f * static_cast<float>(c) + hue * 6.0f, 6.0f);
    if (k < 0) k += 6.0f;
    const float ramp = std::clamp(std::min(k, 4.0f - k), 0.0f, 1.0f);
    colour[c] = value * (1.0f - saturation * ramp);
  }
  return colour;
}

float Between(RandomStream& stream, float low, float high) {
  return low + (high - low) * stream.UniformFloat();
}
float LogBetween(RandomStream& stream, float low, float high) {
  return low * std::exp(std::log(high / low) * stream.UniformFloat());
}

enum ShapeKind { kEllipse, kPolygon, kBar, kLeaf, kNumShapeKinds };

// What all shapes of one picture share.
struct Scene {
  std::array<Colour, 6> palette;
  int num_colours;
  float colour_jitter;

  float min_radius, max_radius, size_exponent;   // fine pixels
  std::array<float, kNumShapeKinds> kind_up_to;  // cumulative shares
  float orientation, orientation_spread;

  std::array<int, 5> textures;
  float texture_contrast, texture_scale;

  std::array<float, 2> light;  // direction, unit length
  float shading, bulge, shadow, shadow_reach;
  float slope_x, slope_y;  // light falling off over the whole picture
  float softness;
};

Scene DrawScene(RandomStream& stream) {
  Scene scene;
  // Hues: near one, near two opposite ones, or anywhere.
  const float hue = stream.UniformFloat();
  const float mode = stream.UniformFloat();
  const float hue_spread = mode < 0.75f ? Between(stream, 0.01f, 0.09f) : 0.5f;
  const float opposite =
      mode > 0.4f && mode < 0.75f ? Between(stream, 0.35f, 0.65f) : 0.0f;
  const float saturation = Between(stream, 0.05f, 0.85f);
  const float brightness = Between(stream, 0.32f, 0.72f);
  const float brightness_spread = Between(stream, 0.2f, 0.6f);
  scene.num_colours = 3 + static_cast<int>(stream.UniformInt(4));
  for (int i = 0; i < scene.num_colours; ++i) {
    const float turned = hue + (i % 2 == 1 ? opposite : 0.0f) +
                         hue_spread * Between(stream, -1.0f, 1.0f) + 2.0f;
    const float s = std::clamp(saturation * Between(stream, 0.3f, 1.4f), 0.0f, 1.0f);
    const float v = std::clamp(
        brightness + brightness_spread * Between(stream, -1.0f, 1.0f), 0.05f, 0.97f);
    scene.palette[i] = FromHsv(turned - std::floor(turned), s, v);
  }
  scene.colour_jitter = Between(stream, 0.03f, 0.12f);

  scene.min_radius = LogBetween(stream, 2.6f, 9.0f);
  scene.max_radius = LogBetween(stream, 28.0f, 80.0f);
  scene.size_exponent = Between(stream, 2.6f, 3.3f);
  float total = 0;
  for (float& share : scene.kind_up_to) {
    const float weight = stream.UniformFloat();
    total += weight * weight * weight + 0.02f;
    share = total;
  }
  for (float& share : scene.kind_up_to) share /= total;
  scene.orientation = Between(stream, 0.0f, std::numbers::pi_v<float>);
  scene.orientation_spread = stream.UniformFloat() < 0.4f ? Between(stream, 0.05f, 0.6f)
                                                          : std::numbers::pi_v<float>;

  for (int& texture : scene.textures) {
    texture = static_cast<int>(stream.UniformInt(kNumTextures));
  }
  scene.texture_contrast = Between(stream, 0.05f, 0.5f);
  scene.texture_scale = LogBetween(stream, 0.35f, 1.6f);

  const float angle = Between(stream, 0.0f, 2 * std::numbers::pi_v<float>);
  scene.light = {std::cos(angle), std::sin(angle)};
  scene.shading = Between(stream, 0.0f, 0.35f);
  scene.bulge = stream.UniformFloat() < 0.5f ? Between(stream, 0.1f, 0.5f) : 0.05f;
  scene.shadow = Between(stream, 0.0f, 0.5f);
  scene.shadow_reach = Between(stream, 1.0f, 7.0f);
  scene.slope_x = Between(stream, -0.2f, 0.2f);
  scene.slope_y = Between(stream, -0.2f, 0.2f);
  scene.softness = Between(stream, 0.0f, 0.06f);
  return scene;
}

// A convex shape and its surface, in fine pixels.
struct Shape {
  static constexpr int kMaxCorners = 12;

  float x, y;           // centre
  float along, across;  // half extents
  float cosine, sine;   // of the orientation
  bool is_ellipse;
  int num_corners;
  std::array<float, kMaxCorners> corner_x, corner_y;

  Colour colour;          // 0 ... 255
  Colour texture_colour;  // added for each unit of the texture
  float lean_x, lean_y;   // shading, a fine pixel
  float bulge;            // darkening towards the rim
  const int8_t* texture;
  // Texture coordinates in 16.16 fixed point: at the origin, and a step in x.
  int32_t u, v, u_x, v_x, u_y, v_y;
};

void AddCorner(Shape& shape, float along, float across) {
  const int i = shape.num_corners++;
  shape.corner_x[i] = shape.x + along * shape.cosine - across * shape.sine;
  shape.corner_y[i] = shape.y + along * shape.sine + across * shape.cosine;
}

void DrawOutline(const Scene& scene, RandomStream& stream, Shape& shape) {
  const float q = scene.size_exponent - 1.0f;
  const float tail = std::pow(scene.min_radius / scene.max_radius, q);
  const float radius = scene.min_radius *
                       std::pow(1.0f - stream.UniformFloat() * (1.0f - tail), -1.0f / q);
  const float pick = stream.UniformFloat();
  int kind = 0;
  while (kind + 1 < kNumShapeKinds && pick > scene.kind_up_to[kind]) ++kind;
  const float angle =
      scene.orientation + scene.orientation_spread * Between(stream, -1, 1);
  shape.cosine = std::cos(angle);
  shape.sine = std::sin(angle);
  shape.along = radius;
  // Thinner shapes are longer, so that their area stays about the same.
  float aspect = 1.0f;
  if (kind == kEllipse || kind == kPolygon) aspect = Between(stream, 0.45f, 1.0f);
  if (kind == kBar) aspect = LogBetween(stream, 0.08f, 0.4f);
  if (kind == kLeaf) aspect = Between(stream, 0.25f, 0.55f);
  const float stretch = 1.0f / std::sqrt(aspect);
  shape.along = radius * stretch;
  shape.across = shape.along * aspect;
  const float reach = shape.along;
  shape.x = Between(stream, -reach, kFine + reach);
  shape.y = Between(stream, -reach, kFine + reach);
  shape.is_ellipse = kind == kEllipse;
  shape.num_corners = 0;
  if (kind == kPolygon) {
    const int corners = 3 + static_cast<int>(stream.UniformInt(5));
    const float turn = 2 * std::numbers::pi_v<float> / static_cast<float>(corners);
    const float start = Between(stream, 0.0f, turn);
    for (int i = 0; i < corners; ++i) {
      const float at =
          start + turn * (static_cast<float>(i) + Between(stream, -0.35f, 0.35f));
      AddCorner(shape, shape.along * std::cos(at), shape.across * std::sin(at));
    }
  } else if (kind == kBar) {
    AddCorner(shape, -shape.along, -shape.across);
    AddCorner(shape, shape.along, -shape.across);
    AddCorner(shape, shape.along, shape.across);
    AddCorner(shape, -shape.along, shape.across);
  } else if (kind == kLeaf) {
    // Two parabolas that meet in points.
    constexpr int kSteps = 6;
    for (int i = 0; i < 2 * kSteps; ++i) {
      const float t = 2.0f * static_cast<float>(i % kSteps) / kSteps - 1.0f;
      const float side = i < kSteps ? -1.0f : 1.0f;
      AddCorner(shape, -side * t * shape.along, side * (1.0f - t * t) * shape.across);
    }
  }
}

void DrawSurface(const Scene& scene, const std::vector<Texture>& textures,
                 RandomStream& stream, Shape& shape) {
  const Colour& base = scene.palette[stream.UniformInt(scene.num_colours)];
  const float lightness = scene.colour_jitter * Between(stream, -1.0f, 1.0f);
  for (int c = 0; c < 3; ++c) {
    const float own = 0.5f * scene.colour_jitter * Between(stream, -1.0f, 1.0f);
    shape.colour[c] = 255.0f * std::clamp(base[c] + lightness + own, 0.02f, 0.98f);
  }
  // Texture brightens and darkens the colour it lies on, tinted a little.
  const float contrast =
      scene.texture_contrast * Between(stream, 0.4f, 1.6f) / kTextureDeviation;
  for (int c = 0; c < 3; ++c) {
    shape.texture_colour[c] =
        contrast * (0.75f * shape.colour[c] + 40.0f * Between(stream, 0.5f, 1.5f));
  }
  shape.texture =
      textures[scene.textures[stream.UniformInt(scene.textures.size())]].data();
  const float lean = scene.shading * Between(stream, 0.3f, 1.3f) / shape.along;
  shape.lean_x = lean * scene.light[0];
  shape.lean_y = lean * scene.light[1];
  shape.bulge = scene.bulge * Between(stream, 0.5f, 1.5f);

  const float scale = scene.texture_scale * LogBetween(stream, 0.7f, 1.4f) * 65536.0f;
  const float u_x = scale * shape.cosine, u_y = scale * shape.sine;
  shape.u_x = static_cast<int32_t>(u_x);
  shape.u_y = static_cast<int32_t>(u_y);
  shape.v_x = -shape.u_y;
  shape.v_y = shape.u_x;
  shape.u = static_cast<int32_t>(stream.NextU32() >> 8);
  shape.v = static_cast<int32_t>(stream.NextU32() >> 8);
}

// ----------------------------------------------------------------- canvas

// One bit for each fine pixel.
struct BitPlane {
  std::array<std::array<uint64_t, kWords>, kFine> rows{};
};

// Bits [begin, end) of word `w` of a row; 0 <= begin < end <= kFine.
uint64_t SpanBits(int begin, int end, int w) {
  const int low = std::clamp(begin - 64 * w, 0, 64);
  const int high = std::clamp(end - 64 * w, 0, 64);
  if (low >= high) return 0;
  const uint64_t upper = high == 64 ? ~uint64_t{0} : (uint64_t{1} << high) - 1;
  return upper & ~((uint64_t{1} << low) - 1);
}

// Rendered front to back: a pixel belongs to the first shape that covers it.
class Canvas {
 public:
  explicit Canvas(const Scene& scene) : scene_(scene) {}

  int num_open() const { return num_open_; }

  // Finds the pixels of each row that `shape` covers, and whether any is open.
  bool Trace(const Shape& shape) {
    if (shape.is_ellipse) {
      TraceEllipse(shape);
    } else {
      TracePolygon(shape);
    }
    for (int row = first_; row < last_; ++row) {
      begins_[row] = PixelAt(left_[row]);
      ends_[row] = PixelAt(right_[row]);
    }
    for (int row = first_; row < last_; ++row) {
      const int begin = begins_[row], end = ends_[row];
      if (begin >= end || is_full_[row]) continue;
      for (int w = begin / 64; w <= (end - 1) / 64; ++w) {
        if ((SpanBits(begin, end, w) & ~covered_.rows[row][w]) != 0) return true;
      }
    }
    return false;
  }

  // Paints the traced pixels of `shape` that are open.
  void Add(const Shape& shape) {
    for (int row = first_; row < last_; ++row) {
      if (begins_[row] < ends_[row] && !is_full_[row]) {
        DrawSpan(shape, row, begins_[row], ends_[row]);
      }
    }
    if (scene_.shadow > 0) CastShadows(shape);
  }

  // What no shape has covered.
  void AddGround(const Shape& surface) {
    for (int row = 0; row < kFine; ++row) DrawSpan(surface, row, 0, kFine);
  }

  // Halves the size with the filter (s, 1/2 - s, 1/2 - s, s) in both directions.
  Image Reduce() const {
    constexpr int kSide = DeadLeaves::kSide;
    const float outer = scene_.softness, inner = 0.5f - outer;
    Image image{kSide, kSide, std::vector<uint8_t>(3 * kSide * kSide)};
    std::array<float, 3 * kFine> line;
    for (int y = 0; y < kSide; ++y) {
      const int r0 = std::max(2 * y - 1, 0), r3 = std::min(2 * y + 2, kFine - 1);
      const float* a = &pixels_[r0 * 3 * kFine];
      const float* b = &pixels_[2 * y * 3 * kFine];
      const float* c = &pixels_[(2 * y + 1) * 3 * kFine];
      const float* d = &pixels_[r3 * 3 * kFine];
      for (int i = 0; i < 3 * kFine; ++i) {
        line[i] = outer * (a[i] + d[i]) + inner * (b[i] + c[i]);
      }
      const float light_y = 1.0f + scene_.slope_y * (2.0f * y / kSide - 1.0f);
      for (int x = 0; x < kSide; ++x) {
        const int c0 = std::max(2 * x - 1, 0), c3 = std::min(2 * x + 2, kFine - 1);
        const float light = light_y + scene_.slope_x * (2.0f * x / kSide - 1.0f);
        for (int k = 0; k < 3; ++k) {
          const float value = outer * (line[3 * c0 + k] + line[3 * c3 + k]) +
                              inner * (line[6 * x + k] + line[6 * x + 3 + k]);
          image.pixels[3 * (y * kSide + x) + k] =
              static_cast<uint8_t>(std::clamp(value * light, 0.0f, 254.5f) + 0.5f);
        }
      }
    }
    return image;
  }

 private:
  // Rows whose centres lie between y = top and bottom.
  void SetRows(float top, float bottom) {
    first_ = std::max(0, static_cast<int>(std::ceil(top - 0.5f)));
    last_ = std::min(kFine, static_cast<int>(std::ceil(bottom - 0.5f)));
  }

  // The first pixel whose centre lies right of x: rounded half up, at least 0.
  static int PixelAt(float x) {
    return static_cast<int>(std::min(std::max(x, 0.0f), kFine + 0.0f) + 0.5f);
  }

  void TraceEllipse(const Shape& shape) {
    const float ia = 1.0f / (shape.along * shape.along);
    const float ib = 1.0f / (shape.across * shape.across);
    const float cc = shape.cosine * shape.cosine, ss = shape.sine * shape.sine;
    // a dx^2 + 2 b dx dy + c dy^2 = 1
    const float a = cc * ia + ss * ib, b = shape.cosine * shape.sine * (ia - ib);
    const float c = ss * ia + cc * ib;
    const float reach = std::sqrt(ss / ia + cc / ib);
    SetRows(shape.y - reach, shape.y + reach);
    const float per_a = 1.0f / a;
    for (int row = first_; row < last_; ++row) {
      const float dy = static_cast<float>(row) + 0.5f - shape.y;
      const float half =
          std::sqrt(std::max(b * b * dy * dy - a * (c * dy * dy - 1.0f), 0.0f));
      left_[row] = shape.x + (-b * dy - half) * per_a;
      right_[row] = shape.x + (-b * dy + half) * per_a;
    }
  }

  // Convex: each row meets two edges, one on either side.
  void TracePolygon(const Shape& shape) {
    float top = shape.corner_y[0], bottom = top;
    for (int i = 1; i < shape.num_corners; ++i) {
      top = std::min(top, shape.corner_y[i]);
      bottom = std::max(bottom, shape.corner_y[i]);
    }
    SetRows(top, bottom);
    for (int row = first_; row < last_; ++row) {
      left_[row] = kFine;
      right_[row] = 0;
    }
    int previous = shape.num_corners - 1;
    for (int i = 0; i < shape.num_corners; previous = i++) {
      const int upper = shape.corner_y[previous] < shape.corner_y[i] ? previous : i;
      const int lower = upper == i ? previous : i;
      const float y0 = shape.corner_y[upper], x0 = shape.corner_x[upper];
      const float height = shape.corner_y[lower] - y0;
      if (height <= 0) continue;
      const float step = (shape.corner_x[lower] - x0) / height;
      const int from = std::max(first_, static_cast<int>(std::ceil(y0 - 0.5f)));
      const int to = std::min(last_, static_cast<int>(std::ceil(y0 + height - 0.5f)));
      for (int row = from; row < to; ++row) {
        const float x = x0 + step * (static_cast<float>(row) + 0.5f - y0);
        left_[row] = std::min(left_[row], x);
        right_[row] = std::max(right_[row], x);
      }
    }
  }

  void DrawSpan(const Shape& shape, int row, int begin, int end) {
    uint64_t all = ~uint64_t{0};
    for (int w = 0; w < kWords; ++w) {
      uint64_t& covered = covered_.rows[row][w];
      uint64_t open = SpanBits(begin, end, w) & ~covered;
      covered |= open;
      all &= covered;
      num_open_ -= std::popcount(open);
      // Runs of neighbouring open pixels.
      while (open != 0) {
        const int start = std::countr_zero(open);
        const int length = std::countr_one(open >> start);
        Paint(shape, row, 64 * w + start, length);
        if (start + length == 64) break;
        open &= ~uint64_t{0} << (start + length);
      }
    }
    is_full_[row] = all == ~uint64_t{0};
  }

  void Paint(const Shape& shape, int row, int begin, int length) {
    const float dy = static_cast<float>(row) + 0.5f - shape.y;
    // Along and across the shape in units of its extents, and the light: all linear
    // in x.
    const float along_x = shape.cosine / shape.along,
                across_x = -shape.sine / shape.across;
    const float along_0 = dy * shape.sine / shape.along;
    const float across_0 = dy * shape.cosine / shape.across;
    const float light_0 = 1.0f + 0.4f * shape.bulge + shape.lean_y * dy;
    const float shadow = 0.5f * scene_.shadow;
    const auto& near_shadow = near_shadow_.rows[row];
    const auto& far_shadow = far_shadow_.rows[row];
    const uint32_t u_row = static_cast<uint32_t>(shape.u) +
                           static_cast<uint32_t>(shape.u_y) * static_cast<uint32_t>(row);
    const uint32_t v_row = static_cast<uint32_t>(shape.v) +
                           static_cast<uint32_t>(shape.v_y) * static_cast<uint32_t>(row);
    float* out = &pixels_[(row * kFine + begin) * 3];
    for (int x = begin; x < begin + length; ++x, out += 3) {
      const float dx = static_cast<float>(x) + 0.5f - shape.x;
      const float along = along_0 + along_x * dx, across = across_0 + across_x * dx;
      const float rim = std::min(along * along + across * across, 1.5f);
      const int shadows = static_cast<int>((near_shadow[x >> 6] >> (x & 63)) & 1) +
                          static_cast<int>((far_shadow[x >> 6] >> (x & 63)) & 1);
      const float light = (light_0 + shape.lean_x * dx - shape.bulge * rim) *
                          (1.0f - shadow * static_cast<float>(shadows));
      const uint32_t ux = static_cast<uint32_t>(x);
      const uint32_t u = u_row + static_cast<uint32_t>(shape.u_x) * ux;
      const uint32_t v = v_row + static_cast<uint32_t>(shape.v_x) * ux;
      const float texel = shape.texture[((v >> 16) & kTextureMask) * kTextureSide +
                                        ((u >> 16) & kTextureMask)];
      for (int c = 0; c < 3; ++c) {
        out[c] = std::clamp((shape.colour[c] + texel * shape.texture_colour[c]) * light,
                            0.0f, 255.0f);
      }
    }
  }

  // Away from the light, on whatever comes to lie behind: twice, at half and at
  // full reach, which softens the edge.
  void CastShadows(const Shape& shape) {
    const float reach = std::min(scene_.shadow_reach, 0.6f * shape.across + 0.5f);
    Cast(near_shadow_, 0.5f * reach);
    Cast(far_shadow_, reach);
  }

  void Cast(BitPlane& plane, float reach) {
    const int dx = static_cast<int>(std::nearbyint(-reach * scene_.light[0]));
    const int dy = static_cast<int>(std::nearbyint(-reach * scene_.light[1]));
    for (int row = std::max(first_, -dy); row < std::min(last_, kFine - dy); ++row) {
      if (begins_[row] >= ends_[row] || is_full_[row + dy]) continue;
      for (int w = 0; w < kWords; ++w) {
        plane.rows[row + dy][w] |= SpanBits(begins_[row] + dx, ends_[row] + dx, w);
      }
    }
  }

  const Scene& scene_;
  int num_open_ = kFine * kFine;
  BitPlane covered_, near_shadow_, far_shadow_;
  std::array<bool, kFine> is_full_{};
  // The traced shape: rows [first_, last_), in each pixels [begin, end).
  int first_ = 0, last_ = 0;
  std::array<int, kFine> begins_{}, ends_{};
  std::array<float, kFine> left_{}, right_{};
  std::array<float, 3 * kFine * kFine> pixels_;
};

// Later shapes would hardly be seen; what is still open shows the ground.
constexpr int kMaxShapes = 3000;
constexpr int kOpenEnough = kFine * kFine / 100;

}  // namespace

struct DeadLeaves::World {
  uint64_t seed;
  std::vector<Texture> textures;
};

DeadLeaves::DeadLeaves(uint64_t seed) {
  auto world = std::make_unique<World>();
  world->seed = seed;
  for (int i = 0; i < kNumTextures; ++i) world->textures.push_back(MakeTexture(seed, i));
  world_ = std::move(world);
}
DeadLeaves::DeadLeaves(DeadLeaves&&) noexcept = default;
DeadLeaves& DeadLeaves::operator=(DeadLeaves&&) noexcept = default;
DeadLeaves::~DeadLeaves() = default;

Image DeadLeaves::Render(int64_t index) const {
  RandomStream stream(world_->seed, "dead_leaves", static_cast<uint64_t>(index));
  const Scene scene = DrawScene(stream);
  Canvas canvas(scene);
  Shape shape;
  for (int i = 0; i < kMaxShapes && canvas.num_open() > kOpenEnough; ++i) {
    DrawOutline(scene, stream, shape);
    if (!canvas.Trace(shape)) continue;
    DrawSurface(scene, world_->textures, stream, shape);
    canvas.Add(shape);
  }
  DrawSurface(scene, world_->textures, stream, shape);
  canvas.AddGround(shape);
  return canvas.Reduce();
}

std::string DeadLeaves::Id(int64_t index) const {
  return absl::StrFormat("dead-leaves-%d-%06d", world_->seed, index);
}

}  // namespace iat
