// iat activations merge | select | export.

#ifndef IAT_APP_ACTIVATION_COMMANDS_H_
#define IAT_APP_ACTIVATION_COMMANDS_H_

#include <functional>

#include "absl/status/status.h"

namespace CLI {
class App;
}

namespace iat {

void AddActivationCommands(CLI::App& app,
                           std::function<void(const absl::Status&)> finish);

}  // namespace iat

#endif  // IAT_APP_ACTIVATION_COMMANDS_H_
