#include "images/image_source.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/parallel.h"
#include "base/random.h"
#include "base/status.h"
#include "images/dead_leaves.h"
#include "images/packed_set.h"

namespace iat {
namespace fs = std::filesystem;
namespace {

constexpr char kDeadLeaves[] = "dead-leaves";

// Images decoded at a time: enough to keep many threads busy, 3 MB at 64 x 64.
constexpr int64_t kChunk = 256;

// Larger members are refused: a damaged header must not ask for the machine.
constexpr int64_t kMaxEncodedBytes = int64_t{1} << 30;

// Makes one image, on any thread.
using Load = std::function<absl::StatusOr<Image>()>;

bool IsHidden(absl::string_view path) {
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (absl::StartsWith(part, ".") || part == "__MACOSX") return true;
  }
  return false;
}

bool IsImagePath(absl::string_view path) {
  return HasImageExtension(path) && !IsHidden(path);
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

// Ids and label names from paths inside a folder or archive.
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

}  // namespace

// One path: lists its images, and opens readers that walk through them forwards.
class ImageSource::Part {
 public:
  class Reader {
   public:
    virtual ~Reader() = default;
    // What makes image `position`. Positions rise from call to call.
    virtual absl::StatusOr<Load> Next(int64_t position) = 0;
  };

  virtual ~Part() = default;
  virtual absl::StatusOr<std::vector<ImageEntry>> List() = 0;
  virtual absl::StatusOr<std::unique_ptr<Reader>> Open() const = 0;

 protected:
  // For parts in which any image can be had at any time.
  class RandomAccessReader : public Reader {
   public:
    explicit RandomAccessReader(std::function<Load(int64_t)> make)
        : make_(std::move(make)) {}
    absl::StatusOr<Load> Next(int64_t position) override { return make_(position); }

