#include "models/weight_exchange.h"

#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/status.h"
#include "base/version.h"
#include "models/safetensors.h"
#include "models/state_dict_file.h"
#include "models/weight_import.h"

namespace iat {
namespace {

bool IsSafetensors(const std::string& path) {
  return absl::EndsWithIgnoreCase(path, ".safetensors");
}

absl::Status CheckOut(const std::string& out, bool torch_too) {
  if (IsSafetensors(out) || (torch_too && (absl::EndsWithIgnoreCase(out, ".pt") ||
                                           absl::EndsWithIgnoreCase(out, ".pth")))) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(out, ": expected a name that ends in .safetensors",
                   torch_too ? ", .pt or .pth" : ""));
}

}  // namespace

absl::StatusOr<std::string> ImportWeightFile(const std::string& in,
                                             const std::string& key,
                                             const std::string& out) {
  IAT_RETURN_IF_ERROR(CheckOut(out, /*torch_too=*/false));
  IAT_ASSIGN_OR_RETURN(ImportedWeights weights, ImportWeights(in, key));
  IAT_ASSIGN_OR_RETURN(const std::string digest, Sha256OfFile(in));
  TensorFile file;
  file.tensors = std::move(weights.state);
  file.metadata = weights.metadata;
  // It says what a run made; these may have come any way.
  file.metadata.erase("fingerprint");
  file.metadata["architecture"] = weights.model.architecture;
  file.metadata["width"] = FormatNumber(weights.model.width);
  file.metadata["imported_from"] = in;
  file.metadata["imported_sha256"] = digest;
  file.metadata["iat_version"] = std::string(Version());
  IAT_RETURN_IF_ERROR(MakeFolder(std::filesystem::absolute(out).parent_path()));
  IAT_RETURN_IF_ERROR(WriteTensors(out, file));
  weights.state = std::move(file.tensors);
  return weights.Text();
}

absl::StatusOr<std::string> ExportWeightFile(const std::string& in,
                                             const std::string& out) {
  IAT_RETURN_IF_ERROR(CheckOut(out, /*torch_too=*/true));
  IAT_ASSIGN_OR_RETURN(ImportedWeights weights, ImportWeights(in));
  IAT_RETURN_IF_ERROR(MakeFolder(std::filesystem::absolute(out).parent_path()));
  if (IsSafetensors(out)) {
    TensorFile file{.tensors = weights.state, .metadata = weights.metadata};
    // What a checkpoint of ours notes beside its weights is not theirs.
    for (const char* key : {"metrics", "step", "loss_sum", "steps_since_report"}) {
      file.metadata.erase(key);
    }
    file.metadata["format"] = "pt";  // as Python's readers ask
    file.metadata["architecture"] = weights.model.architecture;
    file.metadata["width"] = FormatNumber(weights.model.width);
    IAT_RETURN_IF_ERROR(WriteTensors(out, file));
  } else {
    IAT_RETURN_IF_ERROR(WriteStateDictFile(out, weights.state));
  }
  return weights.Text();
}

}  // namespace iat
