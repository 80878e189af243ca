#include "models/state_dict_file.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <optional>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/status.h"
#include "models/pickle.h"
#include "models/zip_archive.h"

namespace iat {
namespace {

using Kind = PickleValue::Kind;

// PyTorch's magic number 0x1950a86a20f9469cfc6c, as a pickle's long.
constexpr char kLegacyMagic[] = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr int64_t kLegacyProtocol = 1001;
constexpr int kDeepestDictionary = 8;

struct StorageType {
  const char* name;
  torch::ScalarType type;
};
constexpr StorageType kStorageTypes[] = {
    {"FloatStorage", torch::kFloat32}, {"DoubleStorage", torch::kFloat64},
    {"HalfStorage", torch::kFloat16},  {"BFloat16Storage", torch::kBFloat16},
    {"LongStorage", torch::kInt64},    {"IntStorage", torch::kInt32},
    {"ShortStorage", torch::kInt16},   {"CharStorage", torch::kInt8},
    {"ByteStorage", torch::kUInt8},    {"BoolStorage", torch::kBool},
};

// "torch.FloatStorage", in old files also "torch.cuda.FloatStorage".
const StorageType* FindStorageType(absl::string_view global) {
  if (!absl::ConsumePrefix(&global, "torch.")) return nullptr;
  absl::ConsumePrefix(&global, "cuda.");
  for (const StorageType& type : kStorageTypes) {
    if (global == type.name) return &type;
  }
  return nullptr;
}

constexpr char kRebuildTensor[] = "torch._utils._rebuild_tensor";
constexpr char kRebuildTensorV2[] = "torch._utils._rebuild_tensor_v2";
constexpr char kRebuildParameter[] = "torch._utils._rebuild_parameter";

// Data that training scripts like to keep beside the weights. It is read as names and
// arguments, and passed over.
constexpr const char* kPassedOver[] = {
    "argparse.Namespace",
    "collections.Counter",
    "collections.defaultdict",
    "_codecs.encode",
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct",
    "torch.Size",
    "torch.device",
    "builtins.set",
    "builtins.list",
    "builtins.dict",
    "builtins.int",
    "builtins.float",
    "__builtin__.set",
    "__builtin__.list",
    "__builtin__.dict",
    "__builtin__.int",
    "__builtin__.float",
};

bool Admits(absl::string_view global) {
  return global == "collections.OrderedDict" || global == kRebuildTensor ||
         global == kRebuildTensorV2 || global == kRebuildParameter ||
         FindStorageType(global) != nullptr ||
         std::find(std::begin(kPassedOver), std::end(kPassedOver), global) !=
             std::end(kPassedOver);
}

// What a persistent id says about a storage.
struct StorageId {
  const StorageType* type = nullptr;
  std::string key;
  int64_t size = 0;  // values
  uint64_t num_bytes() const { return size * torch::elementSize(type->type); }
};

absl::StatusOr<StorageId> ParseStorageId(const PickleValue& persistent,
                                         const std::string& name) {
  const PickleValue& id = *persistent.items[0];
  StorageId storage;
  if (id.kind == Kind::kTuple && id.items.size() >= 5 && id.items[0]->IsText("storage") &&
      id.items[1]->kind == Kind::kGlobal && id.items[4]->kind == Kind::kInteger) {
    storage.type = FindStorageType(id.items[1]->text);
    const PickleValue& key = *id.items[2];
    if (key.kind == Kind::kText) storage.key = key.text;
    if (key.kind == Kind::kInteger) storage.key = absl::StrCat(key.integer);
    storage.size = id.items[4]->integer;
  }
  // No file is larger than this; what is smaller cannot overflow as bytes.
  constexpr int64_t kLargest = int64_t{1} << 48;
  if (storage.type == nullptr || storage.key.empty() || storage.size < 0 ||
      storage.size > kLargest) {
    return absl::DataLossError(
        absl::StrCat(name, ": a storage in its pickle is not described as PyTorch does"));
  }
  if (id.items.size() > 5 && id.items[5]->kind != Kind::kNone) {
    return absl::UnimplementedError(
        absl::StrCat(name, ": storage ", storage.key,
                     " is a view of another, as PyTorch wrote before 0.4; load and save "
                     "it with a newer PyTorch"));
  }
  return storage;
}

// Finds a storage's bytes, in either format.
using FindBytes = std::function<absl::StatusOr<absl::string_view>(const StorageId&)>;

class TensorReader {
 public:
  TensorReader(std::string name, FindBytes find_bytes)
      : name_(std::move(name)), find_bytes_(std::move(find_bytes)) {}

