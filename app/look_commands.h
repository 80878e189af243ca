// iat look WEIGHTS: filters, best stimuli, tuning, sparsity, in one page.

#ifndef IAT_APP_LOOK_COMMANDS_H_
#define IAT_APP_LOOK_COMMANDS_H_

#include <functional>

#include "absl/status/status.h"

namespace CLI {
class App;
}

namespace iat {

void AddLookCommand(CLI::App& app, std::function<void(const absl::Status&)> finish);

}  // namespace iat

#endif  // IAT_APP_LOOK_COMMANDS_H_
