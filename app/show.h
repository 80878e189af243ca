// iat show: what a file or folder of ours holds, in words.

#ifndef IAT_APP_SHOW_H_
#define IAT_APP_SHOW_H_

#include <string>

#include "absl/status/status.h"

namespace iat {

// Activation files, weights, score tables, packed image sets and run folders.
// InvalidArgument for anything else.
absl::Status Show(const std::string& path);

}  // namespace iat

#endif  // IAT_APP_SHOW_H_
