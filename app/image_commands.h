// iat images pack | make | show.

#ifndef IAT_APP_IMAGE_COMMANDS_H_
#define IAT_APP_IMAGE_COMMANDS_H_

#include <functional>

#include "absl/status/status.h"

namespace CLI {
class App;
}

namespace iat {

void AddImageCommands(CLI::App& app, std::function<void(const absl::Status&)> finish);

}  // namespace iat

#endif  // IAT_APP_IMAGE_COMMANDS_H_
