// Bare .npy files, lists and archives, told apart by the first byte; what can be opened
// is read.

#include "base/npy.h"
#include "images/image_source.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const char* const names[] = {"set.npy", "list.csv", "list.txt", "set.tar", "set.zip"};
  iat::ImageOptions options;
  options.size = 8;
  options.paths = {iat::Scratch().Write(names[data[0] % 5], bytes)};
  (void)iat::ParseNpyHeader(bytes, "x");
  const auto source = iat::ImageSource::Open(options);
  if (!source.ok() || (*source)->entries().size() > 64) return 0;
  (void)(*source)->Read(
      1, [](int64_t, absl::StatusOr<iat::LoadedImage>) { return absl::OkStatus(); });
  return 0;
}
