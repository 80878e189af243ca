#include "report/curve_chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <utility>

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
constexpr double kLeftMm = 15;  // y title and numbers of the first column
constexpr double kGapMm = 5;    // between columns that share their y axis
constexpr double kRightMm = 3;
constexpr double kHeadingMm = 6.5;
constexpr double kFootMm = 12;  // x numbers and title
// Height of the first mark's triangle above the panel's foot, and of the next ones above
// it, in units of the panel.
constexpr double kFirstMark = 0.035, kNextMark = 0.045;

absl::Status CheckCurve(const CurveChart& chart, const CurvePanel& panel,
                        const ChartCurve& curve, bool& any_value) {
  IAT_RETURN_IF_ERROR(CheckFigureName(chart.name, "a curve", curve.name));
  const std::string where = absl::StrCat(chart.name, ": ", panel.id, ", ", curve.name);
  double last = panel.log_x ? 0.0 : -std::numeric_limits<double>::infinity();
  for (const CurveChartPoint& point : curve.points) {
    if (!(point.x > last)) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": x is ", point.x, " after ",
                                                     last, "; expected rising values",
                                                     panel.log_x ? " above 0" : ""));
    }
    last = point.x;
    any_value = any_value || std::isfinite(point.y);
    IAT_RETURN_IF_ERROR(CheckFigureInterval(where, point.y, point.low, point.high));
  }
  return absl::OkStatus();
}

int NumRows(const CurveChart& chart) {
  return (static_cast<int>(chart.panels.size()) + chart.num_columns - 1) /
         chart.num_columns;
}

// A panel's y axis: that of its row where they share it.
Axis PanelAxis(const CurveChart& chart, size_t index) {
  std::vector<double> values;
  for (size_t i = 0; i < chart.panels.size(); ++i) {
    if (chart.own_y ? i != index : i / chart.num_columns != index / chart.num_columns) {
      continue;
    }
    for (const ChartCurve& curve : chart.panels[i].curves) {
      for (const CurveChartPoint& point : curve.points) {
        for (const double value : {point.y, point.low, point.high}) {
          values.push_back(std::max(value, chart.lowest_y));
        }
      }
    }
  }
  return AxisAround(values, 6, 0.01);
}

double GapMm(const CurveChart& chart) { return chart.own_y ? kLeftMm : kGapMm; }

// The x axis of a column: gnuplot's own would differ from panel to panel.
std::pair<double, double> ColumnRange(const CurveChart& chart, size_t column) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  bool log_x = true;
  for (size_t i = column; i < chart.panels.size(); i += chart.num_columns) {
    log_x = log_x && chart.panels[i].log_x;
    for (const ChartCurve& curve : chart.panels[i].curves) {
      for (const CurveChartPoint& point : curve.points) {
        low = std::min(low, point.x);
        high = std::max(high, point.x);
      }
    }
  }
  if (low > high) return {1.0, 10.0};
  if (log_x) {
    const double air = std::pow(std::max(high / low, 2.0), 0.05);
    return {low / air, high * air};
  }
  const double air = 0.05 * std::max(high - low, 1.0);
  return {low - air, high + air};
}

std::string Plot(const CurvePanel& panel, const ChartCurve& curve,
                 absl::string_view columns, absl::string_view style) {
  // The title isn't drawn: it is what a browser shows over the curve.
  return absl::StrCat("data using (at(", GnuplotString(panel.id), ", ",
                      GnuplotString(curve.name), "))", columns, " with ", style,
                      " title ", GnuplotString(curve.name), " noenhanced");
}