  static bool IsTensor(const PickleValue& value) {
    return value.kind == Kind::kCall &&
           (value.text == kRebuildTensor || value.text == kRebuildTensorV2 ||
            value.text == kRebuildParameter);
  }

  absl::StatusOr<torch::Tensor> Read(const std::string& key, const PickleValue& value) {
    const PickleValue* tensor = &value;
    if (value.text == kRebuildParameter && !value.items.empty()) {
      tensor = value.items[0];  // then requires_grad and hooks
    }
    const auto bad = [&](absl::string_view what) {
      return absl::DataLossError(absl::StrCat(name_, ": tensor \"", key, "\": ", what));
    };
    if (tensor->kind != Kind::kCall || tensor->text == kRebuildParameter ||
        tensor->items.size() < 4 || tensor->items[0]->kind != Kind::kPersistent ||
        tensor->items[1]->kind != Kind::kInteger) {
      return bad("its entry is not what PyTorch writes");
    }
    const int64_t offset = tensor->items[1]->integer;
    const auto sizes = Numbers(*tensor->items[2]);
    const auto strides = Numbers(*tensor->items[3]);
    if (!sizes || !strides || sizes->size() != strides->size() || offset < 0) {
      return bad("its shape, strides or offset are not whole numbers from 0 on");
    }
    IAT_ASSIGN_OR_RETURN(const StorageId id, ParseStorageId(*tensor->items[0], name_));
    // The last value it touches, and how many it has; neither may leave the storage.
    int64_t last = offset, count = 1;
    for (size_t i = 0; i < sizes->size(); ++i) {
      const int64_t size = (*sizes)[i], stride = (*strides)[i];
      if (size == 0) count = 0;
      if (size == 0 || count == 0) continue;
      if (count > id.size / size || (size > 1 && stride > (id.size - last) / (size - 1)))
        return bad(absl::StrCat("shape [", absl::StrJoin(*sizes, ", "),
                                "] with strides [", absl::StrJoin(*strides, ", "),
                                "] from ", offset, " leaves its storage of ", id.size,
                                " values"));
      count *= size;
      last += (size - 1) * stride;
    }
    if (count > 0 && last >= id.size) {
      return bad(absl::StrCat("it ends at value ", last, " of a storage of ", id.size));
    }
    if (count == 0) return torch::empty(*sizes, id.type->type);
    auto storage = Storage(id);
    if (!storage.ok())
      return Annotate(storage.status(), absl::StrCat("tensor \"", key, "\""));
    return storage->as_strided(*sizes, *strides, offset);
  }

 private:
  static std::optional<std::vector<int64_t>> Numbers(const PickleValue& value) {
    const PickleValue* list = &value;
    if (value.kind == Kind::kCall && value.text == "torch.Size" && !value.items.empty()) {
      list = value.items[0];
    }
    if (list->kind != Kind::kTuple && list->kind != Kind::kList) return std::nullopt;
    std::vector<int64_t> numbers;
    for (const PickleValue* item : list->items) {
      if (item->kind != Kind::kInteger || item->integer < 0) return std::nullopt;
      numbers.push_back(item->integer);
    }
    return numbers;
  }

