#include "base/version.h"

#include "iat_version.inc"

namespace iat {

absl::string_view Version() { return IAT_VERSION; }
absl::string_view Revision() { return IAT_REVISION; }
absl::string_view Compiler() { return IAT_COMPILER; }

}  // namespace iat
