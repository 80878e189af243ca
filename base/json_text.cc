#include "base/json_text.h"

namespace iat {

std::string JsonText(const nlohmann::ordered_json& json) { return json.dump(2); }

}  // namespace iat
