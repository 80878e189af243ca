#include "base/reference.h"

#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/fingerprint.h"

namespace iat {
namespace {

// 1048576 and 0.1, but no 1.0: a range of whole numbers as people write it.
std::string Bound(int64_t value) { return absl::StrCat(value); }
std::string Bound(double value) {
  return value == std::floor(value) && std::abs(value) < 1e15
             ? absl::StrCat(static_cast<int64_t>(value))
             : TomlNumber(value);
}

template <typename Value>
std::string RangeText(bool has_min, Value min, bool min_excluded, bool has_max, Value max,
                      bool max_excluded) {
  std::vector<std::string> parts;
  if (has_min) parts.push_back(absl::StrCat(min_excluded ? "> " : ">= ", Bound(min)));
  if (has_max) parts.push_back(absl::StrCat(max_excluded ? "< " : "<= ", Bound(max)));
  return parts.empty() ? "" : absl::StrCat(" ", absl::StrJoin(parts, " and "));
}

std::string RangeText(const IntegerRange& range) {
  using Limits = std::numeric_limits<int64_t>;
  return RangeText(range.min != Limits::min(), range.min, false,
                   range.max != Limits::max(), range.max, false);
}

std::string RangeText(const NumberRange& range) {
  return RangeText(!std::isinf(range.min), range.min, range.min_excluded,
                   !std::isinf(range.max), range.max, range.max_excluded);
}

std::string OneOf(const AllowedNames& allowed) {
  std::vector<std::string> quoted;
  for (const std::string& name : allowed) quoted.push_back(absl::StrCat("`", name, "`"));
  return absl::StrJoin(quoted, ", ");
}

// Rows of one table; nested tables are kept for afterwards, since Markdown has no
// tables inside tables.
class TableWriter : public OptionVisitor {
 public:
  TableWriter(std::string name, std::vector<std::string>& keys,
              std::vector<std::string>& undocumented)
      : name_(std::move(name)), keys_(keys), undocumented_(undocumented) {}

  void Flag(absl::string_view name, bool& value, absl::string_view doc) override {
    Add(name, "true or false", value ? "true" : "false", doc);
  }
  void Integer(absl::string_view name, int64_t& value, IntegerRange range,
               absl::string_view doc) override {
    Add(name, absl::StrCat("whole number", RangeText(range)), absl::StrCat(value), doc);
  }
  void Number(absl::string_view name, double& value, NumberRange range,
              absl::string_view doc) override {
    Add(name, absl::StrCat("number", RangeText(range)), TomlNumber(value), doc);
  }
  void Text(absl::string_view name, std::string& value, absl::string_view doc) override {
    Add(name, "text", TomlString(value), doc);
  }
  void Choice(absl::string_view name, std::string& value, const AllowedNames& allowed,
              absl::string_view doc) override {
    Add(name, absl::StrCat("one of ", OneOf(allowed)), TomlString(value), doc);
  }
  void Path(absl::string_view name, std::string& value, absl::string_view doc) override {
    Add(name, "path", TomlString(value), doc);
  }
  void Integers(absl::string_view name, std::vector<int64_t>& values, IntegerRange range,
                absl::string_view doc) override {
    Add(name, absl::StrCat("list of whole numbers", RangeText(range)),
        List(values, [](int64_t value) { return absl::StrCat(value); }), doc);
  }
  void Numbers(absl::string_view name, std::vector<double>& values, NumberRange range,
               absl::string_view doc) override {
    Add(name, absl::StrCat("list of numbers", RangeText(range)), List(values, TomlNumber),
        doc);
  }
  void Choices(absl::string_view name, std::vector<std::string>& values,
               const AllowedNames& allowed, absl::string_view doc) override {
    Add(name, absl::StrCat("list of ", OneOf(allowed)), List(values, TomlString), doc);
  }
  void Paths(absl::string_view name, std::vector<std::string>& values,
             absl::string_view doc) override {
    Add(name, "list of paths", List(values, TomlString), doc);
  }
  void Table(absl::string_view name, absl::string_view doc,
             const std::function<void(OptionVisitor&)>& describe) override {
    TableWriter inner(absl::StrCat(name_, ".", name), keys_, undocumented_);
    describe(inner);
    absl::StrAppend(&nested_, inner.Section("###", doc));
  }

  // Called once everything is visited.
  std::string Section(absl::string_view heading, absl::string_view doc) const {
    if (doc.empty()) undocumented_.push_back(name_);
    std::string text = absl::StrCat(heading, " [", name_, "]\n\n", doc, "\n\n");
    if (!rows_.empty()) {
      absl::StrAppend(&text, "| key | value | default | meaning |\n",
                      "| --- | --- | --- | --- |\n", rows_, "\n");
    }
    return text + nested_;
  }

 private:
  template <typename Value, typename Format>
  static std::string List(const std::vector<Value>& values, Format format) {
    std::vector<std::string> texts;
    for (const Value& value : values) texts.push_back(format(value));
    return absl::StrCat("[", absl::StrJoin(texts, ", "), "]");
  }

  void Add(absl::string_view name, absl::string_view kind, absl::string_view value,
           absl::string_view doc) {
    keys_.push_back(absl::StrCat(name_, ".", name));
    if (doc.empty()) undocumented_.push_back(keys_.back());
    absl::StrAppend(&rows_, "| `", name, "` | ", MarkdownCell(kind), " | `", value,
                    "` | ", MarkdownCell(doc), " |\n");
  }

  const std::string name_;
  std::vector<std::string>& keys_;
  std::vector<std::string>& undocumented_;
  std::string rows_, nested_;
};

}  // namespace

std::string MarkdownCell(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"|", "\\|"}, {"\n", " "}});
}

void ReferencePage::AddTable(absl::string_view name, absl::string_view doc,
                             const std::function<void(OptionVisitor&)>& describe) {
  TableWriter writer(std::string(name), keys_, undocumented_);
  describe(writer);
  absl::StrAppend(&markdown_, writer.Section("##", doc));
}

}  // namespace iat