  absl::StatusOr<torch::Tensor> Storage(const StorageId& id) {
    torch::Tensor& storage = storages_[{id.key, id.type->name}];
    if (!storage.defined()) {
      IAT_ASSIGN_OR_RETURN(const absl::string_view bytes, find_bytes_(id));
      if (bytes.size() != id.num_bytes()) {
        return absl::DataLossError(absl::StrCat(name_, ": storage ", id.key, " has ",
                                                bytes.size(), " bytes; its pickle says ",
                                                id.num_bytes()));
      }
      storage = torch::empty({id.size}, id.type->type);
      std::memcpy(storage.data_ptr(), bytes.data(), bytes.size());
    }
    return storage;
  }

  const std::string name_;
  const FindBytes find_bytes_;
  std::map<std::pair<std::string, std::string>, torch::Tensor> storages_;
};

class Gatherer {
 public:
  Gatherer(TensorReader& reader, StateDictFile& file) : reader_(reader), file_(file) {}

  absl::Status Gather(const PickleValue& value, const std::string& place, int depth) {
    if (value.kind != Kind::kDict || depth > kDeepestDictionary ||
        !visited_.insert(&value).second) {
      return absl::OkStatus();
    }
    StateDictFile::Dictionary dictionary{.place = place, .tensors = {}};
    std::map<std::string, size_t> positions;
    for (const auto& [key, item] : value.entries) {
      if (key->kind != Kind::kText || !TensorReader::IsTensor(*item)) continue;
      IAT_ASSIGN_OR_RETURN(torch::Tensor tensor, reader_.Read(key->text, *item));
      const auto [at, is_new] = positions.emplace(key->text, dictionary.tensors.size());
      if (is_new) dictionary.tensors.emplace_back(key->text, torch::Tensor());
      dictionary.tensors[at->second].second = std::move(tensor);
    }
    if (!dictionary.tensors.empty()) file_.dictionaries.push_back(std::move(dictionary));
    for (const auto& [key, item] : value.entries) {
      if (key->kind != Kind::kText) continue;
      IAT_RETURN_IF_ERROR(
          Gather(*item, place.empty() ? key->text : absl::StrCat(place, ".", key->text),
                 depth + 1));
    }
    return absl::OkStatus();
  }

 private:
  TensorReader& reader_;
  StateDictFile& file_;
  std::set<const PickleValue*> visited_;
};

absl::StatusOr<StateDictFile> Gather(const PickleValue& root, const std::string& name,
                                     FindBytes find_bytes) {
  StateDictFile file;
  TensorReader reader(name, std::move(find_bytes));
  IAT_RETURN_IF_ERROR(Gatherer(reader, file).Gather(root, "", 0));
  if (file.dictionaries.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        name,
        ": holds no dictionary of tensors; expected a state dict, "
        "torch.save(model.state_dict(), ...), or a checkpoint with one in it"));
  }
  return file;
}

absl::StatusOr<StateDictFile> ReadZip(absl::string_view bytes, const std::string& name) {
  IAT_ASSIGN_OR_RETURN(const ZipReader zip, ZipReader::Open(bytes, name));
  std::string root;
  bool found = false;
  for (const ZipReader::Entry& entry : zip.entries()) {
    if (absl::EndsWith(entry.name, "/constants.pkl")) {
      return absl::InvalidArgumentError(
          absl::StrCat(name,
                       ": is a TorchScript module; load it with torch.jit.load and "
                       "save its state_dict()"));
    }
    if (!found && absl::EndsWith(entry.name, "/data.pkl")) {
      root = entry.name.substr(0, entry.name.size() - std::strlen("data.pkl"));
      found = true;
    }
  }
  if (!found) {
    return absl::InvalidArgumentError(
        absl::StrCat(name,
                     ": is a ZIP archive without data.pkl, so not one of "
                     "torch.save's"));
  }
  if (const auto* order = zip.Find(root + "byteorder");
      order != nullptr && order->contents != "little") {
    return absl::UnimplementedError(
        absl::StrCat(name, ": was written on a ", order->contents, "-endian machine"));
  }
  IAT_ASSIGN_OR_RETURN(const absl::string_view data, zip.Read(root + "data.pkl"));
  IAT_ASSIGN_OR_RETURN(const Pickle pickle, ReadPickle(data, name, Admits));
  return Gather(*pickle.root, name, [&](const StorageId& id) {
    return zip.Read(absl::StrCat(root, "data/", id.key));
  });
}

