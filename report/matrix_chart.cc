#include "report/matrix_chart.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/csv.h"
#include "base/status.h"
#include "report/gnuplot.h"
#include "report/gnuplot_page.h"
#include "report/panel.h"

namespace iat {
namespace {

constexpr double kTopMm = 1.5;
constexpr double kLeftMm = 16;  // y title and names of rows
constexpr double kRightMm = 3;
constexpr double kHeadingMm = 6.5, kSubheadingMm = 3.4;
constexpr double kFootMm = 12;  // names of columns and x title
// Room for "±0.02" in 7 points, and more than anyone needs.
constexpr double kSmallestCellMm = 8.2, kLargestCellMm = 13;
constexpr int kMostColumns = 3;
constexpr int kWhite = 0xFFFFFF;
// Share of the colour scale from which white is easier to read than black: contrasts of
// 4.6 and 4.5 to 1.
constexpr double kWhiteInk = 0.73;

absl::Status CheckPanel(const MatrixChart& chart, const MatrixPanel& panel,
                        bool& any_value) {
  IAT_RETURN_IF_ERROR(CheckFigureName(chart.name, "a panel", panel.id));
  for (const auto& [names, what] :
       {std::pair(&panel.rows, "a row"), std::pair(&panel.columns, "a column")}) {
    for (const std::string& name : *names) {
      IAT_RETURN_IF_ERROR(CheckFigureName(chart.name, what, name));
    }
  }
  const std::string where = absl::StrCat(chart.name, ": ", panel.id);
  if (!(panel.lightest < panel.darkest)) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": colours from ", panel.lightest, " to ", panel.darkest,
                     "; expected two numbers, the lower one first"));
  }
  std::set<std::pair<size_t, size_t>> seen;
  for (const MatrixCell& cell : panel.cells) {
    if (cell.row >= panel.rows.size() || cell.column >= panel.columns.size() ||
        !seen.insert({cell.row, cell.column}).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": cell (", cell.row, ", ", cell.column,
                       ") is given twice or lies outside ", panel.rows.size(), " x ",
                       panel.columns.size()));
    }
    any_value = any_value || std::isfinite(cell.value);
    IAT_RETURN_IF_ERROR(
        CheckFigureInterval(absl::StrCat(where, ", ", panel.columns[cell.column], " to ",
                                         panel.rows[cell.row]),
                            cell.value, cell.low, cell.high));
  }
  return absl::OkStatus();
}

// Three characters or so: "0.81", "−0.03", "12.4".
std::string Short(double value) {
  const std::string text = std::fabs(value) < 9.995 ? absl::StrFormat("%.2f", value)
                                                    : absl::StrFormat("%.3g", value);
  return absl::StrReplaceAll(text == "-0.00" ? "0.00" : text, {{"-", "−"}});
}

size_t MostCells(const MatrixChart& chart) {
  size_t most = 1;
  for (const MatrixPanel& panel : chart.panels) {
    most = std::max({most, panel.rows.size(), panel.columns.size()});
  }
  return most;
}

// Where panels lie: as many in a row as leave room for the text in their cells.
struct Layout {
  int num_columns = 1;
  double cell_mm = 0;
  bool rotated = false;  // names of columns, where they are too long
  double heading_mm = kHeadingMm, foot_mm = kFootMm;

  Layout(const MatrixChart& chart, double width_mm) {
    const auto cells = static_cast<double>(MostCells(chart));
    const auto cell_of = [&](int columns) {
      return ((width_mm - kRightMm) / columns - kLeftMm) / cells;
    };
    num_columns = std::min(kMostColumns, static_cast<int>(chart.panels.size()));
    while (num_columns > 1 && cell_of(num_columns) < kSmallestCellMm) --num_columns;
    num_columns = BalancedColumns(static_cast<int>(chart.panels.size()), num_columns);
    cell_mm = std::min(cell_of(num_columns), kLargestCellMm);
    size_t longest = 0;
    for (const MatrixPanel& panel : chart.panels) {
      if (!panel.subheading.empty()) heading_mm = kHeadingMm + kSubheadingMm;
      for (const std::string& name : panel.columns) {
        longest = std::max(longest, name.size());
      }
    }
    const double name_mm = 1.6 * static_cast<double>(longest);
    rotated = name_mm > cell_mm;
    if (rotated) foot_mm = 8 + name_mm;
  }
};

std::string Tics(const std::vector<std::string>& names) {
  std::vector<std::string> tics;
  for (size_t i = 0; i < names.size(); ++i) {
    tics.push_back(absl::StrCat(GnuplotString(names[i]), " ", i + 1));
  }
  return absl::StrJoin(tics, ", ");
}

