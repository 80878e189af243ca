// Figures of matrices: panels of square cells on a grid, darker for larger values, each
// cell with its value and, where there is one, the half-width of its interval.
//
//   NAME.csv   every cell: panel, row, column, x, y, value, low, high, and what is
//              written in it: text, spread, ink (colour of the text, 0 or 16777215)
//   NAME.gp    the gnuplot script (5.4 or newer) that draws them
//   NAME.svg, NAME.pdf, NAME.png
//
// Nothing is estimated here. Panels are labelled by letters in reading order, the first
// row of a matrix on top. Text is 8 points and in cells 7, whatever the figure's width;
// as many panels stand side by side as leave room for it. Same chart, same bytes.
//
// Example:
//   MatrixChart chart{.name = "layer-matrix-metrics", .caption = "Debiased CKA ..."};
//   chart.panels.push_back({.id = "cka_debiased pre_relu", .heading = "CKA, pre-ReLU",
//                           .rows = layers, .columns = layers});
//   chart.panels[0].cells.push_back({0, 1, 0.81, 0.79, 0.83});
//   IAT_RETURN_IF_ERROR(DrawMatrixChart(chart, run_folder / "figures", options));

#ifndef IAT_REPORT_MATRIX_CHART_H_
#define IAT_REPORT_MATRIX_CHART_H_

#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "report/figure1.h"

namespace iat {

struct MatrixCell {
  size_t row = 0, column = 0;
  double value = std::numeric_limits<double>::quiet_NaN();  // NaN: drawn as a dash
  // Both NaN when there is no interval.
  double low = std::numeric_limits<double>::quiet_NaN();
  double high = std::numeric_limits<double>::quiet_NaN();
};

struct MatrixPanel {
  std::string id;  // in the data file; none twice
  std::string heading;
  std::string subheading = "";
  std::vector<std::string> rows, columns;  // names
  std::vector<MatrixCell> cells = {};      // those without an entry stay white
  double lightest = 0, darkest = 1;        // values of the ends of the colour scale
};

struct MatrixChart {
  std::string name;     // of the files
  std::string caption;  // one paragraph, a comment in the script
  std::string x_title = "source layer", y_title = "target layer";
  std::vector<MatrixPanel> panels = {};
  bool simulated = false;  // says so in large letters in the figure itself
};

// InvalidArgument: no finite value at all; a name that is empty or holds a quote, comma
// or control character; two panels of one id; a cell outside its matrix or given twice;
// a colour scale without extent; an interval with one end only or not around its value.
absl::Status ValidateMatrixChart(const MatrixChart& chart);

// The parts, for valid charts.
std::string MatrixChartCsv(const MatrixChart& chart);
std::string MatrixChartScript(const MatrixChart& chart, const FigureOptions& options);

// Writes the five files, each whole or not at all.
absl::Status DrawMatrixChart(const MatrixChart& chart,
                             const std::filesystem::path& folder,
                             const FigureOptions& options);

}  // namespace iat

#endif  // IAT_REPORT_MATRIX_CHART_H_
