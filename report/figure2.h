// Figure 2 of the paper: how many stimuli and how many units a mapping needs. R² against
// the number of fit stimuli (left) and of source units pooled over animals (right),
// before and after the ReLU, a curve a layer and mapping.
//
// Files as of report/curve_chart.h, named figure-2. Nothing is estimated here: means and
// intervals come in ready-made. Ridge is drawn in full lines, the first other mapping in
// dashes with open shapes; bands are intervals over target animals.
//
// Units    R² has none; 1 is a perfect prediction, 0 is predicting the mean of the test
//          stimuli. Values below -0.2 are left out of the picture, not out of the data.
//
// Example:
//   Figure2Data data = ...;
//   IAT_RETURN_IF_ERROR(DrawFigure2(data, run_folder / "figures", options));

#ifndef IAT_REPORT_FIGURE2_H_
#define IAT_REPORT_FIGURE2_H_

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "report/figure1.h"
#include "report/report_figure.h"

namespace iat {

struct Figure2Point {
  int64_t size = 0;                                        // fit stimuli, or source units
  double mean = std::numeric_limits<double>::quiet_NaN();  // NaN: no value
  // Both NaN when there is no interval.
  double low = std::numeric_limits<double>::quiet_NaN();
  double high = std::numeric_limits<double>::quiet_NaN();
};

// Where a curve no longer gains, found elsewhere; drawn as a triangle on the axis.
struct Figure2Saturation {
  double size = 0;
  // Both NaN when there is no interval.
  double low = std::numeric_limits<double>::quiet_NaN();
  double high = std::numeric_limits<double>::quiet_NaN();
};

struct Figure2Curve {
  std::string axis;                  // "stimuli" or "units"
  std::string layer;                 // "conv3", "VISp"
  std::string stage;                 // "pre_relu", "post_relu", "recorded"
  std::string mapping;               // "ridge", "logistic_ridge", ...
  std::vector<Figure2Point> points;  // by size
  std::optional<Figure2Saturation> saturation = {};

  int64_t num_animals = 0;  // targets
  int64_t num_splits = 0, num_samples = 0;
  int64_t num_fit_stimuli = 0;     // of axis "units": all of them; else the most
  int64_t num_pooled_sources = 1;  // of axis "units"
  int64_t min_target_units = 0, max_target_units = 0;
};

struct Figure2Data {
  std::vector<Figure2Curve> curves;  // layers are drawn in the order of first mention
  std::string family;                // "trained"
  std::string training;              // "SimCLR, 6 epochs of 6,400 images", or empty
  std::string stimuli;               // name of the stimulus set
  int64_t num_test_stimuli = 0;
  double confidence = 0.95;          // of the intervals
  bool simulated = false;            // says so in large letters in the figure itself
  std::string saturation_rule = "";  // what the triangles are, in words: "95 % of the
                                     // R² at the largest size"
};

// InvalidArgument: no curves, an unknown axis, two curves of one axis, layer, stage and
// mapping, sizes that do not rise, and what ValidateCurveChart refuses.
absl::Status ValidateFigure2(const Figure2Data& data);

// One paragraph, without "Figure 2".
std::string Figure2Caption(const Figure2Data& data);

// Draws figure-2.svg, .pdf, .png, .csv and .gp, each whole or not at all.
absl::Status DrawFigure2(const Figure2Data& data, const std::filesystem::path& folder,
                         const FigureOptions& options);

// The figure for report.html with its numbers; `svg` is the drawing.
ReportFigure Figure2ForReport(const Figure2Data& data, const std::string& svg);

}  // namespace iat

#endif  // IAT_REPORT_FIGURE2_H_
