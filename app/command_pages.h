// The man page and docs/commands.md, written from the tree of commands.

#ifndef IAT_APP_COMMAND_PAGES_H_
#define IAT_APP_COMMAND_PAGES_H_

#include <string>

#include "app/command_tree.h"

namespace iat {

// iat(1) in troff's man macros. `version`: "0.1.0".
std::string ManPage(const CommandNode& root, const std::string& version);

// One section a command: usage, options, examples.
std::string CommandsMarkdown(const CommandNode& root);

// "iat images pack SOURCE... --out TEXT [OPTIONS]".
std::string UsageOf(const CommandNode& command);

}  // namespace iat

#endif  // IAT_APP_COMMAND_PAGES_H_
