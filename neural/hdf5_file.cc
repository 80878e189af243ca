#include "neural/hdf5_file.h"

#include <hdf5.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <mutex>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/netcdf.h"
#include "base/status.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxValues = int64_t{1} << 62;
constexpr int64_t kMaxChunkBytes = int64_t{1} << 30;
// zlib shrinks at most 1032 times; a dataset that claims much more than its stored bytes
// can make up is damaged. Small ones may be fill values alone.
constexpr int64_t kMaxExpansion = 2000;
constexpr int64_t kSmallBytes = int64_t{64} << 20;
// Chunks may span many cells and units: read them once.
constexpr size_t kChunkCacheBytes = size_t{16} << 20;
constexpr size_t kChunkSlots = 12421;
constexpr double kChunkPreemption = 0.75;
// Whole numbers a double holds exactly.
constexpr double kLargestWhole = 0x1p53;

// Closes an HDF5 handle of any kind. To be used under NetcdfMutex().
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept
      : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  hid_t get() const { return id_; }
  explicit operator bool() const { return id_ >= 0; }

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

// HDF5's innermost words on the call that has just failed.
std::string LibraryWords() {
  std::string words;
  const auto visit = [](unsigned, const H5E_error2_t* error, void* data) -> herr_t {
    if (error->desc != nullptr) *static_cast<std::string*>(data) = error->desc;
    return 0;
  };
  // Upward ends at the API; downward ends at the cause.
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, visit, &words);
  H5Eclear2(H5E_DEFAULT);
  return words.empty() ? "HDF5 cannot say why" : words;
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  if (shape.empty()) return "a single value";
  return absl::StrJoin(shape, " x ", [](std::string* out, int64_t side) {
    absl::StrAppend(out, side < 0 ? "any" : absl::StrCat(side));
  });
}

// An open dataset with what is known of it.
struct OpenDataset {
  Handle dataset, type;
  Hdf5Dataset about;
  hid_t memory_type = -1;  // of a number; owned by the library
  size_t value_bytes = 0;  // in the file, or of a pointer for text of variable length
  bool variable_text = false;
};

Hdf5Dataset::Kind KindOf(hid_t type, std::string* words) {
  const size_t bytes = H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      *words =
          absl::StrCat(H5Tget_sign(type) == H5T_SGN_NONE ? "uint" : "int", 8 * bytes);
      return Hdf5Dataset::Kind::kInteger;
    case H5T_ENUM:
      *words = "enumeration";
      return Hdf5Dataset::Kind::kInteger;
    case H5T_FLOAT:
      *words = absl::StrCat("float", 8 * bytes);
      return Hdf5Dataset::Kind::kFloat;
    case H5T_STRING:
      *words = "text";
      return Hdf5Dataset::Kind::kString;
    case H5T_COMPOUND:
      *words = "compound";
      break;
    case H5T_REFERENCE:
      *words = "references";
      break;
    case H5T_VLEN:
      *words = "lists of variable length";
      break;
    default:
      *words = "another type";
  }
  return Hdf5Dataset::Kind::kOther;
}

std::string TrimText(const char* text, size_t size) {
  size = ::strnlen(text, size);
  while (size > 0 && text[size - 1] == ' ') --size;
  return std::string(text, size);
}

}  // namespace

int64_t Hdf5Dataset::num_values() const {
  int64_t count = 1;
  for (const int64_t side : shape) count *= side;
  return count;
}

struct Hdf5File::State {
  fs::path path;
  Limits limits;
  Handle file;

  absl::Status Error(absl::StatusCode code, absl::string_view object,
                     absl::string_view message) const {
    return absl::Status(code, absl::StrCat(path.string(), ": ", object, ": ", message));
  }

