// Weight files. The first byte says what is fuzzed: the whole file, or the header behind
// a length that fits it, so that the JSON and the sizes in it are reached.

#include "models/safetensors.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 1) {
    // Values after the header's last brace.
    const size_t length = bytes.rfind('}') + 1;
    std::string start(8, '\0');
    for (size_t i = 0; i < 8; ++i) start[i] = static_cast<char>(length >> (8 * i) & 0xff);
    bytes.insert(0, start);
  }
  const std::string path = iat::Scratch().Write("weights.safetensors", bytes);
  (void)iat::ReadTensorMetadata(path);
  const auto file = iat::ReadTensors(path);
  if (!file.ok()) return 0;
  double sum = 0.0;
  for (const auto& [name, tensor] : file->tensors) {
    if (tensor.numel() == 0) continue;
    // Read to the last value.
    const auto* const first = static_cast<const uint8_t*>(tensor.data_ptr());
    for (size_t i = 0; i < tensor.nbytes(); ++i) sum += first[i];
  }
  // Keeps the loop.
  return sum < 0.0 ? 1 : 0;
}