// Magic number, protocol, system, the object, the list of storage keys; then each
// storage as a count of values and the values.
absl::StatusOr<StateDictFile> ReadLegacy(absl::string_view bytes,
                                         const std::string& name) {
  absl::string_view rest = bytes;
  const auto next = [&]() -> absl::StatusOr<Pickle> {
    IAT_ASSIGN_OR_RETURN(Pickle pickle, ReadPickle(rest, name, Admits));
    rest.remove_prefix(pickle.size);
    return pickle;
  };
  IAT_ASSIGN_OR_RETURN(const Pickle magic, next());
  if (magic.root->kind != Kind::kBigInteger || magic.root->text != kLegacyMagic) {
    return absl::InvalidArgumentError(
        absl::StrCat(name,
                     ": is a plain Python pickle; save the state dict with "
                     "torch.save"));
  }
  IAT_ASSIGN_OR_RETURN(const Pickle protocol, next());
  if (protocol.root->kind != Kind::kInteger ||
      protocol.root->integer != kLegacyProtocol) {
    return absl::DataLossError(
        absl::StrCat(name, ": not protocol ", kLegacyProtocol, " of torch.save"));
  }
  IAT_ASSIGN_OR_RETURN(const Pickle system, next());
  if (const PickleValue* little = system.root->Find("little_endian");
      little != nullptr && little->integer == 0) {
    return absl::UnimplementedError(
        absl::StrCat(name, ": was written on a big-endian machine"));
  }
  IAT_ASSIGN_OR_RETURN(const Pickle object, next());
  IAT_ASSIGN_OR_RETURN(const Pickle keys, next());
  std::map<std::string, StorageId> ids;
  for (const PickleValue& value : object.values) {
    if (value.kind != Kind::kPersistent) continue;
    IAT_ASSIGN_OR_RETURN(StorageId id, ParseStorageId(value, name));
    ids[id.key] = std::move(id);
  }
  std::map<std::string, absl::string_view> storages;
  for (const PickleValue* key : keys.root->items) {
    const std::string text =
        key->kind == Kind::kInteger ? absl::StrCat(key->integer) : key->text;
    const auto id = ids.find(text);
    if (id == ids.end()) {
      return absl::DataLossError(
          absl::StrCat(name, ": storage ", text, " belongs to no tensor"));
    }
    int64_t size = -1;
    if (rest.size() >= sizeof(size)) {
      std::memcpy(&size, rest.data(), sizeof(size));
      rest.remove_prefix(sizeof(size));
    }
    if (size != id->second.size || id->second.num_bytes() > rest.size()) {
      return absl::DataLossError(
          absl::StrCat(name, ": storage ", text, " should have ", id->second.size,
                       " values; the file is truncated or damaged"));
    }
    storages[text] = rest.substr(0, id->second.num_bytes());
    rest.remove_prefix(id->second.num_bytes());
  }
  return Gather(*object.root, name,
                [&](const StorageId& id) -> absl::StatusOr<absl::string_view> {
                  const auto found = storages.find(id.key);
                  if (found != storages.end()) return found->second;
                  return absl::DataLossError(
                      absl::StrCat(name, ": storage ", id.key, " is not in the file"));
                });
}

// The pickle of an OrderedDict of tensors, each with a storage of its own.
class PickleWriter {
 public:
  PickleWriter() {
    out_ = "\x80\x02";
    OrderedDict();
    out_ += '(';
  }

