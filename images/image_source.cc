#include "images/image_source.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <mutex>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/parallel.h"
#include "base/random.h"
#include "base/status.h"
#include "images/packed_set.h"
#include "images/source_part.h"

namespace iat {
namespace fs = std::filesystem;
namespace {

constexpr char kDeadLeaves[] = "dead-leaves";
constexpr char kGratings[] = "gratings";

// Made from parameters alone.
bool IsGenerated(const std::string& source) {
  return source == kDeadLeaves || source == kGratings || source == "white-noise" ||
         source == "pink-noise" || source == "grey";
}

// Images decoded at a time: enough to keep many threads busy, 3 MB at 64 x 64.
constexpr int64_t kChunk = 256;

}  // namespace

void ImageOptions::Describe(OptionVisitor& visitor) {
  visitor.Choice(
      "source", source,
      {"auto", "folder", "archive", "packed", "npy", "cifar10", "cifar100", "list",
       "video", kDeadLeaves, kGratings, "white-noise", "pink-noise", "grey"},
      "what the paths are (auto: seen from each path), or pictures that need no files: "
      "dead-leaves, gratings, white-noise, pink-noise, grey");
  visitor.Paths("paths", paths,
                "folders, archives (tar, tar.gz, zip), packed sets, .npy files, CIFAR "
                ".bin files, lists (.csv, .txt) or videos, one after the other");
  visitor.Integer(
      "count", count, {.min = 0},
      "how many images: a random subset of exactly that many, in source order "
      "(0: all); for dead-leaves, noise and grey, how many to make");
  visitor.Integer("subset_seed", subset_seed, {.min = 0}, "chooses the subset");
  visitor.Integer("seed", seed, {.min = 0},
                  "of dead-leaves and noise: another seed, other images");
  visitor.Integer("every", every, {.min = 1}, "of a video: every how manyth frame");
  visitor.Choice("preprocessing", preprocessing, {"reference", "scenes"},
                 "reference: pictures of the right size as they are, others by shorter "
                 "side 256, central 224, size; scenes: grey, and always that way, as the "
                 "reference has the Allen natural scenes");
  visitor.Choice("on_error", on_error, {"stop", "skip"},
                 "an unreadable image: ends the run, or is left out and listed in "
                 "skipped.csv");
  visitor.Integer("size", size, {.min = 8, .max = 512},
                  "side of the packed images in pixels; the networks take 64");
  visitor.Number(
      "max_unreadable_fraction", max_unreadable_fraction, {.min = 0.0, .max = 1.0},
      "share of images that may be unreadable and are skipped; more is an error");
  visitor.Table("gratings", "source = \"gratings\"",
                [&](OptionVisitor& inner) { gratings.Describe(inner); });
}

absl::Status ImageOptions::Validate() const {
  IAT_RETURN_IF_ERROR(gratings.Validate());
  if (IsGenerated(source)) {
    if (!paths.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "source = \"", source, "\" takes no paths, but there is ", paths.front()));
    }
    if (count == 0 && source != kGratings) {
      return absl::InvalidArgumentError(absl::StrCat(
          "source = \"", source, "\" needs count, the number of images to make"));
    }
    if (source == "grey" && count > 256) {
      return absl::InvalidArgumentError(absl::StrCat(
          "source = \"grey\" has 256 different levels, but count is ", count));
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

// Pillow's conversion to grey, in three channels again, then the reference's whole way.
Image PreprocessScene(Image image, int size) {
  for (size_t i = 0; i + 2 < image.pixels.size(); i += 3) {
    const uint32_t luminance = 19595u * image.pixels[i] + 38470u * image.pixels[i + 1] +
                               7471u * image.pixels[i + 2] + 0x8000u;
    std::fill_n(image.pixels.begin() + static_cast<int64_t>(i), 3,
                static_cast<uint8_t>(luminance >> 16));
  }
  // Preprocess leaves a picture of the right size alone. Its first step brings the
  // shorter side to 256, and does nothing to one that has it.
  constexpr int kShorterSide = 256;
  if (image.height == size && image.width == size) {
    image = Resize(image, kShorterSide, kShorterSide);
  }
  return Preprocess(std::move(image), size);
}

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
  if (absl::EndsWith(path, ".npy")) return std::string("npy");
  if (absl::EndsWith(path, ".csv") || absl::EndsWith(path, ".txt"))
    return std::string("list");
  if (IsVideoPath(path)) return std::string("video");
  if (!absl::EndsWith(path, ".bin")) return std::string("archive");
  const uintmax_t size = fs::file_size(path, error);
  if (error) return ErrnoStatus(error.value(), absl::StrCat("cannot read ", path));
  // The official test and training files are whole numbers of one record only.
  return std::string(size % 3074 == 0 && size % 3073 != 0 ? "cifar100" : "cifar10");
}

// Rows sorted by id find a repeat in a tenth of the memory of a table of ids.
absl::Status CheckUnique(const std::vector<ImageEntry>& entries) {
  std::vector<uint32_t> order(entries.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const int difference = entries[a].id.compare(entries[b].id);
    return difference != 0 ? difference < 0 : a < b;
  });
  // The first row that repeats an earlier one.
  size_t repeat = order.size();
  for (size_t i = 1; i < order.size(); ++i) {
    if (entries[order[i]].id != entries[order[i - 1]].id) continue;
    if (repeat == order.size() || order[i] < order[repeat]) repeat = i;
  }
  if (repeat == order.size()) return absl::OkStatus();
  const ImageEntry &first = entries[order[repeat - 1]], &again = entries[order[repeat]];
  return absl::InvalidArgumentError(absl::StrCat(
      "image id \"", again.id, "\" occurs twice: in ", first.source, " and in ",
      again.source, "; ids (paths inside a source) must be unique"));
}

}  // namespace

