#include "models/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/file.h"
#include "base/status.h"

namespace iat {
namespace {

using Json = nlohmann::json;

constexpr char kHeaderDigest[] = "header_sha256";

// Enough for tens of thousands of tensors; a larger length is damage.
constexpr uint64_t kLargestHeader = 100'000'000;
// The format needs three; printing takes a stack frame each.
constexpr int kDeepestNesting = 16;

struct Type {
  const char* name;
  torch::ScalarType type;
};
constexpr std::array<Type, 10> kTypes = {{{"F32", torch::kFloat32},
                                          {"F64", torch::kFloat64},
                                          {"F16", torch::kFloat16},
                                          {"BF16", torch::kBFloat16},
                                          {"I64", torch::kInt64},
                                          {"I32", torch::kInt32},
                                          {"I16", torch::kInt16},
                                          {"I8", torch::kInt8},
                                          {"U8", torch::kUInt8},
                                          {"BOOL", torch::kBool}}};

struct Header {
  Json json;
  uint64_t data_start = 0;
};

absl::StatusOr<Header> ParseHeader(absl::string_view bytes, uint64_t file_size,
                                   const std::string& name) {
  if (bytes.size() < 8) {
    return absl::DataLossError(
        absl::StrCat(name, ": ", file_size, " bytes; a safetensors file has at least 8"));
  }
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  if (length > kLargestHeader || length > file_size - 8 || length > bytes.size() - 8) {
    return absl::DataLossError(
        absl::StrCat(name, ": the header should hold ", length, " bytes, the file has ",
                     file_size, "; it is truncated or not a safetensors file"));
  }
  Header header;
  header.data_start = 8 + length;
  const absl::string_view text = bytes.substr(8, length);
  bool is_deep = false;
  const auto keep = [&](int depth, Json::parse_event_t, Json&) {
    is_deep |= depth > kDeepestNesting;
    return !is_deep;
  };
  header.json = Json::parse(text.begin(), text.end(), keep, /*allow_exceptions=*/false);
  if (is_deep) {
    return absl::DataLossError(
        absl::StrCat(name, ": the header nests lists or objects more than ",
                     kDeepestNesting, " deep; it is not a safetensors file"));
  }
  if (!header.json.is_object()) {
    return absl::DataLossError(absl::StrCat(name, ": the header is not a JSON object"));
  }
  return header;
}

// Text that is not UTF-8, such as an odd file name in the metadata, must not throw.
std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Of the header without the entry that holds this digest. Keys are sorted, so that the
// text is the same whoever dumps it.
std::string HeaderDigest(Json header) {
  header["__metadata__"].erase(kHeaderDigest);
  return Sha256(Dump(header));
}

absl::StatusOr<std::map<std::string, std::string>> Metadata(const Header& header,
                                                            const std::string& name) {
  std::map<std::string, std::string> metadata;
  const auto found = header.json.find("__metadata__");
  if (found == header.json.end()) return metadata;
  if (!found->is_object()) {
    return absl::DataLossError(absl::StrCat(name, ": __metadata__ is not an object"));
  }
  for (const auto& [key, value] : found->items()) {
    if (!value.is_string()) {
      return absl::DataLossError(
          absl::StrCat(name, ": metadata \"", key, "\" is not a string"));
    }
    metadata[key] = value.get<std::string>();
  }
  const auto digest = metadata.find(kHeaderDigest);
  if (digest != metadata.end() && digest->second != HeaderDigest(header.json)) {
    return absl::DataLossError(absl::StrCat(
        name, ": its header does not match its checksum; the file is damaged"));
  }
  return metadata;
}

absl::StatusOr<torch::Tensor> ParseTensor(const std::string& key, const Json& entry,
                                          absl::string_view data,
                                          const std::string& name) {
  const auto bad = [&](absl::string_view what) {
    return absl::DataLossError(absl::StrCat(name, ": tensor \"", key, "\": ", what));
  };
  if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string() ||
      !entry.contains("shape") || !entry["shape"].is_array() ||
      !entry.contains("data_offsets") || !entry["data_offsets"].is_array() ||
      entry["data_offsets"].size() != 2) {
    return bad("its entry lacks dtype, shape or data_offsets");
  }
  const std::string type_name = entry["dtype"].get<std::string>();
  const Type* type = nullptr;
  std::vector<std::string> known;
  for (const Type& candidate : kTypes) {
    known.push_back(candidate.name);
    if (candidate.name == type_name) type = &candidate;
  }
  if (type == nullptr) {
    return absl::UnimplementedError(absl::StrCat(name, ": tensor \"", key, "\" has type ",
                                                 type_name, "; this program reads ",
                                                 absl::StrJoin(known, ", ")));
  }
  std::vector<int64_t> shape;
  constexpr uint64_t kMostPlaces = uint64_t{1} << 40;
  uint64_t num_places = 1;
  uint64_t num_bytes = torch::elementSize(type->type);
  for (const Json& size : entry["shape"]) {
    if (!size.is_number_unsigned())
      return bad("a size in its shape is not a whole number");
    const uint64_t value = size.get<uint64_t>();
    if (value != 0 && num_bytes > data.size() / value) {
      return bad(absl::StrCat("shape ", entry["shape"].dump(), " needs more than the ",
                              data.size(), " bytes there are; the file is truncated"));
    }
    num_bytes *= value;
    // An empty tensor still has sizes that LibTorch multiplies.
    if (value > kMostPlaces || num_places > kMostPlaces / std::max<uint64_t>(value, 1)) {
      return bad(absl::StrCat("shape ", entry["shape"].dump(), " is no tensor's"));
    }
    num_places *= std::max<uint64_t>(value, 1);
    shape.push_back(static_cast<int64_t>(value));
  }
  const Json& offsets = entry["data_offsets"];
  if (!offsets[0].is_number_unsigned() || !offsets[1].is_number_unsigned()) {
    return bad("its data_offsets are not whole numbers");
  }
  const uint64_t begin = offsets[0].get<uint64_t>();
  const uint64_t end = offsets[1].get<uint64_t>();
  if (begin > end || end > data.size()) {
    return bad(absl::StrCat("its values end at byte ", end, ", the file holds ",
                            data.size(), "; the file is truncated"));
  }
  if (end - begin != num_bytes) {
    return bad(absl::StrCat("shape ", entry["shape"].dump(), " needs ", num_bytes,
                            " bytes, its place holds ", end - begin));
  }
  torch::Tensor tensor = torch::empty(shape, type->type);
  // An empty tensor has no memory.
  if (num_bytes > 0) std::memcpy(tensor.data_ptr(), data.data() + begin, num_bytes);
  return tensor;
}

}  // namespace

