#include "neural/array_store.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/npy.h"
#include "base/status.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

template <typename T>
void Widen(const uint8_t* from, std::vector<double>& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, from + i * sizeof(T), sizeof(T));
    values[i] = static_cast<double>(value);
  }
}

struct NpyType {
  const char* name;
  size_t bytes;
  void (*widen)(const uint8_t*, std::vector<double>&);
};

constexpr NpyType kNpyTypes[] = {
    {"|b1", 1, &Widen<uint8_t>}, {"|u1", 1, &Widen<uint8_t>},
    {"|i1", 1, &Widen<int8_t>},  {"<u2", 2, &Widen<uint16_t>},
    {"<i2", 2, &Widen<int16_t>}, {"<u4", 4, &Widen<uint32_t>},
    {"<i4", 4, &Widen<int32_t>}, {"<u8", 8, &Widen<uint64_t>},
    {"<i8", 8, &Widen<int64_t>}, {"<f4", 4, &Widen<float>},
    {"<f8", 8, &Widen<double>},
};

absl::StatusOr<NumberArray> ReadNpy(const fs::path& path) {
  IAT_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  IAT_ASSIGN_OR_RETURN(const NpyHeader header,
                       ParseNpyHeader(file.view(), path.string()));
  const NpyType* type = std::find_if(
      std::begin(kNpyTypes), std::end(kNpyTypes),
      [&](const NpyType& candidate) { return header.type == candidate.name; });
  if (type == std::end(kNpyTypes)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path.string(), ": values of type ", header.type,
                     "; expected little-endian integers, <f4, <f8 or |b1"));
  }
  const size_t available = file.size() - header.data_start;
  const auto count = static_cast<size_t>(header.num_values());
  if (count != available / type->bytes || available % type->bytes != 0) {
    return absl::DataLossError(absl::StrCat(path.string(), ": ", available,
                                            " bytes of values; expected ", count, " of ",
                                            type->bytes, " bytes each"));
  }
  NumberArray array{header.shape, std::vector<double>(count)};
  type->widen(file.data() + header.data_start, array.values);
  return array;
}

}  // namespace

bool MatchesPattern(absl::string_view pattern, absl::string_view name,
                    std::map<std::string, std::string>& captured) {
  if (pattern.empty()) return name.empty();
  const size_t close = pattern[0] == '{' ? pattern.find('}') : absl::string_view::npos;
  const bool is_star = pattern[0] == '*';
  if (!is_star && close == absl::string_view::npos) {
    return !name.empty() && name[0] == pattern[0] &&
           MatchesPattern(pattern.substr(1), name.substr(1), captured);
  }
  const std::string key = is_star ? "*" : std::string(pattern.substr(1, close - 1));
  const absl::string_view rest = pattern.substr(is_star ? 1 : close + 1);
  for (size_t length = 1; length <= name.size(); ++length) {
    const std::string text(name.substr(0, length));
    const auto known = captured.find(key);
    if (!is_star && known != captured.end() && known->second != text) continue;
    std::map<std::string, std::string> attempt = captured;
    attempt[key] = text;
    if (!MatchesPattern(rest, name.substr(length), attempt)) continue;
    captured = std::move(attempt);
    return true;
  }
  return false;
}

std::string FillPattern(std::string path,
                        const std::map<std::string, std::string>& captured) {
  for (const auto& [key, text] : captured) {
    path = absl::StrReplaceAll(path, {{absl::StrCat("{", key, "}"), text}});
  }
  return path;
}

absl::StatusOr<ArrayStore> ArrayStore::Open(const fs::path& path) {
  ArrayStore store(path);
  if (path.extension() == ".npy") {
    if (!fs::exists(path)) {
      return absl::NotFoundError(absl::StrCat(path.string(), ": No such file"));
    }
    return store;
  }
  IAT_ASSIGN_OR_RETURN(store.file_, Hdf5File::Open(path));
  return store;
}

absl::Status ArrayStore::FindBelow(const std::string& group,
                                   const std::vector<std::string>& parts, size_t depth,
                                   const std::map<std::string, std::string>& captured,
                                   std::vector<FoundArray>& found) const {
  IAT_ASSIGN_OR_RETURN(const std::vector<std::string> names, file_->Children(group));
  for (const std::string& name : names) {
    std::map<std::string, std::string> here = captured;
    if (!MatchesPattern(parts[depth], name, here)) continue;
    const std::string path = absl::StrCat(group == "/" ? "" : group, "/", name);
    const bool is_last = depth + 1 == parts.size();
    const bool is_dataset = file_->IsDataset(path);
    if (is_last && is_dataset) found.push_back({path, std::move(here)});
    if (!is_last && !is_dataset) {
      IAT_RETURN_IF_ERROR(FindBelow(path, parts, depth + 1, here, found));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<FoundArray>> ArrayStore::Find(
    const std::string& pattern) const {
  std::vector<FoundArray> found;
  if (!file_) {
    if (!pattern.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_.string(),
                       ": a .npy file holds one array without a name; "
                       "dataset is \"",
                       pattern, "\", expected \"\""));
    }
    found.push_back({});
    return found;
  }
  const std::vector<std::string> parts = absl::StrSplit(pattern, '/', absl::SkipEmpty());
  if (!parts.empty()) {
    IAT_RETURN_IF_ERROR(FindBelow("/", parts, 0, {}, found));
  }
  if (found.empty()) {
    IAT_ASSIGN_OR_RETURN(const std::vector<std::string> names, file_->Children("/"));
    return absl::NotFoundError(absl::StrCat(path_.string(), ": no dataset fits \"",
                                            pattern, "\"; at the top there is ",
                                            absl::StrJoin(names, ", ")));
  }
  return found;
}

absl::StatusOr<NumberArray> ArrayStore::Read(const std::string& dataset) const {
  if (!file_) return ReadNpy(path_);
  IAT_ASSIGN_OR_RETURN(const Hdf5Dataset about, file_->Describe(dataset));
  NumberArray array;
  array.shape = about.shape;
  IAT_ASSIGN_OR_RETURN(array.values, file_->ReadNumbers(dataset, about.shape));
  return array;
}

absl::StatusOr<std::vector<std::string>> ArrayStore::ReadLabels(
    const std::string& dataset) const {
  if (!file_) {
    return absl::InvalidArgumentError(
        absl::StrCat(path_.string(), ": a .npy file holds no dataset ", dataset));
  }
  IAT_ASSIGN_OR_RETURN(const Hdf5Dataset about, file_->Describe(dataset));
  if (about.kind == Hdf5Dataset::Kind::kString) return file_->ReadStrings(dataset);
  IAT_ASSIGN_OR_RETURN(const std::vector<int64_t> numbers,
                       file_->ReadIntegers(dataset, {-1}));
  std::vector<std::string> labels;
  for (const int64_t number : numbers) labels.push_back(absl::StrCat(number));
  return labels;
}

absl::StatusOr<std::string> ArrayStore::TextAttribute(const std::string& dataset,
                                                      const std::string& name) const {
  if (!file_) {
    return absl::InvalidArgumentError(
        absl::StrCat(path_.string(), ": a .npy file has no attributes"));
  }
  return file_->TextAttribute(dataset, name);
}

}  // namespace iat
