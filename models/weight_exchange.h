// Weight files from and to PyTorch, file to file (iat weights).

#ifndef IAT_MODELS_WEIGHT_EXCHANGE_H_
#define IAT_MODELS_WEIGHT_EXCHANGE_H_

#include <string>

#include "absl/status/statusor.h"

namespace iat {

// Writes what weight_import.h finds in the file `in`, in its dictionary `key` where one
// is named, as weights of ours, and returns what was found, in lines for the user.
// InvalidArgument: `out` does not end in .safetensors; errors of reading and writing.
absl::StatusOr<std::string> ImportWeightFile(const std::string& in,
                                             const std::string& key,
                                             const std::string& out);

// Writes weights or a checkpoint of ours as a state dict that PyTorch loads, by the name
// of `out` a safetensors file or what torch.save writes. As above otherwise.
absl::StatusOr<std::string> ExportWeightFile(const std::string& in,
                                             const std::string& out);

}  // namespace iat

#endif  // IAT_MODELS_WEIGHT_EXCHANGE_H_
