#include "base/config.h"

// Packaged builds of the library throw; the headers alone can return errors.
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
// Its parser asserts at a table's first character ("[%") what it then checks and reports.
#define TOML_ASSERT(expression) static_assert(true)
#include <toml++/toml.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/fingerprint.h"
#include "base/status.h"

namespace iat {
namespace {

std::string Quoted(absl::string_view text) { return absl::StrCat("\"", text, "\""); }

std::string ShowNode(const toml::node& node) {
  std::ostringstream out;
  if (const auto* text = node.as_string()) return TomlString(text->get());
  if (const auto* number = node.as_floating_point()) return TomlNumber(number->get());
  node.visit([&](const auto& value) { out << value; });
  return out.str();
}

absl::string_view TypeName(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::string:
      return "text";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a number";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::table:
      return "a table";
    default:
      return "a date or time";
  }
}

template <typename T>
std::string RangeText(T min, T max, T lowest, T highest, bool min_excluded,
                      bool max_excluded, const std::function<std::string(T)>& show) {
  std::vector<std::string> parts;
  if (min != lowest)
    parts.push_back(absl::StrCat(min_excluded ? "> " : ">= ", show(min)));
  if (max != highest)
    parts.push_back(absl::StrCat(max_excluded ? "< " : "<= ", show(max)));
  return parts.empty() ? "" : absl::StrCat(" ", absl::StrJoin(parts, " and "));
}

std::string RangeText(const IntegerRange& range) {
  const IntegerRange all;
  return RangeText<int64_t>(range.min, range.max, all.min, all.max, false, false,
                            [](int64_t value) { return absl::StrCat(value); });
}

std::string RangeText(const NumberRange& range) {
  const NumberRange all;
  return RangeText<double>(range.min, range.max, all.min, all.max, range.min_excluded,
                           range.max_excluded, [](double v) { return absl::StrCat(v); });
}

bool InRange(int64_t value, const IntegerRange& range) {
  return value >= range.min && value <= range.max;
}

bool InRange(double value, const NumberRange& range) {
  return (range.min_excluded ? value > range.min : value >= range.min) &&
         (range.max_excluded ? value < range.max : value <= range.max);
}

struct Problem {
  uint32_t line = 0;
  std::string message;
  bool operator<(const Problem& other) const { return line < other.line; }
};

}  // namespace

absl::StatusOr<std::string> ExpandVariables(absl::string_view text) {
  std::string expanded;
  while (!text.empty()) {
    const size_t start = text.find("${");
    const size_t end = start == absl::string_view::npos ? start : text.find('}', start);
    if (end == absl::string_view::npos) {
      absl::StrAppend(&expanded, text);
      break;
    }
    absl::StrAppend(&expanded, text.substr(0, start));
    const std::string name(text.substr(start + 2, end - start - 2));
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) {
      return absl::NotFoundError(absl::StrCat("environment variable ", name,
                                              " is not set; export ", name, "=..."));
    }
    absl::StrAppend(&expanded, value);
    text.remove_prefix(end + 1);
  }
  return expanded;
}

struct ConfigDocument::State {
  std::string name;
  toml::table root;
  // Where each overridden key comes from, for messages; others come from the file.
  std::map<std::string, std::string> override_places;
  std::vector<Problem> problems;
  // Keys visited in each table; a table that was read knows all its keys.
  std::map<std::string, std::set<std::string>> known_keys;

  const toml::node* Find(absl::string_view table) const {
    const toml::node* node = &root;
    if (table.empty()) return node;
    for (const absl::string_view part : absl::StrSplit(table, '.')) {
      const toml::table* inner = node->as_table();
      if (inner == nullptr) return nullptr;
      node = inner->get(std::string(part));
      if (node == nullptr) return nullptr;
    }
    return node;
  }

  std::string PlaceOf(const std::string& key, const toml::node& node) const {
    const auto found = override_places.find(key);
    if (found != override_places.end()) return found->second;
    return absl::StrCat(name, ":", node.source().begin.line);
  }

  void Add(const std::string& key, const toml::node& node, absl::string_view message) {
    // Overrides come after the whole file.
    const uint32_t line =
        override_places.contains(key) ? UINT32_MAX : node.source().begin.line;
    problems.push_back({line, absl::StrCat(PlaceOf(key, node), ": ", message)});
  }

