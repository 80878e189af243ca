// What a safetensors file (safetensors.h) says of itself, for those that need no
// tensors: readable without LibTorch's headers.

#ifndef IAT_MODELS_TENSOR_METADATA_H_
#define IAT_MODELS_TENSOR_METADATA_H_

#include <filesystem>
#include <map>
#include <string>

#include "absl/status/statusor.h"

namespace iat {

// The metadata alone, without reading the values.
absl::StatusOr<std::map<std::string, std::string>> ReadTensorMetadata(
    const std::filesystem::path& path);

// Number, names and shapes of its tensors and its metadata, in lines for the user. Reads
// and checks the values too; the errors of ReadTensors.
absl::StatusOr<std::string> DescribeTensors(const std::filesystem::path& path);

}  // namespace iat

#endif  // IAT_MODELS_TENSOR_METADATA_H_
