// Sets that lie in one piece of memory: packed sets, bare .npy files, CIFAR's binary
// files; and the rendered dead leaves.

#include <algorithm>
#include <filesystem>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/npy.h"
#include "base/status.h"
#include "images/dead_leaves.h"
#include "images/packed_set.h"
#include "images/source_part.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

class PackedSource : public SourcePart {
 public:
  explicit PackedSource(std::string path) : path_(std::move(path)) {}

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
    return std::make_unique<RandomAccessReader>([this](int64_t position) -> LoadImage {
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

// uint8, images x height x width x 3, or x 1 for grey ones; without ids or labels.
class NpySource : public SourcePart {
 public:
  explicit NpySource(std::string path) : path_(std::move(path)) {}

  absl::StatusOr<std::vector<ImageEntry>> List() override {
    IAT_ASSIGN_OR_RETURN(file_, MappedFile::Open(path_));
    IAT_ASSIGN_OR_RETURN(header_, ParseNpyHeader(file_->view(), path_));
    const std::vector<int64_t>& shape = header_.shape;
    constexpr int64_t kMaxSide = 1 << 15;
    if (header_.type != "|u1" || shape.size() != 4 || shape[1] < 1 || shape[2] < 1 ||
        shape[1] > kMaxSide || shape[2] > kMaxSide || (shape[3] != 3 && shape[3] != 1)) {
      return absl::InvalidArgumentError(absl::StrCat(
          path_, ": ", header_.type, " of shape (", absl::StrJoin(shape, ", "),
          "); expected |u1 (uint8) of shape (images, height, width, 3 or 1)"));
    }
    const int64_t expected =
        static_cast<int64_t>(header_.data_start) + header_.num_values();
    if (static_cast<int64_t>(file_->size()) != expected) {
      return absl::DataLossError(absl::StrCat(path_, ": ", file_->size(),
                                              " bytes; expected ", expected, " for ",
                                              shape[0], " images"));
    }
    std::vector<ImageEntry> entries(shape[0]);
    const std::string name = fs::path(path_).stem().string();
    for (int64_t i = 0; i < shape[0]; ++i) {
      entries[i].id = absl::StrFormat("%s-%06d", name, i);
      entries[i].source = path_;
    }
    return entries;
  }

  absl::StatusOr<std::unique_ptr<Reader>> Open() const override {
    return std::make_unique<RandomAccessReader>([this](int64_t position) -> LoadImage {
      return [this, position]() -> absl::StatusOr<Image> {
        Image image{
            static_cast<int>(header_.shape[1]), static_cast<int>(header_.shape[2]), {}};
        const int64_t channels = header_.shape[3];
        const int64_t area = header_.shape[1] * header_.shape[2];
        const uint8_t* from =
            file_->data() + header_.data_start + position * area * channels;
        image.pixels.resize(static_cast<size_t>(area) * 3);
        for (int64_t i = 0; i < 3 * area; ++i) {
          image.pixels[i] = channels == 3 ? from[i] : from[i / 3];
        }
        return image;
      };
    });
  }

 private:
  std::string path_;
  std::optional<MappedFile> file_;
  NpyHeader header_;
};

// Records of one (CIFAR-10) or two (CIFAR-100: coarse, fine) label bytes and a
// 32 x 32 picture in planes.
class CifarSource : public SourcePart {
 public:
  static constexpr int kSide = 32;
  static constexpr int kArea = kSide * kSide;

  CifarSource(std::string path, int num_classes)
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
    return std::make_unique<RandomAccessReader>([this](int64_t position) -> LoadImage {
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

class DeadLeavesSource : public SourcePart {
 public:
  DeadLeavesSource(uint64_t seed, int64_t count) : world_(seed), count_(count) {}

  absl::StatusOr<std::vector<ImageEntry>> List() override {
    std::vector<ImageEntry> entries(count_);
    for (int64_t i = 0; i < count_; ++i) {
      entries[i].id = world_.Id(i);
      entries[i].source = "dead-leaves";
    }
    return entries;
  }

  absl::StatusOr<std::unique_ptr<Reader>> Open() const override {
    return std::make_unique<RandomAccessReader>([this](int64_t position) -> LoadImage {
      return
          [this, position]() -> absl::StatusOr<Image> { return world_.Render(position); };
    });
  }

 private:
  DeadLeaves world_;
  int64_t count_;
};

}  // namespace

std::unique_ptr<SourcePart> PackedPart(const std::string& path) {
  return std::make_unique<PackedSource>(path);
}

std::unique_ptr<SourcePart> NpyPart(const std::string& path) {
  return std::make_unique<NpySource>(path);
}

std::unique_ptr<SourcePart> CifarPart(const std::string& path, int num_classes) {
  return std::make_unique<CifarSource>(path, num_classes);
}

std::unique_ptr<SourcePart> DeadLeavesPart(uint64_t seed, int64_t count) {
  return std::make_unique<DeadLeavesSource>(seed, count);
}

}  // namespace iat