  void CheckUnknown(const toml::table& table, const std::string& path,
                    std::vector<Problem>& found) const {
    std::set<std::string> candidates;
    const std::string prefix = path.empty() ? "" : path + ".";
    const auto keys = known_keys.find(path);
    if (keys != known_keys.end()) {
      for (const std::string& key : keys->second) candidates.insert(prefix + key);
    }
    for (const auto& [table_path, unused] : known_keys) {
      if (absl::StartsWith(table_path, prefix) && table_path != path) {
        const absl::string_view rest =
            absl::StripPrefix(absl::string_view(table_path), prefix);
        candidates.insert(prefix + std::string(rest.substr(0, rest.find('.'))));
      }
    }
    for (const auto& [toml_key, node] : table) {
      const std::string key = prefix + std::string(toml_key.str());
      if (!candidates.contains(key)) {
        // Without the tables in front, which would make any two keys look alike.
        std::vector<std::string> names;
        for (const std::string& full : candidates)
          names.push_back(full.substr(prefix.size()));
        std::string nearest = NearestName(std::string(toml_key.str()), names);
        if (!nearest.empty()) nearest = prefix + nearest;
        const auto place = override_places.find(key);
        found.push_back(
            {place != override_places.end() ? UINT32_MAX : toml_key.source().begin.line,
             absl::StrCat(
                 place != override_places.end()
                     ? place->second
                     : absl::StrCat(name, ":", toml_key.source().begin.line),
                 ": unknown ", node.is_table() ? "table " : "key ", Quoted(key),
                 nearest.empty()
                     ? absl::StrCat("; expected one of ", absl::StrJoin(candidates, ", "))
                     : absl::StrCat("; did you mean ", Quoted(nearest), "?"))});
      } else if (const toml::table* inner = node.as_table()) {
        CheckUnknown(*inner, key, found);
      }
    }
  }
};

namespace {

// Fills options from one table.
template <typename State>
class Reader : public OptionVisitor {
 public:
  Reader(State& state, std::string table) : state_(state), path_(std::move(table)) {
    state_.known_keys[path_];
    const toml::node* node = state_.Find(path_);
    if (node == nullptr) return;
    table_ = node->as_table();
    if (table_ == nullptr) {
      state_.Add(path_, *node,
                 absl::StrCat(path_, " is ", TypeName(*node), "; expected a table"));
    }
  }

  void Flag(absl::string_view name, bool& value, absl::string_view) override {
    const toml::node* node = Take(name);
    if (node == nullptr) return;
    if (const auto found = node->value_exact<bool>()) {
      value = *found;
    } else {
      Wrong(name, *node, "true or false");
    }
  }

  void Integer(absl::string_view name, int64_t& value, IntegerRange range,
               absl::string_view) override {
    const toml::node* node = Take(name);
    if (node == nullptr) return;
    const std::string expected = absl::StrCat("a whole number", RangeText(range));
    const auto found = node->value_exact<int64_t>();
    if (found && InRange(*found, range)) {
      value = *found;
    } else {
      Wrong(name, *node, expected);
    }
  }

  void Number(absl::string_view name, double& value, NumberRange range,
              absl::string_view) override {
    const toml::node* node = Take(name);
    if (node == nullptr) return;
    const auto found = node->is_number() ? node->value<double>() : std::nullopt;
    if (found && InRange(*found, range)) {
      value = *found;
    } else {
      Wrong(name, *node, absl::StrCat("a number", RangeText(range)));
    }
  }

  void Text(absl::string_view name, std::string& value, absl::string_view) override {
    const toml::node* node = Take(name);
    if (node == nullptr) return;
    if (const auto found = node->value_exact<std::string>()) {
      value = *found;
    } else {
      Wrong(name, *node, "text in quotes");
    }
  }

  void Choice(absl::string_view name, std::string& value, const AllowedNames& allowed,
              absl::string_view) override {
    const toml::node* node = Take(name);
    if (node == nullptr) return;
    const auto found = node->value_exact<std::string>();
    if (found && std::count(allowed.begin(), allowed.end(), *found) > 0) {
      value = *found;
    } else {
      Wrong(name, *node, OneOf(allowed, found ? *found : ""));
    }
  }

  void Path(absl::string_view name, std::string& value, absl::string_view) override {
    const toml::node* node = Take(name);
    if (node == nullptr) return;
    Expand(name, *node, value);
  }

