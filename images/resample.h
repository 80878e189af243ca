// Pillow's bilinear and bicubic resampling of 8-bit images, bit for bit: the one
// resize of this project, used for preprocessing and augmentation.
//
//   out(i) = sum_j w(i, j) in(j),   w(i, j) ~ f((j + 0.5 - c_i) / s)
//   c_i = start + (i + 0.5) * length / n,   s = max(1, length / n)
//   bilinear   f(x) = max(0, 1 - |x|)
//   bicubic    Keys' cubic of a = -1/2, which reaches 2 and is negative beyond 1
//
// Weights are normalised, rounded to 22 bits, and each direction rounds to 8
// bits, columns before rows. Where `length` equals n and `start` is whole, the
// direction is a copy.
//
// Source   Pillow, Resample.c (behaviour; checked against golden values).

#ifndef IAT_IMAGES_RESAMPLE_H_
#define IAT_IMAGES_RESAMPLE_H_

#include <cstdint>
#include <vector>

namespace iat {

enum class ResampleFilter { kBilinear, kBicubic };

// One direction: for each output position the inputs it sums and their weights.
class ResampleAxis {
 public:
  // Inputs [0, length) to n outputs. Reuses its memory from call to call.
  void Set(int length, int n, ResampleFilter filter = ResampleFilter::kBilinear);

  int size() const { return static_cast<int>(first_.size()); }
  bool is_copy() const { return is_copy_; }
  int max_taps() const { return max_taps_; }
  int first(int i) const { return first_[i]; }
  int taps(int i) const { return taps_[i]; }
  const int32_t* weights(int i) const { return &weights_[i * max_taps_]; }

 private:
  bool is_copy_ = false;
  int max_taps_ = 0;
  std::vector<int> first_, taps_;
  std::vector<int32_t> weights_;
  std::vector<double> scratch_;
};

// Memory that resizing reuses.
struct ResampleScratch {
  ResampleAxis columns, rows;
  std::vector<uint8_t> narrowed;
};

// Resizes the box (top, left, box_height, box_width) of an interleaved RGB image
// of the given width into `out`, height x width x 3 interleaved.
void ResampleBox(const uint8_t* pixels, int image_width, int top, int left,
                 int box_height, int box_width, int height, int width,
                 ResampleScratch& scratch, uint8_t* out,
                 ResampleFilter filter = ResampleFilter::kBilinear);

}  // namespace iat

#endif  // IAT_IMAGES_RESAMPLE_H_
