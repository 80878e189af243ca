// iat neural import: recordings to neural/NAME.nc.

#ifndef IAT_APP_NEURAL_COMMANDS_H_
#define IAT_APP_NEURAL_COMMANDS_H_

#include <functional>

#include "absl/status/status.h"

namespace CLI {
class App;
}

namespace iat {

// Adds the command group; `finish` receives how the command ended.
void AddNeuralCommands(CLI::App& app, std::function<void(const absl::Status&)> finish);

}  // namespace iat

#endif  // IAT_APP_NEURAL_COMMANDS_H_
