#include "base/crc.h"

#include <array>
#include <cstring>

namespace iat {
namespace {

// tables[k][b]: what byte b does to the remainder when k more bytes follow it.
using Tables = std::array<std::array<uint32_t, 256>, 8>;

constexpr Tables MakeTables(uint32_t reflected_polynomial) {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) {
      remainder = remainder >> 1 ^ (remainder & 1 ? reflected_polynomial : 0);
    }
    tables[0][byte] = remainder;
  }
  for (size_t k = 1; k < tables.size(); ++k) {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const uint32_t before = tables[k - 1][byte];
      tables[k][byte] = before >> 8 ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr Tables kCrc32 = MakeTables(0xEDB88320);
constexpr Tables kCrc32c = MakeTables(0x82F63B78);

uint32_t Remainder(const Tables& tables, absl::string_view bytes) {
  uint32_t remainder = 0xFFFFFFFF;
  const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
  size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8) {
    const uint32_t low = remainder ^ (uint32_t{at[0]} | uint32_t{at[1]} << 8 |
                                      uint32_t{at[2]} << 16 | uint32_t{at[3]} << 24);
    remainder = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^
                tables[5][low >> 16 & 0xff] ^ tables[4][low >> 24] ^ tables[3][at[4]] ^
                tables[2][at[5]] ^ tables[1][at[6]] ^ tables[0][at[7]];
  }
  for (; left > 0; --left, ++at) {
    remainder = remainder >> 8 ^ tables[0][(remainder ^ *at) & 0xff];
  }
  return ~remainder;
}

}  // namespace

uint32_t Crc32(absl::string_view bytes) { return Remainder(kCrc32, bytes); }
uint32_t Crc32c(absl::string_view bytes) { return Remainder(kCrc32c, bytes); }

}  // namespace iat
