#include "neural/numbered_name.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace iat {
namespace {

// The digits that "", "d" or "03d" asks for at least; -1 for anything else.
int Width(absl::string_view format) {
  constexpr int kMaxWidth = 18;
  int width = 0;
  if (format.empty()) return 0;
  if (!absl::ConsumeSuffix(&format, "d")) return -1;
  if (format.empty()) return 0;
  if (!absl::ConsumePrefix(&format, "0") || !absl::SimpleAtoi(format, &width) ||
      width < 0 || width > kMaxWidth) {
    return -1;
  }
  return width;
}

}  // namespace

absl::StatusOr<std::string> NumberedName(
    const std::string& pattern,
    const std::vector<std::pair<std::string, int64_t>>& numbers) {
  const auto wrong = [&] {
    return absl::InvalidArgumentError(absl::StrCat(
        "the pattern is \"", pattern, "\"; expected ",
        absl::StrJoin(numbers, " and ",
                      [](std::string* out, const auto& number) {
                        absl::StrAppend(out, "{", number.first, "}");
                      }),
        " once, with a format such as {", numbers[0].first, ":03d} where wanted"));
  };
  std::vector<int> times(numbers.size(), 0);
  std::string name;
  absl::string_view rest = pattern;
  while (!rest.empty()) {
    const size_t open = rest.find_first_of("{}");
    if (open == absl::string_view::npos) {
      absl::StrAppend(&name, rest);
      break;
    }
    const size_t close = rest.find('}', open);
    if (rest[open] == '}' || close == absl::string_view::npos) return wrong();
    absl::StrAppend(&name, rest.substr(0, open));
    const absl::string_view inside = rest.substr(open + 1, close - open - 1);
    const size_t colon = inside.find(':');
    const auto found = std::find_if(
        numbers.begin(), numbers.end(),
        [&](const auto& number) { return number.first == inside.substr(0, colon); });
    const int width = Width(colon == absl::string_view::npos ? absl::string_view()
                                                             : inside.substr(colon + 1));
    if (found == numbers.end() || width < 0 || ++times[found - numbers.begin()] > 1) {
      return wrong();
    }
    absl::StrAppendFormat(&name, "%0*d", width, found->second);
    rest.remove_prefix(close + 1);
  }
  if (std::count(times.begin(), times.end(), 1) != static_cast<ptrdiff_t>(times.size())) {
    return wrong();
  }
  return name;
}

absl::StatusOr<std::string> NumberedName(const std::string& pattern, int64_t number) {
  return NumberedName(pattern, {{"", number}});
}

}  // namespace iat