  void Integers(absl::string_view name, std::vector<int64_t>& values, IntegerRange range,
                absl::string_view) override {
    ReadList<int64_t>(name, values, absl::StrCat("a whole number", RangeText(range)),
                      [&](const toml::node& node, int64_t& value) {
                        const auto found = node.value_exact<int64_t>();
                        if (!found || !InRange(*found, range)) return false;
                        value = *found;
                        return true;
                      });
  }

  void Numbers(absl::string_view name, std::vector<double>& values, NumberRange range,
               absl::string_view) override {
    ReadList<double>(name, values, absl::StrCat("a number", RangeText(range)),
                     [&](const toml::node& node, double& value) {
                       const auto found =
                           node.is_number() ? node.value<double>() : std::nullopt;
                       if (!found || !InRange(*found, range)) return false;
                       value = *found;
                       return true;
                     });
  }

  void Choices(absl::string_view name, std::vector<std::string>& values,
               const AllowedNames& allowed, absl::string_view) override {
    std::set<std::string> seen;
    ReadList<std::string>(
        name, values, absl::StrCat(OneOf(allowed, ""), ", none twice"),
        [&](const toml::node& node, std::string& value) {
          const auto found = node.value_exact<std::string>();
          if (!found || std::count(allowed.begin(), allowed.end(), *found) == 0)
            return false;
          value = *found;
          return seen.insert(value).second;
        });
  }

  void Paths(absl::string_view name, std::vector<std::string>& values,
             absl::string_view) override {
    const toml::node* node = Take(name);
    if (node == nullptr) return;
    const toml::array* list = node->as_array();
    if (list == nullptr) {
      // One path may stand alone.
      values.assign(1, "");
      Expand(name, *node, values[0]);
      return;
    }
    values.assign(list->size(), "");
    for (size_t i = 0; i < list->size(); ++i) Expand(name, *list->get(i), values[i]);
  }

  void Table(absl::string_view name, absl::string_view,
             const std::function<void(OptionVisitor&)>& describe) override {
    state_.known_keys[path_].insert(std::string(name));
    Reader inner(state_, Key(name));
    describe(inner);
  }

 private:
  std::string Key(absl::string_view name) const {
    return path_.empty() ? std::string(name) : absl::StrCat(path_, ".", name);
  }

  const toml::node* Take(absl::string_view name) {
    state_.known_keys[path_].insert(std::string(name));
    return table_ == nullptr ? nullptr : table_->get(std::string(name));
  }

  void Wrong(absl::string_view name, const toml::node& node, absl::string_view expected) {
    state_.Add(Key(name), node,
               absl::StrCat(Key(name), " is ", ShowNode(node), "; expected ", expected));
  }

  static std::string OneOf(const AllowedNames& allowed, absl::string_view found) {
    const std::string nearest = NearestName(found, allowed);
    std::vector<std::string> quoted;
    for (const std::string& name : allowed) quoted.push_back(Quoted(name));
    return absl::StrCat("one of ", absl::StrJoin(quoted, ", "),
                        nearest.empty() || found.empty()
                            ? ""
                            : absl::StrCat("; did you mean ", Quoted(nearest), "?"));
  }

  void Expand(absl::string_view name, const toml::node& node, std::string& value) {
    const auto found = node.value_exact<std::string>();
    if (!found) {
      Wrong(name, node, "a path in quotes");
      return;
    }
    auto expanded = ExpandVariables(*found);
    if (expanded.ok()) {
      value = *std::move(expanded);
    } else {
      state_.Add(Key(name), node,
                 absl::StrCat(Key(name), " is ", TomlString(*found), ": ",
                              expanded.status().message()));
    }
  }

  template <typename T>
  void ReadList(absl::string_view name, std::vector<T>& values,
                const std::string& expected,
                const std::function<bool(const toml::node&, T&)>& read) {
    const toml::node* node = Take(name);
    if (node == nullptr) return;
    const toml::array* list = node->as_array();
    if (list == nullptr) {
      Wrong(name, *node, absl::StrCat("a list, each ", expected));
      return;
    }
    values.assign(list->size(), T{});
    for (size_t i = 0; i < list->size(); ++i) {
      if (read(*list->get(i), values[i])) continue;
      state_.Add(Key(name), *list->get(i),
                 absl::StrCat(Key(name), "[", i, "] is ", ShowNode(*list->get(i)),
                              "; expected ", expected));
    }
  }

