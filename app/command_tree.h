// The commands of a program as plain data, read from its CLI11 parser: what --help
// knows is what the man page, the shell completions and docs/commands.md show.

#ifndef IAT_APP_COMMAND_TREE_H_
#define IAT_APP_COMMAND_TREE_H_

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace iat {

struct CommandOption {
  // "-h" and "--help", or what stands for a positional argument: "CONFIG".
  std::vector<std::string> names;
  bool positional = false;
  bool required = false;
  bool takes_value = false;
  bool repeats = false;
  std::string value_name;            // "TEXT", "INT"; "" for a flag
  std::vector<std::string> choices;  // all the values there are, where that is known
  std::string default_text;
  std::string doc;
};

struct CommandNode {
  std::string path;  // "iat images pack"
  std::string name;  // "pack"
  std::string doc;
  std::vector<CommandOption> options;
  std::vector<std::string> examples;  // command lines
  std::vector<CommandNode> commands;
};

// Commands of the group "" are for the program itself and are left out.
CommandNode DescribeCommands(const CLI::App& app);

// Puts each command's examples below its --help (command_examples.h).
void AddExamples(CLI::App& app);

// The node itself and all below it, in the order of --help.
std::vector<const CommandNode*> Flatten(const CommandNode& root);

}  // namespace iat

#endif  // IAT_APP_COMMAND_TREE_H_