  // Every link on the way exists and stays inside the file.
  absl::Status CheckLinks(absl::string_view object) const {
    std::string sofar;
    for (const absl::string_view part : absl::StrSplit(object, '/', absl::SkipEmpty())) {
      absl::StrAppend(&sofar, "/", part);
      const htri_t exists = H5Lexists(file.get(), sofar.c_str(), H5P_DEFAULT);
      if (exists < 0) {
        return Error(absl::StatusCode::kDataLoss, object,
                     absl::StrCat("cannot look up ", sofar, ": ", LibraryWords()));
      }
      if (exists == 0) {
        return Error(absl::StatusCode::kNotFound, object,
                     sofar == object ? "there is no such dataset or group"
                                     : absl::StrCat("there is no ", sofar));
      }
      H5L_info_t link;
      if (H5Lget_info(file.get(), sofar.c_str(), &link, H5P_DEFAULT) < 0) {
        return Error(absl::StatusCode::kDataLoss, object, LibraryWords());
      }
      if (link.type == H5L_TYPE_EXTERNAL) {
        return Error(absl::StatusCode::kInvalidArgument, object,
                     absl::StrCat(sofar,
                                  " is a link to another file, which is not "
                                  "followed; copy the data into this file "
                                  "(h5repack or h5copy)"));
      }
      if (link.type != H5L_TYPE_HARD &&
          H5Oexists_by_name(file.get(), sofar.c_str(), H5P_DEFAULT) <= 0) {
        (void)H5Eclear2(H5E_DEFAULT);
        return Error(absl::StatusCode::kNotFound, object,
                     absl::StrCat("the link ", sofar, " leads nowhere"));
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<OpenDataset> OpenOne(absl::string_view name) const {
    IAT_RETURN_IF_ERROR(CheckLinks(name));
    const std::string key(name);
    H5O_info_t info;
    if (H5Oget_info_by_name(file.get(), key.c_str(), &info, H5P_DEFAULT) < 0) {
      return Error(absl::StatusCode::kDataLoss, name, LibraryWords());
    }
    if (info.type != H5O_TYPE_DATASET) {
      return Error(absl::StatusCode::kInvalidArgument, name,
                   "a group; expected a dataset");
    }
    const Handle access(H5Pcreate(H5P_DATASET_ACCESS), &H5Pclose);
    (void)H5Pset_chunk_cache(access.get(), kChunkSlots, kChunkCacheBytes,
                             kChunkPreemption);
    OpenDataset open;
    open.dataset = Handle(H5Dopen2(file.get(), key.c_str(), access.get()), &H5Dclose);
    if (!open.dataset) return Error(absl::StatusCode::kDataLoss, name, LibraryWords());
    open.type = Handle(H5Dget_type(open.dataset.get()), &H5Tclose);
    const Handle space(H5Dget_space(open.dataset.get()), &H5Sclose);
    const int rank = space ? H5Sget_simple_extent_ndims(space.get()) : -1;
    if (!open.type || rank < 0) {
      return Error(absl::StatusCode::kDataLoss, name, LibraryWords());
    }
    std::vector<hsize_t> sides(rank);
    H5Sget_simple_extent_dims(space.get(), sides.data(), nullptr);
    int64_t count = 1;
    for (const hsize_t side : sides) {
      if (side > static_cast<hsize_t>(kMaxValues) ||
          (side > 0 && count > kMaxValues / static_cast<int64_t>(side))) {
        return Error(absl::StatusCode::kDataLoss, name,
                     absl::StrCat("its shape ", absl::StrJoin(sides, " x "),
                                  " has more than 2^62 values"));
      }
      count *= std::max<int64_t>(static_cast<int64_t>(side), 1);
      open.about.shape.push_back(static_cast<int64_t>(side));
    }
    if (H5Sget_simple_extent_type(space.get()) == H5S_NULL) open.about.shape = {0};
    open.about.kind = KindOf(open.type.get(), &open.about.type);
    open.value_bytes = H5Tget_size(open.type.get());
    open.variable_text = open.about.kind == Hdf5Dataset::Kind::kString &&
                         H5Tis_variable_str(open.type.get()) > 0;
    return open;
  }

  // Before values are asked for.
  absl::Status CheckStorage(const OpenDataset& open, absl::string_view name,
                            int64_t num_values, size_t bytes_each) const {
    const Handle creation(H5Dget_create_plist(open.dataset.get()), &H5Pclose);
    if (!creation) return Error(absl::StatusCode::kDataLoss, name, LibraryWords());
    const H5D_layout_t layout = H5Pget_layout(creation.get());
    if (layout == H5D_VIRTUAL || H5Pget_external_count(creation.get()) > 0) {
      return Error(absl::StatusCode::kInvalidArgument, name,
                   "its values lie in other files, which are not opened; copy them into "
                   "this file (h5repack)");
    }
    if (layout == H5D_CHUNKED) {
      std::vector<hsize_t> chunk(open.about.shape.size());
      const int rank =
          H5Pget_chunk(creation.get(), static_cast<int>(chunk.size()), chunk.data());
      double chunk_bytes = static_cast<double>(open.value_bytes);
      for (const hsize_t side : chunk) chunk_bytes *= static_cast<double>(side);
      if (rank != static_cast<int>(chunk.size()) ||
          chunk_bytes > static_cast<double>(kMaxChunkBytes)) {
        return Error(absl::StatusCode::kDataLoss, name,
                     absl::StrCat("its chunks are ", absl::StrJoin(chunk, " x "),
                                  " values; expected at most 1 GiB each"));
      }
    }
    const double wanted =
        static_cast<double>(num_values) * static_cast<double>(bytes_each);
    if (wanted > static_cast<double>(limits.max_bytes)) {
      return Error(absl::StatusCode::kResourceExhausted, name,
                   absl::StrFormat("%d values of %d bytes; expected at most %d bytes",
                                   num_values, bytes_each, limits.max_bytes));
    }
    const double claimed = static_cast<double>(open.about.num_values()) *
                           static_cast<double>(open.value_bytes);
    const auto stored = static_cast<double>(H5Dget_storage_size(open.dataset.get()));
    if (claimed > static_cast<double>(kSmallBytes) && claimed > kMaxExpansion * stored) {
      return Error(absl::StatusCode::kDataLoss, name,
                   absl::StrFormat("it claims %.0f bytes, but the file stores %.0f",
                                   claimed, stored));
    }
    return absl::OkStatus();
  }

  absl::Status CheckShape(const OpenDataset& open, absl::string_view name,
                          const std::vector<int64_t>& expected) const {
    const std::vector<int64_t>& found = open.about.shape;
    bool fits = found.size() == expected.size();
    for (size_t d = 0; fits && d < found.size(); ++d) {
      fits = expected[d] < 0 || expected[d] == found[d];
    }
    if (fits) return absl::OkStatus();
    return Error(absl::StatusCode::kInvalidArgument, name,
                 absl::StrCat("its shape is ", ShapeText(found), "; expected ",
                              ShapeText(expected)));
  }

  absl::Status CheckNumber(const OpenDataset& open, absl::string_view name) const {
    if (open.about.kind == Hdf5Dataset::Kind::kInteger ||
        open.about.kind == Hdf5Dataset::Kind::kFloat) {
      return absl::OkStatus();
    }
    return Error(absl::StatusCode::kInvalidArgument, name,
                 absl::StrCat("it holds ", open.about.type, "; expected numbers"));
  }

  template <typename T>
  absl::Status Transfer(const OpenDataset& open, absl::string_view name,
                        hid_t memory_type, hid_t memory, hid_t from, T* values) const {
    // An enumeration converts to numbers through the integer it is stored as.
    if (H5Dread(open.dataset.get(), memory_type, memory, from, H5P_DEFAULT, values) < 0) {
      return Error(absl::StatusCode::kDataLoss, name,
                   absl::StrCat("cannot read its values: ", LibraryWords()));
    }
    return absl::OkStatus();
  }

  // HDF5 has no path from an enumeration to a float, and none either through the
  // enumeration's own integers: those are read as they are and widened here.
  absl::Status TransferEnumeration(const OpenDataset& open, absl::string_view name,
                                   hid_t memory, hid_t from, int64_t count,
                                   std::vector<int64_t>* values) const {
    const Handle native(H5Tget_native_type(open.type.get(), H5T_DIR_ASCEND), &H5Tclose);
    const size_t bytes = native ? H5Tget_size(native.get()) : 0;
    const Handle super(native ? H5Tget_super(native.get()) : -1, &H5Tclose);
    if (!super || bytes == 0 || bytes > sizeof(int64_t)) {
      return Error(absl::StatusCode::kDataLoss, name, LibraryWords());
    }
    values->assign(count, 0);
    std::vector<char> raw(static_cast<size_t>(count) * bytes);
    IAT_RETURN_IF_ERROR(Transfer(open, name, native.get(), memory, from, raw.data()));
    std::memcpy(values->data(), raw.data(), raw.size());
    if (count > 0 && H5Tconvert(super.get(), H5T_NATIVE_INT64, count, values->data(),
                                nullptr, H5P_DEFAULT) < 0) {
      return Error(absl::StatusCode::kDataLoss, name, LibraryWords());
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<double>> ReadDoubles(const OpenDataset& open,
                                                  absl::string_view name, hid_t memory,
                                                  hid_t from, int64_t count) const {
    IAT_RETURN_IF_ERROR(CheckNumber(open, name));
    IAT_RETURN_IF_ERROR(CheckStorage(open, name, count, sizeof(double)));
    if (H5Tget_class(open.type.get()) == H5T_ENUM) {
      std::vector<int64_t> whole;
      IAT_RETURN_IF_ERROR(TransferEnumeration(open, name, memory, from, count, &whole));
      return std::vector<double>(whole.begin(), whole.end());
    }
    std::vector<double> values(count);
    IAT_RETURN_IF_ERROR(
        Transfer(open, name, H5T_NATIVE_DOUBLE, memory, from, values.data()));
    return values;
  }
};

Hdf5File::Hdf5File(std::unique_ptr<State> state) : state_(std::move(state)) {}
Hdf5File::Hdf5File(Hdf5File&&) noexcept = default;
Hdf5File& Hdf5File::operator=(Hdf5File&&) noexcept = default;
Hdf5File::~Hdf5File() {
  if (state_ == nullptr) return;
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  state_.reset();
}

absl::StatusOr<Hdf5File> Hdf5File::Open(const fs::path& path) {
  return Open(path, Limits{});
}

absl::StatusOr<Hdf5File> Hdf5File::Open(const fs::path& path, Limits limits) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    return absl::NotFoundError(absl::StrCat(path.string(), ": No such file"));
  }
  if (!fs::is_regular_file(path, error)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path.string(), ": not a file; expected an HDF5 file"));
  }
  char magic[4] = {};
  std::ifstream(path, std::ios::binary).read(magic, sizeof(magic));
  if (absl::StartsWith(absl::string_view(magic, 3), "CDF")) {
    return absl::InvalidArgumentError(
        absl::StrCat(path.string(),
                     ": a netCDF file of the classic format; convert it "
                     "with nccopy -k nc4 ",
                     path.string(), " new.nc"));
  }
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  // HDF5 prints its own stack of errors unless it is told not to.
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5Eclear2(H5E_DEFAULT);
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), &H5Pclose);
  Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), &H5Fclose);
  if (!file) {
    return absl::DataLossError(
        absl::StrCat(path.string(), ": cannot open it as HDF5: ", LibraryWords()));
  }
  return Hdf5File(std::make_unique<State>(State{path, limits, std::move(file)}));
}

