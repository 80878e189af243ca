// A list file: which images, in which order, under which ids.

#include <filesystem>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/status.h"
#include "images/source_part.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

struct ListedImage {
  std::string path, member, id, label_name;
  int archive = -1;       // index of the archive that holds it
  int64_t position = -1;  // there
};

// Columns path, and optionally member, id and label_name; or a path a line.
absl::StatusOr<std::vector<ListedImage>> ReadList(const std::string& path) {
  std::vector<ListedImage> images;
  if (!absl::EndsWith(path, ".csv")) {
    IAT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
    for (const absl::string_view line :
         absl::StrSplit(text, absl::ByAnyChar("\r\n"), absl::SkipWhitespace())) {
      ListedImage image;
      image.path = std::string(line);
      images.push_back(std::move(image));
    }
    return images;
  }
  IAT_ASSIGN_OR_RETURN(const CsvTable table, ReadCsv(path));
  const int path_column = table.Column("path");
  if (path_column < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(path,
                     ": no column \"path\"; expected path, and optionally member (of an "
                     "archive), id and label_name"));
  }
  const auto cell = [](const std::vector<std::string>& row, int column) {
    return column < 0 ? std::string() : row[column];
  };
  for (const auto& row : table.rows) {
    ListedImage image;
    image.path = row[path_column];
    image.member = cell(row, table.Column("member"));
    image.id = cell(row, table.Column("id"));
    image.label_name = cell(row, table.Column("label_name"));
    images.push_back(std::move(image));
  }
  return images;
}

class ListSource : public SourcePart {
 public:
  explicit ListSource(std::string path) : path_(std::move(path)) {}

  absl::StatusOr<std::vector<ImageEntry>> List() override {
    IAT_ASSIGN_OR_RETURN(images_, ReadList(path_));
    if (images_.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(path_, ": an empty list"));
    }
    std::map<std::string, int> archive_of_path;
    std::vector<ImageEntry> entries;
    for (size_t i = 0; i < images_.size(); ++i) {
      ListedImage& image = images_[i];
      // Relative paths start at the list, wherever the program was started.
      const fs::path file = fs::path(path_).parent_path() / image.path;
      const std::string written = image.path;
      image.path = file.string();
      std::error_code error;
      if (written.empty() || !fs::is_regular_file(file, error)) {
        return absl::NotFoundError(
            absl::StrCat(path_, ": image ", i + 1, ": no file ", image.path));
      }
      if (!image.member.empty()) {
        const auto [known, is_new] =
            archive_of_path.emplace(image.path, static_cast<int>(archives_.size()));
        if (is_new) {
          archives_.push_back(ArchivePart(image.path));
          positions_.emplace_back();
          IAT_RETURN_IF_ERROR(archives_.back()->List().status());
          int64_t at = 0;
          for (std::string& name : archives_.back()->MemberNames()) {
            positions_.back().emplace(std::move(name), at++);
          }
        }
        image.archive = known->second;
        const auto& positions = positions_[image.archive];
        const auto found = positions.find(image.member);
        if (found == positions.end()) {
          return absl::NotFoundError(absl::StrCat(path_, ": image ", i + 1, ": ",
                                                  image.path, " has no image \"",
                                                  image.member, "\""));
        }
        image.position = found->second;
      }
      ImageEntry entry;
      entry.id = !image.id.empty()       ? image.id
                 : !image.member.empty() ? image.member
                                         : written;
      entry.label_name = image.label_name;
      entry.source = image.path;
      entries.push_back(std::move(entry));
    }
    return entries;
  }

  absl::StatusOr<std::unique_ptr<Reader>> Open() const override {
    return std::make_unique<ListReader>(*this);
  }

 private:
  // Archives are read forwards: a list in their order goes through each once, any
  // other order starts again where it steps back.
  class ListReader : public Reader {
   public:
    explicit ListReader(const ListSource& list)
        : list_(list), open_(list.archives_.size()) {}

    absl::StatusOr<LoadImage> Next(int64_t position) override {
      const ListedImage& image = list_.images_[position];
      if (image.archive < 0) {
        return [path = image.path]() -> absl::StatusOr<Image> {
          IAT_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
          return DecodeImage(bytes, path);
        };
      }
      Opened& opened = open_[image.archive];
      if (opened.reader == nullptr || image.position <= opened.position) {
        IAT_ASSIGN_OR_RETURN(opened.reader, list_.archives_[image.archive]->Open());
      }
      opened.position = image.position;
      return opened.reader->Next(image.position);
    }

   private:
    struct Opened {
      std::unique_ptr<Reader> reader;
      int64_t position = -1;
    };
    const ListSource& list_;
    std::vector<Opened> open_;
  };

  std::string path_;
  std::vector<ListedImage> images_;
  std::vector<std::unique_ptr<SourcePart>> archives_;
  std::vector<std::map<std::string, int64_t>> positions_;  // by archive, of members
};

}  // namespace

std::unique_ptr<SourcePart> ListPart(const std::string& path) {
  return std::make_unique<ListSource>(path);
}

}  // namespace iat
