#include "app/processor.h"

#include <gtest/gtest.h>

#include <string>

namespace iat {
namespace {

constexpr InstructionSets kAll = (InstructionSets{1} << kNumInstructionSets) - 1;

InstructionSets Bits(std::initializer_list<std::string> names) {
  InstructionSets sets = 0;
  for (const std::string& name : names) {
    for (int i = 0; i < kNumInstructionSets; ++i) {
      if (name == kInstructionSets[i]) sets |= InstructionSets{1} << i;
    }
  }
  return sets;
}

std::string Missing(InstructionSets needed, InstructionSets available) {
  char text[1024];
  const size_t length = MissingInstructions(needed, available, text, sizeof(text));
  EXPECT_EQ(std::string(text).size(), length);
  return text;
}

TEST(ProcessorTest, SaysWhatIsMissingAndWhatToDo) {
  EXPECT_EQ(
      Missing(Bits({"AVX", "AVX2", "FMA", "BMI2"}), Bits({"SSE4.2", "AVX"})),
      "iat: this processor lacks AVX2, FMA and BMI2, which this program was built to "
      "use; build it on this machine (scripts/reproduce), or for older ones with "
      "cmake -DIAT_PROCESSOR=x86-64\n");
  EXPECT_EQ(Missing(Bits({"AVX512VNNI"}), Bits({"AVX2"})).substr(0, 54),
            "iat: this processor lacks AVX512VNNI, which this progr");
}

TEST(ProcessorTest, IsSilentWhereNothingIsMissing) {
  EXPECT_EQ(Missing(Bits({"AVX2"}), kAll), "");
  EXPECT_EQ(Missing(0, 0), "");
}

TEST(ProcessorTest, StaysInsideTheBufferWithEverythingMissing) {
  EXPECT_LT(Missing(kAll, 0).size(), 1000);
  char text[8] = "1234567";
  EXPECT_EQ(MissingInstructions(kAll, 0, text, 6), 5);
  EXPECT_EQ(std::string(text), "iat: ");
  EXPECT_EQ(text[6], '7');
}

// This test was compiled as the program is and runs, so the processor has all of it.
TEST(ProcessorTest, TheProcessorHasWhatTheTestWasCompiledWith) {
  EXPECT_EQ(kCompiledInstructionSets & ~ProcessorInstructionSets(), 0);
#ifdef __AVX2__
  EXPECT_EQ(kCompiledInstructionSets & Bits({"AVX", "AVX2"}), Bits({"AVX", "AVX2"}));
#endif
}

}  // namespace
}  // namespace iat
