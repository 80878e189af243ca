// The legend of a figure, and the colours, shapes and lines that it explains.

#ifndef IAT_REPORT_LEGEND_H_
#define IAT_REPORT_LEGEND_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "report/gnuplot_page.h"

namespace iat {

// Colour, shape of the points and kind of line of a curve.
struct CurveStyle {
  uint32_t colour = 0x0072B2;
  int point_type = 7;  // gnuplot's; 0: no points
  bool line = true;    // false: points alone
  bool dashed = false;
  double width = 1.4;  // of the line, in gnuplot's units
};
// The i-th of Okabe & Ito's colours with a filled shape of its own; repeats after 7.
CurveStyle ChartStyle(size_t i);

// What gnuplot draws it with: "pt 7 ps 0.5 lc rgb ...", "lw 1.4 dt solid lc rgb ...".
std::string PointScript(const CurveStyle& style);
std::string LineScript(const CurveStyle& style);

struct LegendEntry {
  std::string label;
  CurveStyle style;
  bool band = false;  // a sample of a band instead of a curve
  bool mark = false;  // a triangle as of AxisMark (report/curve_chart.h)
};

// Set by hand, an entry after another in lines: gnuplot's own legend has another width in
// every terminal, because it guesses the width of text.
class Legend {
 public:
  // `entries` must outlive it.
  Legend(const std::vector<LegendEntry>& entries, double left_mm, double right_mm);
  double HeightMm() const;  // 0 without entries
  std::string Script(const GnuplotPage& page, double top_mm) const;

 private:
  const std::vector<LegendEntry>& entries_;
  std::vector<std::pair<double, double>> places_;  // from the legend's top
  int num_rows_ = 1;
};

}  // namespace iat

#endif  // IAT_REPORT_LEGEND_H_
