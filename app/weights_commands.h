// iat weights import | export: to and from PyTorch.

#ifndef IAT_APP_WEIGHTS_COMMANDS_H_
#define IAT_APP_WEIGHTS_COMMANDS_H_

#include <functional>

#include "absl/status/status.h"

namespace CLI {
class App;
}

namespace iat {

void AddWeightsCommands(CLI::App& app, std::function<void(const absl::Status&)> finish);

}  // namespace iat

#endif  // IAT_APP_WEIGHTS_COMMANDS_H_