   private:
    std::function<Load(int64_t)> make_;
  };
};

class ImageSource::FolderPart : public Part {
 public:
  explicit FolderPart(std::string path) : path_(std::move(path)) {}

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
    return std::make_unique<RandomAccessReader>([this](int64_t position) -> Load {
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

namespace {

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

}  // namespace

class ImageSource::ArchivePart : public Part {
 public:
  explicit ArchivePart(std::string path) : path_(std::move(path)) {}

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

 private:
  class SequentialReader : public Reader {
   public:
    SequentialReader(const ArchivePart& part, ArchiveFile file)
        : part_(part), file_(std::move(file)) {}

    absl::StatusOr<Load> Next(int64_t position) override {
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

    const ArchivePart& part_;
    ArchiveFile file_;
    int64_t at_ = -1;
  };

  std::string path_;
  std::vector<std::string> names_;
};

class ImageSource::PackedPart : public Part {
 public:
  explicit PackedPart(std::string path) : path_(std::move(path)) {}

  absl::StatusOr<std::vector<ImageEntry>> List() override {
    IAT_ASSIGN_OR_RETURN(set_, PackedSet::Open(path_));
    std::vector<ImageEntry> entries(set_->size());
    for (int64_t i = 0; i < set_->size(); ++i) {
      entries[i].id = set_->ids()[i];
      if (const int label = set_->labels()[i]; label >= 0) {
        entries[i].label_name = set_->label_names()[label];
      }
      entries[i].source = path_;
    }
    return entries;
  }

  absl::StatusOr<std::unique_ptr<Reader>> Open() const override {
    return std::make_unique<RandomAccessReader>([this](int64_t position) -> Load {
      return [this, position]() -> absl::StatusOr<Image> {
        const uint8_t* pixels = set_->pixels(position);
        const size_t bytes = static_cast<size_t>(set_->height()) * set_->width() * 3;
        return Image{set_->height(), set_->width(),
                     std::vector<uint8_t>(pixels, pixels + bytes)};
      };
    });
  }

 private:
  std::string path_;
  std::optional<PackedSet> set_;
};

// Records of one (CIFAR-10) or two (CIFAR-100: coarse, fine) label bytes and a
// 32 x 32 picture in planes.
class ImageSource::CifarPart : public Part {
 public:
  static constexpr int kSide = 32;
  static constexpr int kArea = kSide * kSide;

  CifarPart(std::string path, int num_classes)
      : path_(std::move(path)), num_classes_(num_classes) {}

  static int64_t RecordBytes(int num_classes) {
    return 3 * kArea + (num_classes == 100 ? 2 : 1);
  }

  // The .bin files that a path stands for: itself, or a folder's training files.
  static std::vector<fs::path> Files(const fs::path& path) {
    if (!fs::is_directory(path)) return {path};
    std::vector<fs::path> files;
    std::error_code error;
    for (const auto& item : fs::directory_iterator(path, error)) {
      const std::string name = item.path().filename().string();
      if (name == "train.bin" ||
          (absl::StartsWith(name, "data_batch_") && absl::EndsWith(name, ".bin"))) {
        files.push_back(item.path());
      }
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  absl::StatusOr<std::vector<ImageEntry>> List() override {
    const std::vector<fs::path> files = Files(path_);
    if (files.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          path_, ": no CIFAR training files (data_batch_*.bin or train.bin)"));
    }
    const int64_t record = RecordBytes(num_classes_);
    const std::vector<std::string> class_names = ClassNames(files.front().parent_path());
    std::vector<ImageEntry> entries;
    for (const fs::path& path : files) {
      IAT_ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(path));
      const int64_t size = static_cast<int64_t>(file.size());
      if (size == 0 || size % record != 0) {
        return absl::DataLossError(absl::StrCat(path.string(), ": ", size,
                                                " bytes are no whole number of CIFAR-",
                                                num_classes_, " records of ", record,
                                                " bytes; truncated, or another format"));
      }
      for (int64_t i = 0; i < size / record; ++i) {
        const uint8_t* start = file.data() + i * record;
        const int label = start[num_classes_ == 100 ? 1 : 0];
        if (label >= num_classes_) {
          return absl::DataLossError(absl::StrCat(path.string(), ": record ", i,
                                                  " has label ", label,
                                                  "; expected 0 to ", num_classes_ - 1));
        }
        entries.push_back({absl::StrFormat("%s-%05d", path.stem().string(), i), -1,
                           class_names[label], path.string()});
        pixels_.push_back(start + record - 3 * kArea);
      }
      files_.push_back(std::move(file));
    }
    return entries;
  }

  absl::StatusOr<std::unique_ptr<Reader>> Open() const override {
    return std::make_unique<RandomAccessReader>([this](int64_t position) -> Load {
      const uint8_t* planes = pixels_[position];
      return [planes]() -> absl::StatusOr<Image> {
        Image image{kSide, kSide, std::vector<uint8_t>(3 * kArea)};
        for (int i = 0; i < 3 * kArea; ++i) {
          image.pixels[i] = planes[(i % 3) * kArea + i / 3];
        }
        return image;
      };
    });
  }

 private:
  // From the text file that comes with the data, else "00", "01", ...
  std::vector<std::string> ClassNames(const fs::path& folder) const {
    const char* name = num_classes_ == 100 ? "fine_label_names.txt" : "batches.meta.txt";
    std::vector<std::string> names;
    if (const auto text = ReadFile(folder / name); text.ok()) {
      names = absl::StrSplit(*text, absl::ByAnyChar("\r\n"), absl::SkipWhitespace());
    }
    if (static_cast<int>(names.size()) == num_classes_) return names;
    names.clear();
    for (int i = 0; i < num_classes_; ++i) names.push_back(absl::StrFormat("%02d", i));
    return names;
  }

  std::string path_;
  int num_classes_;
  std::vector<MappedFile> files_;
  std::vector<const uint8_t*> pixels_;
};

class ImageSource::DeadLeavesPart : public Part {
 public:
  DeadLeavesPart(uint64_t seed, int64_t count) : world_(seed), count_(count) {}

  absl::StatusOr<std::vector<ImageEntry>> List() override {
    std::vector<ImageEntry> entries(count_);
    for (int64_t i = 0; i < count_; ++i) {
      entries[i].id = world_.Id(i);
      entries[i].source = kDeadLeaves;
    }
    return entries;
  }

  absl::StatusOr<std::unique_ptr<Reader>> Open() const override {
    return std::make_unique<RandomAccessReader>([this](int64_t position) -> Load {
      return
          [this, position]() -> absl::StatusOr<Image> { return world_.Render(position); };
    });
  }

 private:
  DeadLeaves world_;
  int64_t count_;
};

void ImageOptions::Describe(OptionVisitor& visitor) {
  visitor.Choice(
      "source", source,
      {"auto", "folder", "archive", "packed", "cifar10", "cifar100", kDeadLeaves},
      "what the paths are (auto: seen from each path), or dead-leaves, "
      "procedural images that need no files");
  visitor.Paths("paths", paths,
                "folders, archives (tar, tar.gz, zip), packed sets or CIFAR .bin files, "
                "one after the other");
  visitor.Integer(
      "count", count, {.min = 0},
      "how many images: a random subset of exactly that many, in source order "
      "(0: all); for dead-leaves, how many to make");
  visitor.Integer("subset_seed", subset_seed, {.min = 0}, "chooses the subset");
  visitor.Integer("seed", seed, {.min = 0}, "of dead-leaves: another seed, other images");
  visitor.Integer("size", size, {.min = 8, .max = 512},
                  "side of the packed images in pixels; the networks take 64");
  visitor.Number(
      "max_unreadable_fraction", max_unreadable_fraction, {.min = 0.0, .max = 1.0},
      "share of images that may be unreadable and are skipped; more is an error");
}

absl::Status ImageOptions::Validate() const {
  if (source == kDeadLeaves) {
    if (!paths.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "source = \"dead-leaves\" takes no paths, but there is ", paths.front()));
    }
    if (count == 0) {
      return absl::InvalidArgumentError(
          "source = \"dead-leaves\" needs count, the number of images to make");
    }
    return absl::OkStatus();
  }
  if (paths.empty()) {
    return absl::InvalidArgumentError(
        "no paths; name image folders or archives, or use source = \"dead-leaves\"");
  }
  return absl::OkStatus();
}

namespace {

absl::StatusOr<std::string> DetectSource(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    if (PackedSet::IsPacked(path)) return std::string("packed");
    if (fs::exists(fs::path(path) / "images.npy", error)) {
      return absl::FailedPreconditionError(absl::StrCat(
          path,
          ": images.npy without index.csv: packing was interrupted; pack it again"));
    }
    if (fs::exists(fs::path(path) / "train.bin", error)) return std::string("cifar100");
    if (fs::exists(fs::path(path) / "data_batch_1.bin", error))
      return std::string("cifar10");
    return std::string("folder");
  }
  if (!absl::EndsWith(path, ".bin")) return std::string("archive");
  const uintmax_t size = fs::file_size(path, error);
  if (error) return ErrnoStatus(error.value(), absl::StrCat("cannot read ", path));
  // The official test and training files are whole numbers of one record only.
  return std::string(size % 3074 == 0 && size % 3073 != 0 ? "cifar100" : "cifar10");
}

}  // namespace

ImageSource::ImageSource() = default;
ImageSource::~ImageSource() = default;

absl::Status ImageSource::AddPart(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    return absl::NotFoundError(absl::StrCat(path, ": no such file or folder"));
  }
  if (error) return ErrnoStatus(error.value(), absl::StrCat("cannot open ", path));
  std::string kind = options_.source;
  if (kind == "auto") {
    IAT_ASSIGN_OR_RETURN(kind, DetectSource(path));
  }
  const bool is_folder = fs::is_directory(status);
  if ((kind == "folder" || kind == "packed") && !is_folder) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": source is \"", kind, "\", but this is not a folder"));
  }
  if (kind == "archive" && is_folder) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": source is \"archive\", but this is a folder"));
  }
  if (kind == "folder") parts_.push_back(std::make_unique<FolderPart>(path));
  if (kind == "archive") parts_.push_back(std::make_unique<ArchivePart>(path));
  if (kind == "packed") parts_.push_back(std::make_unique<PackedPart>(path));
  if (kind == "cifar10") parts_.push_back(std::make_unique<CifarPart>(path, 10));
  if (kind == "cifar100") parts_.push_back(std::make_unique<CifarPart>(path, 100));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ImageSource>> ImageSource::Open(
    const ImageOptions& options) {
  IAT_RETURN_IF_ERROR(options.Validate());
  std::unique_ptr<ImageSource> source(new ImageSource);
  source->options_ = options;
  if (options.source == kDeadLeaves) {
    source->parts_.push_back(
        std::make_unique<DeadLeavesPart>(options.seed, options.count));
  } else {
    for (const std::string& path : options.paths)
      IAT_RETURN_IF_ERROR(source->AddPart(path));
  }
  std::unordered_map<std::string, size_t> row_of_id;
  std::set<std::string> label_names;
  for (size_t p = 0; p < source->parts_.size(); ++p) {
    IAT_ASSIGN_OR_RETURN(std::vector<ImageEntry> entries, source->parts_[p]->List());
    for (size_t i = 0; i < entries.size(); ++i) {
      const auto [first, is_new] =
          row_of_id.emplace(entries[i].id, source->entries_.size());
      if (!is_new) {
        return absl::InvalidArgumentError(absl::StrCat(
            "image id \"", entries[i].id, "\" occurs twice: in ",
            source->entries_[first->second].source, " and in ", entries[i].source,
            "; ids (paths inside a source) must be unique"));
      }
      if (!entries[i].label_name.empty()) label_names.insert(entries[i].label_name);
      source->positions_.emplace_back(static_cast<int>(p), static_cast<int64_t>(i));
      source->entries_.push_back(std::move(entries[i]));
    }
  }
  source->label_names_.assign(label_names.begin(), label_names.end());
  for (ImageEntry& entry : source->entries_) {
    if (entry.label_name.empty()) continue;
    const auto& names = source->label_names_;
    entry.label = static_cast<int>(
        std::lower_bound(names.begin(), names.end(), entry.label_name) - names.begin());
  }
  source->num_available_ = static_cast<int64_t>(source->entries_.size());
  IAT_RETURN_IF_ERROR(source->Choose());
  return source;
}