// Bands at the back, then lines, then points.
std::string Plots(const CurvePanel& panel) {
  std::vector<std::string> bands, lines, points;
  for (const ChartCurve& curve : panel.curves) {
    const auto any = [&](auto test) {
      return std::any_of(curve.points.begin(), curve.points.end(), test);
    };
    if (!any([](const CurveChartPoint& p) { return std::isfinite(p.y); })) continue;
    const std::string colour = GnuplotColour(curve.style.colour);
    if (any([](const CurveChartPoint& p) { return std::isfinite(p.low); })) {
      bands.push_back(
          curve.band
              ? Plot(panel, curve, ":'low':'high'",
                     absl::StrCat(
                         "filledcurves fs transparent solid 0.18 noborder fc rgb ",
                         colour))
              : Plot(panel, curve, ":'low':(0):(column('high') - column('low'))",
                     absl::StrCat("vectors heads size screen 0.003,90 lw 1 lc rgb ",
                                  colour)));
    }
    if (curve.style.line) {
      lines.push_back(Plot(panel, curve, ":'y'", "lines " + LineScript(curve.style)));
    }
    if (curve.style.point_type > 0) {
      points.push_back(Plot(panel, curve, ":'y'", "points " + PointScript(curve.style)));
    }
  }
  bands.insert(bands.end(), lines.begin(), lines.end());
  bands.insert(bands.end(), points.begin(), points.end());
  // A panel without a value keeps its axes.
  if (bands.empty()) bands.push_back("NaN notitle");
  return absl::StrCat("  plot ", absl::StrJoin(bands, ", \\\n       "), "\n");
}

std::string Marks(const CurvePanel& panel) {
  std::string script;
  for (size_t i = 0; i < panel.marks.size(); ++i) {
    const AxisMark& mark = panel.marks[i];
    const double height = kFirstMark + kNextMark * static_cast<double>(i);
    const std::string colour = GnuplotColour(mark.colour);
    const auto at = [&](double x) {
      return absl::StrFormat("first %.6g, graph %.4f", x, height);
    };
    if (std::isfinite(mark.low)) {
      absl::StrAppend(&script, "  set arrow from ", at(mark.low), " to ", at(mark.high),
                      " heads size screen 0.003,90 lw 1.2 lc rgb ", colour, " front\n");
    }
    absl::StrAppend(&script, "  set label '' at ", at(mark.x),
                    " point pt 9 ps 0.8 lc rgb ", colour, " front\n");
  }
  return script;
}

// Epochs and the like get ticks at whole numbers alone.
std::string LinearStep(const CurvePanel& panel, double low, double high) {
  for (const ChartCurve& curve : panel.curves) {
    for (const CurveChartPoint& point : curve.points) {
      if (point.x != std::round(point.x)) return "auto";
    }
  }
  return absl::StrFormat("%g", std::max(1.0, AxisAround({low, high}, 6, 1).step));
}

std::string PanelScript(const CurveChart& chart, size_t index, const GnuplotPage& page,
                        double top_mm, double left_mm, double width_mm) {
  const CurvePanel& panel = chart.panels[index];
  const size_t column = index % chart.num_columns;
  const Axis axis = PanelAxis(chart, index);
  const auto [low_x, high_x] = ColumnRange(chart, column);
  // The first column has y title and numbers, and the others where they differ.
  const bool labelled = column == 0 || chart.own_y;
  std::string script =
      PanelFrameScript({.letter = PanelLetter(index),
                        .id = panel.id,
                        .heading = panel.heading,
                        .x_title = panel.x_title,
                        .y_title = labelled ? panel.y_title : "",
                        .left_mm = left_mm,
                        .top_mm = top_mm + kHeadingMm,
                        .width_mm = width_mm,
                        .height_mm = chart.panel_height_mm,
                        .letter_mm = labelled ? left_mm - kLeftMm + 1 : left_mm - 4,
                        .heading_mm = left_mm,
                        .y_title_mm = left_mm - kLeftMm + 2.5},
                       page);
  absl::StrAppend(
      &script,
      panel.log_x ? std::string("  set logscale x\n  set xtics auto format '10^{%T}'\n")
                  : absl::StrCat("  unset logscale x\n  set xtics ",
                                 LinearStep(panel, low_x, high_x), " format '%g'\n"),
      absl::StrFormat("  set xrange [%.6g:%.6g]\n  set yrange [%.6g:%.6g]\n"
                      "  set ytics %.6g format '%s'\n",
                      low_x, high_x, axis.low, axis.high, axis.step,
                      labelled ? absl::StrFormat("%%.%df", axis.Decimals()) : ""));
  if (axis.low < 0 && axis.high > 0) {
    absl::StrAppend(&script,
                    "  set arrow from graph 0, first 0 to graph 1, first 0 nohead back "
                    "lw 1 lc rgb '#777777'\n");
  }
  return absl::StrCat(script, Marks(panel), Plots(panel),
                      "  unset label\n  unset arrow\n  unset object\n");
}

}  // namespace

