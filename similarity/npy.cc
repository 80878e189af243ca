#include "similarity/npy.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace iat {
namespace {

static_assert(std::endian::native == std::endian::little);

struct Header {
  std::string type;  // "<f4"
  bool fortran_order = false;
  std::vector<int64_t> shape;
  size_t data_start = 0;
};

// The text after 'key': in the header's dictionary literal.
absl::StatusOr<absl::string_view> Entry(absl::string_view dictionary,
                                        absl::string_view key, const std::string& name) {
  const std::string quoted = absl::StrCat("'", key, "':");
  const size_t place = dictionary.find(quoted);
  if (place == absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": the .npy header has no ", key, ": ", dictionary));
  }
  return absl::StripLeadingAsciiWhitespace(dictionary.substr(place + quoted.size()));
}

absl::Status ParseDictionary(absl::string_view dictionary, const std::string& name,
                             Header& header) {
  const auto wrong = [&](absl::string_view key) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": cannot read ", key, " in the .npy header: ", dictionary));
  };
  IAT_ASSIGN_OR_RETURN(absl::string_view type, Entry(dictionary, "descr", name));
  if (absl::StartsWith(type, "[")) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": a structured array; expected plain numbers, stimuli x units"));
  }
  const size_t end = absl::ConsumePrefix(&type, "'") ? type.find('\'') : type.npos;
  if (end == type.npos) return wrong("descr");
  header.type = std::string(type.substr(0, end));

  IAT_ASSIGN_OR_RETURN(const absl::string_view order,
                       Entry(dictionary, "fortran_order", name));
  header.fortran_order = absl::StartsWith(order, "True");
  if (!header.fortran_order && !absl::StartsWith(order, "False")) {
    return wrong("fortran_order");
  }

  IAT_ASSIGN_OR_RETURN(absl::string_view shape, Entry(dictionary, "shape", name));
  const size_t close = absl::ConsumePrefix(&shape, "(") ? shape.find(')') : shape.npos;
  if (close == shape.npos) return wrong("shape");
  for (const absl::string_view part : absl::StrSplit(shape.substr(0, close), ',')) {
    const absl::string_view digits = absl::StripAsciiWhitespace(part);
    if (digits.empty()) continue;  // after the last comma
    int64_t size = 0;
    if (!absl::SimpleAtoi(digits, &size) || size < 0) return wrong("shape");
    header.shape.push_back(size);
  }
  return absl::OkStatus();
}

absl::StatusOr<Header> ParseHeader(absl::string_view bytes, const std::string& name) {
  const auto* raw = reinterpret_cast<const uint8_t*>(bytes.data());
  const absl::Status cut = absl::DataLossError(absl::StrCat(
      name, ": cut short within the .npy header (", bytes.size(), " bytes)"));
  if (bytes.size() < 10) return cut;
  const int version = raw[6];
  if (version < 1 || version > 3) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": .npy format version ", version, "; expected 1, 2 or 3"));
  }
  // Two bytes of length in version 1, four since.
  const size_t start = version == 1 ? 10 : 12;
  if (bytes.size() < start) return cut;
  size_t length = raw[8] | raw[9] << 8;
  if (version > 1) length |= static_cast<size_t>(raw[10]) << 16 | size_t{raw[11]} << 24;
  if (bytes.size() < start + length) return cut;
  Header header;
  header.data_start = start + length;
  IAT_RETURN_IF_ERROR(ParseDictionary(
      absl::StripTrailingAsciiWhitespace(bytes.substr(start, length)), name, header));
  return header;
}

// Element `index` of type T in `data`, byte order reversed where `swap`.
template <typename T>
T Load(const char* data, int64_t index, bool swap) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, data + index * static_cast<int64_t>(sizeof(T)), sizeof(T));
  if (swap) std::reverse(bytes, bytes + sizeof(T));
  return std::bit_cast<T>(bytes);
}