const fs::path& Hdf5File::path() const { return state_->path; }

bool Hdf5File::Has(absl::string_view object) const {
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  return state_->CheckLinks(object).ok();
}

bool Hdf5File::IsDataset(absl::string_view object) const {
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  return state_->OpenOne(object).ok();
}

absl::StatusOr<std::string> Hdf5File::FirstOf(
    const std::vector<std::string>& paths) const {
  for (const std::string& path : paths) {
    if (Has(path)) return path;
  }
  return absl::NotFoundError(absl::StrCat(state_->path.string(), ": there is no ",
                                          absl::StrJoin(paths, " and no ")));
}

absl::StatusOr<std::vector<std::string>> Hdf5File::Children(
    absl::string_view group) const {
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  IAT_RETURN_IF_ERROR(state_->CheckLinks(group));
  const std::string key = group.empty() ? "/" : std::string(group);
  const Handle open(H5Gopen2(state_->file.get(), key.c_str(), H5P_DEFAULT), &H5Gclose);
  if (!open) {
    return state_->Error(absl::StatusCode::kInvalidArgument, key,
                         absl::StrCat("not a group: ", LibraryWords()));
  }
  std::vector<std::string> names;
  const auto visit = [](hid_t, const char* name, const H5L_info_t*,
                        void* data) -> herr_t {
    static_cast<std::vector<std::string>*>(data)->emplace_back(name);
    return 0;
  };
  hsize_t position = 0;
  if (H5Literate(open.get(), H5_INDEX_NAME, H5_ITER_INC, &position, visit, &names) < 0) {
    return state_->Error(absl::StatusCode::kDataLoss, key, LibraryWords());
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<Hdf5Dataset> Hdf5File::Describe(absl::string_view dataset) const {
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  IAT_ASSIGN_OR_RETURN(const OpenDataset open, state_->OpenOne(dataset));
  return open.about;
}

absl::StatusOr<std::vector<double>> Hdf5File::ReadNumbers(
    absl::string_view dataset, const std::vector<int64_t>& shape) const {
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  IAT_ASSIGN_OR_RETURN(const OpenDataset open, state_->OpenOne(dataset));
  IAT_RETURN_IF_ERROR(state_->CheckNumber(open, dataset));
  IAT_RETURN_IF_ERROR(state_->CheckShape(open, dataset, shape));
  return state_->ReadDoubles(open, dataset, H5S_ALL, H5S_ALL, open.about.num_values());
}

absl::StatusOr<std::vector<int64_t>> Hdf5File::ReadIntegers(
    absl::string_view dataset, const std::vector<int64_t>& shape) const {
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  IAT_ASSIGN_OR_RETURN(const OpenDataset open, state_->OpenOne(dataset));
  IAT_RETURN_IF_ERROR(state_->CheckNumber(open, dataset));
  IAT_RETURN_IF_ERROR(state_->CheckShape(open, dataset, shape));
  const int64_t count = open.about.num_values();
  if (open.about.kind == Hdf5Dataset::Kind::kFloat) {
    IAT_ASSIGN_OR_RETURN(const std::vector<double> numbers,
                         state_->ReadDoubles(open, dataset, H5S_ALL, H5S_ALL, count));
    std::vector<int64_t> values;
    values.reserve(numbers.size());
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (!(std::abs(numbers[i]) <= kLargestWhole) ||
          numbers[i] != std::floor(numbers[i])) {
        return state_->Error(
            absl::StatusCode::kInvalidArgument, dataset,
            absl::StrCat("value ", i, " is ", numbers[i], "; expected a whole number"));
      }
      values.push_back(static_cast<int64_t>(numbers[i]));
    }
    return values;
  }
  IAT_RETURN_IF_ERROR(state_->CheckStorage(open, dataset, count, sizeof(int64_t)));
  std::vector<int64_t> values;
  if (H5Tget_class(open.type.get()) == H5T_ENUM) {
    IAT_RETURN_IF_ERROR(
        state_->TransferEnumeration(open, dataset, H5S_ALL, H5S_ALL, count, &values));
    return values;
  }
  values.resize(count);
  IAT_RETURN_IF_ERROR(
      state_->Transfer(open, dataset, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, values.data()));
  return values;
}

absl::StatusOr<std::vector<std::string>> Hdf5File::ReadStrings(
    absl::string_view dataset) const {
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  IAT_ASSIGN_OR_RETURN(const OpenDataset open, state_->OpenOne(dataset));
  if (open.about.kind != Hdf5Dataset::Kind::kString) {
    return state_->Error(absl::StatusCode::kInvalidArgument, dataset,
                         absl::StrCat("it holds ", open.about.type, "; expected text"));
  }
  const int64_t count = open.about.num_values();
  IAT_RETURN_IF_ERROR(state_->CheckStorage(open, dataset, count, open.value_bytes));
  std::vector<std::string> values;
  values.reserve(count);
  const Handle memory_type(H5Tcopy(H5T_C_S1), &H5Tclose);
  H5Tset_cset(memory_type.get(), H5Tget_cset(open.type.get()));
  if (open.variable_text) {
    H5Tset_size(memory_type.get(), H5T_VARIABLE);
    std::vector<char*> pointers(count, nullptr);
    const absl::Status read = state_->Transfer(open, dataset, memory_type.get(), H5S_ALL,
                                               H5S_ALL, pointers.data());
    for (char* pointer : pointers) {
      if (read.ok()) {
        values.push_back(pointer == nullptr ? ""
                                            : TrimText(pointer, std::strlen(pointer)));
      }
      if (pointer != nullptr) H5free_memory(pointer);
    }
    IAT_RETURN_IF_ERROR(read);
    return values;
  }
  H5Tset_size(memory_type.get(), open.value_bytes);
  H5Tset_strpad(memory_type.get(), H5Tget_strpad(open.type.get()));
  std::vector<char> raw(static_cast<size_t>(count) * open.value_bytes);
  IAT_RETURN_IF_ERROR(
      state_->Transfer(open, dataset, memory_type.get(), H5S_ALL, H5S_ALL, raw.data()));
  for (int64_t i = 0; i < count; ++i) {
    values.push_back(TrimText(raw.data() + i * open.value_bytes, open.value_bytes));
  }
  return values;
}

absl::StatusOr<std::string> Hdf5File::ReadText(absl::string_view dataset) const {
  IAT_ASSIGN_OR_RETURN(const std::vector<std::string> values, ReadStrings(dataset));
  if (values.size() != 1) {
    return state_->Error(absl::StatusCode::kInvalidArgument, dataset,
                         absl::StrCat(values.size(), " texts; expected one"));
  }
  return values[0];
}

absl::StatusOr<std::vector<double>> Hdf5File::ReadRows(absl::string_view dataset,
                                                       int64_t first,
                                                       int64_t count) const {
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  IAT_ASSIGN_OR_RETURN(const OpenDataset open, state_->OpenOne(dataset));
  const std::vector<int64_t>& shape = open.about.shape;
  IAT_RETURN_IF_ERROR(state_->CheckNumber(open, dataset));
  if (shape.empty() || first < 0 || count < 0 || first > shape[0] - count) {
    return state_->Error(
        absl::StatusCode::kOutOfRange, dataset,
        absl::StrCat("its shape is ", ShapeText(shape), "; there are no rows ", first,
                     " to ", first + count - 1));
  }
  std::vector<hsize_t> start(shape.size(), 0);
  std::vector<hsize_t> size(shape.begin(), shape.end());
  start[0] = static_cast<hsize_t>(first);
  size[0] = static_cast<hsize_t>(count);
  int64_t num_values = count;
  for (size_t d = 1; d < shape.size(); ++d) num_values *= shape[d];
  if (num_values == 0) return std::vector<double>();
  const Handle from(H5Dget_space(open.dataset.get()), &H5Sclose);
  const Handle memory(
      H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr), &H5Sclose);
  if (!memory || H5Sselect_hyperslab(from.get(), H5S_SELECT_SET, start.data(), nullptr,
                                     size.data(), nullptr) < 0) {
    return state_->Error(absl::StatusCode::kDataLoss, dataset, LibraryWords());
  }
  return state_->ReadDoubles(open, dataset, memory.get(), from.get(), num_values);
}

