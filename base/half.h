// IEEE 754 half precision as a rounding of float32: 11 significant bits, largest
// value 65504, steps of 2^-24 below 2^-14. Ties go to even, as in hardware.

#ifndef IAT_BASE_HALF_H_
#define IAT_BASE_HALF_H_

#include <bit>
#include <cmath>
#include <cstdint>

namespace iat {

inline constexpr float kLargestHalf = 65504.0f;

// The nearest half; infinite where that is beyond kLargestHalf. NaN stays NaN.
inline float RoundToHalf(float x) {
  const float size = std::fabs(x);
  // Adding 1/2 leaves room for steps of 2^-24 and no more.
  if (size < 0x1p-14f) return std::copysign((size + 0.5f) - 0.5f, x);
  if (!(size < 65520.0f)) return x * INFINITY;
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  return std::bit_cast<float>((bits + 0xfffu + ((bits >> 13) & 1u)) & ~0x1fffu);
}

}  // namespace iat

#endif  // IAT_BASE_HALF_H_
