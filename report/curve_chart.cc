#include "report/curve_chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/csv.h"
#include "base/status.h"
#include "report/axis.h"
#include "report/gnuplot.h"
#include "report/gnuplot_page.h"

namespace iat {
namespace {

constexpr double kTopMm = 1.5;
constexpr double kSimulatedMm = 6;
constexpr double kLegendRowMm = 4.2;
constexpr double kLeftMm = 15;  // y title and numbers of the first column
constexpr double kGapMm = 5;    // between columns
constexpr double kRightMm = 3;
constexpr double kHeadingMm = 6.5;
constexpr double kFootMm = 12;  // x numbers and title
// Of 8-point text in a wide font, on average: what the legend's entries are set by.
constexpr double kLetterMm = 1.9;
constexpr double kSampleMm = 9;  // of a line in the legend
constexpr double kLegendGapMm = 3;
// Height of the first mark's triangle above the panel's foot, and of the next ones above
// it, in units of the panel.
constexpr double kFirstMark = 0.035, kNextMark = 0.045;

absl::Status CheckName(const CurveChart& chart, absl::string_view what,
                       const std::string& name) {
  const bool bad =
      name.empty() || std::any_of(name.begin(), name.end(), [](char c) {
        return c == '"' || c == ',' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
      });
  if (!bad) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      chart.name, ": ", what, " is \"", absl::StrReplaceAll(name, {{"\n", "\\n"}}),
      "\"; expected a name without quotes, commas or control characters"));
}

absl::Status CheckInterval(const std::string& where, double value, double low,
                           double high) {
  const bool neither = std::isnan(low) && std::isnan(high);
  if (neither || (low <= value && value <= high)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(where, ": interval [", low, ", ", high, "] of ", value,
                   "; expected low <= value <= high, or NaN at both ends"));
}

absl::Status CheckCurve(const CurveChart& chart, const CurvePanel& panel,
                        const ChartCurve& curve, bool& any_value) {
  IAT_RETURN_IF_ERROR(CheckName(chart, "a curve", curve.name));
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
    IAT_RETURN_IF_ERROR(CheckInterval(where, point.y, point.low, point.high));
  }
  return absl::OkStatus();
}

int NumRows(const CurveChart& chart) {
  return (static_cast<int>(chart.panels.size()) + chart.num_columns - 1) /
         chart.num_columns;
}

