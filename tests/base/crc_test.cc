#include "base/crc.h"

#include <gtest/gtest.h>

#include <string>

namespace iat {
namespace {

// Bit by bit, from the definition.
uint32_t SlowCrc(const std::string& bytes, uint32_t reflected_polynomial) {
  uint32_t remainder = 0xFFFFFFFF;
  for (const char byte : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      const uint32_t carry = (remainder ^ static_cast<unsigned char>(byte) >> bit) & 1;
      remainder = remainder >> 1 ^ (carry ? reflected_polynomial : 0);
    }
  }
  return ~remainder;
}

TEST(CrcTest, AgreesWithThePublishedCheckValues) {
  EXPECT_EQ(Crc32("123456789"), 0xCBF43926u);
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(Crc32(""), 0u);
  EXPECT_EQ(Crc32c(""), 0u);
  // RFC 3720, appendix B.4.
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62A8AB43u);
  std::string rising;
  for (int i = 0; i < 32; ++i) rising.push_back(static_cast<char>(i));
  EXPECT_EQ(Crc32c(rising), 0x46DD794Eu);
}

TEST(CrcTest, EveryLengthAgreesWithTheDefinition) {
  std::string bytes;
  for (int length = 0; length < 40; ++length) {
    EXPECT_EQ(Crc32(bytes), SlowCrc(bytes, 0xEDB88320)) << length;
    EXPECT_EQ(Crc32c(bytes), SlowCrc(bytes, 0x82F63B78)) << length;
    bytes.push_back(static_cast<char>(length * 37 + 11));
  }
}

}  // namespace
}  // namespace iat
