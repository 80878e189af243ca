#include "base/netcdf.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace iat {
namespace {

// Strings that pass through netCDF's own copies at a time.
constexpr size_t kStringBlock = 4096;

}  // namespace

std::mutex& NetcdfMutex() {
  static std::mutex* const mutex = new std::mutex;
  return *mutex;
}

absl::Status NetcdfStatus(int code, absl::string_view what) {
  if (code == NC_NOERR) return absl::OkStatus();
  if (code > 0) return ErrnoStatus(code, what);  // netCDF passes errno through
  const std::string message = absl::StrCat(what, ": ", nc_strerror(code));
  switch (code) {
    case NC_ENOTNC:
    case NC_EHDFERR:
      return absl::DataLossError(message);
    case NC_ENOTVAR:
    case NC_ENOTATT:
    case NC_EBADDIM:
      return absl::NotFoundError(message);
    default:
      return absl::UnknownError(message);
  }
}

absl::StatusOr<NetcdfFile> NetcdfFile::Create(const std::filesystem::path& path) {
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  int id = -1;
  IAT_RETURN_IF_ERROR(NetcdfStatus(nc_create(path.c_str(), NC_NETCDF4 | NC_CLOBBER, &id),
                                   absl::StrCat("cannot create ", path.string())));
  return NetcdfFile(id, path);
}

absl::StatusOr<NetcdfFile> NetcdfFile::Open(const std::filesystem::path& path) {
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  int id = -1;
  IAT_RETURN_IF_ERROR(NetcdfStatus(nc_open(path.c_str(), NC_NOWRITE, &id),
                                   absl::StrCat("cannot open ", path.string())));
  return NetcdfFile(id, path);
}

absl::Status NetcdfFile::Close() {
  if (id_ < 0) return absl::OkStatus();
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  return Check(nc_close(std::exchange(id_, -1)), "cannot close");
}

absl::Status NetcdfFile::Check(int code, absl::string_view what) const {
  if (code == NC_NOERR) return absl::OkStatus();
  return NetcdfStatus(code, absl::StrCat(path_.string(), ": ", what));
}

absl::StatusOr<int> NetcdfFile::AddDimension(absl::string_view name, size_t size) {
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  int dimension = -1;
  IAT_RETURN_IF_ERROR(
      Check(nc_def_dim(id_, std::string(name).c_str(), size, &dimension), name));
  return dimension;
}

absl::Status NetcdfFile::SetAttribute(int variable, absl::string_view name,
                                      absl::string_view text) {
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  return Check(
      nc_put_att_text(id_, variable, std::string(name).c_str(), text.size(), text.data()),
      name);
}

absl::Status NetcdfFile::SetAttribute(int variable, absl::string_view name,
                                      int64_t value) {
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  const long long wide = value;
  return Check(
      nc_put_att_longlong(id_, variable, std::string(name).c_str(), NC_INT64, 1, &wide),
      name);
}

absl::StatusOr<std::string> NetcdfFile::TextAttribute(int variable,
                                                      absl::string_view name) const {
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  const std::string key(name);
  nc_type type = NC_NAT;
  size_t length = 0;
  const std::string what = absl::StrCat("attribute ", name);
  IAT_RETURN_IF_ERROR(
      Check(nc_inq_att(id_, variable, key.c_str(), &type, &length), what));
  if (type != NC_CHAR) {
    return absl::InvalidArgumentError(
        absl::StrCat(path_.string(), ": ", what, " is not text"));
  }
  std::string text(length, '\0');
  IAT_RETURN_IF_ERROR(
      Check(nc_get_att_text(id_, variable, key.c_str(), text.data()), what));
  return text;
}

absl::StatusOr<int64_t> NetcdfFile::IntegerAttribute(int variable,
                                                     absl::string_view name) const {
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  const std::string key(name);
  size_t length = 0;
  const std::string what = absl::StrCat("attribute ", name);
  IAT_RETURN_IF_ERROR(Check(nc_inq_attlen(id_, variable, key.c_str(), &length), what));
  if (length != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(path_.string(), ": ", what, " has ", length, " values; expected 1"));
  }
  long long value = 0;
  IAT_RETURN_IF_ERROR(
      Check(nc_get_att_longlong(id_, variable, key.c_str(), &value), what));
  return value;
}

absl::StatusOr<size_t> NetcdfFile::DimensionSize(absl::string_view name) const {
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  int dimension = -1;
  size_t size = 0;
  const std::string what = absl::StrCat("dimension ", name);
  IAT_RETURN_IF_ERROR(
      Check(nc_inq_dimid(id_, std::string(name).c_str(), &dimension), what));
  IAT_RETURN_IF_ERROR(Check(nc_inq_dimlen(id_, dimension, &size), what));
  return size;
}

