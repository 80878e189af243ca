// Compiled with the program's own flags, so that the compiler says what they allow it to
// use. Constants only: nothing here runs.

#include "app/processor.h"

namespace iat {
namespace {

constexpr bool SameText(const char* a, const char* b) {
  while (*a != '\0' && *a == *b) {
    ++a;
    ++b;
  }
  return *a == *b;
}

constexpr InstructionSets Bit(const char* name) {
  for (int i = 0; i < kNumInstructionSets; ++i) {
    if (SameText(kInstructionSets[i], name)) return InstructionSets{1} << i;
  }
  throw "no such set of instructions";  // no constant: the compiler refuses it
}

}  // namespace

constinit const InstructionSets kCompiledInstructionSets = InstructionSets{0}
#ifdef __SSE4_2__
                                                           | Bit("SSE4.2")
#endif
#ifdef __POPCNT__
                                                           | Bit("POPCNT")
#endif
#ifdef __AVX__
                                                           | Bit("AVX")
#endif
#ifdef __AVX2__
                                                           | Bit("AVX2")
#endif
#ifdef __FMA__
                                                           | Bit("FMA")
#endif
#ifdef __BMI__
                                                           | Bit("BMI")
#endif
#ifdef __BMI2__
                                                           | Bit("BMI2")
#endif
#ifdef __AVX512F__
                                                           | Bit("AVX512F")
#endif
#ifdef __AVX512CD__
                                                           | Bit("AVX512CD")
#endif
#ifdef __AVX512BW__
                                                           | Bit("AVX512BW")
#endif
#ifdef __AVX512DQ__
                                                           | Bit("AVX512DQ")
#endif
#ifdef __AVX512VL__
                                                           | Bit("AVX512VL")
#endif
#ifdef __AVX512IFMA__
                                                           | Bit("AVX512IFMA")
#endif
#ifdef __AVX512VBMI__
                                                           | Bit("AVX512VBMI")
#endif
#ifdef __AVX512VBMI2__
                                                           | Bit("AVX512VBMI2")
#endif
#ifdef __AVX512VNNI__
                                                           | Bit("AVX512VNNI")
#endif
#ifdef __AVX512BITALG__
                                                           | Bit("AVX512BITALG")
#endif
#ifdef __AVX512VPOPCNTDQ__
                                                           | Bit("AVX512VPOPCNTDQ")
#endif
#ifdef __GFNI__
                                                           | Bit("GFNI")
#endif
#ifdef __VPCLMULQDQ__
                                                           | Bit("VPCLMULQDQ")
#endif
    ;

}  // namespace iat