absl::Status ImageSource::Choose() {
  const int64_t count = options_.count;
  if (count == 0 || count == num_available_) return absl::OkStatus();
  if (count > num_available_) {
    std::string where;
    for (const std::string& path : options_.paths) {
      absl::StrAppend(&where, where.empty() ? "" : ", ", path);
    }
    return absl::InvalidArgumentError(absl::StrCat("count is ", count,
                                                   ", but there are only ",
                                                   num_available_, " images in ", where));
  }
  RandomStream stream(options_.subset_seed, "image_subset");
  std::vector<int64_t> rows = stream.Permutation(num_available_);
  rows.resize(count);
  std::sort(rows.begin(), rows.end());
  std::vector<ImageEntry> entries;
  std::vector<std::pair<int, int64_t>> positions;
  for (const int64_t row : rows) {
    entries.push_back(std::move(entries_[row]));
    positions.push_back(positions_[row]);
  }
  entries_ = std::move(entries);
  positions_ = std::move(positions);
  return absl::OkStatus();
}

absl::Status ImageSource::Read(int jobs, const Visit& visit) const {
  const int64_t n = static_cast<int64_t>(entries_.size());
  std::mutex mutex;
  int64_t next = 0;
  int open_part = -1;
  std::unique_ptr<Part::Reader> reader;
  // Readers go forwards, so rows are handed out in order, one at a time; what
  // takes time, decoding, happens outside the lock.
  const auto take = [&](int64_t& row) -> absl::StatusOr<Load> {
    const std::lock_guard<std::mutex> guard(mutex);
    row = next++;
    const auto [part, position] = positions_[row];
    if (part != open_part) {
      IAT_ASSIGN_OR_RETURN(reader, parts_[part]->Open());
      open_part = part;
    }
    return reader->Next(position);
  };
  const int size = static_cast<int>(options_.size);
  for (int64_t start = 0; start < n; start += kChunk) {
    const int64_t count = std::min(kChunk, n - start);
    std::vector<absl::StatusOr<LoadedImage>> loaded(count);
    IAT_RETURN_IF_ERROR(ParallelFor(jobs, count, [&](int64_t) -> absl::Status {
      int64_t row = 0;
      IAT_ASSIGN_OR_RETURN(const Load load, take(row));
      absl::StatusOr<Image> image = load();
      if (!image.ok()) {
        loaded[row - start] = image.status();
        return absl::OkStatus();
      }
      LoadedImage result;
      result.original_height = image->height;
      result.original_width = image->width;
      result.image = Preprocess(*std::move(image), size);
      loaded[row - start] = std::move(result);
      return absl::OkStatus();
    }));
    for (int64_t i = 0; i < count; ++i) {
      IAT_RETURN_IF_ERROR(visit(start + i, std::move(loaded[i])));
    }
  }
  return absl::OkStatus();
}

}  // namespace iat
