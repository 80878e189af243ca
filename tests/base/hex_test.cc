#include "base/hex.h"

#include <gtest/gtest.h>

namespace iat {
namespace {

TEST(HexTest, TwoDigitsAreAByte) {
  EXPECT_EQ(BytesFromHex("00fFa97F"), std::string("\x00\xff\xa9\x7f", 4));
  EXPECT_EQ(BytesFromHex(""), "");
}

TEST(HexDeathTest, OtherTextEndsTheProgram) {
  EXPECT_DEATH(BytesFromHex("abc"), "an odd number of hexadecimal digits");
  EXPECT_DEATH(BytesFromHex("ab0x"), "not two hexadecimal digits");
  EXPECT_DEATH(BytesFromHex("-1"), "not two hexadecimal digits");
}

}  // namespace
}  // namespace iat
