#include "app/processor.h"

#include <unistd.h>

namespace iat {
namespace {

// Appends, and keeps the zero at the end.
struct Writer {
  char* text;
  size_t size;
  size_t length = 0;

  void operator()(const char* words) {
    for (; *words != '\0' && length + 1 < size; ++words) text[length++] = *words;
    if (size > 0) text[length] = '\0';
  }
};

void EndWhereInstructionsAreMissing() {
  char text[1024];
  const size_t length = MissingInstructions(
      kCompiledInstructionSets, ProcessorInstructionSets(), text, sizeof(text));
  if (length == 0) return;
  if (::write(STDERR_FILENO, text, length) < 0) {
    // Nobody is there to be told.
  }
  ::_exit(1);
}

// Before the initialisers of shared libraries too: a template that a library and this
// program share is taken from the program, with the program's instructions.
[[gnu::section(".preinit_array"),
  gnu::used]] void (*const check_first)() = &EndWhereInstructionsAreMissing;

}  // namespace

InstructionSets ProcessorInstructionSets() {
  InstructionSets sets = 0;
#if defined(__x86_64__) || defined(__i386__)
  __builtin_cpu_init();
  // In the order of kInstructionSets; the names are the compiler's.
  const int has[] = {
      __builtin_cpu_supports("sse4.2"),       __builtin_cpu_supports("popcnt"),
      __builtin_cpu_supports("avx"),          __builtin_cpu_supports("avx2"),
      __builtin_cpu_supports("fma"),          __builtin_cpu_supports("bmi"),
      __builtin_cpu_supports("bmi2"),         __builtin_cpu_supports("avx512f"),
      __builtin_cpu_supports("avx512cd"),     __builtin_cpu_supports("avx512bw"),
      __builtin_cpu_supports("avx512dq"),     __builtin_cpu_supports("avx512vl"),
      __builtin_cpu_supports("avx512ifma"),   __builtin_cpu_supports("avx512vbmi"),
      __builtin_cpu_supports("avx512vbmi2"),  __builtin_cpu_supports("avx512vnni"),
      __builtin_cpu_supports("avx512bitalg"), __builtin_cpu_supports("avx512vpopcntdq"),
      __builtin_cpu_supports("gfni"),         __builtin_cpu_supports("vpclmulqdq")};
  static_assert(sizeof(has) / sizeof(has[0]) == kNumInstructionSets);
  for (int i = 0; i < kNumInstructionSets; ++i) {
    if (has[i] != 0) sets |= InstructionSets{1} << i;
  }
#endif
  return sets;
}

size_t MissingInstructions(InstructionSets needed, InstructionSets available, char* text,
                           size_t size) {
  Writer write{text, size};
  write("");
  const InstructionSets missing = needed & ~available;
  if (missing == 0) return 0;
  write("iat: this processor lacks ");
  InstructionSets left = missing;
  for (int i = 0; i < kNumInstructionSets; ++i) {
    const InstructionSets bit = InstructionSets{1} << i;
    if ((missing & bit) == 0) continue;
    if (left != missing) write((left & (left - 1)) == 0 ? " and " : ", ");
    write(kInstructionSets[i]);
    left &= ~bit;
  }
  write(
      ", which this program was built to use; build it on this machine "
      "(scripts/reproduce), or for older ones with cmake -DIAT_PROCESSOR=x86-64\n");
  return write.length;
}

}  // namespace iat