absl::Status WriteTensors(const std::filesystem::path& path, const TensorFile& file) {
  Json header = Json::object();
  std::vector<torch::Tensor> values;  // keeps alive what the pieces point at
  std::vector<absl::string_view> pieces(2);
  Sha256Digest digest;
  size_t begin = 0;
  for (const auto& [name, value] : file.tensors) {
    const torch::Tensor& tensor =
        values.emplace_back(value.detach().to(torch::kCPU).contiguous());
    const Type* type = nullptr;
    for (const Type& candidate : kTypes) {
      if (candidate.type == tensor.scalar_type()) type = &candidate;
    }
    IAT_CHECK(type != nullptr, "a tensor type that this program does not write");
    const absl::string_view bytes(static_cast<const char*>(tensor.data_ptr()),
                                  tensor.nbytes());
    digest.Add(bytes);
    pieces.push_back(bytes);
    header[name] = {{"dtype", type->name},
                    {"shape", tensor.sizes().vec()},
                    {"data_offsets", {begin, begin + bytes.size()}}};
    begin += bytes.size();
  }
  Json& metadata = header["__metadata__"] = file.metadata;
  metadata["sha256"] = digest.Finish();
  metadata[kHeaderDigest] = HeaderDigest(header);
  std::string text = Dump(header);
  // Values start at a multiple of 8, as the format asks.
  text.append((8 - text.size() % 8) % 8, ' ');
  const uint64_t length = text.size();
  pieces[0] = absl::string_view(reinterpret_cast<const char*>(&length), sizeof(length));
  pieces[1] = text;
  return WriteFileAtomically(path, pieces);
}

absl::StatusOr<TensorFile> ReadTensors(const std::filesystem::path& path) {
  IAT_ASSIGN_OR_RETURN(const MappedFile mapped, MappedFile::Open(path));
  const std::string name = path.string();
  IAT_ASSIGN_OR_RETURN(const Header header,
                       ParseHeader(mapped.view(), mapped.size(), name));
  TensorFile file;
  IAT_ASSIGN_OR_RETURN(file.metadata, Metadata(header, name));
  const absl::string_view data = mapped.view().substr(header.data_start);
  for (const auto& [key, entry] : header.json.items()) {
    if (key == "__metadata__") continue;
    IAT_ASSIGN_OR_RETURN(file.tensors[key], ParseTensor(key, entry, data, name));
  }
  const auto digest = file.metadata.find("sha256");
  if (digest != file.metadata.end() && digest->second != Sha256(data)) {
    return absl::DataLossError(absl::StrCat(
        name, ": its values do not match its checksum; the file is damaged"));
  }
  return file;
}

absl::StatusOr<std::map<std::string, std::string>> ReadTensorMetadata(
    const std::filesystem::path& path) {
  IAT_ASSIGN_OR_RETURN(const MappedFile mapped, MappedFile::Open(path));
  IAT_ASSIGN_OR_RETURN(const Header header,
                       ParseHeader(mapped.view(), mapped.size(), path.string()));
  return Metadata(header, path.string());
}

absl::StatusOr<std::string> DescribeTensors(const std::filesystem::path& path) {
  IAT_ASSIGN_OR_RETURN(const TensorFile file, ReadTensors(path));
  int64_t total = 0;
  for (const auto& [name, tensor] : file.tensors) total += tensor.numel();
  std::string text = absl::StrCat(file.tensors.size(), " tensors, ", total, " values\n");
  for (const auto& [key, value] : file.metadata) {
    if (key != "metrics") absl::StrAppend(&text, key, ": ", value, "\n");
  }
  for (const auto& [name, tensor] : file.tensors) {
    absl::StrAppendFormat(&text, "  %-36s %s\n", name,
                          absl::StrJoin(tensor.sizes().vec(), " x "));
  }
  return text;
}

}  // namespace iat
