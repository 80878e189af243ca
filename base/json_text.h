// How this program writes JSON.

#ifndef IAT_BASE_JSON_TEXT_H_
#define IAT_BASE_JSON_TEXT_H_

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

namespace iat {

// null where the value is not finite, for which JSON has no word.
inline nlohmann::ordered_json NumberJson(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value)
                              : nlohmann::ordered_json(nullptr);
}

// Indented by 2, no newline at the end. The writer is a template that costs each source
// with a dump() in it 1.5 s; this one is compiled once.
std::string JsonText(const nlohmann::ordered_json& json);

}  // namespace iat

#endif  // IAT_BASE_JSON_TEXT_H_
