// Ends the program with a sentence where the processor lacks instructions that the
// program was compiled to use. Without it a program from another machine, a package or
// a shared home folder ends with "Illegal instruction" at a random place.
//
// The check runs by itself before the program and its libraries initialise anything, and
// its own source is compiled for the oldest processors of the kind (app/CMakeLists.txt).

#ifndef IAT_APP_PROCESSOR_H_
#define IAT_APP_PROCESSOR_H_

#include <cstddef>

namespace iat {

// Sets of instructions that compilers use unasked; bit i stands for the i-th.
inline constexpr const char* kInstructionSets[] = {
    "SSE4.2",     "POPCNT",       "AVX",
    "AVX2",       "FMA",          "BMI",
    "BMI2",       "AVX512F",      "AVX512CD",
    "AVX512BW",   "AVX512DQ",     "AVX512VL",
    "AVX512IFMA", "AVX512VBMI",   "AVX512VBMI2",
    "AVX512VNNI", "AVX512BITALG", "AVX512VPOPCNTDQ",
    "GFNI",       "VPCLMULQDQ"};
inline constexpr int kNumInstructionSets =
    sizeof(kInstructionSets) / sizeof(kInstructionSets[0]);
using InstructionSets = unsigned;

// Those that the sources of this program were compiled with; none where the processor
// is no x86.
extern const InstructionSets kCompiledInstructionSets;

// Those of the processor that runs this.
InstructionSets ProcessorInstructionSets();

// What to tell a user whose processor lacks some of `needed`, as a string that ends in
// a zero; cut at `size`. Empty where it lacks none. Returns its length. No std::string:
// the linker may take a function that another source shares with this one from there.
size_t MissingInstructions(InstructionSets needed, InstructionSets available, char* text,
                           size_t size);

}  // namespace iat

#endif  // IAT_APP_PROCESSOR_H_
