// A packed set whose files are any bytes: the input is cut at "--\n" into images.npy,
// index.csv and set.json. Opened ones are read to the last pixel.

#include "images/packed_set.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  std::string rest = input;
  for (const char* name : {"images.npy", "index.csv", "set.json"}) {
    const size_t end = rest.find("--\n");
    iat::Scratch().Write(name, rest.substr(0, end));
    rest = end == std::string::npos ? "" : rest.substr(end + 3);
  }
  const auto set = iat::PackedSet::Open(iat::Scratch().path());
  if (!set.ok()) return 0;
  unsigned sum = 0;
  for (int64_t i = 0; i < set->size(); ++i) {
    const uint8_t* pixels = set->pixels(i);
    for (int64_t p = 0; p < int64_t{3} * set->height() * set->width(); ++p)
      sum += pixels[p];
  }
  // Keeps the loop.
  return sum == 1u && set->Fingerprint().empty() ? 1 : 0;
}
