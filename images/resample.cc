#include "images/resample.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace iat {
namespace {

constexpr int kWeightBits = 22;
constexpr int32_t kHalf = 1 << (kWeightBits - 1);

// Rounding can overrun the upper end, the bicubic filter's negative weights both.
inline uint8_t ToByte(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kWeightBits, 0, 255));
}

double FilterReach(ResampleFilter filter) {
  return filter == ResampleFilter::kBicubic ? 2.0 : 1.0;
}

double FilterValue(ResampleFilter filter, double x) {
  x = std::abs(x);
  if (filter == ResampleFilter::kBilinear) return x < 1.0 ? 1.0 - x : 0.0;
  constexpr double kA = -0.5;
  if (x < 1.0) return ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * kA;
  return 0.0;
}

void ResampleRow(const uint8_t* in, const ResampleAxis& axis, uint8_t* out) {
  for (int i = 0; i < axis.size(); ++i) {
    const int32_t* weights = axis.weights(i);
    const uint8_t* pixel = in + 3 * axis.first(i);
    int32_t red = kHalf, green = kHalf, blue = kHalf;
    for (int t = 0; t < axis.taps(i); ++t, pixel += 3) {
      red += weights[t] * pixel[0];
      green += weights[t] * pixel[1];
      blue += weights[t] * pixel[2];
    }
    out[3 * i] = ToByte(red);
    out[3 * i + 1] = ToByte(green);
    out[3 * i + 2] = ToByte(blue);
  }
}

// Sums whole rows: `bytes` neighbours at once.
void ResampleColumn(const uint8_t* in, int bytes, const int32_t* weights, int taps,
                    uint8_t* out) {
  if (taps == 1) {
    std::memcpy(out, in, bytes);
  } else if (taps == 2) {
    const int32_t w0 = weights[0], w1 = weights[1];
    for (int c = 0; c < bytes; ++c) {
      out[c] = ToByte(kHalf + w0 * in[c] + w1 * in[c + bytes]);
    }
  } else {
    // Blocks small enough to stay in registers and the first cache.
    constexpr int kBlock = 64;
    int32_t sum[kBlock];
    for (int start = 0; start < bytes; start += kBlock) {
      const int count = std::min(kBlock, bytes - start);
      std::fill_n(sum, count, kHalf);
      for (int t = 0; t < taps; ++t) {
        const uint8_t* row = in + static_cast<size_t>(t) * bytes + start;
        for (int c = 0; c < count; ++c) sum[c] += weights[t] * row[c];
      }
      for (int c = 0; c < count; ++c) out[start + c] = ToByte(sum[c]);
    }
  }
}

}  // namespace

void ResampleAxis::Set(int length, int n, ResampleFilter filter) {
  is_copy_ = length == n;
  first_.resize(n);
  taps_.resize(n);
  const double step = static_cast<double>(length) / n;
  const double scale = std::max(1.0, step);
  const double support = FilterReach(filter) * scale;
  max_taps_ = static_cast<int>(std::ceil(support)) * 2 + 1;
  weights_.resize(static_cast<size_t>(n) * max_taps_);
  scratch_.resize(max_taps_);
  for (int i = 0; i < n; ++i) {
    const double centre = (i + 0.5) * step;
    int first = std::max(0, static_cast<int>(centre - support + 0.5));
    const int end = std::min(length, static_cast<int>(centre + support + 0.5));
    int taps = end - first;
    double sum = 0.0;
    for (int t = 0; t < taps; ++t) {
      scratch_[t] = FilterValue(filter, (first + t - centre + 0.5) / scale);
      sum += scratch_[t];
    }
    int32_t* weights = &weights_[static_cast<size_t>(i) * max_taps_];
    for (int t = 0; t < taps; ++t) {
      const double weight = scratch_[t] / sum * (1 << kWeightBits);
      weights[t] = static_cast<int32_t>(weight < 0.0 ? weight - 0.5 : weight + 0.5);
    }
    // Taps of weight zero at either end cost time and change nothing.
    int skipped = 0;
    while (skipped + 1 < taps && weights[skipped] == 0) ++skipped;
    while (taps > skipped + 1 && weights[taps - 1] == 0) --taps;
    if (skipped > 0) std::copy(weights + skipped, weights + taps, weights);
    first_[i] = first + skipped;
    taps_[i] = taps - skipped;
  }
}

void ResampleBox(const uint8_t* pixels, int image_width, int top, int left,
                 int box_height, int box_width, int height, int width,
                 ResampleScratch& scratch, uint8_t* out, ResampleFilter filter) {
  scratch.columns.Set(box_width, width, filter);
  scratch.rows.Set(box_height, height, filter);
  const bool copy_rows = scratch.rows.is_copy();
  const size_t row_bytes = static_cast<size_t>(width) * 3;
  if (!copy_rows) scratch.narrowed.resize(row_bytes * box_height);
  uint8_t* narrowed = copy_rows ? out : scratch.narrowed.data();
  for (int row = 0; row < box_height; ++row) {
    const uint8_t* in =
        pixels + (static_cast<size_t>(top + row) * image_width + left) * 3;
    if (scratch.columns.is_copy()) {
      std::memcpy(narrowed + row * row_bytes, in, row_bytes);
    } else {
      ResampleRow(in, scratch.columns, narrowed + row * row_bytes);
    }
  }
  if (copy_rows) return;
  for (int row = 0; row < height; ++row) {
    ResampleColumn(narrowed + scratch.rows.first(row) * row_bytes,
                   static_cast<int>(row_bytes), scratch.rows.weights(row),
                   scratch.rows.taps(row), out + row * row_bytes);
  }
}

}  // namespace iat