  void Tensor(const std::string& name, const torch::Tensor& tensor,
              absl::string_view storage_type, int index) {
    Text(name);
    Global("torch._utils", "_rebuild_tensor_v2");
    out_ += "((";
    Text("storage");
    Global("torch", storage_type);
    Text(absl::StrCat(index));
    Text("cpu");
    Integer(tensor.numel());
    out_ += "tQ";
    Integer(0);
    Tuple(tensor.sizes());
    Tuple(tensor.strides());
    out_ += '\x89';  // requires_grad: False
    OrderedDict();   // hooks: none
    out_ += "tR";
  }

  std::string Finish() { return out_ + "u."; }

 private:
  void Bytes(uint64_t value, int count) {
    for (int i = 0; i < count; ++i) out_ += static_cast<char>(value >> 8 * i & 0xff);
  }
  void Global(absl::string_view module, absl::string_view name) {
    absl::StrAppend(&out_, "c", module, "\n", name, "\n");
  }
  void OrderedDict() {
    Global("collections", "OrderedDict");
    out_ += ")R";
  }
  void Text(absl::string_view text) {
    out_ += 'X';
    Bytes(text.size(), 4);
    absl::StrAppend(&out_, text);
  }
  void Integer(int64_t value) {
    if (value <= std::numeric_limits<int32_t>::max()) {
      out_ += 'J';
      Bytes(static_cast<uint64_t>(value), 4);
    } else {
      out_ += "\x8a\x08";
      Bytes(static_cast<uint64_t>(value), 8);
    }
  }
  void Tuple(at::IntArrayRef values) {
    out_ += '(';
    for (const int64_t value : values) Integer(value);
    out_ += 't';
  }

  std::string out_;
};

}  // namespace

absl::StatusOr<StateDictFile> ReadStateDictFile(const std::filesystem::path& path) {
  IAT_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  const std::string name = path.string();
  const absl::string_view bytes = file.view();
  try {
    if (absl::StartsWith(bytes, "PK\x03\x04")) return ReadZip(bytes, name);
    if (absl::StartsWith(bytes, "\x80")) return ReadLegacy(bytes, name);
  } catch (const c10::Error& error) {
    // A shape that LibTorch itself will not have.
    return absl::DataLossError(absl::StrCat(name, ": ", error.what_without_backtrace()));
  }
  if (bytes.size() > 262 && bytes.substr(257, 5) == "ustar") {
    return absl::UnimplementedError(
        absl::StrCat(name,
                     ": is a tar archive, as PyTorch wrote before 0.2; load and "
                     "save it with a newer PyTorch"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat(name,
                   ": is not a file of torch.save: it begins with neither a ZIP "
                   "archive nor a pickle"));
}

absl::Status WriteStateDictFile(const std::filesystem::path& path,
                                const std::map<std::string, torch::Tensor>& tensors) {
  std::vector<torch::Tensor> values;  // keeps alive what the archive points at
  PickleWriter pickle;
  for (const auto& [name, value] : tensors) {
    const torch::Tensor& tensor =
        values.emplace_back(value.detach().to(torch::kCPU).contiguous());
    const StorageType* type = nullptr;
    for (const StorageType& candidate : kStorageTypes) {
      if (candidate.type == tensor.scalar_type()) type = &candidate;
    }
    IAT_CHECK(type != nullptr, "a tensor type that PyTorch has no storage for");
    pickle.Tensor(name, tensor, type->name, static_cast<int>(values.size()) - 1);
  }
  ZipWriter zip;
  const std::string data = pickle.Finish();
  absl::Status status = zip.Add("archive/data.pkl", data);
  status.Update(zip.Add("archive/byteorder", "little"));
  for (size_t i = 0; i < values.size() && status.ok(); ++i) {
    status = zip.Add(absl::StrCat("archive/data/", i),
                     absl::string_view(static_cast<const char*>(values[i].data_ptr()),
                                       values[i].nbytes()));
  }
  status.Update(zip.Add("archive/version", "3\n"));
  if (!status.ok()) return Annotate(status, path.string());
  auto pieces = zip.Finish();
  if (!pieces.ok()) return Annotate(pieces.status(), path.string());
  return WriteFileAtomically(path, *pieces);
}

}  // namespace iat
