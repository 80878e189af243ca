// The examples of every command: below its --help, in the man page and in
// docs/commands.md, whose commands the documentation test runs one after the other.

#ifndef IAT_APP_COMMAND_EXAMPLES_H_
#define IAT_APP_COMMAND_EXAMPLES_H_

#include <string>
#include <vector>

namespace iat {

// Command lines of "iat images pack"; empty for a command that has none.
std::vector<std::string> ExamplesOf(const std::string& path);

}  // namespace iat

#endif  // IAT_APP_COMMAND_EXAMPLES_H_
