// Folders and archives of image files, read in place.

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/status.h"
#include "images/source_part.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

// Larger members are refused: a damaged header must not ask for the machine.
constexpr int64_t kMaxEncodedBytes = int64_t{1} << 30;

class FolderSource : public SourcePart {
 public:
  explicit FolderSource(std::string path) : path_(std::move(path)) {}

  absl::StatusOr<std::vector<ImageEntry>> List() override {
    std::error_code error;
    int64_t others = 0;
    fs::recursive_directory_iterator it(
        path_, fs::directory_options::follow_directory_symlink, error);
    for (const fs::recursive_directory_iterator end; !error && it != end;
         it.increment(error)) {
      std::error_code ignored;
      if (!it->is_regular_file(ignored)) continue;
      std::string name = it->path().lexically_relative(path_).generic_string();
      if (IsImagePath(name)) {
        names_.push_back(std::move(name));
      } else {
        ++others;
      }
    }
    if (error) return ErrnoStatus(error.value(), absl::StrCat("cannot list ", path_));
    if (names_.empty()) {
      return absl::InvalidArgumentError(
          others == 0 ? absl::StrCat(path_, ": empty folder; expected images (",
                                     ImageExtensionsInWords(), ")")
                      : absl::StrCat(path_, ": no images (", ImageExtensionsInWords(),
                                     ") among ", others, " files"));
    }
    std::sort(names_.begin(), names_.end());
    return EntriesFromPaths(names_, path_);
  }

  absl::StatusOr<std::unique_ptr<Reader>> Open() const override {
    return std::make_unique<RandomAccessReader>([this](int64_t position) -> LoadImage {
      const fs::path file = fs::path(path_) / names_[position];
      return [file]() -> absl::StatusOr<Image> {
        IAT_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(file));
        return DecodeImage(bytes, file.string());
      };
    });
  }

 private:
  std::string path_;
  std::vector<std::string> names_;
};

// libarchive's handle, and its errors as a Status.
class ArchiveFile {
 public:
  static absl::StatusOr<ArchiveFile> Open(const std::string& path) {
    ArchiveFile file(path);
    archive* handle = file.handle_.get();
    archive_read_support_filter_all(handle);
    archive_read_support_format_tar(handle);
    archive_read_support_format_zip(handle);
    archive_read_support_format_7zip(handle);
    constexpr size_t kBlockBytes = 1 << 16;
    if (archive_read_open_filename(handle, path.c_str(), kBlockBytes) != ARCHIVE_OK) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": not an archive (tar, zip or 7z): ", file.Why()));
    }
    return file;
  }

  // Steps to the next regular file with an image's name. False at the end.
  absl::StatusOr<bool> NextImage() {
    while (true) {
      const int code = archive_read_next_header(handle_.get(), &entry_);
      if (code == ARCHIVE_EOF) return false;
      // A warning (a name that this locale can't show) leaves the entry usable.
      if (code != ARCHIVE_OK && code != ARCHIVE_WARN) {
        return num_entries_ == 0
                   ? absl::InvalidArgumentError(absl::StrCat(
                         path_, ": not an archive (tar, zip or 7z): ", Why()))
                   : Damaged();
      }
      ++num_entries_;
      if (archive_entry_filetype(entry_) != AE_IFREG) continue;
      const char* name = archive_entry_pathname_utf8(entry_);
      if (name == nullptr) name = archive_entry_pathname(entry_);
      if (name == nullptr) continue;
      name_ = name;
      while (absl::StartsWith(name_, "./")) name_.erase(0, 2);
      if (IsImagePath(name_)) return true;
      has_bin_ = has_bin_ || absl::EndsWith(name_, ".bin");
    }
  }

  const std::string& name() const { return name_; }
  int64_t num_entries() const { return num_entries_; }
  bool has_bin() const { return has_bin_; }

  absl::StatusOr<std::string> ReadImage() {
    std::string bytes;
    if (archive_entry_size_is_set(entry_) != 0) {
      const int64_t size = archive_entry_size(entry_);
      if (size > kMaxEncodedBytes) {
        return absl::DataLossError(
            absl::StrCat(path_, ": ", name_, " claims ", size, " bytes"));
      }
      bytes.reserve(size);
    }
    while (true) {
      const void* block = nullptr;
      size_t size = 0;
      la_int64_t offset = 0;
      const int code = archive_read_data_block(handle_.get(), &block, &size, &offset);
      if (code == ARCHIVE_EOF) return bytes;
      if (code != ARCHIVE_OK && code != ARCHIVE_WARN) return Damaged();
      if (offset + static_cast<int64_t>(size) > kMaxEncodedBytes) return Damaged();
      // A sparse member's holes are zeros.
      bytes.resize(offset);
      bytes.append(static_cast<const char*>(block), size);
    }
  }

 private:
  struct Free {
    void operator()(archive* handle) const { archive_read_free(handle); }
  };

  explicit ArchiveFile(std::string path)
      : path_(std::move(path)), handle_(archive_read_new()) {}

  std::string Why() const {
    const char* text = archive_error_string(handle_.get());
    return text == nullptr ? "unknown error" : text;
  }

  absl::Status Damaged() const {
    return absl::DataLossError(
        absl::StrCat(path_, ": truncated or damaged archive after ",
                     name_.empty() ? "its start" : name_, ": ", Why()));
  }

  std::string path_;
  std::unique_ptr<archive, Free> handle_;
  archive_entry* entry_ = nullptr;
  std::string name_;
  int64_t num_entries_ = 0;
  bool has_bin_ = false;
};

