// safetensors: an 8-byte little-endian header length, a JSON header naming each
// tensor's type, shape and place, then the raw values. Python opens it with
// safetensors.torch.load_file; C++ needs no pickle.
//
// Source   https://github.com/huggingface/safetensors (format description).
//
// The writer adds metadata "sha256", the digest of all bytes after the header, and
// "header_sha256", that of the header without itself. The reader checks them where
// they are present, so damage does not go unnoticed.

#ifndef IAT_MODELS_SAFETENSORS_H_
#define IAT_MODELS_SAFETENSORS_H_

#include <torch/types.h>

#include <filesystem>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "models/tensor_metadata.h"

namespace iat {

struct TensorFile {
  // float16, bfloat16, float32, float64, int8 to int64, uint8, bool
  std::map<std::string, torch::Tensor> tensors;
  std::map<std::string, std::string> metadata;
};

// Whole or not at all (base/file.h). Tensors are copied to the CPU and made
// contiguous; byte-identical for equal contents.
absl::Status WriteTensors(const std::filesystem::path& path, const TensorFile& file);

// DataLoss naming the file, the tensor and the sizes when it is truncated or
// damaged; Unimplemented for a type this program does not use.
absl::StatusOr<TensorFile> ReadTensors(const std::filesystem::path& path);

}  // namespace iat

#endif  // IAT_MODELS_SAFETENSORS_H_
