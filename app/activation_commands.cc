#include "app/activation_commands.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status.h"
#include "extraction/activation_tools.h"

namespace iat {
namespace {

struct ActivationArguments {
  std::vector<std::string> inputs, layers, stages;
  std::string input, output, stimuli, format = "npy";
};

absl::Status Select(const ActivationArguments& arguments) {
  ActivationSelection selection;
  selection.layers = arguments.layers;
  for (const std::string& name : arguments.stages) {
    IAT_ASSIGN_OR_RETURN(const Stage stage, ParseStage(name));
    selection.stages.push_back(stage);
  }
  if (!arguments.stimuli.empty()) {
    IAT_ASSIGN_OR_RETURN(const std::string text, ReadFile(arguments.stimuli));
    selection.stimulus_ids =
        absl::StrSplit(text, absl::ByAnyChar("\r\n"), absl::SkipWhitespace());
    if (selection.stimulus_ids.empty()) {
      return absl::InvalidArgumentError(arguments.stimuli + ": no stimulus ids");
    }
  }
  return SelectActivations(arguments.input, selection, arguments.output);
}

absl::Status Export(const ActivationArguments& arguments) {
  if (arguments.format == "npy") return ExportNpy(arguments.input, arguments.output);
  if (arguments.format == "csv") return ExportCsv(arguments.input, arguments.output);
  return ExportBrainScore(arguments.input, arguments.output);
}

}  // namespace

void AddActivationCommands(CLI::App& app,
                           std::function<void(const absl::Status&)> finish) {
  const auto arguments = std::make_shared<ActivationArguments>();
  CLI::App* activations =
      app.add_subcommand("activations", "activation files: merge, select, export");
  activations->require_subcommand(1);

  CLI::App* merge = activations->add_subcommand(
      "merge", "one file with the stimuli of several, same animal and units");
  merge->add_option("FILES", arguments->inputs, "activation files")->required();
  merge->add_option("--out", arguments->output, "the merged file")->required();
  merge->callback([arguments, finish] {
    finish(MergeActivations({arguments->inputs.begin(), arguments->inputs.end()},
                            arguments->output));
  });

  CLI::App* select =
      activations->add_subcommand("select", "some layers, stages or stimuli of a file");
  select->add_option("FILE", arguments->input, "an activation file")->required();
  select->add_option("--out", arguments->output, "the smaller file")->required();
  select->add_option("--layers", arguments->layers, "e.g. conv1,conv3 (default: all)")
      ->delimiter(',');
  select->add_option("--stages", arguments->stages, "pre_relu, post_relu (default: all)")
      ->delimiter(',');
  select->add_option("--stimuli", arguments->stimuli,
                     "text file with a stimulus id a line (default: all)");
  select->callback([arguments, finish] { finish(Select(*arguments)); });

  CLI::App* to = activations->add_subcommand(
      "export", "NumPy .npy, CSV, or Brain-Score's presentation x neuroid");
  to->add_option("FILE", arguments->input, "an activation file")->required();
  to->add_option("--out", arguments->output, "folder; for brainscore a .nc file")
      ->required();
  to->add_option("--format", arguments->format, "npy, csv or brainscore")
      ->check(CLI::IsMember({"npy", "csv", "brainscore"}));
  to->callback([arguments, finish] { finish(Export(*arguments)); });
}

}  // namespace iat
