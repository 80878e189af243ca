// What the scripts of figures with several panels share: their head, the words about
// simulated data, and the frame of a panel.

#ifndef IAT_REPORT_PANEL_H_
#define IAT_REPORT_PANEL_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "report/gnuplot_page.h"

namespace iat {

// Of 8-point text in a wide font, on average: what entries of a legend are set by.
inline constexpr double kLetterMm = 1.9;

// Height of the line that says SIMULATED DATA.
inline constexpr double kSimulatedMm = 6;

// InvalidArgument: a name that is empty or holds a quote, comma or control character,
// which neither the data file nor the script could carry. `what` is "a panel".
absl::Status CheckFigureName(absl::string_view figure, absl::string_view what,
                             const std::string& name);

// InvalidArgument unless both ends are NaN or lie around the value.
absl::Status CheckFigureInterval(const std::string& where, double value, double low,
                                 double high);

// Comments, the data file, and the look of axes.
std::string FigureHead(const std::string& name, const std::string& caption);

// In large letters across the page; `top_mm` of the line.
std::string SimulatedScript(const GnuplotPage& page, double top_mm);

// "a", ..., "z", "aa", "ab", ...
std::string PanelLetter(size_t index);

// At most `most` columns for the fewest rows, no more than those rows need: 2 for 4
// panels of at most 3 columns.
int BalancedColumns(int num_panels, int most);

struct PanelFrame {
  std::string letter, id;
  std::string heading;
  std::string subheading = "";  // a smaller line below the heading
  std::string x_title = "", y_title = "";
  // Of the plotting area.
  double left_mm = 0, top_mm = 0, width_mm = 0, height_mm = 0;
  double letter_mm = 0;     // left edge of the letter
  double heading_mm = 0;    // left edge of the headings
  double x_title_mm = 8.6;  // below the plotting area
  double y_title_mm = 0;    // middle of the rotated y title
};

// Margins, letter, headings and titles as gnuplot's labels, to be unset after the plot.
std::string PanelFrameScript(const PanelFrame& frame, const GnuplotPage& page);

}  // namespace iat

#endif  // IAT_REPORT_PANEL_H_
