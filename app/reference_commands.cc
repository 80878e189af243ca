#include "app/reference_commands.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "app/command_pages.h"
#include "app/command_tree.h"
#include "app/run_config.h"
#include "app/shell_completion.h"
#include "base/version.h"

namespace iat {
namespace {

constexpr char kConfigHead[] =
    "# Config reference\n\n"
    "Written by `iat reference config` from the options that the program reads. A config "
    "is TOML; an unknown key, a wrong type or a value out of range stops the run with "
    "file, line and what was expected. `--set table.key=value` replaces one value. "
    "`${VARIABLE}` is expanded in paths. Every run writes its resolved config, defaults "
    "included, to `config.toml` in the run folder.\n\n";

void PrintText(const std::string& text) { std::fputs(text.c_str(), stdout); }

// What --set can name without knowing the names a user gave to tables.
std::vector<std::string> SettableKeys() {
  std::vector<std::string> keys = ConfigReference().keys();
  std::erase_if(keys,
                [](const std::string& key) { return absl::StrContains(key, ".NAME."); });
  return keys;
}

}  // namespace

void AddReferenceCommands(CLI::App& app) {
  const auto choice = std::make_shared<std::string>();
  CLI::App* reference =
      app.add_subcommand("reference", "all config keys or all commands, as Markdown");
  reference
      ->add_option("PART", *choice,
                   "config: docs/reference.md; commands: docs/commands.md")
      ->required()
      ->check(CLI::IsMember({"config", "commands"}));
  reference->callback([&app, choice] {
    PrintText(*choice == "config" ? kConfigHead + ConfigReference().markdown()
                                  : CommandsMarkdown(DescribeCommands(app)));
  });

  CLI::App* completion = app.add_subcommand(
      "completion", "completion script of a shell: source it, or put it where it looks");
  completion->add_option("SHELL", *choice, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  completion->callback([&app, choice] {
    const CommandNode root = DescribeCommands(app);
    PrintText(*choice == "bash"  ? BashCompletion(root, SettableKeys())
              : *choice == "zsh" ? ZshCompletion(root, SettableKeys())
                                 : FishCompletion(root, SettableKeys()));
  });

  app.add_subcommand("man", "the man page, for man -l or share/man/man1")
      ->callback(
          [&app] { PrintText(ManPage(DescribeCommands(app), std::string(Version()))); });
}

}  // namespace iat
