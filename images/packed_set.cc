#include "images/packed_set.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
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
#include "base/csv_rows.h"
#include "base/npy.h"
#include "base/status.h"
#include "images/pixel_pages.h"

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

// Pages of a map that were read and are not needed again. Advice: nothing is lost when
// it is not taken.
void ForgetBytes(const MappedFile& file, const uint8_t* begin, const uint8_t* end) {
  if (begin == end) return;
  // Linux maps the neighbours of a page that it reads, in what it calls a large folio up
  // to 2 MiB of them; left alone, those of each stretch would add up.
  constexpr std::ptrdiff_t kNeighbours = 2 << 20;
  begin -= std::min(kNeighbours, begin - file.data());
  end += std::min(kNeighbours, file.data() + file.size() - end);
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = reinterpret_cast<uintptr_t>(begin) / page * page;
  (void)::madvise(reinterpret_cast<void*>(first),
                  reinterpret_cast<uintptr_t>(end) - first, MADV_DONTNEED);
}

// `id_of(i)` of each image.
template <typename IdOf>
std::string FingerprintOf(const std::string& pixels_sha256, int64_t num_images,
                          const IdOf& id_of) {
  Sha256Digest digest;
  digest.Add(pixels_sha256);
  for (int64_t i = 0; i < num_images; ++i) {
    digest.Add("\n");
    digest.Add(id_of(i));
  }
  return digest.Finish();
}

std::string Sha256OfMap(const MappedFile& file, const uint8_t* begin,
                        const uint8_t* end) {
  constexpr std::ptrdiff_t kBlock = 16 << 20;
  Sha256Digest digest;
  while (begin != end) {
    const uint8_t* const next = begin + std::min(kBlock, end - begin);
    digest.Add({reinterpret_cast<const char*>(begin), static_cast<size_t>(next - begin)});
    ForgetBytes(file, begin, next);
    begin = next;
  }
  return digest.Finish();
}

// The first line whose id was there before, from 0; -1 without one.
int64_t FirstRepeat(const std::vector<std::string>& ids) {
  std::vector<uint32_t> order(ids.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const int difference = ids[a].compare(ids[b]);
    return difference != 0 ? difference < 0 : a < b;
  });
  int64_t first = -1;
  for (size_t i = 1; i < order.size(); ++i) {
    if (ids[order[i]] != ids[order[i - 1]]) continue;
    if (first < 0 || order[i] < first) first = order[i];
  }
  return first;
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
    const absl::string_view bytes(reinterpret_cast<const char*>(row.data()), row.size());
    pixels_.Add(bytes);
    buffer_.append(bytes.data(), bytes.size());
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

  // Of all rows; once, at the end.
  std::string PixelsSha256() { return pixels_.Finish(); }

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
  Sha256Digest pixels_;
};

// Line by line: as one text it would be as long as all ids.
absl::Status WriteIndex(const fs::path& path, const std::vector<ImageEntry>& entries,
                        const std::vector<int64_t>& kept) {
  std::ofstream index(path, std::ios::binary);
  index << "row,id,label,label_name,source\n";
  for (size_t i = 0; i < kept.size(); ++i) {
    const ImageEntry& entry = entries[kept[i]];
    index << CsvLine({absl::StrCat(i), entry.id, absl::StrCat(entry.label),
                      entry.label_name, entry.source})
          << '\n';
  }
  index.close();
  if (index.fail()) {
    return ErrnoStatus(errno, absl::StrCat("cannot write ", path.string()));
  }
  return absl::OkStatus();
}

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

// What index.csv says of the images, in its order.
struct Index {
  std::vector<std::string> ids;
  std::vector<int> labels;
  std::vector<std::string> label_names, sources;  // each once
};

