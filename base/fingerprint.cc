#include "base/fingerprint.h"

#include <charconv>
#include <cmath>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace iat {
namespace {

template <typename T, typename Format>
std::string TomlArray(const std::vector<T>& values, Format format) {
  std::vector<std::string> texts;
  for (const T& value : values) texts.push_back(format(value));
  return absl::StrCat("[", absl::StrJoin(texts, ", "), "]");
}

std::string TomlInteger(int64_t value) { return absl::StrCat(value); }

}  // namespace

std::string TomlString(absl::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&quoted, "\\u%04x", c);
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string TomlNumber(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[32];
  const auto result = std::to_chars(buffer, buffer + sizeof(buffer), value);
  std::string text(buffer, result.ptr);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

void OptionLister::Add(absl::string_view name, absl::string_view value) {
  absl::StrAppend(&text_, prefix_, name, " = ", value, "\n");
}

void OptionLister::Flag(absl::string_view name, bool& value, absl::string_view) {
  Add(name, value ? "true" : "false");
}
void OptionLister::Integer(absl::string_view name, int64_t& value, IntegerRange,
                           absl::string_view) {
  Add(name, TomlInteger(value));
}
void OptionLister::Number(absl::string_view name, double& value, NumberRange,
                          absl::string_view) {
  Add(name, TomlNumber(value));
}
void OptionLister::Text(absl::string_view name, std::string& value, absl::string_view) {
  Add(name, TomlString(value));
}
void OptionLister::Choice(absl::string_view name, std::string& value, const AllowedNames&,
                          absl::string_view) {
  Add(name, TomlString(value));
}
void OptionLister::Path(absl::string_view name, std::string& value, absl::string_view) {
  Add(name, TomlString(value));
}
void OptionLister::Integers(absl::string_view name, std::vector<int64_t>& values,
                            IntegerRange, absl::string_view) {
  Add(name, TomlArray(values, TomlInteger));
}
void OptionLister::Numbers(absl::string_view name, std::vector<double>& values,
                           NumberRange, absl::string_view) {
  Add(name, TomlArray(values, TomlNumber));
}
void OptionLister::Choices(absl::string_view name, std::vector<std::string>& values,
                           const AllowedNames&, absl::string_view) {
  Add(name, TomlArray(values, TomlString));
}
void OptionLister::Paths(absl::string_view name, std::vector<std::string>& values,
                         absl::string_view) {
  Add(name, TomlArray(values, TomlString));
}
void OptionLister::Table(absl::string_view name, absl::string_view,
                         const std::function<void(OptionVisitor&)>& describe) {
  const std::string outer = prefix_;
  absl::StrAppend(&prefix_, name, ".");
  describe(*this);
  prefix_ = outer;
}

}  // namespace iat
