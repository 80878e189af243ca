// Figures of points: panels on a grid with the same range on both axes, the diagonal, and
// series of points in colours of their own.
//
//   NAME.csv   every point: panel, series, point (its name), x, y
//   NAME.gp    the gnuplot script (5.4 or newer) that draws them
//   NAME.svg, NAME.pdf, NAME.png
//
// Nothing is estimated here. Points outside a panel's range lie on its edge. Panels are
// labelled by letters in reading order. Text is 8 points whatever the width. Same chart,
// same bytes.
//
// Example:
//   ScatterChart chart{.name = "unit-scatter", .caption = "R² of each unit ..."};
//   chart.panels.push_back({.id = "conv1", .heading = "conv1", .x_title = "ridge",
//                           .y_title = "LogisticRidge", .low = 0, .high = 1});
//   chart.panels[0].series.push_back(
//       {.name = "unit", .points = {{"seed-001 3", 0.81, 0.84}}});
//   IAT_RETURN_IF_ERROR(DrawScatterChart(chart, run_folder / "figures", options));

#ifndef IAT_REPORT_SCATTER_CHART_H_
#define IAT_REPORT_SCATTER_CHART_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "report/figure1.h"
#include "report/legend.h"

namespace iat {

struct ScatterPoint {
  std::string name;  // in the data file; may be empty
  double x = 0, y = 0;
};

struct ScatterSeries {
  std::string name;  // in the data file; one for each series of a panel
  uint32_t colour = 0x0072B2;
  std::vector<ScatterPoint> points = {};
};

struct ScatterPanel {
  std::string id;  // in the data file; none twice
  std::string heading;
  std::string subheading = "";
  std::string x_title, y_title;
  double low = 0, high = 1;  // of both axes
  std::vector<ScatterSeries> series = {};
};

struct ScatterChart {
  std::string name;     // of the files
  std::string caption;  // one paragraph, a comment in the script
  std::vector<ScatterPanel> panels = {};
  int num_columns = 3;
  // Every panel its numbers and titles, where ranges differ; otherwise the first column
  // and the lowest panels have them.
  bool own_axes = false;
  double least_panel_mm = 24;   // on a narrow page columns are fewer rather than narrower
  double most_height_mm = 100;  // panels are as high as wide, up to this
  std::vector<LegendEntry> legend = {};
  bool simulated = false;  // says so in large letters in the figure itself
};

// InvalidArgument: no points at all; a name that is empty or holds a quote, comma or
// control character; two panels of one id, two series of one name in a panel; a range
// without extent; a point that is not finite.
absl::Status ValidateScatterChart(const ScatterChart& chart);

// The parts, for valid charts.
std::string ScatterChartCsv(const ScatterChart& chart);
std::string ScatterChartScript(const ScatterChart& chart, const FigureOptions& options);

// Writes the five files, each whole or not at all.
absl::Status DrawScatterChart(const ScatterChart& chart,
                              const std::filesystem::path& folder,
                              const FigureOptions& options);

}  // namespace iat

#endif  // IAT_REPORT_SCATTER_CHART_H_
