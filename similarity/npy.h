// NumPy's .npy files of two-dimensional arrays (format versions 1 to 3).
// similarity/array_file.h says which arrays are read.

#ifndef IAT_SIMILARITY_NPY_H_
#define IAT_SIMILARITY_NPY_H_

#include <Eigen/Core>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace iat {

// How every .npy file begins.
inline constexpr absl::string_view kNpyMagic = "\x93NUMPY";

// The array in the bytes of a file, which messages call `name`. InvalidArgument: not two
// dimensions, or elements that are not numbers. DataLoss: bytes missing or left over.
absl::StatusOr<Eigen::MatrixXd> ParseNpy(absl::string_view bytes,
                                         const std::string& name);

}  // namespace iat

#endif  // IAT_SIMILARITY_NPY_H_