absl::StatusOr<int> NetcdfFile::Variable(absl::string_view name) const {
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  int variable = -1;
  IAT_RETURN_IF_ERROR(Check(nc_inq_varid(id_, std::string(name).c_str(), &variable),
                            absl::StrCat("variable ", name)));
  return variable;
}

absl::StatusOr<std::vector<std::string>> NetcdfFile::VariableNames() const {
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  int count = 0;
  IAT_RETURN_IF_ERROR(Check(nc_inq_nvars(id_, &count), "variables"));
  std::vector<std::string> names;
  for (int v = 0; v < count; ++v) {
    std::array<char, NC_MAX_NAME + 1> name{};
    IAT_RETURN_IF_ERROR(Check(nc_inq_varname(id_, v, name.data()), "variables"));
    names.emplace_back(name.data());
  }
  return names;
}

absl::Status NetcdfFile::WriteStrings(int variable,
                                      const std::vector<std::string>& values) {
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  std::vector<const char*> pointers;
  for (size_t start = 0; start < values.size(); start += kStringBlock) {
    const size_t count = std::min(kStringBlock, values.size() - start);
    pointers.clear();
    for (size_t i = 0; i < count; ++i) pointers.push_back(values[start + i].c_str());
    IAT_RETURN_IF_ERROR(
        Check(nc_put_vara_string(id_, variable, &start, &count, pointers.data()),
              "cannot write text"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> NetcdfFile::ReadString(int variable, size_t index) const {
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  char* text = nullptr;
  IAT_RETURN_IF_ERROR(
      Check(nc_get_var1_string(id_, variable, &index, &text), "cannot read text"));
  std::string value = text ? text : "";
  nc_free_string(1, &text);
  return value;
}

absl::StatusOr<size_t> NetcdfFile::VariableLength(int variable,
                                                  absl::string_view name) const {
  int num_dimensions = 0;
  int dimension = -1;
  size_t length = 0;
  IAT_RETURN_IF_ERROR(Check(nc_inq_varndims(id_, variable, &num_dimensions), name));
  if (num_dimensions != 1) {
    return absl::InvalidArgumentError(absl::StrCat(path_.string(), ": variable ", name,
                                                   " has ", num_dimensions,
                                                   " dimensions; expected 1"));
  }
  IAT_RETURN_IF_ERROR(Check(nc_inq_vardimid(id_, variable, &dimension), name));
  IAT_RETURN_IF_ERROR(Check(nc_inq_dimlen(id_, dimension, &length), name));
  return length;
}

absl::StatusOr<std::vector<std::string>> NetcdfFile::ReadStrings(
    absl::string_view name) const {
  IAT_ASSIGN_OR_RETURN(const int variable, Variable(name));
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  nc_type type = NC_NAT;
  IAT_RETURN_IF_ERROR(Check(nc_inq_vartype(id_, variable, &type), name));
  if (type != NC_STRING) {
    return absl::InvalidArgumentError(
        absl::StrCat(path_.string(), ": variable ", name, " does not hold text"));
  }
  IAT_ASSIGN_OR_RETURN(const size_t length, VariableLength(variable, name));
  std::vector<std::string> values;
  values.reserve(length);
  for (size_t start = 0; start < length; start += kStringBlock) {
    const size_t count = std::min(kStringBlock, length - start);
    std::vector<char*> pointers(count, nullptr);
    IAT_RETURN_IF_ERROR(
        Check(nc_get_vara_string(id_, variable, &start, &count, pointers.data()), name));
    for (const char* pointer : pointers) values.emplace_back(pointer ? pointer : "");
    nc_free_string(count, pointers.data());
  }
  return values;
}

absl::StatusOr<std::vector<int32_t>> NetcdfFile::ReadIntegers(
    absl::string_view name) const {
  IAT_ASSIGN_OR_RETURN(const int variable, Variable(name));
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  IAT_ASSIGN_OR_RETURN(const size_t length, VariableLength(variable, name));
  std::vector<int32_t> values(length);
  IAT_RETURN_IF_ERROR(Check(nc_get_var_int(id_, variable, values.data()), name));
  return values;
}

NetcdfFile::NetcdfFile(NetcdfFile&& other) noexcept
    : id_(std::exchange(other.id_, -1)), path_(std::move(other.path_)) {}
NetcdfFile& NetcdfFile::operator=(NetcdfFile&& other) noexcept {
  std::swap(id_, other.id_);
  std::swap(path_, other.path_);
  return *this;
}
NetcdfFile::~NetcdfFile() {
  if (id_ < 0) return;
  const std::lock_guard<std::mutex> lock(NetcdfMutex());
  // Nobody is left to tell; a writer that cares has called Close().
  (void)nc_close(id_);
}

}  // namespace iat
