// Figures of curves: panels on a grid, each with curves over a log or linear x axis,
// bands or bars for their intervals, and marks at places on the x axis.
//
//   NAME.csv   every point and interval end that is drawn: panel, curve, kind, x, y, low,
//              high; kind is "curve", or "mark" for a mark on the axis (x, low and high)
//   NAME.gp    the gnuplot script (5.4 or newer) that draws them
//   NAME.svg, NAME.pdf, NAME.png
//
// Nothing is estimated here. Panels of one row share their y axis, and are labelled by
// letters in reading order. Text is 8 points whatever the width; made for widths from 85
// mm (a journal's column) up. Same chart, same bytes, as in report/figure1.h.
//
// Example:
//   CurveChart chart{.name = "figure-2", .caption = "R² against ..."};
//   CurvePanel panel{.id = "stimuli", .heading = "before the ReLU",
//                    .x_title = "fit stimuli", .y_title = "median R²"};
//   panel.curves.push_back({.name = "conv1", .style = ChartStyle(0),
//                           .points = {{125, 0.71, 0.68, 0.74}, {500, 0.82, 0.80,
//                           0.84}}});
//   chart.panels.push_back(panel);
//   chart.legend.push_back({.label = "conv1", .style = ChartStyle(0)});
//   IAT_RETURN_IF_ERROR(DrawCurveChart(chart, run_folder / "figures", options));

#ifndef IAT_REPORT_CURVE_CHART_H_
#define IAT_REPORT_CURVE_CHART_H_

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "report/figure1.h"
#include "report/legend.h"

namespace iat {

struct CurveChartPoint {
  double x = 0;
  double y = std::numeric_limits<double>::quiet_NaN();  // NaN: a gap
  // Both NaN when there is no interval.
  double low = std::numeric_limits<double>::quiet_NaN();
  double high = std::numeric_limits<double>::quiet_NaN();
};

struct ChartCurve {
  std::string name;  // in the data file; one for each curve of a panel
  CurveStyle style;
  std::vector<CurveChartPoint> points;  // x rising
  bool band = true;                     // the interval as a band; false: as bars
};

// A place on the x axis in a curve's colour: a triangle at the foot of the panel, with a
// bar for its interval.
struct AxisMark {
  std::string name;  // in the data file
  uint32_t colour = 0;
  double x = 0;
  // Both NaN when there is no interval.
  double low = std::numeric_limits<double>::quiet_NaN();
  double high = std::numeric_limits<double>::quiet_NaN();
};

struct CurvePanel {
  std::string id;  // in the data file; none twice
  std::string heading;
  std::string x_title, y_title;  // y_title: in the first column, or with own_y
  bool log_x = true;
  std::vector<ChartCurve> curves;
  std::vector<AxisMark> marks = {};
};

struct CurveChart {
  std::string name;     // "figure-2": of the files
  std::string caption;  // one paragraph, a comment in the script
  std::vector<CurvePanel> panels = {};
  int num_columns = 2;
  // Every panel its own y axis with title and numbers, for panels of different measures.
  bool own_y = false;
  std::vector<LegendEntry> legend = {};
  double panel_height_mm = 38;
  // Values below are left out of the picture (curves run off its foot).
  double lowest_y = -std::numeric_limits<double>::infinity();
  bool simulated = false;  // says so in large letters in the figure itself
};

// InvalidArgument: no finite value at all; a name that is empty or holds a quote, comma
// or control character; two panels of one id, two curves of one name in a panel; x that
// does not rise, or is not above 0 on a log axis; an interval with one end only or not
// around its value.
absl::Status ValidateCurveChart(const CurveChart& chart);

// The parts, for valid charts.
std::string CurveChartCsv(const CurveChart& chart);
std::string CurveChartScript(const CurveChart& chart, const FigureOptions& options);

// Writes the five files, each whole or not at all.
absl::Status DrawCurveChart(const CurveChart& chart, const std::filesystem::path& folder,
                            const FigureOptions& options);

}  // namespace iat

#endif  // IAT_REPORT_CURVE_CHART_H_
