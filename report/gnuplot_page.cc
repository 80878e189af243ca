#include "report/gnuplot_page.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace iat {

std::string GnuplotPage::X(double mm) const {
  return absl::StrFormat("%.5f", mm / width_);
}

std::string GnuplotPage::Y(double mm) const {
  return absl::StrFormat("%.5f", 1 - mm / height_);
}

std::string GnuplotPage::At(double x_mm, double y_mm) const {
  return absl::StrCat("screen ", X(x_mm), ", screen ", Y(y_mm));
}

std::string GnuplotColour(uint32_t colour) { return absl::StrFormat("'#%06X'", colour); }

std::string GnuplotComment(absl::string_view text) {
  std::string comment = "#";
  size_t column = 1;
  for (const absl::string_view word :
       absl::StrSplit(text, absl::ByAnyChar(" \n\r\t"), absl::SkipEmpty())) {
    if (column + 1 + word.size() > 88) {
      absl::StrAppend(&comment, "\n#");
      column = 1;
    }
    absl::StrAppend(&comment, " ", word);
    column += 1 + word.size();
  }
  return absl::StrCat(comment, "\n");
}

std::string BeginDrawing(const std::string& name, const GnuplotPage& page) {
  constexpr double kPixelsPerMm = 96 / 25.4;
  constexpr double kPixelsPerPoint = 96.0 / 72;
  constexpr double kFontPoints = 8;
  constexpr double kLargeFontPoints = 10;
  constexpr double kSmallFontPoints = 7;
  // Of the PNG, for slides and manuscripts; gnuplot's own pixels are those of
  // kPixelsPerMm.
  constexpr double kPngScale = 300.0 / 96;
  return absl::StrCat(
      "\ndo for [format in 'svg pdf png'] {\n  if (format eq 'svg') {\n",
      absl::StrFormat(
          "    set terminal svg enhanced size %d,%d font 'Helvetica,%.4g' "
          "background rgb 'white' name '%s'\n"
          "    large = 'Helvetica,%.4g'\n"
          "    small = 'Helvetica,%.4g'\n",
          std::lround(page.width() * kPixelsPerMm),
          std::lround(page.height() * kPixelsPerMm), kFontPoints * kPixelsPerPoint,
          absl::StrReplaceAll(name, {{"-", ""}}), kLargeFontPoints * kPixelsPerPoint,
          kSmallFontPoints * kPixelsPerPoint),
      "  } else { if (format eq 'png') {\n",
      absl::StrFormat("    set terminal pngcairo enhanced size %d,%d font 'Helvetica,%g' "
                      "fontscale %.5g linewidth %.5g pointscale %.5g background rgb "
                      "'white'\n"
                      "    large = 'Helvetica,%g'\n"
                      "    small = 'Helvetica,%g'\n",
                      std::lround(page.width() * kPixelsPerMm * kPngScale),
                      std::lround(page.height() * kPixelsPerMm * kPngScale), kFontPoints,
                      kPngScale, kPngScale, kPngScale, kLargeFontPoints,
                      kSmallFontPoints),
      "  } else {\n",
      absl::StrFormat("    set terminal pdfcairo enhanced size %.5gcm,%.5gcm font "
                      "'Helvetica,%g' background rgb 'white'\n"
                      "    large = 'Helvetica,%g'\n"
                      "    small = 'Helvetica,%g'\n",
                      page.width() / 10, page.height() / 10, kFontPoints,
                      kLargeFontPoints, kSmallFontPoints),
      "  }}\n  set output '", name, ".'.format\n  set multiplot\n");
}

std::string EndDrawing() { return "  unset multiplot\n  unset output\n}\n"; }

}  // namespace iat
