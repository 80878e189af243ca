#include "report/legend.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "report/gnuplot.h"
#include "report/panel.h"

namespace iat {
namespace {

constexpr double kRowMm = 4.2;
constexpr double kSampleMm = 9;  // of a line
constexpr double kGapMm = 3;

}  // namespace

CurveStyle ChartStyle(size_t i) {
  // Okabe & Ito (2008): told apart with every common colour blindness. The points' shapes
  // do the same in grey.
  static constexpr std::array<CurveStyle, 7> kStyles = {{{0x0072B2, 7},
                                                         {0xD55E00, 5},
                                                         {0x009E73, 13},
                                                         {0xCC79A7, 9},
                                                         {0xE69F00, 11},
                                                         {0x56B4E9, 15},
                                                         {0x000000, 7}}};
  return kStyles[i % kStyles.size()];
}

std::string PointScript(const CurveStyle& style) {
  return absl::StrFormat("pt %d ps 0.5 lc rgb ", style.point_type) +
         GnuplotColour(style.colour);
}

std::string LineScript(const CurveStyle& style) {
  return absl::StrCat(absl::StrFormat("lw %g dt ", style.width),
                      style.dashed ? "(6,4)" : "solid", " lc rgb ",
                      GnuplotColour(style.colour));
}

Legend::Legend(const std::vector<LegendEntry>& entries, double left_mm, double right_mm)
    : entries_(entries) {
  double x = left_mm;
  for (const LegendEntry& entry : entries_) {
    const double width = kSampleMm + kLetterMm * static_cast<double>(entry.label.size());
    if (x > left_mm && x + width > right_mm) {
      x = left_mm;
      ++num_rows_;
    }
    places_.emplace_back(x, kRowMm * (num_rows_ - 0.5));
    x += width + kGapMm;
  }
}

double Legend::HeightMm() const { return entries_.empty() ? 0 : kRowMm * num_rows_; }

std::string Legend::Script(const GnuplotPage& page, double top_mm) const {
  std::string script;
  for (size_t i = 0; i < entries_.size(); ++i) {
    const LegendEntry& entry = entries_[i];
    const double x = places_[i].first, y = top_mm + places_[i].second;
    const double end = x + kSampleMm - 3;
    absl::StrAppend(&script, "  set label ", GnuplotString(entry.label), " at ",
                    page.At(end + 1.5, y), " left noenhanced\n");
    if (entry.band) {
      absl::StrAppend(&script, "  set object rect from ", page.At(x, y - 1), " to ",
                      page.At(end, y + 1),
                      " front fs transparent solid 0.25 noborder fc rgb ",
                      GnuplotColour(entry.style.colour), "\n");
      continue;
    }
    if (entry.style.line && !entry.mark) {
      // gnuplot's arrows have no dashes in SVG.
      const int num_strokes = entry.style.dashed ? 3 : 1;
      const double stroke = (end - x) / (1.5 * num_strokes - 0.5);
      for (int k = 0; k < num_strokes; ++k) {
        const double begin = x + 1.5 * stroke * k;
        absl::StrAppend(&script, "  set arrow from ", page.At(begin, y), " to ",
                        page.At(begin + stroke, y), " nohead ", LineScript(entry.style),
                        " front\n");
      }
    }
    if (entry.style.point_type > 0) {
      absl::StrAppend(&script, "  set label '' at ", page.At((x + end) / 2, y), " point ",
                      PointScript(entry.style), " front\n");
    }
  }
  return script;
}

}  // namespace iat
