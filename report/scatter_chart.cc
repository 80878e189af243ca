#include "report/scatter_chart.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/csv.h"
#include "base/status.h"
#include "report/axis.h"
#include "report/gnuplot.h"
#include "report/gnuplot_page.h"
#include "report/panel.h"

namespace iat {
namespace {

constexpr double kTopMm = 1.5;
constexpr double kLeftMm = 14;  // y title and numbers
constexpr double kGapMm = 5;    // between columns that share their y axis
constexpr double kOwnGapMm = 10;
constexpr double kRightMm = 4;
constexpr double kHeadingMm = 6.5, kSubheadingMm = 3.4;
constexpr double kNumbersMm = 6.5;  // below a panel
constexpr double kXTitleMm = 5;

absl::Status CheckPanel(const ScatterChart& chart, const ScatterPanel& panel,
                        bool& any_point) {
  IAT_RETURN_IF_ERROR(CheckFigureName(chart.name, "a panel", panel.id));
  const std::string where = absl::StrCat(chart.name, ": ", panel.id);
  if (!(panel.low < panel.high)) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": axes from ", panel.low, " to ", panel.high,
                     "; expected two numbers, the lower one first"));
  }
  std::set<std::string> names;
  for (const ScatterSeries& series : panel.series) {
    IAT_RETURN_IF_ERROR(CheckFigureName(chart.name, "a series", series.name));
    if (!names.insert(series.name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, " has two series named \"", series.name, "\""));
    }
    for (const ScatterPoint& point : series.points) {
      if (std::isfinite(point.x) && std::isfinite(point.y)) continue;
      return absl::InvalidArgumentError(
          absl::StrCat(where, ", ", series.name, ": a point at (", point.x, ", ", point.y,
                       "); expected finite values"));
    }
    any_point = any_point || !series.points.empty();
  }
  return absl::OkStatus();
}

// Where panels lie.
struct Layout {
  double panel_mm, height_mm, heading_mm = kHeadingMm;
  double gap_mm;
  double column_mm;  // from one panel's left edge to the next one's
  size_t num_columns, num_rows;

  Layout(const ScatterChart& chart, double width_mm) {
    num_columns = static_cast<size_t>(chart.num_columns);
    gap_mm = chart.own_axes ? kOwnGapMm : kGapMm;
    const auto panel_of = [&](size_t columns) {
      return (width_mm - kLeftMm - kRightMm + gap_mm) / static_cast<double>(columns) -
             gap_mm;
    };
    while (num_columns > 1 && panel_of(num_columns) < chart.least_panel_mm) --num_columns;
    if (!chart.own_axes) {
      num_columns = BalancedColumns(static_cast<int>(chart.panels.size()),
                                    static_cast<int>(num_columns));
    }
    num_rows = (chart.panels.size() + num_columns - 1) / num_columns;
    panel_mm = panel_of(num_columns);
    column_mm = panel_mm + gap_mm;
    height_mm = std::min(panel_mm, chart.most_height_mm);
    for (const ScatterPanel& panel : chart.panels) {
      if (!panel.subheading.empty()) heading_mm = kHeadingMm + kSubheadingMm;
    }
  }
  double RowMm() const { return heading_mm + height_mm + kNumbersMm; }
};

std::string Plots(const ScatterPanel& panel) {
  std::vector<std::string> plots;
  for (const ScatterSeries& series : panel.series) {
    if (series.points.empty()) continue;
    plots.push_back(absl::StrCat(
        "data using (at(", GnuplotString(panel.id), ", ", GnuplotString(series.name),
        ")):(edge(column('y'))) with points pt 7 ps 0.22 lc rgb ",
        absl::StrFormat("'#60%06X'", series.colour), " title ",
        GnuplotString(series.name), " noenhanced"));
  }
  // A panel without a point keeps its axes.
  if (plots.empty()) plots.push_back("NaN notitle");
  return absl::StrCat("  plot ", absl::StrJoin(plots, ", \\\n       "), "\n");
}

// Ticks for the smaller side of the panel; small ones have room for whole numbers alone.
Axis TickAxis(const ScatterPanel& panel, double side_mm) {
  const auto ticks = [&](int most) {
    return AxisAround({panel.low, panel.high}, most, 1e-9);
  };
  if (side_mm >= 28) return ticks(5);
  const Axis axis = ticks(4);
  return axis.Decimals() == 0 ? axis : ticks(3);
}