absl::StatusOr<Index> ReadIndex(const std::string& name, int64_t num_images) {
  IAT_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(name));
  CsvTable heading;
  int row_column = -1, id_column = -1, label_column = -1, name_column = -1,
      source_column = -1;
  Index index;
  std::set<std::string> seen_sources;
  int64_t num_rows = -1;  // the heading comes first
  const auto visit = [&](std::vector<std::string>& cells) -> absl::Status {
    const int64_t i = num_rows++;
    if (i < 0) {
      heading.columns = std::move(cells);
      row_column = heading.Column("row");
      id_column = heading.Column("id");
      label_column = heading.Column("label");
      name_column = heading.Column("label_name");
      source_column = heading.Column("source");
      if (row_column >= 0 && id_column >= 0 && label_column >= 0) return absl::OkStatus();
      return absl::InvalidArgumentError(absl::StrCat(
          name, ": columns ", absl::StrJoin(heading.columns, ","),
          "; expected row, id, label, and optionally label_name and source"));
    }
    // Counted below; more are not kept.
    if (i >= num_images) return absl::OkStatus();
    int64_t row = -1;
    int label = -1;
    if (!absl::SimpleAtoi(cells[row_column], &row) || row != i) {
      return absl::InvalidArgumentError(absl::StrCat(
          name, ":", i + 2, ": row is \"", cells[row_column], "\"; expected ", i));
    }
    if (!absl::SimpleAtoi(cells[label_column], &label) || label < -1 ||
        label > 1'000'000) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, ":", i + 2, ": label is \"", cells[label_column],
                       "\"; expected a number, -1 where there is none"));
    }
    if (cells[id_column].empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, ":", i + 2, ": id \"\" is empty or a repeat"));
    }
    // A copy takes no more than it needs.
    index.ids.emplace_back(cells[id_column]);
    index.labels.push_back(label);
    if (source_column >= 0 && seen_sources.insert(cells[source_column]).second) {
      index.sources.push_back(cells[source_column]);
    }
    if (label < 0) return absl::OkStatus();
    if (label >= static_cast<int>(index.label_names.size()))
      index.label_names.resize(label + 1);
    index.label_names[label] =
        name_column < 0 ? absl::StrFormat("%04d", label) : std::move(cells[name_column]);
    return absl::OkStatus();
  };
  index.ids.reserve(num_images);
  index.labels.reserve(num_images);
  IAT_RETURN_IF_ERROR(VisitCsvRows(file.view(), name, visit));
  if (num_rows != num_images) {
    return absl::DataLossError(absl::StrCat(
        name, ": ", num_rows, " rows; images.npy has ", num_images, " images"));
  }
  if (const int64_t repeat = FirstRepeat(index.ids); repeat >= 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, ":", repeat + 2, ": id \"", index.ids[repeat], "\" is empty or a repeat"));
  }
  return index;
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
  CsvTable skipped{{"id", "reason"}, {}};
  std::vector<int64_t> kept;  // rows of `entries`
  kept.reserve(total);
  std::string pixels_sha256;
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
      ++shape.n;
      kept.push_back(row);
      return writer.Append(loaded->image.pixels);
    };
    IAT_RETURN_IF_ERROR(source->Read(jobs, visit));
    if (progress) progress(total, total);
    if (shape.n == 0) {
      return TooManyUnreadable(report.skipped, total, options.max_unreadable_fraction);
    }
    pixels_sha256 = writer.PixelsSha256();
    return writer.Finish(shape);
  };
  IAT_RETURN_IF_ERROR(WriteAtomically(folder / kPixelsFile, write_pixels));
  IAT_RETURN_IF_ERROR(WriteFileAtomically(folder / kSkippedFile, CsvText(skipped)));

  report.fingerprint =
      FingerprintOf(pixels_sha256, shape.n,
                    [&](int64_t i) -> const std::string& { return entries[kept[i]].id; });
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
  IAT_RETURN_IF_ERROR(WriteAtomically(
      folder / kIndexFile,
      [&](const fs::path& temporary) { return WriteIndex(temporary, entries, kept); }));
  return report;
}

bool PackedSet::IsPacked(const fs::path& folder) {
  std::error_code error;
  return fs::exists(folder / kPixelsFile, error) &&
         fs::exists(folder / kIndexFile, error);
}

PackedSet::PackedSet(fs::path folder, MappedFile file)
    : folder_(std::move(folder)), file_(std::move(file)) {}

void ForgetPixels(const PackedSet& set, int64_t begin, int64_t end) {
  ForgetBytes(set.file_, set.pixels(begin), set.pixels(end));
}

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

  IAT_ASSIGN_OR_RETURN(Index index, ReadIndex((folder / kIndexFile).string(), shape.n));
  set.ids_ = std::move(index.ids);
  set.sources_ = std::move(index.sources);
  set.labels_ = std::move(index.labels);
  set.label_names_ = std::move(index.label_names);

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
    set.fingerprint_ =
        FingerprintOf(Sha256OfMap(set.file_, set.pixels_, set.pixels(shape.n)), shape.n,
                      [&](int64_t i) -> const std::string& { return set.ids_[i]; });
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
