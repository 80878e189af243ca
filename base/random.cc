#include "base/random.h"

#include <Random123/philox.h>

#include <cmath>
#include <numbers>
#include <numeric>

namespace iat {
namespace {

// Finaliser of SplitMix64: every input bit reaches every output bit.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

uint64_t Fnv1a(absl::string_view text) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  return hash;
}

}  // namespace

RandomStream::RandomStream(uint64_t seed, absl::string_view purpose, uint64_t a,
                           uint32_t b) {
  const uint64_t key = Mix(Mix(seed) ^ Fnv1a(purpose));
  key_ = {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)};
  counter_ = {0, b, static_cast<uint32_t>(a), static_cast<uint32_t>(a >> 32)};
}

void RandomStream::Refill() {
  const r123::Philox4x32 philox;
  r123::Philox4x32::ctr_type counter;
  r123::Philox4x32::key_type key;
  for (int i = 0; i < 4; ++i) counter[i] = counter_[i];
  for (int i = 0; i < 2; ++i) key[i] = key_[i];
  const auto block = philox(counter, key);
  for (int i = 0; i < 4; ++i) words_[i] = block[i];
  ++counter_[0];
  next_ = 0;
}

uint64_t RandomStream::UniformInt(uint64_t n) {
  // Lemire, ACM TOMACS 29 (2019): reject the few low products that would make
  // some values likelier than others.
  __extension__ using Wide = unsigned __int128;
  Wide product = static_cast<Wide>(NextU64()) * n;
  if (static_cast<uint64_t>(product) < n) {
    const uint64_t threshold = -n % n;
    while (static_cast<uint64_t>(product) < threshold) {
      product = static_cast<Wide>(NextU64()) * n;
    }
  }
  return static_cast<uint64_t>(product >> 64);
}

double RandomStream::Normal() {
  if (has_spare_normal_) {
    has_spare_normal_ = false;
    return spare_normal_;
  }
  const double radius = std::sqrt(-2.0 * std::log(1.0 - Uniform()));
  const double angle = 2.0 * std::numbers::pi * Uniform();
  spare_normal_ = radius * std::sin(angle);
  has_spare_normal_ = true;
  return radius * std::cos(angle);
}

std::vector<int64_t> RandomStream::Permutation(int64_t n) {
  std::vector<int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  Shuffle(order);
  return order;
}

}  // namespace iat
