#include "app/weights_commands.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>

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

struct WeightsArguments {
  std::string in, out, key;
};

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

absl::Status Import(const WeightsArguments& arguments) {
  IAT_RETURN_IF_ERROR(CheckOut(arguments.out, /*torch_too=*/false));
  IAT_ASSIGN_OR_RETURN(ImportedWeights weights,
                       ImportWeights(arguments.in, arguments.key));
  IAT_ASSIGN_OR_RETURN(const std::string digest, Sha256OfFile(arguments.in));
  TensorFile file;
  file.tensors = std::move(weights.state);
  file.metadata = weights.metadata;
  // It says what a run made; these may have come any way.
  file.metadata.erase("fingerprint");
  file.metadata["architecture"] = weights.model.architecture;
  file.metadata["width"] = FormatNumber(weights.model.width);
  file.metadata["imported_from"] = arguments.in;
  file.metadata["imported_sha256"] = digest;
  file.metadata["iat_version"] = std::string(Version());
  IAT_RETURN_IF_ERROR(MakeFolder(std::filesystem::absolute(arguments.out).parent_path()));
  IAT_RETURN_IF_ERROR(WriteTensors(arguments.out, file));
  weights.state = std::move(file.tensors);
  std::printf("%s: %s%s: written; [family] imported = [\"%s\"] makes it an animal\n",
              arguments.in.c_str(), weights.Text().c_str(), arguments.out.c_str(),
              arguments.out.c_str());
  return absl::OkStatus();
}

absl::Status Export(const WeightsArguments& arguments) {
  IAT_RETURN_IF_ERROR(CheckOut(arguments.out, /*torch_too=*/true));
  IAT_ASSIGN_OR_RETURN(ImportedWeights weights, ImportWeights(arguments.in));
  IAT_RETURN_IF_ERROR(MakeFolder(std::filesystem::absolute(arguments.out).parent_path()));
  if (IsSafetensors(arguments.out)) {
    TensorFile file{.tensors = weights.state, .metadata = weights.metadata};
    // What a checkpoint of ours notes beside its weights is not theirs.
    for (const char* key : {"metrics", "step", "loss_sum", "steps_since_report"}) {
      file.metadata.erase(key);
    }
    file.metadata["format"] = "pt";  // as Python's readers ask
    file.metadata["architecture"] = weights.model.architecture;
    file.metadata["width"] = FormatNumber(weights.model.width);
    IAT_RETURN_IF_ERROR(WriteTensors(arguments.out, file));
  } else {
    IAT_RETURN_IF_ERROR(WriteStateDictFile(arguments.out, weights.state));
  }
  std::printf("%s: %s%s: written\n", arguments.in.c_str(), weights.Text().c_str(),
              arguments.out.c_str());
  return absl::OkStatus();
}

}  // namespace

void AddWeightsCommands(CLI::App& app, std::function<void(const absl::Status&)> finish) {
  const auto arguments = std::make_shared<WeightsArguments>();
  CLI::App* weights = app.add_subcommand("weights", "weights from and to PyTorch");
  weights->require_subcommand(1);

  CLI::App* import = weights->add_subcommand(
      "import", "a state dict or checkpoint of PyTorch -> weights of ours");
  import->add_option("FILE", arguments->in, ".pt, .pth, .ckpt, ... or .safetensors")
      ->required();
  import->add_option("--out", arguments->out, "a .safetensors file")->required();
  import->add_option("--key", arguments->key,
                     "which dictionary of a checkpoint, e.g. state_dict");
  import->callback([arguments, finish] { finish(Import(*arguments));
});

CLI::App* export_command = weights->add_subcommand(
    "export", "weights or a checkpoint of ours -> a state dict that PyTorch loads");
export_command
    ->add_option("WEIGHTS", arguments->in, "models/seed-000/weights.safetensors")
    ->required();
export_command->add_option("OUT", arguments->out, "a .pt, .pth or .safetensors file")
    ->required();
export_command->callback([arguments, finish] { finish(Export(*arguments)); });
}  // namespace iat

}  // namespace iat
