#include "neural/hdf5_state.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace iat {
namespace {

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

}  // namespace

herr_t RefuseToLeave(const char*, const char*, const char*, const char*, unsigned*, hid_t,
                     void*) {
  return -1;
}

std::string Hdf5Words() {
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

std::string TrimText(const char* text, size_t size) {
  size = ::strnlen(text, size);
  while (size > 0 && text[size - 1] == ' ') --size;
  return std::string(text, size);
}

absl::Status Hdf5File::State::CheckLinks(absl::string_view object) const {
  std::string sofar;
  for (const absl::string_view part : absl::StrSplit(object, '/', absl::SkipEmpty())) {
    absl::StrAppend(&sofar, "/", part);
    const htri_t exists = H5Lexists(file.get(), sofar.c_str(), access.get());
    if (exists < 0) {
      return Error(absl::StatusCode::kDataLoss, object,
                   absl::StrCat("cannot look up ", sofar, ": ", Hdf5Words()));
    }
    if (exists == 0) {
      return Error(absl::StatusCode::kNotFound, object,
                   sofar == object ? "there is no such dataset or group"
                                   : absl::StrCat("there is no ", sofar));
    }
    H5L_info_t link;
    if (H5Lget_info(file.get(), sofar.c_str(), &link, access.get()) < 0) {
      return Error(absl::StatusCode::kDataLoss, object, Hdf5Words());
    }
    if (link.type == H5L_TYPE_EXTERNAL) {
      return Error(absl::StatusCode::kInvalidArgument, object,
                   absl::StrCat(sofar,
                                " is a link to another file, which is not "
                                "followed; copy the data into this file "
                                "(h5repack or h5copy)"));
    }
    if (link.type != H5L_TYPE_HARD &&
        H5Oexists_by_name(file.get(), sofar.c_str(), access.get()) <= 0) {
      (void)H5Eclear2(H5E_DEFAULT);
      return Error(absl::StatusCode::kNotFound, object,
                   absl::StrCat("the link ", sofar, " leads nowhere in this file"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<OpenDataset> Hdf5File::State::OpenOne(absl::string_view name) const {
  IAT_RETURN_IF_ERROR(CheckLinks(name));
  const std::string key(name);
  H5O_info_t info;
  if (H5Oget_info_by_name(file.get(), key.c_str(), &info, access.get()) < 0) {
    return Error(absl::StatusCode::kDataLoss, name, Hdf5Words());
  }
  if (info.type != H5O_TYPE_DATASET) {
    return Error(absl::StatusCode::kInvalidArgument, name, "a group; expected a dataset");
  }
  const Hdf5Handle dataset_access(H5Pcreate(H5P_DATASET_ACCESS), &H5Pclose);
  (void)H5Pset_chunk_cache(dataset_access.get(), kChunkSlots, kChunkCacheBytes,
                           kChunkPreemption);
  (void)H5Pset_elink_cb(dataset_access.get(), &RefuseToLeave, nullptr);
  OpenDataset open;
  open.dataset =
      Hdf5Handle(H5Dopen2(file.get(), key.c_str(), dataset_access.get()), &H5Dclose);
  if (!open.dataset) return Error(absl::StatusCode::kDataLoss, name, Hdf5Words());
  open.type = Hdf5Handle(H5Dget_type(open.dataset.get()), &H5Tclose);
  const Hdf5Handle space(H5Dget_space(open.dataset.get()), &H5Sclose);
  const int rank = space ? H5Sget_simple_extent_ndims(space.get()) : -1;
  if (!open.type || rank < 0) {
    return Error(absl::StatusCode::kDataLoss, name, Hdf5Words());
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

absl::Status Hdf5File::State::CheckStorage(const OpenDataset& open,
                                           absl::string_view name, int64_t num_values,
                                           size_t bytes_each) const {
  const Hdf5Handle creation(H5Dget_create_plist(open.dataset.get()), &H5Pclose);
  if (!creation) return Error(absl::StatusCode::kDataLoss, name, Hdf5Words());
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
  const double wanted = static_cast<double>(num_values) * static_cast<double>(bytes_each);
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

absl::Status Hdf5File::State::CheckShape(const OpenDataset& open, absl::string_view name,
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

absl::Status Hdf5File::State::CheckNumber(const OpenDataset& open,
                                          absl::string_view name) const {
  if (open.about.kind == Hdf5Dataset::Kind::kInteger ||
      open.about.kind == Hdf5Dataset::Kind::kFloat) {
    return absl::OkStatus();
  }
  return Error(absl::StatusCode::kInvalidArgument, name,
               absl::StrCat("it holds ", open.about.type, "; expected numbers"));
}

absl::Status Hdf5File::State::Transfer(const OpenDataset& open, absl::string_view name,
                                       hid_t memory_type, hid_t memory, hid_t from,
                                       void* values) const {
  if (H5Dread(open.dataset.get(), memory_type, memory, from, H5P_DEFAULT, values) < 0) {
    return Error(absl::StatusCode::kDataLoss, name,
                 absl::StrCat("cannot read its values: ", Hdf5Words()));
  }
  return absl::OkStatus();
}

absl::Status Hdf5File::State::TransferEnumeration(const OpenDataset& open,
                                                  absl::string_view name, hid_t memory,
                                                  hid_t from, int64_t count,
                                                  std::vector<int64_t>* values) const {
  const Hdf5Handle native(H5Tget_native_type(open.type.get(), H5T_DIR_ASCEND), &H5Tclose);
  const size_t bytes = native ? H5Tget_size(native.get()) : 0;
  const Hdf5Handle super(native ? H5Tget_super(native.get()) : -1, &H5Tclose);
  if (!super || bytes == 0 || bytes > sizeof(int64_t)) {
    return Error(absl::StatusCode::kDataLoss, name, Hdf5Words());
  }
  values->assign(count, 0);
  std::vector<char> raw(static_cast<size_t>(count) * bytes);
  IAT_RETURN_IF_ERROR(Transfer(open, name, native.get(), memory, from, raw.data()));
  std::memcpy(values->data(), raw.data(), raw.size());
  if (count > 0 && H5Tconvert(super.get(), H5T_NATIVE_INT64, count, values->data(),
                              nullptr, H5P_DEFAULT) < 0) {
    return Error(absl::StatusCode::kDataLoss, name, Hdf5Words());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<double>> Hdf5File::State::ReadDoubles(const OpenDataset& open,
                                                                 absl::string_view name,
                                                                 hid_t memory, hid_t from,
                                                                 int64_t count) const {
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
}  // namespace iat
