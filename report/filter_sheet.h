// A sheet of pictures in rows with a name each: the first layer's filters of a family of
// networks, one network below the other.
//
//   NAME.csv   every pixel: row, x, y, red, green, blue (0 to 255)
//   NAME.gp    the gnuplot script (5.4 or newer) that draws them
//   NAME.svg, NAME.pdf, NAME.png
//
// A row wraps where its pictures would become too small to be seen. Same sheet, same
// bytes.
//
// Example:
//   FilterSheet sheet{.name = "conv1-filters", .caption = "Filters of conv1 ..."};
//   sheet.rows.push_back({"seed-000", images});
//   IAT_RETURN_IF_ERROR(DrawFilterSheet(sheet, run_folder / "figures", options));

#ifndef IAT_REPORT_FILTER_SHEET_H_
#define IAT_REPORT_FILTER_SHEET_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "report/figure1.h"

namespace iat {

struct FilterPicture {
  int side = 0;
  std::vector<uint8_t> pixels;  // side x side x RGB
};

struct FilterRow {
  std::string name;  // none twice
  std::vector<FilterPicture> pictures;
};

struct FilterSheet {
  std::string name;     // of the files
  std::string caption;  // one paragraph, a comment in the script
  std::vector<FilterRow> rows = {};
};

// InvalidArgument: no rows; a name that is empty, holds a quote, comma or control
// character, or occurs twice; rows without pictures, or of different numbers or sizes of
// them; pixels that do not fit the side.
absl::Status ValidateFilterSheet(const FilterSheet& sheet);

// The parts, for valid sheets.
std::string FilterSheetCsv(const FilterSheet& sheet, const FigureOptions& options);
std::string FilterSheetScript(const FilterSheet& sheet, const FigureOptions& options);

// Writes the five files, each whole or not at all.
absl::Status DrawFilterSheet(const FilterSheet& sheet,
                             const std::filesystem::path& folder,
                             const FigureOptions& options);

}  // namespace iat

#endif  // IAT_REPORT_FILTER_SHEET_H_
