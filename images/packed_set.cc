#include "images/packed_set.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/csv.h"
#include "base/npy.h"
#include "base/status.h"

namespace iat {
namespace fs = std::filesystem;
namespace {

constexpr char kPixelsFile[] = "images.npy";
constexpr char kIndexFile[] = "index.csv";
constexpr char kSkippedFile[] = "skipped.csv";
constexpr char kSetFile[] = "set.json";
constexpr int kFormatVersion = 1;

struct Shape {
  int64_t n = 0, height = 0, width = 0;
  int64_t PixelBytes() const { return n * height * width * 3; }
};

// Reads the header; sets where the pixels start.
absl::StatusOr<Shape> ParseNpy(const MappedFile& file, const std::string& name,
                               size_t& data_start) {
  const absl::string_view bytes = file.view();
  IAT_ASSIGN_OR_RETURN(const NpyHeader header, ParseNpyHeader(bytes, name));
  data_start = header.data_start;
  if (header.type != "|u1" && header.type != "u1") {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": numbers of type '", header.type, "'; expected '|u1' (uint8)"));
  }
  const std::vector<int64_t>& sides = header.shape;
  constexpr int64_t kMaxSide = 1 << 15;
  if (sides.size() != 4 || sides[3] != 3 || sides[1] < 1 || sides[2] < 1 ||
      sides[1] > kMaxSide || sides[2] > kMaxSide || sides[0] > (int64_t{1} << 31)) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": shape (", absl::StrJoin(sides, ", "),
                     "); expected (images, height, width, 3)"));
  }
  const Shape shape{sides[0], sides[1], sides[2]};
  const int64_t expected = static_cast<int64_t>(data_start) + shape.PixelBytes();
  if (static_cast<int64_t>(bytes.size()) != expected) {
    return absl::DataLossError(absl::StrCat(
        name, ": ", static_cast<int64_t>(bytes.size()) < expected ? "truncated: " : "",
        bytes.size(), " bytes; expected ", expected, " for ", shape.n, " images of ",
        shape.height, " x ", shape.width, " x 3"));
  }
  return shape;
}

std::string FingerprintOf(absl::string_view pixels, const std::vector<std::string>& ids) {
  std::string text = Sha256(pixels);
  for (const std::string& id : ids) absl::StrAppend(&text, "\n", id);
  return Sha256(text);
}

