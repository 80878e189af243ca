// Figure 3: the neuron-to-unit ratio and the animals' sampling curve that it gives. One
// panel an area and layer, R2 against the number of source units or neurons (log scale):
//
//   networks     points with one standard error, and f(m) = L arctan(k m) + b
//   animals      points with one standard error, and g(n)
//   calibrated   f(n / alpha*), the animals' curve beyond their own neurons
//
// A curve whose fit was refused is not drawn; the panel's heading says so, and the
// caption in full. Simulated animals are called so in large letters in the figure.
//
// Files    figure-3.csv, .gp, .svg, .pdf, .png (report/curve_chart.h).
//
// Example:
//   IAT_RETURN_IF_ERROR(DrawFigure3(data, run_folder / "figures", options));

#ifndef IAT_REPORT_FIGURE3_H_
#define IAT_REPORT_FIGURE3_H_

#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "report/figure1.h"
#include "report/report_figure.h"

namespace iat {

struct CurveChart;  // report/curve_chart.h

struct Figure3Point {
  double size = 0, r2 = 0;
  double spread = 0;  // standard error; 0: none, or a point of a fitted curve
};

struct Figure3Panel {
  std::string area;   // "VISp"; of simulated animals the layer's name
  std::string layer;  // "conv3"
  std::string stage;  // of the networks: "post_relu"
  std::vector<Figure3Point> models, animals;   // as measured
  std::vector<Figure3Point> f, g, calibrated;  // fitted, for drawing; empty: none
  std::string f_refused, g_refused;            // in words; "" where there is a fit
  int64_t num_models = 0, num_animals = 0;     // target animals
  // NaN: no ratio, no interval.
  double ratio = std::numeric_limits<double>::quiet_NaN();
  double ratio_low = std::numeric_limits<double>::quiet_NaN();
  double ratio_high = std::numeric_limits<double>::quiet_NaN();
  std::string needed;                 // neurons for 95 % of the largest R2, in words
  std::vector<std::string> warnings;  // and why there is no interval

  // "VISp, conv3, post-ReLU".
  std::string Name() const;
};

struct Figure3Data {
  std::vector<Figure3Panel> panels;
  std::string stimuli, mapping;
  int64_t num_fit_stimuli = 0, num_test_stimuli = 0;
  std::string formula;  // of g: "a ln n + c"
  double confidence = 0.95;
  bool simulated = false;  // the recorded animals are simulated
};

// InvalidArgument: no panels, two of one name, a name that holds a quote, comma or
// control character, a panel without points, a size that is not positive, a value that is
// not finite.
absl::Status ValidateFigure3(const Figure3Data& data);

// The drawing, for valid data.
CurveChart Figure3Chart(const Figure3Data& data);
// One paragraph, without "Figure 3".
std::string Figure3Caption(const Figure3Data& data);

absl::Status DrawFigure3(const Figure3Data& data, const std::filesystem::path& folder,
                         const FigureOptions& options);

// For report.html, with the ratios as its table and findings. `svg`: figure-3.svg.
ReportFigure MakeReportFigure3(const Figure3Data& data, const std::string& svg);

}  // namespace iat

#endif  // IAT_REPORT_FIGURE3_H_