std::string ImageSource::PreprocessingInWords() const {
  const int size = static_cast<int>(options_.size);
  if (IsGenerated(options_.source) && options_.source != kDeadLeaves) {
    return absl::StrCat("generated at ", size, " x ", size);
  }
  if (options_.preprocessing == "scenes") {
    return absl::StrCat(
        "grey (0.299 R + 0.587 G + 0.114 B); shorter side to 256, central "
        "224 x 224, then to ",
        size, " x ", size, ", whatever the size before");
  }
  return iat::PreprocessingInWords(size);
}

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
  const bool wants_file =
      kind == "archive" || kind == "npy" || kind == "list" || kind == "video";
  if (wants_file && is_folder) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": source is \"", kind, "\", but this is a folder"));
  }
  if (kind == "folder") parts_.push_back(FolderPart(path));
  if (kind == "archive") parts_.push_back(ArchivePart(path));
  if (kind == "packed") parts_.push_back(PackedPart(path));
  if (kind == "npy") parts_.push_back(NpyPart(path));
  if (kind == "cifar10") parts_.push_back(CifarPart(path, 10));
  if (kind == "cifar100") parts_.push_back(CifarPart(path, 100));
  if (kind == "list") parts_.push_back(ListPart(path));
  if (kind == "video") parts_.push_back(VideoPart(path, options_.every));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ImageSource>> ImageSource::Open(
    const ImageOptions& options) {
  IAT_RETURN_IF_ERROR(options.Validate());
  std::unique_ptr<ImageSource> source(new ImageSource);
  source->options_ = options;
  if (options.source == kDeadLeaves) {
    source->parts_.push_back(DeadLeavesPart(options.seed, options.count));
  } else if (IsGenerated(options.source)) {
    source->parts_.push_back(ParametricPart(options));
  } else {
    for (const std::string& path : options.paths)
      IAT_RETURN_IF_ERROR(source->AddPart(path));
  }
  std::set<std::string> label_names;
  for (size_t p = 0; p < source->parts_.size(); ++p) {
    IAT_ASSIGN_OR_RETURN(std::vector<ImageEntry> entries, source->parts_[p]->List());
    source->positions_.reserve(source->positions_.size() + entries.size());
    for (size_t i = 0; i < entries.size(); ++i) {
      if (!entries[i].label_name.empty()) label_names.insert(entries[i].label_name);
      source->positions_.emplace_back(static_cast<int>(p), static_cast<int64_t>(i));
    }
    if (source->entries_.empty()) {
      source->entries_ = std::move(entries);
    } else {
      std::move(entries.begin(), entries.end(), std::back_inserter(source->entries_));
    }
  }
  IAT_RETURN_IF_ERROR(CheckUnique(source->entries_));
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
  std::unique_ptr<SourcePart::Reader> reader;
  // Readers go forwards, so rows are handed out in order, one at a time; what
  // takes time, decoding, happens outside the lock.
  const auto take = [&](int64_t& row) -> absl::StatusOr<LoadImage> {
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
      IAT_ASSIGN_OR_RETURN(const LoadImage load, take(row));
      absl::StatusOr<Image> image = load();
      if (!image.ok()) {
        loaded[row - start] = image.status();
        return absl::OkStatus();
      }
      LoadedImage result;
      result.original_height = image->height;
      result.original_width = image->width;
      result.image = options_.preprocessing == "scenes"
                         ? PreprocessScene(*std::move(image), size)
                         : Preprocess(*std::move(image), size);
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
