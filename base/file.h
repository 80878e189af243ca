// Files that are either whole or absent, locks that die with their holder, and
// fingerprints.
//
// Every output is written to a temporary name in its own folder, flushed to
// disk, then renamed. Temporary names contain kTemporaryMark, so that leftovers
// of a killed process can be recognised and removed.

#ifndef IAT_BASE_FILE_H_
#define IAT_BASE_FILE_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace iat {

inline constexpr absl::string_view kTemporaryMark = ".iat-tmp-";

absl::StatusOr<std::string> ReadFile(const std::filesystem::path& path);

// Creates missing parent folders too.
absl::Status MakeFolder(const std::filesystem::path& path);

absl::Status WriteFileAtomically(const std::filesystem::path& path,
                                 absl::string_view contents);

// The same from several pieces, which are not joined in memory.
absl::Status WriteFileAtomically(const std::filesystem::path& path,
                                 const std::vector<absl::string_view>& pieces);

// For writers that need a path of their own (netCDF, OpenCV, gnuplot): `write`
// fills the file it is given, which is then flushed and renamed to `path`. When
// `write` fails nothing is left behind and an older file at `path` stays. The
// temporary name ends in path's own extension.
absl::Status WriteAtomically(
    const std::filesystem::path& path,
    const std::function<absl::Status(const std::filesystem::path& temporary)>& write);

// Removes what killed writers left anywhere below `folder`. Only for a caller
// that holds the folder's exclusive lock.
absl::Status RemoveTemporaries(const std::filesystem::path& folder);

// An flock on `path` (created when missing, never removed), released by the
// destructor or by the kernel when the process dies.
class FileLock {
 public:
  enum class Mode { kShared, kExclusive };

  // Does not wait. FailedPrecondition naming the holder (process, host, command,
  // since when) when another process holds a lock that excludes this one.
  static absl::StatusOr<FileLock> TryAcquire(const std::filesystem::path& path,
                                             Mode mode);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

// Lower-case hexadecimal SHA-256, of everything at once or piece by piece.
std::string Sha256(absl::string_view bytes);
class Sha256Digest {
 public:
  Sha256Digest();
  ~Sha256Digest();
  void Add(absl::string_view bytes);
  // Once, at the end.
  std::string Finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};
absl::StatusOr<std::string> Sha256OfFile(const std::filesystem::path& path);

// A read-only memory map of a whole file.
class MappedFile {
 public:
  static absl::StatusOr<MappedFile> Open(const std::filesystem::path& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  absl::string_view view() const { return {reinterpret_cast<const char*>(data_), size_}; }

 private:
  MappedFile(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace iat

#endif  // IAT_BASE_FILE_H_