// The y axis that the panels of a row share.
Axis RowAxis(const CurveChart& chart, int row) {
  std::vector<double> values;
  for (size_t i = 0; i < chart.panels.size(); ++i) {
    if (static_cast<int>(i) / chart.num_columns != row) continue;
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

std::string Point(const CurveStyle& style) {
  return absl::StrFormat("pt %d ps 0.5 lc rgb ", style.point_type) +
         GnuplotColour(style.colour);
}

std::string Line(const CurveStyle& style) {
  return absl::StrCat("lw 1.4 dt ", style.dashed ? "(6,4)" : "solid", " lc rgb ",
                      GnuplotColour(style.colour));
}

// Set by hand, an entry after another in lines: gnuplot's own legend has another width in
// every terminal, because it guesses the width of text.
class Legend {
 public:
  Legend(const CurveChart& chart, double width_mm) : entries_(chart.legend) {
    double x = kLeftMm;
    for (const LegendEntry& entry : entries_) {
      const double width =
          kSampleMm + kLetterMm * static_cast<double>(entry.label.size());
      if (x > kLeftMm && x + width > width_mm - kRightMm) {
        x = kLeftMm;
        ++num_rows_;
      }
      places_.emplace_back(x, kLegendRowMm * (num_rows_ - 0.5));
      x += width + kLegendGapMm;
    }
  }
  double HeightMm() const { return entries_.empty() ? 0 : kLegendRowMm * num_rows_; }
  std::string Script(const GnuplotPage& page, double top_mm) const {
    std::string script;
    for (size_t i = 0; i < entries_.size(); ++i) {
      const LegendEntry& entry = entries_[i];
      const double x = places_[i].first, y = top_mm + places_[i].second;
      const double end = x + kSampleMm - 3;
      absl::StrAppend(&script, "  set label ", GnuplotString(entry.label), " at ",
                      page.At(end + 1.5, y), " left noenhanced\n");
      if (entry.band) {
        absl::StrAppend(&script, "  set object rect from ", page.At(x, y - 1), " to ",
                        page.At(end, y + 1),
                        " front fs transparent solid 0.25 noborder fc rgb ",
                        GnuplotColour(entry.style.colour), "\n");
        continue;
      }
      if (entry.style.line && !entry.mark) {
        // gnuplot's arrows have no dashes in SVG.
        const int num_strokes = entry.style.dashed ? 3 : 1;
        const double stroke = (end - x) / (1.5 * num_strokes - 0.5);
        for (int k = 0; k < num_strokes; ++k) {
          const double begin = x + 1.5 * stroke * k;
          absl::StrAppend(&script, "  set arrow from ", page.At(begin, y), " to ",
                          page.At(begin + stroke, y), " nohead ", Line(entry.style),
                          " front\n");
        }
      }
      if (entry.style.point_type > 0) {
        absl::StrAppend(&script, "  set label '' at ", page.At((x + end) / 2, y),
                        " point ", Point(entry.style), " front\n");
      }
    }
    return script;
  }

 private:
  const std::vector<LegendEntry>& entries_;
  std::vector<std::pair<double, double>> places_;  // from the legend's top
  int num_rows_ = 1;
};

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
      lines.push_back(Plot(panel, curve, ":'y'", "lines " + Line(curve.style)));
    }
    if (curve.style.point_type > 0) {
      points.push_back(Plot(panel, curve, ":'y'", "points " + Point(curve.style)));
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

std::string PanelScript(const CurveChart& chart, size_t index, const GnuplotPage& page,
                        double top_mm, double left_mm, double width_mm) {
  const CurvePanel& panel = chart.panels[index];
  const size_t column = index % chart.num_columns;
  const Axis axis = RowAxis(chart, static_cast<int>(index) / chart.num_columns);
  const auto [low_x, high_x] = ColumnRange(chart, column);
  const double plot_top = top_mm + kHeadingMm;
  const double plot_bottom = plot_top + chart.panel_height_mm;
  const std::string letter(1, static_cast<char>('a' + index));
  std::string script = absl::StrCat(
      "\n  # ", letter, ": ", panel.id, "\n  set lmargin at screen ", page.X(left_mm),
      "\n  set rmargin at screen ", page.X(left_mm + width_mm),
      "\n  set tmargin at screen ", page.Y(plot_top), "\n  set bmargin at screen ",
      page.Y(plot_bottom), "\n  set label ",
      GnuplotString(absl::StrCat("{/:Bold ", letter, "}")), " at ",
      page.At(column == 0 ? 1 : left_mm - 4, plot_top - 2.6),
      " left font large\n  set label ", GnuplotString(panel.heading), " at ",
      page.At(left_mm, plot_top - 2.6), " left noenhanced\n  set label ",
      GnuplotString(panel.x_title), " at ",
      page.At(left_mm + width_mm / 2, plot_bottom + 8.6), " center noenhanced\n");
  if (column == 0) {
    absl::StrAppend(&script, "  set label ", GnuplotString(panel.y_title), " at ",
                    page.At(2.5, (plot_top + plot_bottom) / 2),
                    " center rotate noenhanced\n");
  }
  absl::StrAppend(
      &script,
      panel.log_x ? "  set logscale x\n  set xtics auto format '10^{%T}'\n"
                  : "  unset logscale x\n  set xtics auto format '%g'\n",
      absl::StrFormat("  set xrange [%.6g:%.6g]\n  set yrange [%.6g:%.6g]\n"
                      "  set ytics %.6g format '%s'\n",
                      low_x, high_x, axis.low, axis.high, axis.step,
                      column == 0 ? absl::StrFormat("%%.%df", axis.Decimals()) : ""));
  if (axis.low < 0 && axis.high > 0) {
    absl::StrAppend(&script,
                    "  set arrow from graph 0, first 0 to graph 1, first 0 nohead back "
                    "lw 1 lc rgb '#777777'\n");
  }
  return absl::StrCat(script, Marks(panel), Plots(panel),
                      "  unset label\n  unset arrow\n  unset object\n");
}

}  // namespace

CurveStyle ChartStyle(size_t i) {
  // Okabe & Ito (2008): told apart with every common colour blindness. The points' shapes
  // do the same in grey.
  static constexpr std::array<CurveStyle, 7> kStyles = {{{0x0072B2, 7},
                                                         {0xD55E00, 5},
                                                         {0x009E73, 13},
                                                         {0xCC79A7, 9},
                                                         {0xE69F00, 11},
                                                         {0x56B4E9, 15},
                                                         {0x000000, 7}}};
  return kStyles[i % kStyles.size()];
}

absl::Status ValidateCurveChart(const CurveChart& chart) {
  bool any_value = false;
  std::set<std::string> ids;
  for (const CurvePanel& panel : chart.panels) {
    IAT_RETURN_IF_ERROR(CheckName(chart, "a panel", panel.id));
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
      IAT_RETURN_IF_ERROR(CheckName(chart, "a mark", mark.name));
      IAT_RETURN_IF_ERROR(
          CheckInterval(absl::StrCat(chart.name, ": ", panel.id, ", mark ", mark.name),
                        mark.x, mark.low, mark.high));
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
  const Legend legend(chart, options.width_mm);
  const double legend_top = kTopMm + (chart.simulated ? kSimulatedMm : 0);
  const double panels_top = legend_top + legend.HeightMm();
  const double row_mm = kHeadingMm + chart.panel_height_mm + kFootMm;
  const GnuplotPage page(options.width_mm, panels_top + NumRows(chart) * row_mm);
  const double panel_mm =
      (options.width_mm - kLeftMm - kRightMm - kGapMm * (chart.num_columns - 1)) /
      chart.num_columns;
  std::string script =
      absl::StrCat(GnuplotComment(chart.caption), "#\n# gnuplot 5.4 or newer: `gnuplot ",
                   chart.name, ".gp` here reads ", chart.name, ".csv and writes\n# ",
                   chart.name, ".svg, .png and ", chart.name,
                   ".pdf. Colours: Okabe & Ito.\n\ndata = '", chart.name,
                   ".csv'\n"
                   "set encoding utf8\n"
                   "set datafile separator comma\n"
                   "set datafile columnheaders\n"
                   "set datafile missing 'nan'\n\n"
                   "# The x of a row of this panel and curve; no point otherwise.\n"
                   "at(p, c) = strcol('panel') eq p && strcol('curve') eq c && \\\n"
                   "    strcol('kind') eq 'curve' ? column('x') : NaN\n\n"
                   "set border 3 lw 0.8\n"
                   "set tics nomirror out scale 0.6\n"
                   "set grid ytics back lt 1 dt solid lw 0.6 lc rgb '#DDDDDD'\n"
                   "set minussign\n"
                   "unset key\n",
                   BeginDrawing(chart.name, page));
  if (chart.simulated) {
    absl::StrAppend(&script, "  set label '{/:Bold SIMULATED DATA}' at ",
                    page.At(options.width_mm / 2, kTopMm + kSimulatedMm / 2),
                    " center font large textcolor rgb '#D55E00'\n");
  }
  absl::StrAppend(&script, legend.Script(page, legend_top));
  for (size_t i = 0; i < chart.panels.size(); ++i) {
    const double row = static_cast<double>(i / chart.num_columns);
    const double column = static_cast<double>(i % chart.num_columns);
    absl::StrAppend(&script,
                    PanelScript(chart, i, page, panels_top + row * row_mm,
                                kLeftMm + column * (panel_mm + kGapMm), panel_mm));
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