  State& state_;
  std::string path_;
  const toml::table* table_ = nullptr;
};

absl::Status Override(toml::table& root, const std::string& text,
                      std::map<std::string, std::string>& places) {
  const size_t equals = text.find('=');
  const std::string place = absl::StrCat("--set ", text);
  if (equals == std::string::npos || equals == 0) {
    return absl::InvalidArgumentError(absl::StrCat(place, ": expected table.key=value"));
  }
  const std::string key(absl::StripAsciiWhitespace(text.substr(0, equals)));
  const std::string value(absl::StripAsciiWhitespace(text.substr(equals + 1)));
  toml::parse_result parsed = toml::parse(absl::StrCat("value = ", value));
  if (!parsed) parsed = toml::parse(absl::StrCat("value = ", TomlString(value)));
  if (!parsed) {
    return absl::InvalidArgumentError(absl::StrCat(place, ": the value is not TOML"));
  }
  toml::table* table = &root;
  const std::vector<std::string> parts = absl::StrSplit(key, '.');
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    auto [entry, inserted] = table->insert(parts[i], toml::table{});
    table = entry->second.as_table();
    if (table == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(
          place, ": ", absl::StrJoin(parts.begin(), parts.begin() + i + 1, "."),
          " is not a table"));
    }
    if (inserted) {
      places[absl::StrJoin(parts.begin(), parts.begin() + i + 1, ".")] = place;
    }
  }
  table->insert_or_assign(parts.back(), *parsed.table().get("value"));
  places[key] = place;
  return absl::OkStatus();
}

}  // namespace

ConfigDocument::ConfigDocument(std::unique_ptr<State> state) : state_(std::move(state)) {}
ConfigDocument::ConfigDocument(ConfigDocument&&) noexcept = default;
ConfigDocument& ConfigDocument::operator=(ConfigDocument&&) noexcept = default;
ConfigDocument::~ConfigDocument() = default;

absl::StatusOr<ConfigDocument> ConfigDocument::Load(
    const std::filesystem::path& path, const std::vector<std::string>& overrides) {
  IAT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return Parse(text, path.string(), overrides);
}

absl::StatusOr<ConfigDocument> ConfigDocument::Parse(
    absl::string_view text, absl::string_view name,
    const std::vector<std::string>& overrides) {
  toml::parse_result parsed = toml::parse(std::string(text));
  if (!parsed) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ":", parsed.error().source().begin.line,
                     ": not TOML: ", std::string(parsed.error().description())));
  }
  auto state = std::make_unique<State>();
  state->name = std::string(name);
  state->root = std::move(parsed).table();
  for (const std::string& override_text : overrides) {
    IAT_RETURN_IF_ERROR(Override(state->root, override_text, state->override_places));
  }
  return ConfigDocument(std::move(state));
}

void ConfigDocument::Read(absl::string_view table,
                          const std::function<void(OptionVisitor&)>& describe) {
  // The tables on the way are known, though nothing is read from them here.
  const std::string path(table);
  for (size_t dot = path.find('.'); dot != std::string::npos;
       dot = path.find('.', dot + 1)) {
    state_->known_keys[path.substr(0, dot)];
  }
  Reader<State> reader(*state_, path);
  describe(reader);
}

std::vector<std::string> ConfigDocument::TableNames(absl::string_view table) const {
  std::vector<std::string> names;
  const toml::node* node = state_->Find(table);
  if (node == nullptr || !node->is_table()) return names;
  for (const auto& [key, value] : *node->as_table()) {
    if (value.is_table()) names.emplace_back(key.str());
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool ConfigDocument::Has(absl::string_view table) const {
  return state_->Find(table) != nullptr;
}

absl::Status ConfigDocument::Finish() const {
  std::vector<Problem> problems = state_->problems;
  state_->CheckUnknown(state_->root, "", problems);
  if (problems.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      std::min_element(problems.begin(), problems.end())->message);
}

std::string ConfigDocument::Place(absl::string_view table, absl::string_view key) const {
  const std::string path =
      table.empty() ? std::string(key) : absl::StrCat(table, ".", key);
  const toml::node* node = state_->Find(path);
  if (node == nullptr) node = state_->Find(table);
  if (node == nullptr) return absl::StrCat(state_->name, ": ", path);
  return absl::StrCat(state_->PlaceOf(path, *node), ": ", path);
}

}  // namespace iat