std::string PanelScript(const MatrixChart& chart, size_t index, const Layout& layout,
                        const GnuplotPage& page, double top_mm, double left_mm) {
  const MatrixPanel& panel = chart.panels[index];
  const auto columns = static_cast<double>(panel.columns.size());
  const auto rows = static_cast<double>(panel.rows.size());
  const bool first = index % layout.num_columns == 0;
  const std::string id = GnuplotString(panel.id);
  return absl::StrCat(
      PanelFrameScript({.letter = PanelLetter(index),
                        .id = panel.id,
                        .heading = panel.heading,
                        .subheading = panel.subheading,
                        .x_title = chart.x_title,
                        .y_title = first ? chart.y_title : "",
                        .left_mm = left_mm + kLeftMm,
                        .top_mm = top_mm + layout.heading_mm,
                        .width_mm = columns * layout.cell_mm,
                        .height_mm = rows * layout.cell_mm,
                        .letter_mm = left_mm + 1,
                        .heading_mm = left_mm + 5,
                        .x_title_mm = layout.foot_mm - 3.4,
                        .y_title_mm = left_mm + 2.5},
                       page),
      absl::StrFormat("  set xrange [0.5:%g]\n  set yrange [%g:0.5]\n"
                      "  set cbrange [%.6g:%.6g]\n",
                      columns + 0.5, rows + 0.5, panel.lightest, panel.darkest),
      "  set xtics (", Tics(panel.columns), ") scale 0 noenhanced font small",
      layout.rotated ? " rotate" : "", "\n  set ytics (", Tics(panel.rows),
      ") scale 0 noenhanced font small\n", "  plot data using (at(", id,
      ")):'y':(column('x') - 0.5):(column('x') + 0.5):(column('y') - 0.5):\\\n"
      "       (column('y') + 0.5):'value' with boxxyerror fs solid border lc rgb "
      "'white' lc palette \\\n       title ",
      GnuplotString(panel.heading), " noenhanced, \\\n       data using (at(", id,
      ")):(line(-1)):'text':'ink' with labels font small tc rgb variable "
      "notitle, \\\n       data using (at(",
      id,
      ")):(line(1)):'spread':'ink' with labels font small tc rgb variable "
      "notitle\n",
      "  unset label\n");
}

}  // namespace

absl::Status ValidateMatrixChart(const MatrixChart& chart) {
  bool any_value = false;
  std::set<std::string> ids;
  for (const MatrixPanel& panel : chart.panels) {
    IAT_RETURN_IF_ERROR(CheckPanel(chart, panel, any_value));
    if (!ids.insert(panel.id).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(chart.name, ": two panels are named \"", panel.id, "\""));
    }
  }
  if (any_value) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      chart.name, ": there is nothing to draw; expected a cell with a finite value"));
}

std::string MatrixChartCsv(const MatrixChart& chart) {
  CsvTable table;
  table.columns = {"panel", "row",  "column", "x",      "y",  "value",
                   "low",   "high", "text",   "spread", "ink"};
  for (const MatrixPanel& panel : chart.panels) {
    for (const MatrixCell& cell : panel.cells) {
      const double shade =
          (cell.value - panel.lightest) / (panel.darkest - panel.lightest);
      const bool has_interval = std::isfinite(cell.low);
      table.rows.push_back(
          {panel.id, panel.rows[cell.row], panel.columns[cell.column],
           absl::StrCat(cell.column + 1), absl::StrCat(cell.row + 1),
           FormatNumber(cell.value), FormatNumber(cell.low), FormatNumber(cell.high),
           std::isfinite(cell.value) ? Short(cell.value) : "–",
           has_interval ? absl::StrCat("±", Short((cell.high - cell.low) / 2)) : "",
           absl::StrCat(shade > kWhiteInk ? kWhite : 0)});
    }
  }
  return CsvText(table);
}

std::string MatrixChartScript(const MatrixChart& chart, const FigureOptions& options) {
  const Layout layout(chart, options.width_mm);
  const double panels_top = kTopMm + (chart.simulated ? kSimulatedMm : 0);
  const double row_mm = layout.heading_mm +
                        static_cast<double>(MostCells(chart)) * layout.cell_mm +
                        layout.foot_mm;
  const size_t num_columns = layout.num_columns;
  const size_t num_rows = (chart.panels.size() + num_columns - 1) / num_columns;
  const GnuplotPage page(options.width_mm,
                         panels_top + static_cast<double>(num_rows) * row_mm);
  const double column_mm = (options.width_mm - kRightMm) / layout.num_columns;
  std::string script = absl::StrCat(
      FigureHead(chart.name, chart.caption),
      "set border 0\nset grid noytics\nunset colorbox\n"
      "set palette defined (0 '#FFFFFF', 1 '#00497A')\n\n"
      "# The x of a row of this panel; no cell otherwise.\n"
      "at(p) = strcol('panel') eq p ? column('x') : NaN\n"
      "# The value lies in the middle of its cell, or above its interval.\n"
      "line(side) = column('y') + (strlen(strcol('spread')) > 0 ? side * 0.18 : 0)\n",
      BeginDrawing(chart.name, page));
  if (chart.simulated) absl::StrAppend(&script, SimulatedScript(page, kTopMm));
  for (size_t i = 0; i < chart.panels.size(); ++i) {
    absl::StrAppend(
        &script, PanelScript(chart, i, layout, page,
                             panels_top + static_cast<double>(i / num_columns) * row_mm,
                             static_cast<double>(i % num_columns) * column_mm));
  }
  return absl::StrCat(script, EndDrawing());
}

absl::Status DrawMatrixChart(const MatrixChart& chart,
                             const std::filesystem::path& folder,
                             const FigureOptions& options) {
  IAT_RETURN_IF_ERROR(ValidateMatrixChart(chart));
  return DrawWithGnuplot(options.gnuplot, folder, chart.name, MatrixChartCsv(chart),
                         MatrixChartScript(chart, options));
}

}  // namespace iat
