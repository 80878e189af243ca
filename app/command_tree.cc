#include "app/command_tree.h"

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "app/command_examples.h"

namespace iat {
namespace {

CommandOption DescribeOption(const CLI::Option& option) {
  CommandOption described;
  described.positional = option.get_positional();
  if (described.positional) {
    described.names.push_back(option.get_name(/*positional=*/true));
  }
  for (const std::string& name : option.get_snames()) {
    described.names.push_back("-" + name);
  }
  for (const std::string& name : option.get_lnames()) {
    described.names.push_back("--" + name);
  }
  described.required = option.get_required();
  described.takes_value = option.get_items_expected_max() > 0;
  described.repeats = option.get_items_expected_max() > 1;
  described.default_text = option.get_default_str();
  described.doc = option.get_description();
  if (described.takes_value) {
    // CLI11 writes "TEXT:{npy,csv}" or "INT:INT in [1 - 4096]".
    const std::string type = option.get_type_name();
    described.value_name = type.substr(0, type.find(':'));
    const size_t open = type.find('{'), close = type.rfind('}');
    if (open != std::string::npos && close != std::string::npos && open < close) {
      described.choices =
          absl::StrSplit(type.substr(open + 1, close - open - 1), ',', absl::SkipEmpty());
    }
  }
  return described;
}

CommandNode DescribeCommand(const CLI::App& app, const std::string& path) {
  CommandNode node;
  node.path = path;
  node.name = path.substr(path.rfind(' ') + 1);
  node.doc = app.get_description();
  node.examples = ExamplesOf(path);
  for (const CLI::Option* option : app.get_options()) {
    node.options.push_back(DescribeOption(*option));
  }
  const auto shown = [](const CLI::App* command) {
    return !command->get_group().empty();
  };
  for (const CLI::App* command : app.get_subcommands(shown)) {
    node.commands.push_back(
        DescribeCommand(*command, absl::StrCat(path, " ", command->get_name())));
  }
  return node;
}

void AddExamplesBelow(CLI::App& app, const std::string& path) {
  std::string footer;
  for (const std::string& example : ExamplesOf(path)) {
    absl::StrAppend(&footer, footer.empty() ? "Examples:\n" : "\n", "  ", example);
  }
  app.footer(footer);
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    AddExamplesBelow(*command, absl::StrCat(path, " ", command->get_name()));
  }
}

void FlattenInto(const CommandNode& node, std::vector<const CommandNode*>& nodes) {
  nodes.push_back(&node);
  for (const CommandNode& command : node.commands) FlattenInto(command, nodes);
}

}  // namespace

CommandNode DescribeCommands(const CLI::App& app) { return DescribeCommand(app, "iat"); }

void AddExamples(CLI::App& app) { AddExamplesBelow(app, "iat"); }

std::vector<const CommandNode*> Flatten(const CommandNode& root) {
  std::vector<const CommandNode*> nodes;
  FlattenInto(root, nodes);
  return nodes;
}

}  // namespace iat
