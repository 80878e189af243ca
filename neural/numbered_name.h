// Names with numbers in them: "scene_{:03d}.png", "texture-{block:02d}-bin-{within}".

#ifndef IAT_NEURAL_NUMBERED_NAME_H_
#define IAT_NEURAL_NUMBERED_NAME_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace iat {

// Puts each number where its name stands in braces, alone or with the format d or 0Nd:
// {block}, {block:d}, {block:02d}. InvalidArgument showing the pattern when a name is
// missing or stands there twice, or something else is in braces.
absl::StatusOr<std::string> NumberedName(
    const std::string& pattern,
    const std::vector<std::pair<std::string, int64_t>>& numbers);

// The same with one number that has no name: {}, {:d}, {:03d}.
absl::StatusOr<std::string> NumberedName(const std::string& pattern, int64_t number);

}  // namespace iat

#endif  // IAT_NEURAL_NUMBERED_NAME_H_
