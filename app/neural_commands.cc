#include "app/neural_commands.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/parallel.h"
#include "base/status.h"
#include "neural/import.h"

namespace iat {
namespace {

struct ImportArguments {
  std::string description, out;
  std::vector<std::string> overrides;
  int jobs = 1;
};

absl::Status Import(const ImportArguments& arguments) {
  if (std::filesystem::path(arguments.out).extension() != ".nc") {
    return absl::InvalidArgumentError(absl::StrCat(
        "--out is \"", arguments.out, "\"; expected a file such as neural/NAME.nc"));
  }
  IAT_ASSIGN_OR_RETURN(const Description description,
                       Description::Load(arguments.description, arguments.overrides));
  // A missing file by its name, before a process is started for it.
  IAT_RETURN_IF_ERROR(description.Fingerprint().status());
  IAT_ASSIGN_OR_RETURN(const std::string log,
                       ImportRecording(description, arguments.out, arguments.jobs));
  std::printf("%s%s\n", log.c_str(), arguments.out.c_str());
  return absl::OkStatus();
}

}  // namespace

void AddNeuralCommands(CLI::App& app, std::function<void(const absl::Status&)> finish) {
  const auto arguments = std::make_shared<ImportArguments>();
  CLI::App* neural = app.add_subcommand("neural", "recordings of animals: import");
  neural->require_subcommand(1);
  CLI::App* import_command = neural->add_subcommand(
      "import", "NWB files or arrays, by a description -> neural/NAME.nc");
  import_command
      ->add_option("DESCRIPTION", arguments->description,
                   "e.g. configs/neural/antolik2016.toml")
      ->required();
  import_command->add_option("--out", arguments->out, "neural/NAME.nc")->required();
  import_command
      ->add_option("--set", arguments->overrides, "replace one value: table.key=value")
      ->allow_extra_args(false);
  import_command->add_option("--jobs", arguments->jobs, "neurons worked on at once")
      ->default_val(NumUsableCores())
      ->check(CLI::Range(1, 4096));
  import_command->callback([arguments, finish] { finish(Import(*arguments)); });
}

}  // namespace iat
