// Small line charts for the page of `iat look`, as inline SVG.
//
// Colours come from the page's style sheet (classes line-0 to line-4 and
// currentColor), so that a chart follows the light or dark theme. Lines beyond
// the fifth repeat the colours with dashes.

#ifndef IAT_REPORT_LINE_CHART_H_
#define IAT_REPORT_LINE_CHART_H_

#include <string>
#include <utility>
#include <vector>

namespace iat {

struct ChartLine {
  std::string name;
  std::vector<std::pair<double, double>> points;  // in order of x; NaN: left out
};

struct LineChart {
  std::string title;  // read by screen readers, not drawn
  std::string x_title, y_title;
  std::vector<ChartLine> lines;
  bool markers = false;  // a dot at each point, for sparse measurements
};

std::string LineChartSvg(const LineChart& chart);

}  // namespace iat

#endif  // IAT_REPORT_LINE_CHART_H_
