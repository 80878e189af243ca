#include "report/look.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "report/html.h"
#include "report/line_chart.h"

namespace iat {
namespace {

constexpr char kStyle[] = R"(
:root { color-scheme: light dark; --line: #2a6fbb; --rule: #8885; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto;
       padding: 0 1rem; }
table { border-collapse: collapse; } td { padding: .1rem 1rem .1rem 0; vertical-align: top; }
.filters { display: flex; flex-wrap: wrap; gap: 3px; }
.filters img { width: 44px; height: 44px; image-rendering: pixelated; }
.row { display: flex; flex-wrap: wrap; gap: .4rem; align-items: flex-start; }
figure { margin: 0; } figcaption { font-size: .75rem; max-width: 7rem; overflow-wrap: anywhere; }
.row img { width: 96px; height: 96px; }
.unit { border-top: 1px solid var(--rule); padding: .6rem 0; }
svg { max-width: 22rem; height: auto; }
.line-0 { color: var(--line); stroke: var(--line); }
.bar { fill: var(--line); }
)";

constexpr double kWidth = 320.0, kHeight = 150.0, kLeft = 44.0, kBottom = 34.0;

std::string Embedded(const LookPicture& picture) {
  return absl::StrCat("<img alt=\"", HtmlEscape(picture.caption), "\" title=\"",
                      HtmlEscape(picture.caption), "\" src=\"data:image/png;base64,",
                      absl::Base64Escape(picture.png), "\">");
}

std::string Row(const std::string& title, const std::vector<LookPicture>& pictures) {
  if (pictures.empty()) return "";
  std::string html = absl::StrCat("<p>", title, "</p><div class=\"row\">");
  for (const LookPicture& picture : pictures) {
    absl::StrAppend(&html, "<figure>", Embedded(picture), "<figcaption>",
                    HtmlEscape(picture.caption), "</figcaption></figure>");
  }
  return html + "</div>\n";
}

std::string Text(double x, double y, const char* anchor, const std::string& text) {
  return absl::StrFormat(
      "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-size=\"11\" "
      "fill=\"currentColor\">%s</text>",
      x, y, anchor, HtmlEscape(text));
}

std::string HistogramSvg(const LookHistogram& histogram) {
  int64_t largest = 1;
  for (const int64_t count : histogram.counts) largest = std::max(largest, count);
  const double width = (kWidth - kLeft) / static_cast<double>(histogram.counts.size());
  const double height = kHeight - kBottom;
  std::string svg =
      absl::StrFormat("<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\"><title>%s</title>",
                      kWidth, kHeight + 16.0, HtmlEscape(histogram.title));
  for (size_t i = 0; i < histogram.counts.size(); ++i) {
    const double bar =
        height * static_cast<double>(histogram.counts[i]) / static_cast<double>(largest);
    absl::StrAppendFormat(
        &svg,
        "<rect class=\"bar\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"/>",
        kLeft + width * static_cast<double>(i), 16.0 + height - bar, width * 0.92, bar);
  }
  absl::StrAppend(
      &svg, Text(0.0, 11.0, "start", histogram.title),
      Text(kLeft - 4.0, 26.0, "end", absl::StrCat(largest)),
      Text(kLeft, 16.0 + height + 14.0, "start", absl::StrFormat("%.3g", histogram.low)),
      Text(kWidth, 16.0 + height + 14.0, "end", absl::StrFormat("%.3g", histogram.high)),
      Text((kLeft + kWidth) / 2.0, 16.0 + height + 28.0, "middle", histogram.x_title));
  return svg + "</svg>\n";
}

std::string Curve(const std::string& title, const std::string& x_title,
                  const std::vector<std::pair<double, double>>& points) {
  if (points.empty()) return "";
  LineChart chart;
  chart.title = title;
  chart.x_title = x_title;
  chart.y_title = "response";
  chart.lines = {{.name = title, .points = points}};
  chart.markers = true;
  return LineChartSvg(chart);
}

}  // namespace

LookHistogram HistogramOf(const std::vector<double>& values, int num_bins, double low,
                          double high, std::string title, std::string x_title) {
  LookHistogram histogram{.title = std::move(title),
                          .x_title = std::move(x_title),
                          .low = low,
                          .high = high,
                          .counts = std::vector<int64_t>(num_bins)};
  for (const double value : values) {
    if (!(value >= low && value <= high)) continue;
    const auto bin = static_cast<int>((value - low) / (high - low) * num_bins);
    ++histogram.counts[std::min(bin, num_bins - 1)];
  }
  return histogram;
}

LookHistogram HistogramOf(const std::vector<double>& values, int num_bins,
                          std::string title, std::string x_title) {
  double low = INFINITY, high = -INFINITY;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (!(low < high)) {
    const double around = std::isfinite(low) ? low : 0.0;
    low = around - 0.5;
    high = around + 0.5;
  }
  return HistogramOf(values, num_bins, low, high, std::move(title), std::move(x_title));
}

std::string LookHtml(const LookPage& page) {
  std::string html = absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width\"><title>",
      HtmlEscape(page.title), "</title><style>", kStyle, "</style></head><body>\n<h1>",
      HtmlEscape(page.title), "</h1>\n<table>");
  for (const auto& [name, value] : page.facts) {
    absl::StrAppend(&html, "<tr><td>", HtmlEscape(name), "</td><td>", HtmlEscape(value),
                    "</td></tr>");
  }
  absl::StrAppend(&html, "</table>\n");
  if (!page.filters.empty()) {
    absl::StrAppend(&html, "<h2>", HtmlEscape(page.filters_title),
                    "</h2><div class=\"filters\">");
    for (const LookPicture& filter : page.filters) {
      absl::StrAppend(&html, Embedded(filter));
    }
    absl::StrAppend(&html, "</div>\n");
  }
  for (const LookLayer& layer : page.layers) {
    absl::StrAppend(&html, "<h2>", HtmlEscape(layer.name), "</h2>\n<p>",
                    HtmlEscape(layer.summary), "</p>\n<div class=\"row\">");
    for (const LookHistogram& histogram : layer.histograms) {
      absl::StrAppend(&html, HistogramSvg(histogram));
    }
    absl::StrAppend(&html, "</div>\n");
    for (const LookUnit& unit : layer.units) {
      absl::StrAppend(&html, "<section class=\"unit\"><h3>", HtmlEscape(unit.name),
                      "</h3>\n<p>", HtmlEscape(unit.preference),
                      "</p>\n<div class=\"row\">",
                      Curve("orientation", "orientation, degrees", unit.by_orientation),
                      Curve("spatial frequency", "cycles a picture", unit.by_frequency),
                      "</div>\n", Row("Most activating", unit.most),
                      Row("Least activating", unit.least), "</section>\n");
    }
  }
  return html + "</body></html>\n";
}

}  // namespace iat
