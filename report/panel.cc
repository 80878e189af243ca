#include "report/panel.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "report/gnuplot.h"

namespace iat {
namespace {

constexpr double kSubheadingMm = 3.4;

}  // namespace

absl::Status CheckFigureName(absl::string_view figure, absl::string_view what,
                             const std::string& name) {
  const bool bad =
      name.empty() || std::any_of(name.begin(), name.end(), [](char c) {
        return c == '"' || c == ',' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
      });
  if (!bad) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      figure, ": ", what, " is \"", absl::StrReplaceAll(name, {{"\n", "\\n"}}),
      "\"; expected a name without quotes, commas or control characters"));
}

absl::Status CheckFigureInterval(const std::string& where, double value, double low,
                                 double high) {
  const bool neither = std::isnan(low) && std::isnan(high);
  if (neither || (low <= value && value <= high)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(where, ": interval [", low, ", ", high, "] of ", value,
                   "; expected low <= value <= high, or NaN at both ends"));
}

std::string FigureHead(const std::string& name, const std::string& caption) {
  return absl::StrCat(GnuplotComment(caption), "#\n# gnuplot 5.4 or newer: `gnuplot ",
                      name, ".gp` here reads ", name, ".csv and writes\n# ", name,
                      ".svg, .png and ", name, ".pdf. Colours: Okabe & Ito.\n\ndata = '",
                      name,
                      ".csv'\n"
                      "set encoding utf8\n"
                      "set datafile separator comma\n"
                      "set datafile columnheaders\n"
                      "set datafile missing 'nan'\n\n"
                      "set border 3 lw 0.8\n"
                      "set tics nomirror out scale 0.6\n"
                      "set grid ytics back lt 1 dt solid lw 0.6 lc rgb '#DDDDDD'\n"
                      "set minussign\n"
                      "unset key\n");
}

std::string SimulatedScript(const GnuplotPage& page, double top_mm) {
  return absl::StrCat("  set label '{/:Bold SIMULATED DATA}' at ",
                      page.At(page.width() / 2, top_mm + kSimulatedMm / 2),
                      " center font large textcolor rgb '#D55E00'\n");
}

std::string PanelLetter(size_t index) {
  const std::string last(1, static_cast<char>('a' + index % 26));
  return index < 26 ? last : absl::StrCat(PanelLetter(index / 26 - 1), last);
}

int BalancedColumns(int num_panels, int most) {
  if (num_panels <= 0) return 1;
  const int num_rows = (num_panels + most - 1) / most;
  return (num_panels + num_rows - 1) / num_rows;
}

std::string PanelFrameScript(const PanelFrame& frame, const GnuplotPage& page) {
  const double bottom = frame.top_mm + frame.height_mm;
  const double heading =
      frame.top_mm - 2.6 - (frame.subheading.empty() ? 0 : kSubheadingMm);
  std::string script = absl::StrCat(
      "\n  # ", frame.letter, ": ", frame.id, "\n  set lmargin at screen ",
      page.X(frame.left_mm), "\n  set rmargin at screen ",
      page.X(frame.left_mm + frame.width_mm), "\n  set tmargin at screen ",
      page.Y(frame.top_mm), "\n  set bmargin at screen ", page.Y(bottom),
      "\n  set label ", GnuplotString(absl::StrCat("{/:Bold ", frame.letter, "}")),
      " at ", page.At(frame.letter_mm, heading), " left font large\n  set label ",
      GnuplotString(frame.heading), " at ", page.At(frame.heading_mm, heading),
      " left noenhanced\n");
  if (!frame.subheading.empty()) {
    absl::StrAppend(&script, "  set label ", GnuplotString(frame.subheading), " at ",
                    page.At(frame.heading_mm, frame.top_mm - 2.4),
                    " left noenhanced font small\n");
  }
  if (!frame.x_title.empty()) {
    absl::StrAppend(
        &script, "  set label ", GnuplotString(frame.x_title), " at ",
        page.At(frame.left_mm + frame.width_mm / 2, bottom + frame.x_title_mm),
        " center noenhanced\n");
  }
  if (!frame.y_title.empty()) {
    absl::StrAppend(&script, "  set label ", GnuplotString(frame.y_title), " at ",
                    page.At(frame.y_title_mm, frame.top_mm + frame.height_mm / 2),
                    " center rotate noenhanced\n");
  }
  return script;
}

}  // namespace iat
