// A number as JSON has it: null where it is not finite, for which JSON has no word.

#ifndef IAT_BASE_NUMBER_JSON_H_
#define IAT_BASE_NUMBER_JSON_H_

#include <cmath>
#include <nlohmann/json.hpp>

namespace iat {

inline nlohmann::ordered_json NumberJson(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value)
                              : nlohmann::ordered_json(nullptr);
}

}  // namespace iat

#endif  // IAT_BASE_NUMBER_JSON_H_
