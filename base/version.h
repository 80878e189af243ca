// What this program is: its version, the git revision it was built from, and the
// libraries it runs with.

#ifndef IAT_BASE_VERSION_H_
#define IAT_BASE_VERSION_H_

#include "absl/strings/string_view.h"

namespace iat {

absl::string_view Version();   // "0.1.0"
absl::string_view Revision();  // "1a2b3c4d5e6f", "...-dirty", or "unknown"
absl::string_view Compiler();  // "GNU 12.2.0 Release -march=native"

}  // namespace iat

#endif  // IAT_BASE_VERSION_H_
