// numpy's .npy files: a small text header before raw values in C order. Opens with
// numpy.load(path, mmap_mode="r").
//
// Source   numpy.lib.format, version 1.0.

#ifndef IAT_BASE_NPY_H_
#define IAT_BASE_NPY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace iat {

struct NpyHeader {
  std::string type;  // "|u1", "<f4", "<f2", ...
  std::vector<int64_t> shape;
  size_t data_start = 0;

  // The product of the shape.
  int64_t num_values() const;
};

// Any header of ours fits.
inline constexpr size_t kNpyHeaderBytes = 128;

// kNpyHeaderBytes long, so that the values start at a multiple of 64.
std::string NpyHeaderText(absl::string_view type, const std::vector<int64_t>& shape);

// `name` is what errors call the file. DataLoss: it ends inside its header.
// InvalidArgument: not numpy, another version, Fortran order, a shape that is no list
// of numbers or has more than 2^62 values.
absl::StatusOr<NpyHeader> ParseNpyHeader(absl::string_view bytes, absl::string_view name);

}  // namespace iat

#endif  // IAT_BASE_NPY_H_
