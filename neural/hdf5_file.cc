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
#include "absl/strings/str_join.h"
#include "base/netcdf.h"
#include "base/status.h"
#include "neural/hdf5_state.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

// Whole numbers a double holds exactly.
constexpr double kLargestWhole = 0x1p53;

}  // namespace

int64_t Hdf5Dataset::num_values() const {
  int64_t count = 1;
  for (const int64_t side : shape) count *= side;
  return count;
}

Hdf5File::Hdf5File(std::unique_ptr<State> state) : state_(std::move(state)) {}
Hdf5File::Hdf5File(Hdf5File&&) noexcept = default;
Hdf5File& Hdf5File::operator=(Hdf5File&& other) noexcept {
  // The other closes what was open here, under the lock.
  std::swap(state_, other.state_);
  return *this;
}
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
  const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), &H5Pclose);
  Hdf5Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()), &H5Fclose);
  if (!file) {
    return absl::DataLossError(
        absl::StrCat(path.string(), ": cannot open it as HDF5: ", Hdf5Words()));
  }
  // Good for groups, and for links, whose properties a group's list includes.
  Hdf5Handle links(H5Pcreate(H5P_GROUP_ACCESS), &H5Pclose);
  (void)H5Pset_elink_cb(links.get(), &RefuseToLeave, nullptr);
  return Hdf5File(
      std::make_unique<State>(State{path, limits, std::move(file), std::move(links)}));
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
  const Hdf5Handle open(H5Gopen2(state_->file.get(), key.c_str(), state_->access.get()),
                        &H5Gclose);
  if (!open) {
    return state_->Error(absl::StatusCode::kInvalidArgument, key,
                         absl::StrCat("not a group: ", Hdf5Words()));
  }
  std::vector<std::string> names;
  const auto visit = [](hid_t, const char* name, const H5L_info_t*,
                        void* data) -> herr_t {
    static_cast<std::vector<std::string>*>(data)->emplace_back(name);
    return 0;
  };
  hsize_t position = 0;
  if (H5Literate(open.get(), H5_INDEX_NAME, H5_ITER_INC, &position, visit, &names) < 0) {
    return state_->Error(absl::StatusCode::kDataLoss, key, Hdf5Words());
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
  const Hdf5Handle memory_type(H5Tcopy(H5T_C_S1), &H5Tclose);
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
  const Hdf5Handle from(H5Dget_space(open.dataset.get()), &H5Sclose);
  const Hdf5Handle memory(
      H5Screate_simple(static_cast<int>(size.size()), size.data(), nullptr), &H5Sclose);
  if (!memory || H5Sselect_hyperslab(from.get(), H5S_SELECT_SET, start.data(), nullptr,
                                     size.data(), nullptr) < 0) {
    return state_->Error(absl::StatusCode::kDataLoss, dataset, Hdf5Words());
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
                        state_->access.get()) <= 0) {
    (void)H5Eclear2(H5E_DEFAULT);
    return error(absl::StatusCode::kNotFound, "there is none");
  }
  const Hdf5Handle attribute(
      H5Aopen_by_name(state_->file.get(), key.c_str(), attribute_name.c_str(),
                      H5P_DEFAULT, state_->access.get()),
      &H5Aclose);
  const Hdf5Handle type(attribute ? H5Aget_type(attribute.get()) : -1, &H5Tclose);
  const Hdf5Handle space(attribute ? H5Aget_space(attribute.get()) : -1, &H5Sclose);
  if (!type || !space) return error(absl::StatusCode::kDataLoss, Hdf5Words());
  if (H5Tget_class(type.get()) != H5T_STRING ||
      H5Sget_simple_extent_npoints(space.get()) != 1) {
    return error(absl::StatusCode::kInvalidArgument, "expected one text");
  }
  const Hdf5Handle memory_type(H5Tcopy(H5T_C_S1), &H5Tclose);
  H5Tset_cset(memory_type.get(), H5Tget_cset(type.get()));
  if (H5Tis_variable_str(type.get()) > 0) {
    H5Tset_size(memory_type.get(), H5T_VARIABLE);
    char* text = nullptr;
    if (H5Aread(attribute.get(), memory_type.get(), &text) < 0) {
      return error(absl::StatusCode::kDataLoss, Hdf5Words());
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
    return error(absl::StatusCode::kDataLoss, Hdf5Words());
  }
  return TrimText(raw.data(), raw.size());
}

}  // namespace iat
