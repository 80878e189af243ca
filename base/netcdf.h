// The netCDF C library with Status results and one lock: HDF5 underneath is not
// safe for several threads, so every call of ours into it goes through here.

#ifndef IAT_BASE_NETCDF_H_
#define IAT_BASE_NETCDF_H_

#include <netcdf.h>

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace iat {

// Held around every netCDF call in the process, by the class below too.
std::mutex& NetcdfMutex();

// OK for NC_NOERR; otherwise "what: <netCDF's words>". A damaged or truncated
// file gives DataLoss, a full disk ResourceExhausted.
absl::Status NetcdfStatus(int code, absl::string_view what);

// An open file. Closes when it goes out of scope; call Close() to learn whether
// the last bytes reached the disk.
class NetcdfFile {
 public:
  static absl::StatusOr<NetcdfFile> Create(const std::filesystem::path& path);
  static absl::StatusOr<NetcdfFile> Open(const std::filesystem::path& path);

  int id() const { return id_; }
  const std::filesystem::path& path() const { return path_; }
  absl::Status Close();

  // Status of a netCDF call on this file: "PATH: what: <netCDF's words>".
  absl::Status Check(int code, absl::string_view what) const;

  absl::StatusOr<int> AddDimension(absl::string_view name, size_t size);
  absl::Status SetAttribute(int variable, absl::string_view name, absl::string_view text);
  absl::Status SetAttribute(int variable, absl::string_view name, int64_t value);
  absl::StatusOr<std::string> TextAttribute(int variable, absl::string_view name) const;
  absl::StatusOr<int64_t> IntegerAttribute(int variable, absl::string_view name) const;
  // Length of a dimension by name; NotFound when there is none.
  absl::StatusOr<size_t> DimensionSize(absl::string_view name) const;
  absl::StatusOr<int> Variable(absl::string_view name) const;
  absl::StatusOr<std::vector<std::string>> VariableNames() const;
  absl::Status WriteStrings(int variable, const std::vector<std::string>& values);
  absl::StatusOr<std::vector<std::string>> ReadStrings(absl::string_view variable) const;
  // Entry `index` of them.
  absl::StatusOr<std::string> ReadString(int variable, size_t index) const;
  absl::StatusOr<std::vector<int32_t>> ReadIntegers(absl::string_view variable) const;

  NetcdfFile(NetcdfFile&& other) noexcept;
  NetcdfFile& operator=(NetcdfFile&& other) noexcept;
  NetcdfFile(const NetcdfFile&) = delete;
  NetcdfFile& operator=(const NetcdfFile&) = delete;
  ~NetcdfFile();

 private:
  NetcdfFile(int id, std::filesystem::path path) : id_(id), path_(std::move(path)) {}
  // Number of entries of a one-dimensional variable.
  absl::StatusOr<size_t> VariableLength(int variable, absl::string_view name) const;

  int id_ = -1;
  std::filesystem::path path_;
};

}  // namespace iat

#endif  // IAT_BASE_NETCDF_H_
