#include "base/npy.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace iat {
namespace {

constexpr absl::string_view kMagic("\x93NUMPY", 6);
constexpr int64_t kMaxValues = int64_t{1} << 62;

// The text after "'key':" in numpy's header, a Python dictionary.
absl::string_view HeaderValue(absl::string_view header, absl::string_view key) {
  const size_t at = header.find(absl::StrCat("'", key, "':"));
  if (at == absl::string_view::npos) return "";
  absl::string_view value = header.substr(at + key.size() + 3);
  while (absl::ConsumePrefix(&value, " ")) {
  }
  return value;
}

}  // namespace

int64_t NpyHeader::num_values() const {
  int64_t count = 1;
  for (const int64_t side : shape) count *= side;
  return count;
}

std::string NpyHeaderText(absl::string_view type, const std::vector<int64_t>& shape) {
  std::string header(kMagic);
  header += '\x01';
  header += '\x00';
  const size_t length = kNpyHeaderBytes - header.size() - 2;
  header += static_cast<char>(length & 255);
  header += static_cast<char>(length >> 8);
  absl::StrAppend(&header, "{'descr': '", type, "', 'fortran_order': False, 'shape': (",
                  absl::StrJoin(shape, ", "), shape.size() == 1 ? ",), }" : "), }");
  IAT_CHECK(header.size() < kNpyHeaderBytes, "a shape of too many dimensions");
  header.resize(kNpyHeaderBytes - 1, ' ');
  return header + '\n';
}

absl::StatusOr<NpyHeader> ParseNpyHeader(absl::string_view bytes,
                                         absl::string_view name) {
  constexpr size_t kPreamble = 10;
  if (bytes.size() < kPreamble) {
    return absl::DataLossError(absl::StrCat(name, ": truncated: ", bytes.size(),
                                            " bytes, too few for a numpy header"));
  }
  if (!absl::StartsWith(bytes, kMagic)) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": not a numpy .npy file"));
  }
  if (bytes[6] != 1 || bytes[7] != 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: numpy format %d.%d; expected 1.0", name,
                        static_cast<int>(bytes[6]), static_cast<int>(bytes[7])));
  }
  const size_t length = static_cast<uint8_t>(bytes[8]) |
                        static_cast<size_t>(static_cast<uint8_t>(bytes[9])) << 8;
  NpyHeader result;
  result.data_start = kPreamble + length;
  if (bytes.size() < result.data_start) {
    return absl::DataLossError(
        absl::StrCat(name, ": truncated inside its header: ", bytes.size(),
                     " bytes, the header alone has ", result.data_start));
  }
  const absl::string_view header = bytes.substr(kPreamble, length);
  absl::string_view descr = HeaderValue(header, "descr");
  if (!absl::ConsumePrefix(&descr, "'") || descr.find('\'') == absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": numbers of a type that is not plain"));
  }
  result.type = std::string(descr.substr(0, descr.find('\'')));
  if (!absl::StartsWith(HeaderValue(header, "fortran_order"), "False")) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": not in C order"));
  }
  absl::string_view text = HeaderValue(header, "shape");
  text = text.substr(0, text.find(')'));
  const bool is_tuple = absl::ConsumePrefix(&text, "(");
  int64_t count = 1;
  for (const absl::string_view part : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    int64_t side = 0;
    if (!is_tuple || !absl::SimpleAtoi(part, &side) || side < 0 ||
        (side > 0 && count > kMaxValues / side)) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, ": shape (", text, "); expected whole numbers"));
    }
    // Zero once is zero for good, but later sides must not overflow either.
    count *= std::max<int64_t>(side, 1);
    result.shape.push_back(side);
  }
  if (!is_tuple) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": no shape in its header"));
  }
  return result;
}

}  // namespace iat