// Writes rows one after the other, then the header with their number.
class NpyWriter {
 public:
  explicit NpyWriter(const fs::path& path)
      : path_(path.string()),
        descriptor_(
            ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {
    buffer_.reserve(kBufferBytes);
    buffer_.resize(kNpyHeaderBytes);
  }
  NpyWriter(const NpyWriter&) = delete;
  NpyWriter& operator=(const NpyWriter&) = delete;
  ~NpyWriter() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  absl::Status Append(const std::vector<uint8_t>& row) {
    if (buffer_.size() + row.size() > kBufferBytes) IAT_RETURN_IF_ERROR(Drain());
    buffer_.append(reinterpret_cast<const char*>(row.data()), row.size());
    return absl::OkStatus();
  }

  absl::Status Finish(const Shape& shape) {
    IAT_RETURN_IF_ERROR(Drain());
    const std::string header =
        NpyHeaderText("|u1", {shape.n, shape.height, shape.width, 3});
    if (::pwrite(descriptor_, header.data(), header.size(), 0) !=
        static_cast<ssize_t>(header.size())) {
      return Failed();
    }
    return absl::OkStatus();
  }

 private:
  static constexpr size_t kBufferBytes = 4 << 20;

  absl::Status Failed() const {
    return ErrnoStatus(errno, absl::StrCat("cannot write ", path_));
  }

  absl::Status Drain() {
    if (descriptor_ < 0) return Failed();
    absl::string_view rest = buffer_;
    while (!rest.empty()) {
      const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return Failed();
      rest.remove_prefix(written);
    }
    buffer_.clear();
    return absl::OkStatus();
  }

  std::string path_;
  int descriptor_;
  std::string buffer_;
};

absl::Status TooManyUnreadable(const std::vector<SkippedImage>& skipped, int64_t total,
                               double allowed) {
  constexpr size_t kShown = 3;
  std::vector<std::string> shown;
  for (size_t i = 0; i < std::min(skipped.size(), kShown); ++i) {
    shown.push_back(skipped[i].reason);
  }
  return absl::DataLossError(
      absl::StrCat("more than max_unreadable_fraction = ", allowed, " of ", total,
                   " images are unreadable, at least ", skipped.size(),
                   "; first: ", absl::StrJoin(shown, "; ")));
}

absl::Status RemoveIfThere(const fs::path& path) {
  std::error_code error;
  fs::remove(path, error);
  if (error) {
    return ErrnoStatus(error.value(), absl::StrCat("cannot remove ", path.string()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PackReport> PackImages(const ImageOptions& options, const fs::path& folder,
                                      int jobs, const PackProgress& progress) {
  for (const std::string& path : options.paths) {
    std::error_code error;
    if (fs::equivalent(path, folder, error)) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": can't pack a folder into itself"));
    }
  }
  IAT_ASSIGN_OR_RETURN(const auto source, ImageSource::Open(options));
  IAT_RETURN_IF_ERROR(MakeFolder(folder));
  IAT_RETURN_IF_ERROR(RemoveIfThere(folder / kIndexFile));

  const std::vector<ImageEntry>& entries = source->entries();
  const int64_t total = static_cast<int64_t>(entries.size());
  PackReport report;
  CsvTable index{{"row", "id", "label", "label_name", "source"}, {}};
  CsvTable skipped{{"id", "reason"}, {}};
  std::vector<std::string> ids;
  std::map<std::pair<int, int>, int64_t> original_sizes;  // (width, height)
  Shape shape{0, options.size, options.size};

  const auto skip = [&](const ImageEntry& entry,
                        const absl::Status& why) -> absl::Status {
    const std::string reason(why.message());
    report.skipped.push_back({entry.id, reason});
    skipped.rows.push_back({entry.id, reason});
    if (options.on_error == "stop") {
      return absl::DataLossError(
          absl::StrCat(reason, "; on_error = \"skip\" goes on without it and lists it"));
    }
    const double allowed = options.max_unreadable_fraction * static_cast<double>(total);
    if (static_cast<double>(report.skipped.size()) <= allowed) return absl::OkStatus();
    return TooManyUnreadable(report.skipped, total, options.max_unreadable_fraction);
  };
  const auto write_pixels = [&](const fs::path& temporary) -> absl::Status {
    NpyWriter writer(temporary);
    const auto visit = [&](int64_t row,
                           absl::StatusOr<LoadedImage> loaded) -> absl::Status {
      const ImageEntry& entry = entries[row];
      if (progress) progress(row, total);
      if (!loaded.ok()) return skip(entry, loaded.status());
      ++original_sizes[{loaded->original_width, loaded->original_height}];
      index.rows.push_back({absl::StrCat(shape.n++), entry.id, absl::StrCat(entry.label),
                            entry.label_name, entry.source});
      ids.push_back(entry.id);
      return writer.Append(loaded->image.pixels);
    };
    IAT_RETURN_IF_ERROR(source->Read(jobs, visit));
    if (progress) progress(total, total);
    if (shape.n == 0) {
      return TooManyUnreadable(report.skipped, total, options.max_unreadable_fraction);
    }
    return writer.Finish(shape);
  };
  IAT_RETURN_IF_ERROR(WriteAtomically(folder / kPixelsFile, write_pixels));
  IAT_RETURN_IF_ERROR(WriteFileAtomically(folder / kSkippedFile, CsvText(skipped)));

  {
    IAT_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(folder / kPixelsFile));
    report.fingerprint = FingerprintOf(file.view().substr(kNpyHeaderBytes), ids);
  }
  report.num_images = shape.n;
  report.num_labels = static_cast<int64_t>(source->label_names().size());

  std::vector<std::pair<std::string, int64_t>> sizes;
  for (const auto& [size, count] : original_sizes) {
    sizes.emplace_back(absl::StrCat(size.first, "x", size.second), count);
  }
  std::stable_sort(sizes.begin(), sizes.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  nlohmann::ordered_json set = {
      {"format_version", kFormatVersion},
      {"num_images", shape.n},
      {"height", shape.height},
      {"width", shape.width},
      {"fingerprint", report.fingerprint},
      {"preprocessing", source->PreprocessingInWords()},
      {"label_names", source->label_names()},
      {"original_sizes", sizes},
  };
  IAT_RETURN_IF_ERROR(WriteFileAtomically(
      folder / kSetFile,
      set.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"));
  IAT_RETURN_IF_ERROR(WriteFileAtomically(folder / kIndexFile, CsvText(index)));
  return report;
}

bool PackedSet::IsPacked(const fs::path& folder) {
  std::error_code error;
  return fs::exists(folder / kPixelsFile, error) &&
         fs::exists(folder / kIndexFile, error);
}

PackedSet::PackedSet(fs::path folder, MappedFile file)
    : folder_(std::move(folder)), file_(std::move(file)) {}

absl::StatusOr<PackedSet> PackedSet::Open(const fs::path& folder) {
  if (!IsPacked(folder)) {
    return absl::NotFoundError(absl::StrCat(
        folder.string(), ": no complete packed image set (images.npy and index.csv)"));
  }
  const std::string pixels_name = (folder / kPixelsFile).string();
  IAT_ASSIGN_OR_RETURN(MappedFile file, MappedFile::Open(pixels_name));
  size_t data_start = 0;
  IAT_ASSIGN_OR_RETURN(const Shape shape, ParseNpy(file, pixels_name, data_start));
  PackedSet set(folder, std::move(file));
  set.pixels_ = set.file_.data() + data_start;
  set.height_ = static_cast<int>(shape.height);
  set.width_ = static_cast<int>(shape.width);

  const std::string index_name = (folder / kIndexFile).string();
  IAT_ASSIGN_OR_RETURN(const CsvTable index, ReadCsv(index_name));
  const int row_column = index.Column("row"), id_column = index.Column("id"),
            label_column = index.Column("label"),
            name_column = index.Column("label_name"),
            source_column = index.Column("source");
  if (row_column < 0 || id_column < 0 || label_column < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(index_name, ": columns ", absl::StrJoin(index.columns, ","),
                     "; expected row, id, label, and optionally label_name and source"));
  }
  if (static_cast<int64_t>(index.rows.size()) != shape.n) {
    return absl::DataLossError(absl::StrCat(index_name, ": ", index.rows.size(),
                                            " rows; images.npy has ", shape.n,
                                            " images"));
  }
  std::set<absl::string_view> seen;
  for (int64_t i = 0; i < shape.n; ++i) {
    const std::vector<std::string>& cells = index.rows[i];
    int64_t row = -1;
    int label = -1;
    if (!absl::SimpleAtoi(cells[row_column], &row) || row != i) {
      return absl::InvalidArgumentError(absl::StrCat(
          index_name, ":", i + 2, ": row is \"", cells[row_column], "\"; expected ", i));
    }
    if (!absl::SimpleAtoi(cells[label_column], &label) || label < -1 ||
        label > 1'000'000) {
      return absl::InvalidArgumentError(
          absl::StrCat(index_name, ":", i + 2, ": label is \"", cells[label_column],
                       "\"; expected a number, -1 where there is none"));
    }
    if (cells[id_column].empty() || !seen.insert(cells[id_column]).second) {
      return absl::InvalidArgumentError(absl::StrCat(index_name, ":", i + 2, ": id \"",
                                                     cells[id_column],
                                                     "\" is empty or a repeat"));
    }
    set.ids_.push_back(cells[id_column]);
    set.labels_.push_back(label);
    set.sources_.push_back(source_column < 0 ? "" : cells[source_column]);
    if (label < 0) continue;
    if (label >= set.num_labels()) set.label_names_.resize(label + 1);
    set.label_names_[label] =
        name_column < 0 ? absl::StrFormat("%04d", label) : cells[name_column];
  }

  if (const fs::path skipped = folder / kSkippedFile; fs::exists(skipped)) {
    IAT_ASSIGN_OR_RETURN(const CsvTable table, ReadCsv(skipped));
    const int id = table.Column("id"), reason = table.Column("reason");
    if (id < 0 || reason < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(skipped.string(), ": expected the columns id,reason"));
    }
    for (const auto& row : table.rows) set.skipped_.push_back({row[id], row[reason]});
  }

  const fs::path set_file = folder / kSetFile;
  if (!fs::exists(set_file)) {
    set.preprocessing_ = "as packed by hand";
    set.fingerprint_ = FingerprintOf(set.file_.view().substr(data_start), set.ids_);
    return set;
  }
  IAT_ASSIGN_OR_RETURN(const std::string text, ReadFile(set_file));
  try {
    const auto json = nlohmann::json::parse(text);
    set.fingerprint_ = json.at("fingerprint").get<std::string>();
    set.preprocessing_ = json.at("preprocessing").get<std::string>();
    set.label_names_ = json.at("label_names").get<std::vector<std::string>>();
    set.original_sizes_ =
        json.at("original_sizes").get<std::vector<std::pair<std::string, int64_t>>>();
    if (const auto n = json.at("num_images").get<int64_t>(); n != shape.n) {
      return absl::DataLossError(absl::StrCat(set_file.string(), ": num_images is ", n,
                                              ", images.npy has ", shape.n));
    }
  } catch (const nlohmann::json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(
        set_file.string(), ": not a packed set's description: ", error.what()));
  }
  return set;
}

}  // namespace iat
