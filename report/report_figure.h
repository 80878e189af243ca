// What report.html shows of a figure: the drawing, its caption and the numbers behind it.

#ifndef IAT_REPORT_REPORT_FIGURE_H_
#define IAT_REPORT_REPORT_FIGURE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace iat {

// A figure beside figure 1, with the numbers behind it ready to be shown.
//
// Example:
//   data.figures.push_back({.id = "figure-2",
//                           .title = "Figure 2: R² against stimuli and units",
//                           .svg = *ReadFile(folder / "figures/figure-2.svg"),
//                           .caption = Figure2Caption(figure2),
//                           .columns = {"layer", "size", "R²"},
//                           .rows = {{"conv1", "500", "0.953"}}});
struct ReportFigure {
  std::string id;       // anchor in the page: letters, digits and -; none twice
  std::string title;    // heading
  std::string svg;      // the drawing as gnuplot left it
  std::string caption;  // one paragraph
  // What is to be seen, in a sentence, for those who don't see it; empty: the caption.
  std::string alt = "";
  std::vector<std::string> findings = {};  // sentences of the summary at the top
  // The table below the drawing, folded up; no columns, no table. A row has a cell for
  // each column, the first is its heading.
  std::vector<std::string> columns = {};
  std::vector<std::vector<std::string>> rows = {};
};

// InvalidArgument: an id that is no anchor or occurs twice, a row with another number of
// cells than columns.
absl::Status CheckFigures(const std::vector<ReportFigure>& figures);

// Headings, drawings, captions and tables, one after another, of figures that pass
// CheckFigures. InvalidArgument: an svg that is none.
absl::StatusOr<std::string> FiguresHtml(const std::vector<ReportFigure>& figures);

// The drawing without its XML prolog, under a name that a screen reader can say: `alt`,
// or the caption where that is empty. InvalidArgument naming `what` where there is no
// <svg> element.
absl::StatusOr<std::string> InlineSvg(const std::string& svg, absl::string_view id,
                                      absl::string_view title, absl::string_view alt,
                                      absl::string_view what);

}  // namespace iat

#endif  // IAT_REPORT_REPORT_FIGURE_H_
