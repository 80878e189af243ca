#include "report/drawing.h"

#include <unistd.h>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status.h"
#include "report/gnuplot.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

// gnuplot's pictures, made in a folder of their own beside the final place.
class DrawingFolder {
 public:
  DrawingFolder(const fs::path& folder, const std::string& name)
      : path_(folder / absl::StrCat(".", name, kTemporaryMark, ::getpid())) {}
  DrawingFolder(const DrawingFolder&) = delete;
  DrawingFolder& operator=(const DrawingFolder&) = delete;
  ~DrawingFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

absl::StatusOr<std::string> ReadPicture(const fs::path& path,
                                        const std::string& program) {
  absl::StatusOr<std::string> picture = ReadFile(path);
  if (!picture.ok() || picture->empty()) {
    return absl::InternalError(absl::StrCat(
        program, " ended without an error but left no ", path.filename().string(),
        "; was it built with its svg and pdfcairo terminals? (`", program,
        " -e \"set terminal\"` lists them)"));
  }
  return picture;
}

// cairo writes the time of drawing into a PDF. The date keeps its length, so
// that the file's table of offsets stays right.
std::string WithoutDate(std::string pdf) {
  constexpr absl::string_view kKey = "/CreationDate (D:";
  constexpr absl::string_view kEpoch = "19700101000000";
  const size_t place = pdf.find(kKey.data(), 0, kKey.size());
  if (place != std::string::npos) {
    pdf.replace(place + kKey.size(), kEpoch.size(), kEpoch.data(), kEpoch.size());
  }
  return pdf;
}

}  // namespace

absl::Status DrawFigure(const std::string& name, const std::string& csv,
                        const std::string& script, const fs::path& folder,
                        const std::string& gnuplot) {
  const auto file = [&](const char* extension) { return absl::StrCat(name, extension); };
  const DrawingFolder drawing(folder, name);
  IAT_RETURN_IF_ERROR(WriteFileAtomically(drawing.path() / file(".csv"), csv));
  IAT_RETURN_IF_ERROR(WriteFileAtomically(drawing.path() / file(".gp"), script));
  IAT_RETURN_IF_ERROR(RunGnuplot(gnuplot, drawing.path(), file(".gp")));
  IAT_ASSIGN_OR_RETURN(const std::string svg,
                       ReadPicture(drawing.path() / file(".svg"), gnuplot));
  IAT_ASSIGN_OR_RETURN(std::string pdf,
                       ReadPicture(drawing.path() / file(".pdf"), gnuplot));
  IAT_RETURN_IF_ERROR(WriteFileAtomically(folder / file(".csv"), csv));
  IAT_RETURN_IF_ERROR(WriteFileAtomically(folder / file(".gp"), script));
  IAT_RETURN_IF_ERROR(
      WriteFileAtomically(folder / file(".pdf"), WithoutDate(std::move(pdf))));
  return WriteFileAtomically(folder / file(".svg"), svg);
}

}  // namespace iat