std::string PanelScript(const ScatterChart& chart, size_t index, const Layout& layout,
                        const GnuplotPage& page, double top_mm) {
  const ScatterPanel& panel = chart.panels[index];
  const size_t column = index % layout.num_columns;
  const bool left = column == 0 || chart.own_axes;
  const bool lowest = index + layout.num_columns >= chart.panels.size();
  const double left_mm = kLeftMm + static_cast<double>(column) * layout.column_mm;
  const double margin_mm = column == 0 ? kLeftMm : layout.gap_mm;
  const Axis axis = TickAxis(panel, std::min(layout.panel_mm, layout.height_mm));
  const std::string number = absl::StrFormat("%%.%df", axis.Decimals());
  const std::string range = absl::StrFormat("[%.6g:%.6g]", panel.low, panel.high);
  const bool x_numbers = lowest || chart.own_axes;
  return absl::StrCat(
      PanelFrameScript({.letter = PanelLetter(index),
                        .id = panel.id,
                        .heading = panel.heading,
                        .subheading = panel.subheading,
                        .x_title = lowest ? panel.x_title : "",
                        .y_title = column == 0 ? panel.y_title : "",
                        .left_mm = left_mm,
                        .top_mm = top_mm + layout.heading_mm,
                        .width_mm = layout.panel_mm,
                        .height_mm = layout.height_mm,
                        .letter_mm = left_mm - margin_mm + 1,
                        .heading_mm = left_mm - margin_mm + 5.7,
                        .x_title_mm = kNumbersMm + 2.1,
                        .y_title_mm = left_mm - kLeftMm + 2.5},
                       page),
      "  set xrange ", range, "\n  set yrange ", range, "\n",
      absl::StrFormat("  lowest = %.6g; highest = %.6g\n", panel.low, panel.high),
      absl::StrFormat("  set xtics %.6g format '%s'\n  set ytics %.6g format '%s'\n",
                      axis.step, x_numbers ? number : "", axis.step, left ? number : ""),
      "  set arrow from graph 0, graph 0 to graph 1, graph 1 nohead back lw 1 lc rgb "
      "'#777777'\n",
      Plots(panel), "  unset label\n  unset arrow\n  unset object\n");
}

}  // namespace

absl::Status ValidateScatterChart(const ScatterChart& chart) {
  bool any_point = false;
  std::set<std::string> ids;
  for (const ScatterPanel& panel : chart.panels) {
    IAT_RETURN_IF_ERROR(CheckPanel(chart, panel, any_point));
    if (!ids.insert(panel.id).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(chart.name, ": two panels are named \"", panel.id, "\""));
    }
  }
  if (any_point) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(chart.name, ": there is nothing to draw; expected a point"));
}

std::string ScatterChartCsv(const ScatterChart& chart) {
  CsvTable table;
  table.columns = {"panel", "series", "point", "x", "y"};
  for (const ScatterPanel& panel : chart.panels) {
    for (const ScatterSeries& series : panel.series) {
      for (const ScatterPoint& point : series.points) {
        table.rows.push_back({panel.id, series.name, point.name, FormatNumber(point.x),
                              FormatNumber(point.y)});
      }
    }
  }
  return CsvText(table);
}

std::string ScatterChartScript(const ScatterChart& chart, const FigureOptions& options) {
  const Layout layout(chart, options.width_mm);
  const Legend legend(chart.legend, kLeftMm, options.width_mm - kRightMm);
  const double legend_top = kTopMm + (chart.simulated ? kSimulatedMm : 0);
  const double panels_top = legend_top + legend.HeightMm();
  const GnuplotPage page(
      options.width_mm,
      panels_top + static_cast<double>(layout.num_rows) * layout.RowMm() + kXTitleMm);
  std::string script = absl::StrCat(
      FigureHead(chart.name, chart.caption),
      "set grid xtics\n\n"
      "# Points outside the axes lie on their edge.\n"
      "edge(v) = v < lowest ? lowest : v > highest ? highest : v\n"
      "# The x of a row of this panel and series; no point otherwise.\n"
      "at(p, s) = strcol('panel') eq p && strcol('series') eq s ? edge(column('x')) : "
      "NaN\n",
      BeginDrawing(chart.name, page));
  if (chart.simulated) absl::StrAppend(&script, SimulatedScript(page, kTopMm));
  absl::StrAppend(&script, legend.Script(page, legend_top));
  for (size_t i = 0; i < chart.panels.size(); ++i) {
    absl::StrAppend(&script,
                    PanelScript(chart, i, layout, page,
                                panels_top + static_cast<double>(i / layout.num_columns) *
                                                 layout.RowMm()));
  }
  return absl::StrCat(script, EndDrawing());
}

absl::Status DrawScatterChart(const ScatterChart& chart,
                              const std::filesystem::path& folder,
                              const FigureOptions& options) {
  IAT_RETURN_IF_ERROR(ValidateScatterChart(chart));
  return DrawWithGnuplot(options.gnuplot, folder, chart.name, ScatterChartCsv(chart),
                         ScatterChartScript(chart, options));
}

}  // namespace iat
