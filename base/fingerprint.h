// The fingerprint of an options struct: SHA-256 over every key and value that its
// Describe() visits. Two runs with equal fingerprints were asked for the same.

#ifndef IAT_BASE_FINGERPRINT_H_
#define IAT_BASE_FINGERPRINT_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "base/options.h"

namespace iat {

// "key = value" lines of everything visited, nested tables as "table.key".
class OptionLister : public OptionVisitor {
 public:
  const std::string& text() const { return text_; }

  void Flag(absl::string_view name, bool& value, absl::string_view doc) override;
  void Integer(absl::string_view name, int64_t& value, IntegerRange range,
               absl::string_view doc) override;
  void Number(absl::string_view name, double& value, NumberRange range,
              absl::string_view doc) override;
  void Text(absl::string_view name, std::string& value, absl::string_view doc) override;
  void Choice(absl::string_view name, std::string& value, const AllowedNames& allowed,
              absl::string_view doc) override;
  void Path(absl::string_view name, std::string& value, absl::string_view doc) override;
  void Integers(absl::string_view name, std::vector<int64_t>& values, IntegerRange range,
                absl::string_view doc) override;
  void Numbers(absl::string_view name, std::vector<double>& values, NumberRange range,
               absl::string_view doc) override;
  void Choices(absl::string_view name, std::vector<std::string>& values,
               const AllowedNames& allowed, absl::string_view doc) override;
  void Paths(absl::string_view name, std::vector<std::string>& values,
             absl::string_view doc) override;
  void Table(absl::string_view name, absl::string_view doc,
             const std::function<void(OptionVisitor&)>& describe) override;

 private:
  void Add(absl::string_view name, absl::string_view value);
  std::string prefix_;
  std::string text_;
};

// "\"text\"" with TOML's escapes.
std::string TomlString(absl::string_view text);
// Shortest text that reads back as the same number; whole numbers as "3.0".
std::string TomlNumber(double value);

template <typename Options>
std::string OptionsText(Options options) {
  OptionLister lister;
  options.Describe(lister);
  return lister.text();
}

}  // namespace iat

#endif  // IAT_BASE_FINGERPRINT_H_
