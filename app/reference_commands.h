// iat reference, iat completion, iat man: what the program says about itself. Call it
// after every other command is there.

#ifndef IAT_APP_REFERENCE_COMMANDS_H_
#define IAT_APP_REFERENCE_COMMANDS_H_

namespace CLI {
class App;
}

namespace iat {

void AddReferenceCommands(CLI::App& app);

}  // namespace iat

#endif  // IAT_APP_REFERENCE_COMMANDS_H_
