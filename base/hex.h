// Bytes from hexadecimal digits, two a byte, as Sha256() (base/file.h) writes them.
// Abseil has this too, but its newer versions ask for other arguments.

#ifndef IAT_BASE_HEX_H_
#define IAT_BASE_HEX_H_

#include <charconv>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "base/status.h"

namespace iat {

// For text that the program itself holds: anything but pairs of digits ends it.
inline std::string BytesFromHex(absl::string_view hex) {
  IAT_CHECK(hex.size() % 2 == 0, "an odd number of hexadecimal digits");
  std::string bytes;
  bytes.reserve(hex.size() / 2);
  for (size_t i = 0; i < hex.size(); i += 2) {
    const char* const begin = hex.data() + i;
    uint8_t byte = 0;
    IAT_CHECK(std::from_chars(begin, begin + 2, byte, 16).ptr == begin + 2,
              "not two hexadecimal digits");
    bytes.push_back(static_cast<char>(byte));
  }
  return bytes;
}

}  // namespace iat

#endif  // IAT_BASE_HEX_H_
