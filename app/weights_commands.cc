#include "app/weights_commands.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "base/status.h"
#include "models/weight_exchange.h"

namespace iat {
namespace {

struct WeightsArguments {
  std::string in, out, key;
};

absl::Status Import(const WeightsArguments& arguments) {
  const auto& [in, out, key] = arguments;
  IAT_ASSIGN_OR_RETURN(const std::string found, ImportWeightFile(in, key, out));
  std::printf("%s: %s%s: written; [family] imported = [\"%s\"] makes it an animal\n",
              in.c_str(), found.c_str(), out.c_str(), out.c_str());
  return absl::OkStatus();
}

absl::Status Export(const WeightsArguments& arguments) {
  const auto& [in, out, key] = arguments;
  IAT_ASSIGN_OR_RETURN(const std::string found, ExportWeightFile(in, out));
  std::printf("%s: %s%s: written\n", in.c_str(), found.c_str(), out.c_str());
  return absl::OkStatus();
}

}  // namespace

void AddWeightsCommands(CLI::App& app, std::function<void(const absl::Status&)> finish) {
  const auto arguments = std::make_shared<WeightsArguments>();
  CLI::App* weights = app.add_subcommand("weights", "weights from and to PyTorch");
  weights->require_subcommand(1);

  CLI::App* import_command = weights->add_subcommand(
      "import", "a state dict or checkpoint of PyTorch -> weights of ours");
  import_command
      ->add_option("FILE", arguments->in, ".pt, .pth, .ckpt, ... or .safetensors")
      ->required();
  import_command->add_option("--out", arguments->out, "a .safetensors file")->required();
  import_command->add_option("--key", arguments->key,
                             "which dictionary of a checkpoint, e.g. state_dict");
  import_command->callback([arguments, finish] { finish(Import(*arguments)); });

  CLI::App* export_command = weights->add_subcommand(
      "export", "weights or a checkpoint of ours -> a state dict that PyTorch loads");
  export_command
      ->add_option("WEIGHTS", arguments->in, "models/seed-000/weights.safetensors")
      ->required();
  export_command->add_option("OUT", arguments->out, "a .pt, .pth or .safetensors file")
      ->required();
  export_command->callback([arguments, finish] { finish(Export(*arguments)); });
}

}  // namespace iat