template <typename T>
double ToDouble(T value) {
  return static_cast<double>(value);
}
struct Half {
  uint16_t bits;
};
double ToDouble(Half value) {
  return static_cast<float>(Eigen::numext::bit_cast<Eigen::half>(value.bits));
}

template <typename T>
void Fill(const char* data, bool fortran_order, bool swap, Eigen::MatrixXd& matrix) {
  const int64_t rows = matrix.rows(), cols = matrix.cols();
  // In bands of rows that stay in cache, since C order is not ours.
  constexpr int64_t kBand = 64;
  for (int64_t first = 0; first < rows; first += kBand) {
    const int64_t end = std::min(rows, first + kBand);
    for (int64_t j = 0; j < cols; ++j) {
      for (int64_t i = first; i < end; ++i) {
        const int64_t index = fortran_order ? j * rows + i : i * cols + j;
        matrix(i, j) = ToDouble(Load<T>(data, index, swap));
      }
    }
  }
}

struct ElementType {
  absl::string_view name;  // without byte order
  int64_t size;
  void (*fill)(const char* data, bool fortran_order, bool swap, Eigen::MatrixXd& matrix);
};

constexpr ElementType kElementTypes[] = {
    {"f8", 8, Fill<double>},   {"f4", 4, Fill<float>},    {"f2", 2, Fill<Half>},
    {"i8", 8, Fill<int64_t>},  {"i4", 4, Fill<int32_t>},  {"i2", 2, Fill<int16_t>},
    {"i1", 1, Fill<int8_t>},   {"u8", 8, Fill<uint64_t>}, {"u4", 4, Fill<uint32_t>},
    {"u2", 2, Fill<uint16_t>}, {"u1", 1, Fill<uint8_t>},  {"b1", 1, Fill<uint8_t>}};

absl::StatusOr<ElementType> FindElementType(const Header& header,
                                            const std::string& name) {
  const absl::string_view type = header.type;
  for (const ElementType& known : kElementTypes) {
    if (type.size() == 3 && type.substr(1) == known.name) return known;
  }
  std::string what = "elements that are not numbers";
  if (absl::StrContains(type, "O")) what = "Python objects";
  if (absl::StrContains(type, "U") || absl::StrContains(type, "S")) what = "text";
  if (absl::StrContains(type, "c")) what = "complex numbers";
  return absl::InvalidArgumentError(
      absl::StrCat(name, ": holds ", what, " (dtype '", type,
                   "'); expected floats of 2, 4 or 8 bytes, integers or booleans"));
}

}  // namespace

absl::StatusOr<Eigen::MatrixXd> ParseNpy(absl::string_view bytes,
                                         const std::string& name) {
  IAT_ASSIGN_OR_RETURN(const Header header, ParseHeader(bytes, name));
  IAT_ASSIGN_OR_RETURN(const ElementType type, FindElementType(header, name));
  if (header.shape.size() != 2) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": has shape (", absl::StrJoin(header.shape, ", "),
                     "); expected 2 dimensions, stimuli x units"));
  }
  const int64_t rows = header.shape[0], cols = header.shape[1];
  if (cols != 0 && rows > std::numeric_limits<int64_t>::max() / 8 / cols) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": has shape (", rows, ", ", cols, "), which is too large"));
  }
  const int64_t expected = rows * cols * type.size;
  const int64_t found = static_cast<int64_t>(bytes.size() - header.data_start);
  if (found != expected) {
    return absl::DataLossError(
        absl::StrCat(name, ": ", found < expected ? "cut short" : "has bytes left over",
                     ": ", rows, " x ", cols, " elements of ", type.size, " bytes take ",
                     expected, " bytes, there are ", found));
  }
  Eigen::MatrixXd matrix(rows, cols);
  type.fill(bytes.data() + header.data_start, header.fortran_order,
            absl::StartsWith(header.type, ">"), matrix);
  return matrix;
}

}  // namespace iat