class ArchiveSource : public SourcePart {
 public:
  explicit ArchiveSource(std::string path) : path_(std::move(path)) {}

  absl::StatusOr<std::vector<ImageEntry>> List() override {
    IAT_ASSIGN_OR_RETURN(ArchiveFile file, ArchiveFile::Open(path_));
    while (true) {
      IAT_ASSIGN_OR_RETURN(const bool found, file.NextImage());
      if (!found) break;
      names_.push_back(file.name());
    }
    if (names_.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path_, ": no images (", ImageExtensionsInWords(), ") among ",
                       file.num_entries(), " members",
                       file.has_bin() ? "; unpack CIFAR's .bin files to use them" : ""));
    }
    return EntriesFromPaths(names_, path_);
  }

  absl::StatusOr<std::unique_ptr<Reader>> Open() const override {
    IAT_ASSIGN_OR_RETURN(ArchiveFile file, ArchiveFile::Open(path_));
    return std::make_unique<SequentialReader>(*this, std::move(file));
  }

  std::vector<std::string> MemberNames() const override { return names_; }

 private:
  class SequentialReader : public Reader {
   public:
    SequentialReader(const ArchiveSource& part, ArchiveFile file)
        : part_(part), file_(std::move(file)) {}

    absl::StatusOr<LoadImage> Next(int64_t position) override {
      while (at_ < position) {
        IAT_ASSIGN_OR_RETURN(const bool found, file_.NextImage());
        if (!found) return Changed();
        ++at_;
      }
      if (file_.name() != part_.names_[position]) return Changed();
      IAT_ASSIGN_OR_RETURN(std::string bytes, file_.ReadImage());
      return [bytes = std::move(bytes),
              name = absl::StrCat(part_.path_, ": ", file_.name())] {
        return DecodeImage(bytes, name);
      };
    }

   private:
    absl::Status Changed() const {
      return absl::AbortedError(absl::StrCat(part_.path_, " changed while it was read"));
    }

    const ArchiveSource& part_;
    ArchiveFile file_;
    int64_t at_ = -1;
  };

  std::string path_;
  std::vector<std::string> names_;
};

}  // namespace

namespace {

bool IsHidden(absl::string_view path) {
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (absl::StartsWith(part, ".") || part == "__MACOSX") return true;
  }
  return false;
}

// The leading folders that all paths share, with the closing slash.
std::string CommonFolder(const std::vector<std::string>& paths) {
  std::string common = paths.front();
  for (const std::string& path : paths) {
    const size_t length = std::min(common.size(), path.size());
    size_t same = 0;
    while (same < length && common[same] == path[same]) ++same;
    common.resize(same);
  }
  const size_t slash = common.rfind('/');
  return slash == std::string::npos ? "" : common.substr(0, slash + 1);
}

}  // namespace

bool IsImagePath(absl::string_view path) {
  return HasImageExtension(path) && !IsHidden(path);
}

std::vector<ImageEntry> EntriesFromPaths(const std::vector<std::string>& paths,
                                         const std::string& source) {
  const size_t prefix = CommonFolder(paths).size();
  std::vector<ImageEntry> entries(paths.size());
  for (size_t i = 0; i < paths.size(); ++i) {
    entries[i].id = paths[i].substr(prefix);
    entries[i].source = source;
    const size_t slash = entries[i].id.find('/');
    if (slash != std::string::npos)
      entries[i].label_name = entries[i].id.substr(0, slash);
  }
  return entries;
}

std::unique_ptr<SourcePart> FolderPart(const std::string& path) {
  return std::make_unique<FolderSource>(path);
}

std::unique_ptr<SourcePart> ArchivePart(const std::string& path) {
  return std::make_unique<ArchiveSource>(path);
}

}  // namespace iat
