#include "report/line_chart.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "report/axis.h"
#include "report/html.h"

namespace iat {
namespace {

constexpr double kWidth = 420, kPlotHeight = 200;
constexpr double kLeft = 54, kRight = 12, kTop = 10, kBottom = 44;
constexpr double kLegendRow = 18, kLegendColumn = 118;
constexpr int kNumColours = 5;

std::string Dashes(size_t line) {
  switch (line / kNumColours % 3) {
    case 1:
      return " stroke-dasharray=\"7 3\"";
    case 2:
      return " stroke-dasharray=\"2 3\"";
    default:
      return "";
  }
}

std::string Number(double value, int decimals) {
  // Adding 0 turns -0 into 0.
  return absl::StrReplaceAll(absl::StrFormat("%.*f", decimals, value + 0.0),
                             {{"-", "−"}});
}

std::string Text(double x, double y, absl::string_view anchor, absl::string_view text) {
  return absl::StrFormat("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x,
                         y, anchor, HtmlEscape(text));
}

// Maps data to the drawing area.
class Frame {
 public:
  explicit Frame(const LineChart& chart) {
    std::vector<double> xs, ys;
    for (const ChartLine& line : chart.lines) {
      for (const auto& [x, y] : line.points) {
        if (!std::isfinite(y)) continue;
        xs.push_back(x);
        ys.push_back(y);
      }
    }
    x_axis_ = AxisAround(xs, 6, 1);
    y_axis_ = AxisAround(ys, 5, 1e-3);
  }
  const Axis& x_axis() const { return x_axis_; }
  const Axis& y_axis() const { return y_axis_; }
  double X(double x) const {
    return kLeft +
           (x - x_axis_.low) / (x_axis_.high - x_axis_.low) * (kWidth - kLeft - kRight);
  }
  double Y(double y) const {
    return kTop + (y_axis_.high - y) / (y_axis_.high - y_axis_.low) * kPlotHeight;
  }

 private:
  Axis x_axis_, y_axis_;
};

std::string Axes(const LineChart& chart, const Frame& frame) {
  std::string svg;
  const double bottom = kTop + kPlotHeight;
  for (const double tick : frame.y_axis().Ticks()) {
    absl::StrAppend(&svg,
                    absl::StrFormat("<path class=\"grid\" d=\"M%.1f %.1fH%.1f\"/>\n",
                                    kLeft, frame.Y(tick), kWidth - kRight),
                    Text(kLeft - 6, frame.Y(tick) + 4, "end",
                         Number(tick, frame.y_axis().Decimals())));
  }
  for (const double tick : frame.x_axis().Ticks()) {
    if (tick < 0) continue;  // steps count from 0
    absl::StrAppend(&svg, Text(frame.X(tick), bottom + 16, "middle",
                               Number(tick, frame.x_axis().Decimals())));
  }
  absl::StrAppend(
      &svg, Text((kLeft + kWidth - kRight) / 2, bottom + 34, "middle", chart.x_title),
      absl::StrFormat("<text transform=\"translate(13 %.1f) rotate(-90)\" "
                      "text-anchor=\"middle\">%s</text>\n",
                      kTop + kPlotHeight / 2, HtmlEscape(chart.y_title)),
      absl::StrFormat("<path class=\"axis\" d=\"M%.1f %.1fV%.1fH%.1f\"/>\n", kLeft, kTop,
                      bottom, kWidth - kRight));
  return svg;
}

std::string Line(const LineChart& chart, const Frame& frame, size_t index) {
  std::string path, dots;
  for (const auto& [x, y] : chart.lines[index].points) {
    if (!std::isfinite(y)) continue;
    absl::StrAppend(&path, path.empty() ? "M" : "L",
                    absl::StrFormat("%.1f %.1f", frame.X(x), frame.Y(y)));
    if (chart.markers) {
      absl::StrAppend(&dots,
                      absl::StrFormat("<circle class=\"dot-%d\" cx=\"%.1f\" cy=\"%.1f\" "
                                      "r=\"3\"/>\n",
                                      index % kNumColours, frame.X(x), frame.Y(y)));
    }
  }
  if (path.empty()) return "";
  return absl::StrCat(absl::StrFormat("<path class=\"line-%d\"%s d=\"",
                                      index % kNumColours, Dashes(index)),
                      path, "\"/>\n", dots);
}

}  // namespace

std::string LineChartSvg(const LineChart& chart) {
  const Frame frame(chart);
  const int columns = static_cast<int>((kWidth - kLeft) / kLegendColumn);
  const int rows = (static_cast<int>(chart.lines.size()) + columns - 1) / columns;
  std::string svg = absl::StrFormat(
      "<svg class=\"chart\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n",
      kWidth, kTop + kPlotHeight + kBottom + rows * kLegendRow, HtmlEscape(chart.title));
  absl::StrAppend(&svg, Axes(chart, frame));
  for (size_t i = 0; i < chart.lines.size(); ++i) {
    absl::StrAppend(&svg, Line(chart, frame, i));
  }
  for (size_t i = 0; i < chart.lines.size(); ++i) {
    const double x = kLeft + i % columns * kLegendColumn;
    const double y = kTop + kPlotHeight + kBottom + (i / columns + 0.5) * kLegendRow;
    absl::StrAppend(&svg,
                    absl::StrFormat("<path class=\"line-%d\"%s d=\"M%.1f %.1fh22\"/>\n",
                                    i % kNumColours, Dashes(i), x, y),
                    Text(x + 27, y + 4, "start", chart.lines[i].name));
  }
  return absl::StrCat(svg, "</svg>\n");
}

}  // namespace iat