absl::Status ValidateCurveChart(const CurveChart& chart) {
  bool any_value = false;
  std::set<std::string> ids;
  for (const CurvePanel& panel : chart.panels) {
    IAT_RETURN_IF_ERROR(CheckFigureName(chart.name, "a panel", panel.id));
    if (!ids.insert(panel.id).second) {
      return absl::InvalidArgumentError(
          absl::StrCat(chart.name, ": two panels are named \"", panel.id, "\""));
    }
    std::set<std::string> names;
    for (const ChartCurve& curve : panel.curves) {
      IAT_RETURN_IF_ERROR(CheckCurve(chart, panel, curve, any_value));
      if (!names.insert(curve.name).second) {
        return absl::InvalidArgumentError(absl::StrCat(
            chart.name, ": ", panel.id, " has two curves named \"", curve.name, "\""));
      }
    }
    for (const AxisMark& mark : panel.marks) {
      IAT_RETURN_IF_ERROR(CheckFigureName(chart.name, "a mark", mark.name));
      IAT_RETURN_IF_ERROR(CheckFigureInterval(
          absl::StrCat(chart.name, ": ", panel.id, ", mark ", mark.name), mark.x,
          mark.low, mark.high));
    }
  }
  if (any_value) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      chart.name, ": there is nothing to draw; expected a curve with a finite value"));
}

std::string CurveChartCsv(const CurveChart& chart) {
  CsvTable table;
  table.columns = {"panel", "curve", "kind", "x", "y", "low", "high"};
  for (const CurvePanel& panel : chart.panels) {
    const auto add = [&](const std::string& name, absl::string_view kind, double x,
                         double y, double low, double high) {
      table.rows.push_back({panel.id, name, std::string(kind), FormatNumber(x),
                            FormatNumber(y), FormatNumber(low), FormatNumber(high)});
    };
    for (const ChartCurve& curve : panel.curves) {
      for (const CurveChartPoint& point : curve.points) {
        add(curve.name, "curve", point.x, point.y, point.low, point.high);
      }
    }
    for (const AxisMark& mark : panel.marks) {
      add(mark.name, "mark", mark.x, NAN, mark.low, mark.high);
    }
  }
  return CsvText(table);
}

std::string CurveChartScript(const CurveChart& chart, const FigureOptions& options) {
  const Legend legend(chart.legend, kLeftMm, options.width_mm - kRightMm);
  const double legend_top = kTopMm + (chart.simulated ? kSimulatedMm : 0);
  const double panels_top = legend_top + legend.HeightMm();
  const double row_mm = kHeadingMm + chart.panel_height_mm + kFootMm;
  const GnuplotPage page(options.width_mm, panels_top + NumRows(chart) * row_mm);
  const double panel_mm =
      (options.width_mm - kLeftMm - kRightMm - GapMm(chart) * (chart.num_columns - 1)) /
      chart.num_columns;
  std::string script =
      absl::StrCat(FigureHead(chart.name, chart.caption),
                   "\n# The x of a row of this panel and curve; no point otherwise.\n"
                   "at(p, c) = strcol('panel') eq p && strcol('curve') eq c && \\\n"
                   "    strcol('kind') eq 'curve' ? column('x') : NaN\n",
                   BeginDrawing(chart.name, page));
  if (chart.simulated) absl::StrAppend(&script, SimulatedScript(page, kTopMm));
  absl::StrAppend(&script, legend.Script(page, legend_top));
  for (size_t i = 0; i < chart.panels.size(); ++i) {
    const double row = static_cast<double>(i / chart.num_columns);
    const double column = static_cast<double>(i % chart.num_columns);
    absl::StrAppend(&script,
                    PanelScript(chart, i, page, panels_top + row * row_mm,
                                kLeftMm + column * (panel_mm + GapMm(chart)), panel_mm));
  }
  return absl::StrCat(script, EndDrawing());
}

absl::Status DrawCurveChart(const CurveChart& chart, const std::filesystem::path& folder,
                            const FigureOptions& options) {
  IAT_RETURN_IF_ERROR(ValidateCurveChart(chart));
  return DrawWithGnuplot(options.gnuplot, folder, chart.name, CurveChartCsv(chart),
                         CurveChartScript(chart, options));
}

}  // namespace iat
