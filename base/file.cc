#include "base/file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/status.h"

namespace iat {
namespace fs = std::filesystem;
namespace {

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  int get() const { return value_; }

 private:
  int value_;
};

absl::Status Flush(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0)
    return ErrnoStatus(errno, absl::StrCat("cannot open ", path.string()));
  if (::fsync(file.get()) != 0) {
    return ErrnoStatus(errno, absl::StrCat("cannot flush ", path.string()));
  }
  return absl::OkStatus();
}

fs::path TemporaryName(const fs::path& path) {
  static std::atomic<int> counter{0};
  return path.parent_path() / absl::StrCat(".", path.stem().string(), kTemporaryMark,
                                           ::getpid(), "-", counter.fetch_add(1),
                                           path.extension().string());
}

absl::Status WriteAll(int descriptor, absl::string_view contents, const fs::path& path) {
  while (!contents.empty()) {
    const ssize_t written = ::write(descriptor, contents.data(), contents.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return ErrnoStatus(errno, absl::StrCat("cannot write ", path.string()));
    }
    contents.remove_prefix(written);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadFile(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0)
    return ErrnoStatus(errno, absl::StrCat("cannot open ", path.string()));
  std::string contents;
  std::array<char, 1 << 16> buffer;
  while (true) {
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count < 0) {
      if (errno == EINTR) continue;
      return ErrnoStatus(errno, absl::StrCat("cannot read ", path.string()));
    }
    if (count == 0) return contents;
    contents.append(buffer.data(), count);
  }
}

absl::Status MakeFolder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) {
    return ErrnoStatus(error.value(),
                       absl::StrCat("cannot create folder ", path.string()));
  }
  return absl::OkStatus();
}

absl::Status WriteAtomically(const fs::path& path,
                             const std::function<absl::Status(const fs::path&)>& write) {
  if (path.has_parent_path()) IAT_RETURN_IF_ERROR(MakeFolder(path.parent_path()));
  const fs::path temporary = TemporaryName(path);
  absl::Status status = write(temporary);
  if (status.ok()) status = Flush(temporary);
  if (status.ok() && ::rename(temporary.c_str(), path.c_str()) != 0) {
    status = ErrnoStatus(errno, absl::StrCat("cannot put ", path.string(), " in place"));
  }
  if (!status.ok()) {
    ::unlink(temporary.c_str());
    // The temporary file is gone and was never the reader's concern.
    return absl::Status(
        status.code(),
        absl::StrReplaceAll(status.message(), {{temporary.string(), path.string()}}));
  }
  return Flush(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

absl::Status WriteFileAtomically(const fs::path& path, absl::string_view contents) {
  return WriteFileAtomically(path, std::vector<absl::string_view>{contents});
}

absl::Status WriteFileAtomically(const fs::path& path,
                                 const std::vector<absl::string_view>& pieces) {
  return WriteAtomically(path, [&](const fs::path& temporary) -> absl::Status {
    const Descriptor file(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (file.get() < 0) {
      return ErrnoStatus(errno, absl::StrCat("cannot create ", path.string()));
    }
    for (const absl::string_view piece : pieces) {
      IAT_RETURN_IF_ERROR(WriteAll(file.get(), piece, path));
    }
    return absl::OkStatus();
  });
}

absl::Status RemoveTemporaries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> leftovers;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    if (absl::StrContains(it->path().filename().string(), kTemporaryMark)) {
      leftovers.push_back(it->path());
    }
  }
  if (error) {
    return ErrnoStatus(error.value(), absl::StrCat("cannot list ", folder.string()));
  }
  for (const fs::path& path : leftovers) {
    fs::remove_all(path, error);
    if (error) {
      return ErrnoStatus(error.value(), absl::StrCat("cannot remove ", path.string()));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<FileLock> FileLock::TryAcquire(const fs::path& path, Mode mode) {
  if (path.has_parent_path()) IAT_RETURN_IF_ERROR(MakeFolder(path.parent_path()));
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0)
    return ErrnoStatus(errno, absl::StrCat("cannot open ", path.string()));
  FileLock lock(descriptor);
  if (::flock(descriptor, (mode == Mode::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return ErrnoStatus(errno, absl::StrCat("cannot lock ", path.string()));
    }
    auto holder = ReadFile(path);
    return absl::FailedPreconditionError(
        absl::StrCat(path.string(), " is in use by ",
                     holder.ok() && !holder->empty() ? *holder : "another process",
                     "; wait for it to end or stop it, then run again"));
  }
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  std::array<char, 64> since{};
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::strftime(since.data(), since.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  std::string command;
  if (auto text = ReadFile("/proc/self/cmdline"); text.ok()) {
    command = *text;
    for (char& c : command) {
      if (c == '\0') c = ' ';
    }
    while (!command.empty() && command.back() == ' ') command.pop_back();
  }
  const std::string holder = absl::StrCat("process ", ::getpid(), " on ", host.data(),
                                          " since ", since.data(), " (", command, ")");
  if (::ftruncate(descriptor, 0) != 0 ||
      ::pwrite(descriptor, holder.data(), holder.size(), 0) < 0) {
    return ErrnoStatus(errno, absl::StrCat("cannot write ", path.string()));
  }
  return lock;
}

FileLock::FileLock(FileLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}
FileLock& FileLock::operator=(FileLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}
FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

struct Sha256Digest::Context {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> evp{EVP_MD_CTX_new(),
                                                              &EVP_MD_CTX_free};
};

Sha256Digest::Sha256Digest() : context_(std::make_unique<Context>()) {
  IAT_CHECK(EVP_DigestInit_ex(context_->evp.get(), EVP_sha256(), nullptr) == 1,
            "SHA-256");
}
Sha256Digest::~Sha256Digest() = default;

void Sha256Digest::Add(absl::string_view bytes) {
  IAT_CHECK(EVP_DigestUpdate(context_->evp.get(), bytes.data(), bytes.size()) == 1,
            "SHA-256");
}

std::string Sha256Digest::Finish() {
  std::string bytes(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  IAT_CHECK(
      EVP_DigestFinal_ex(context_->evp.get(),
                         reinterpret_cast<unsigned char*>(bytes.data()), &size) == 1,
      "SHA-256");
  bytes.resize(size);
  return absl::BytesToHexString(bytes);
}

std::string Sha256(absl::string_view bytes) {
  Sha256Digest digest;
  digest.Add(bytes);
  return digest.Finish();
}

absl::StatusOr<std::string> Sha256OfFile(const fs::path& path) {
  IAT_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  return Sha256(file.view());
}

absl::StatusOr<MappedFile> MappedFile::Open(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0)
    return ErrnoStatus(errno, absl::StrCat("cannot open ", path.string()));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) {
    return ErrnoStatus(errno, absl::StrCat("cannot read ", path.string()));
  }
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path.string(), " is not a regular file"));
  }
  const size_t size = static_cast<size_t>(info.st_size);
  if (size == 0) return MappedFile(nullptr, 0);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) {
    return ErrnoStatus(errno, absl::StrCat("cannot map ", path.string()));
  }
  return MappedFile(static_cast<const uint8_t*>(data), size);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}
MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<uint8_t*>(data_), size_);
}

}  // namespace iat
