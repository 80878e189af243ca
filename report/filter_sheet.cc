#include "report/filter_sheet.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/csv.h"
#include "base/status.h"
#include "report/gnuplot.h"
#include "report/gnuplot_page.h"
#include "report/panel.h"

namespace iat {
namespace {

constexpr double kTopMm = 1.5, kBottomMm = 1.5, kRightMm = 1.5;
constexpr double kNameMm = 1.55;  // of a letter of a row's name
constexpr double kGapMm = 2;      // between rows
constexpr double kSmallestPictureMm = 4.2, kLargestPictureMm = 10;

// Pictures of a row on their lines, with one white pixel between them.
struct Layout {
  int side, per_line, num_lines, width, height;  // pixels
  double left_mm, pixel_mm;

  Layout(const FilterSheet& sheet, double width_mm) {
    size_t longest = 0;
    for (const FilterRow& row : sheet.rows) longest = std::max(longest, row.name.size());
    left_mm = 2.5 + kNameMm * static_cast<double>(longest);
    const double room_mm = width_mm - left_mm - kRightMm;
    const int count = static_cast<int>(sheet.rows.front().pictures.size());
    const int most = std::max(1, static_cast<int>(room_mm / kSmallestPictureMm));
    num_lines = (count + most - 1) / most;
    per_line = (count + num_lines - 1) / num_lines;
    side = sheet.rows.front().pictures.front().side;
    width = per_line * (side + 1) - 1;
    height = num_lines * (side + 1) - 1;
    pixel_mm = std::min(room_mm / width, kLargestPictureMm / (side + 1));
  }
};

}  // namespace

absl::Status ValidateFilterSheet(const FilterSheet& sheet) {
  if (sheet.rows.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(sheet.name, ": there is nothing to draw; expected a row"));
  }
  std::set<std::string> names;
  for (const FilterRow& row : sheet.rows) {
    IAT_RETURN_IF_ERROR(CheckFigureName(sheet.name, "a row", row.name));
    const std::string where = absl::StrCat(sheet.name, ": ", row.name);
    if (!names.insert(row.name).second) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": two rows of that name"));
    }
    const std::vector<FilterPicture>& first = sheet.rows.front().pictures;
    if (row.pictures.empty() || row.pictures.size() != first.size()) {
      return absl::InvalidArgumentError(absl::StrCat(
          where, " has ", row.pictures.size(), " pictures; expected as many as ",
          sheet.rows.front().name, " has, ", first.size(), ", and at least one"));
    }
    for (const FilterPicture& picture : row.pictures) {
      const auto side = static_cast<size_t>(std::max(picture.side, 0));
      if (picture.side == first.front().side && side > 0 &&
          picture.pixels.size() == 3 * side * side) {
        continue;
      }
      return absl::InvalidArgumentError(absl::StrCat(
          where, ": a picture of side ", picture.side, " with ", picture.pixels.size(),
          " bytes; expected side ", first.front().side, " and 3 bytes a pixel"));
    }
  }
  return absl::OkStatus();
}

std::string FilterSheetCsv(const FilterSheet& sheet, const FigureOptions& options) {
  const Layout layout(sheet, options.width_mm);
  CsvTable table;
  table.columns = {"row", "x", "y", "red", "green", "blue"};
  for (const FilterRow& row : sheet.rows) {
    for (int y = 0; y < layout.height; ++y) {
      for (int x = 0; x < layout.width; ++x) {
        const int column = x / (layout.side + 1), line = y / (layout.side + 1);
        const int px = x % (layout.side + 1), py = y % (layout.side + 1);
        const auto index = static_cast<size_t>(line * layout.per_line + column);
        const bool white =
            px == layout.side || py == layout.side || index >= row.pictures.size();
        std::vector<std::string> cells = {row.name, absl::StrCat(x), absl::StrCat(y)};
        for (int c = 0; c < 3; ++c) {
          cells.push_back(absl::StrCat(
              white ? 255 : row.pictures[index].pixels[3 * (py * layout.side + px) + c]));
        }
        table.rows.push_back(std::move(cells));
      }
    }
  }
  return CsvText(table);
}

std::string FilterSheetScript(const FilterSheet& sheet, const FigureOptions& options) {
  const Layout layout(sheet, options.width_mm);
  const double row_mm = layout.height * layout.pixel_mm + kGapMm;
  const auto num_rows = static_cast<double>(sheet.rows.size());
  const GnuplotPage page(options.width_mm,
                         kTopMm + num_rows * row_mm - kGapMm + kBottomMm);
  std::string script =
      absl::StrCat(FigureHead(sheet.name, sheet.caption),
                   absl::StrFormat("unset border\nunset tics\nunset grid\n"
                                   "set xrange [-0.5:%d.5]\nset yrange [%d.5:-0.5]\n",
                                   layout.width - 1, layout.height - 1),
                   BeginDrawing(sheet.name, page));
  const int64_t num_pixels = static_cast<int64_t>(layout.width) * layout.height;
  for (size_t i = 0; i < sheet.rows.size(); ++i) {
    const double top = kTopMm + static_cast<double>(i) * row_mm;
    const double bottom = top + layout.height * layout.pixel_mm;
    const std::string name = GnuplotString(sheet.rows[i].name);
    const auto first = static_cast<int64_t>(i) * num_pixels;
    absl::StrAppend(&script, "\n  set lmargin at screen ", page.X(layout.left_mm),
                    "\n  set rmargin at screen ",
                    page.X(layout.left_mm + layout.width * layout.pixel_mm),
                    "\n  set tmargin at screen ", page.Y(top),
                    "\n  set bmargin at screen ", page.Y(bottom), "\n  set label ", name,
                    " at ", page.At(layout.left_mm - 1.5, (top + bottom) / 2),
                    " right noenhanced\n", "  plot data every ::", first,
                    "::", first + num_pixels - 1,
                    " using 'x':'y':'red':'green':'blue' with rgbimage title ", name,
                    " noenhanced\n  unset label\n");
  }
  return absl::StrCat(script, EndDrawing());
}

absl::Status DrawFilterSheet(const FilterSheet& sheet,
                             const std::filesystem::path& folder,
                             const FigureOptions& options) {
  IAT_RETURN_IF_ERROR(ValidateFilterSheet(sheet));
  return DrawWithGnuplot(options.gnuplot, folder, sheet.name,
                         FilterSheetCsv(sheet, options),
                         FilterSheetScript(sheet, options));
}

}  // namespace iat
