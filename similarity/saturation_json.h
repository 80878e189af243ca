// A size at saturation as saturation.json and calibrate.json have it.

#ifndef IAT_SIMILARITY_SATURATION_JSON_H_
#define IAT_SIMILARITY_SATURATION_JSON_H_

#include <nlohmann/json_fwd.hpp>

#include "similarity/saturation.h"

namespace iat {

// size, low and high (null where there is none), at_smallest.
nlohmann::ordered_json SizeJson(const SaturationSize& size);

}  // namespace iat

#endif  // IAT_SIMILARITY_SATURATION_JSON_H_