absl::StatusOr<std::string> Hdf5File::TextAttribute(absl::string_view object,
                                                    absl::string_view name) const {
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  IAT_RETURN_IF_ERROR(state_->CheckLinks(object));
  const std::string key = object.empty() ? "/" : std::string(object);
  const std::string attribute_name(name);
  const auto error = [&](absl::StatusCode code, absl::string_view what) {
    return state_->Error(code, key, absl::StrCat("attribute ", name, ": ", what));
  };
  if (H5Aexists_by_name(state_->file.get(), key.c_str(), attribute_name.c_str(),
                        H5P_DEFAULT) <= 0) {
    (void)H5Eclear2(H5E_DEFAULT);
    return error(absl::StatusCode::kNotFound, "there is none");
  }
  const Handle attribute(
      H5Aopen_by_name(state_->file.get(), key.c_str(), attribute_name.c_str(),
                      H5P_DEFAULT, H5P_DEFAULT),
      &H5Aclose);
  const Handle type(attribute ? H5Aget_type(attribute.get()) : -1, &H5Tclose);
  const Handle space(attribute ? H5Aget_space(attribute.get()) : -1, &H5Sclose);
  if (!type || !space) return error(absl::StatusCode::kDataLoss, LibraryWords());
  if (H5Tget_class(type.get()) != H5T_STRING ||
      H5Sget_simple_extent_npoints(space.get()) != 1) {
    return error(absl::StatusCode::kInvalidArgument, "expected one text");
  }
  const Handle memory_type(H5Tcopy(H5T_C_S1), &H5Tclose);
  H5Tset_cset(memory_type.get(), H5Tget_cset(type.get()));
  if (H5Tis_variable_str(type.get()) > 0) {
    H5Tset_size(memory_type.get(), H5T_VARIABLE);
    char* text = nullptr;
    if (H5Aread(attribute.get(), memory_type.get(), &text) < 0) {
      return error(absl::StatusCode::kDataLoss, LibraryWords());
    }
    const std::string value = text == nullptr ? "" : TrimText(text, std::strlen(text));
    if (text != nullptr) H5free_memory(text);
    return value;
  }
  const size_t bytes = H5Tget_size(type.get());
  if (static_cast<int64_t>(bytes) > state_->limits.max_bytes) {
    return error(absl::StatusCode::kResourceExhausted, absl::StrCat(bytes, " bytes"));
  }
  H5Tset_size(memory_type.get(), bytes);
  H5Tset_strpad(memory_type.get(), H5Tget_strpad(type.get()));
  std::vector<char> raw(bytes);
  if (H5Aread(attribute.get(), memory_type.get(), raw.data()) < 0) {
    return error(absl::StatusCode::kDataLoss, LibraryWords());
  }
  return TrimText(raw.data(), raw.size());
}

}  // namespace iat
