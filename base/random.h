// Counter-based random streams: a random number is a pure function of what it
// is for, so results do not depend on workers, order of work or interruptions.
//
//   stream(seed, purpose, a, b): key = mix(seed, purpose), counter = (block, b, a)
//
// Source   Philox4x32-10, Salmon et al., SC 2011 (Random123).
//
// Example:
//   RandomStream stream(data_seed, "augment", epoch * num_images + image);
//   const double scale = stream.Uniform(0.2, 1.0);

#ifndef IAT_BASE_RANDOM_H_
#define IAT_BASE_RANDOM_H_

#include <array>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace iat {

class RandomStream {
 public:
  // Streams that differ in any argument are independent. A stream holds 2^34
  // 32-bit words.
  RandomStream(uint64_t seed, absl::string_view purpose, uint64_t a = 0, uint32_t b = 0);

  uint32_t NextU32() {
    if (next_ == 4) Refill();
    return words_[next_++];
  }
  uint64_t NextU64() {
    const uint64_t high = NextU32();
    return high << 32 | NextU32();
  }

  // In [0, 1), 53 random bits.
  double Uniform() { return static_cast<double>(NextU64() >> 11) * 0x1.0p-53; }
  double Uniform(double low, double high) { return low + (high - low) * Uniform(); }
  // In [0, 1), 24 random bits.
  float UniformFloat() { return static_cast<float>(NextU32() >> 8) * 0x1.0p-24f; }
  bool Bernoulli(double probability) { return Uniform() < probability; }
  // In [0, n), without bias. n > 0.
  uint64_t UniformInt(uint64_t n);
  // Mean 0, deviation 1 (Box-Muller).
  double Normal();

  template <typename T>
  void Shuffle(std::vector<T>& values) {
    for (size_t i = values.size(); i > 1; --i) {
      std::swap(values[i - 1], values[UniformInt(i)]);
    }
  }

  // The numbers 0 ... n-1 in random order.
  std::vector<int64_t> Permutation(int64_t n);

  // Where the stream stands, for those that make its words elsewhere: Philox's key and
  // the counter of its next block of four words.
  const std::array<uint32_t, 2>& key() const { return key_; }
  const std::array<uint32_t, 4>& counter() const { return counter_; }
  // Whether the next word begins that block.
  bool at_block() const { return next_ == 4; }

 private:
  void Refill();

  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;
  std::array<uint32_t, 4> words_;
  int next_ = 4;
  bool has_spare_normal_ = false;
  double spare_normal_ = 0.0;
};

}  // namespace iat

#endif  // IAT_BASE_RANDOM_H_
