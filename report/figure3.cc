#include "report/figure3.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/csv.h"
#include "base/status.h"
#include "report/axis.h"
#include "report/drawing.h"
#include "report/gnuplot.h"

namespace iat {
namespace {

struct Series {
  const char* name;
  std::vector<Figure3Point> Figure3Panel::*points;
  const char* title;
  const char* style;
  bool measured;
};

// Okabe & Ito (2008). Lines first, so that points lie on top.
constexpr Series kSeries[] = {
    {"f", &Figure3Panel::f, "networks: L arctan(k m) + b",
     "lines lw 1.6 dt solid lc rgb '#0072B2'", false},
    {"g", &Figure3Panel::g, "animals", "lines lw 1.6 dt solid lc rgb '#D55E00'", false},
    {"calibrated", &Figure3Panel::calibrated, "animals, from the networks by the ratio",
     "lines lw 2.2 dt (9,5) lc rgb '#009E73'", false},
    {"models", &Figure3Panel::models, "networks, against units",
     "pt 7 ps 0.55 lc rgb '#0072B2'", true},
    {"animals", &Figure3Panel::animals, "animals, against neurons",
     "pt 5 ps 0.55 lc rgb '#D55E00'", true},
};

constexpr double kPanelMm = 62, kAboveMm = 7, kBelowMm = 11;
constexpr double kTopMm = 12, kSimulatedMm = 6, kWordsMm = 4;
constexpr size_t kWordsWidth = 52;  // characters that fit into a panel

absl::Status Invalid(absl::string_view words) {
  return absl::InvalidArgumentError(absl::StrCat("figure 3: ", words));
}

bool IsPlain(const std::string& name) {
  return !name.empty() && std::none_of(name.begin(), name.end(), [](char c) {
    return c == '"' || c == ',' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
}

absl::Status CheckPoints(const std::string& place,
                         const std::vector<Figure3Point>& points) {
  for (const Figure3Point& point : points) {
    if (point.size > 0 && std::isfinite(point.size) && std::isfinite(point.r2) &&
        point.spread >= 0 && std::isfinite(point.spread)) {
      continue;
    }
    return Invalid(absl::StrFormat(
        "%s: a point of size %g, R2 %g, spread %g; expected a positive size and finite "
        "values",
        place, point.size, point.r2, point.spread));
  }
  return absl::OkStatus();
}

std::string StageWords(const std::string& stage) {
  if (stage == "pre_relu") return "pre-ReLU";
  if (stage == "post_relu") return "post-ReLU";
  return stage;
}

// What names a panel in the data file, without commas.
std::string PanelKey(const Figure3Panel& panel) {
  return absl::StrCat(panel.area, " ", panel.layer, " ", panel.stage);
}

std::string RatioWords(const Figure3Panel& panel) {
  if (std::isnan(panel.ratio)) return "no ratio";
  std::string words = absl::StrFormat("%.3g neurons per unit", panel.ratio);
  if (!std::isnan(panel.ratio_low)) {
    absl::StrAppendFormat(&words, " [%.3g, %.3g]", panel.ratio_low, panel.ratio_high);
  }
  return words;
}

// Lines of at most kWordsWidth characters.
std::vector<std::string> Wrap(const std::string& text) {
  std::vector<std::string> lines(1);
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (!lines.back().empty() && lines.back().size() + 1 + word.size() > kWordsWidth) {
      lines.emplace_back();
    }
    absl::StrAppend(&lines.back(), lines.back().empty() ? "" : " ", word);
  }
  return lines;
}

// Why something is not drawn, one line after another.
std::vector<std::string> RefusalLines(const Figure3Panel& panel) {
  std::vector<std::string> lines;
  const auto add = [&](const std::string& what, const std::string& words) {
    if (words.empty()) return;
    for (std::string& line : Wrap(absl::StrCat(what, ": ", words))) {
      lines.push_back(std::move(line));
    }
  };
  add("networks not fitted", panel.f_refused);
  add("animals not fitted", panel.g_refused);
  return lines;
}

std::string PlotCommand(const Figure3Data& data, const Figure3Panel& panel) {
  std::vector<std::string> plots;
  for (const Series& series : kSeries) {
    const std::vector<Figure3Point>& points = panel.*series.points;
    if (points.empty()) continue;
    const std::string select =
        absl::StrFormat("data using (at(%s, %s))", GnuplotString(PanelKey(panel)),
                        GnuplotString(series.name));
    std::string title = series.title;
    if (series.points == &Figure3Panel::g) absl::StrAppend(&title, ": ", data.formula);
    const bool bars =
        std::any_of(points.begin(), points.end(),
                    [](const Figure3Point& point) { return point.spread > 0; });
    const std::string style =
        !series.measured ? std::string(series.style)
                         : absl::StrCat(bars ? "yerrorbars " : "points ", series.style);
    plots.push_back(absl::StrCat(select, bars ? ":'r2':'spread'" : ":'r2'", " with ",
                                 style, " title ", GnuplotString(title), " noenhanced"));
  }
  return absl::StrCat("  plot ", absl::StrJoin(plots, ", \\\n       "), "\n");
}

Axis AxisOf(const Figure3Panel& panel) {
  std::vector<double> values = {0.0};
  for (const Series& series : kSeries) {
    for (const Figure3Point& point : panel.*series.points) {
      values.push_back(point.r2 - point.spread);
      values.push_back(point.r2 + point.spread);
    }
  }
  return AxisAround(values, 6, 0.05);
}

// From the smallest to the largest size drawn, with a little air.
std::pair<double, double> SizeRange(const Figure3Panel& panel) {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const Series& series : kSeries) {
    for (const Figure3Point& point : panel.*series.points) {
      low = std::min(low, point.size);
      high = std::max(high, point.size);
    }
  }
  return {low / 1.2, high * 1.2};
}

}  // namespace

std::string Figure3Panel::Name() const {
  return absl::StrCat(area == layer ? "" : absl::StrCat(area, ", "), layer, ", ",
                      StageWords(stage));
}

absl::Status ValidateFigure3(const Figure3Data& data) {
  if (data.panels.empty()) return Invalid("there is no area and layer to draw");
  std::set<std::string> seen;
  for (const Figure3Panel& panel : data.panels) {
    for (const std::string& name : {panel.area, panel.layer, panel.stage}) {
      if (!IsPlain(name)) {
        return Invalid(absl::StrCat(
            "an area, layer or stage is \"", name,
            "\"; expected a name without quotes, commas or control characters"));
      }
    }
    if (!seen.insert(PanelKey(panel)).second) {
      return Invalid(absl::StrCat(panel.Name(), ": two panels; expected one"));
    }
    if (panel.models.empty() || panel.animals.empty()) {
      return Invalid(absl::StrCat(panel.Name(), ": no points of ",
                                  panel.models.empty() ? "networks" : "animals"));
    }
    for (const Series& series : kSeries) {
      IAT_RETURN_IF_ERROR(CheckPoints(absl::StrCat(panel.Name(), ", ", series.name),
                                      panel.*series.points));
    }
  }
  return absl::OkStatus();
}

std::string Figure3Csv(const Figure3Data& data) {
  CsvTable table;
  table.columns = {"panel", "series", "size", "r2", "spread", "simulated"};
  for (const Figure3Panel& panel : data.panels) {
    for (const Series& series : kSeries) {
      for (const Figure3Point& point : panel.*series.points) {
        table.rows.push_back({PanelKey(panel), series.name, FormatNumber(point.size),
                              FormatNumber(point.r2), FormatNumber(point.spread),
                              data.simulated ? "yes" : "no"});
      }
    }
  }
  return CsvText(table);
}

std::string Figure3Script(const Figure3Data& data, const FigureOptions& options) {
  const int columns = data.panels.size() > 1 ? 2 : 1;
  const int rows = (static_cast<int>(data.panels.size()) + columns - 1) / columns;
  const double top = kTopMm + (data.simulated ? kSimulatedMm : 0);
  const double height = top + rows * kPanelMm;
  constexpr double kPixelsPerMm = 96 / 25.4, kPixelsPerPoint = 96.0 / 72;
  std::string script = absl::StrCat(
      "# ", Figure3Caption(data), "\n#\n",
      "# gnuplot 5.4 or newer: `gnuplot figure-3.gp` here reads figure-3.csv and writes\n"
      "# figure-3.svg and figure-3.pdf. Colours: Okabe & Ito.\n\n"
      "data = 'figure-3.csv'\n"
      "set encoding utf8\n"
      "set datafile separator comma\n"
      "set datafile columnheaders\n"
      "set datafile missing 'nan'\n\n"
      "# The size of a row of this panel and series; no point otherwise.\n"
      "at(p, s) = strcol('panel') eq p && strcol('series') eq s ? column('size') : "
      "NaN\n\n"
      "set border 3 lw 0.8\n"
      "set tics nomirror out scale 0.6\n"
      "set grid ytics back lt 1 dt solid lw 0.6 lc rgb '#DDDDDD'\n"
      "set minussign\n"
      "set logscale x 10\n"
      "set format x '%g'\n"
      "set errorbars small\n"
      "\ndo for [format in 'svg pdf'] {\n  if (format eq 'svg') {\n",
      absl::StrFormat("    set terminal svg enhanced size %d,%d font 'Helvetica,%.4g' "
                      "background rgb 'white' name 'figure3'\n  } else {\n",
                      std::lround(options.width_mm * kPixelsPerMm),
                      std::lround(height * kPixelsPerMm), 8 * kPixelsPerPoint),
      absl::StrFormat("    set terminal pdfcairo enhanced size %.5gcm,%.5gcm font "
                      "'Helvetica,8' background rgb 'white'\n  }\n",
                      options.width_mm / 10, height / 10),
      "  set output 'figure-3.'.format\n  set multiplot\n");
  if (data.simulated) {
    absl::StrAppendFormat(
        &script,
        "  set label '{/:Bold SIMULATED ANIMALS}' at screen 0.5, screen "
        "%.5f center font ',%s' textcolor rgb '#D55E00'\n",
        1 - 3.5 / height, "12");
  }
  for (size_t i = 0; i < data.panels.size(); ++i) {
    const Figure3Panel& panel = data.panels[i];
    const double left = static_cast<double>(i % columns) / columns;
    const double panel_top = top + kPanelMm * static_cast<double>(i / columns);
    const auto y = [&](double mm) { return 1 - (panel_top + mm) / height; };
    Axis axis = AxisOf(panel);
    const std::vector<std::string> words = RefusalLines(panel);
    // The words stand above the points.
    const double words_share = kWordsMm * (static_cast<double>(words.size()) + 0.5) /
                               (kPanelMm - kAboveMm - kBelowMm);
    if (!words.empty()) axis.high = axis.low + (axis.high - axis.low) / (1 - words_share);
    const auto [smallest, largest] = SizeRange(panel);
    absl::StrAppendFormat(
        &script,
        "\n  # %s\n  set lmargin at screen %.5f\n  set rmargin at screen %.5f\n"
        "  set tmargin at screen %.5f\n  set bmargin at screen %.5f\n"
        "  set xrange [%.6g:%.6g]\n  set yrange [%.6g:%.6g]\n"
        "  set ytics %.6g format '%%.%df'\n",
        panel.Name(), left + 14 / options.width_mm,
        left + 1.0 / columns - 4 / options.width_mm, y(kAboveMm), y(kPanelMm - kBelowMm),
        smallest, largest, axis.low, axis.high, axis.step, axis.Decimals());
    absl::StrAppend(&script, "  set xlabel 'source units or neurons' offset 0, 0.5\n",
                    "  set ylabel 'median R² on held-out stimuli'\n");
    absl::StrAppendFormat(
        &script, "  set label %s at screen %.5f, screen %.5f left noenhanced\n",
        GnuplotString(absl::StrCat(panel.Name(), ": ", RatioWords(panel))),
        left + 14 / options.width_mm, y(3));
    for (size_t line = 0; line < words.size(); ++line) {
      absl::StrAppendFormat(
          &script,
          "  set label %s at screen %.5f, screen %.5f left front noenhanced font ',7' "
          "textcolor rgb '#8A2C00'\n",
          GnuplotString(words[line]), left + 16 / options.width_mm,
          y(9 + kWordsMm * static_cast<double>(line)));
    }
    // Series are the same in all panels but for fits that were refused: the panel with
    // the most of them explains the colours for all.
    const auto count = [](const Figure3Panel& of) {
      return std::count_if(std::begin(kSeries), std::end(kSeries),
                           [&](const Series& s) { return !(of.*s.points).empty(); });
    };
    const auto fullest =
        std::max_element(data.panels.begin(), data.panels.end(),
                         [&](const Figure3Panel& a, const Figure3Panel& b) {
                           return count(a) < count(b);
                         });
    absl::StrAppend(
        &script,
        fullest - data.panels.begin() == static_cast<std::ptrdiff_t>(i)
            ? absl::StrFormat("  set key at screen 0.5, screen %.5f center top "
                              "maxrows 2 samplen 2 reverse Left width -6\n",
                              1 - (top - 10.5) / height)
            : "  unset key\n",
        PlotCommand(data, panel), "  unset label\n");
  }
  return absl::StrCat(script, "  unset multiplot\n  unset output\n}\n");
}

std::string Figure3Caption(const Figure3Data& data) {
  int64_t least_models = data.panels[0].num_models, most_models = 0;
  int64_t least_animals = data.panels[0].num_animals, most_animals = 0;
  for (const Figure3Panel& panel : data.panels) {
    least_models = std::min(least_models, panel.num_models);
    most_models = std::max(most_models, panel.num_models);
    least_animals = std::min(least_animals, panel.num_animals);
    most_animals = std::max(most_animals, panel.num_animals);
  }
  const auto range = [](int64_t low, int64_t high) {
    return low == high ? absl::StrCat(low) : absl::StrCat(low, " to ", high);
  };
  return absl::StrCat(
      data.simulated ? "SIMULATED: the recorded animals are simulated. " : "",
      "Median R² over target units of ", data.mapping, " on ", data.num_test_stimuli,
      " held-out stimuli of ", data.stimuli, ", fitted on ", data.num_fit_stimuli,
      ", against the number of pooled source units (networks, ",
      range(least_models, most_models), " targets) or neurons (recorded animals, ",
      range(least_animals, most_animals),
      " targets). Points: mean over targets, one standard error. Solid: fits, L arctan(k "
      "m) + b and ",
      data.formula,
      ". Dashed: the networks' curve with n neurons standing for n/α* units. Brackets: ",
      absl::StrFormat("%g", 100 * data.confidence),
      " % interval over both groups of "
      "animals.");
}

absl::Status DrawFigure3(const Figure3Data& data, const std::filesystem::path& folder,
                         const FigureOptions& options) {
  IAT_RETURN_IF_ERROR(ValidateFigure3(data));
  return DrawFigure("figure-3", Figure3Csv(data), Figure3Script(data, options), folder,
                    options.gnuplot);
}

ReportFigure MakeReportFigure3(const Figure3Data& data, const std::string& svg) {
  ReportFigure figure;
  figure.id = "figure-3";
  figure.title = absl::StrCat("Figure 3: neurons per unit",
                              data.simulated ? ", SIMULATED animals" : "");
  figure.svg = svg;
  figure.caption = Figure3Caption(data);
  figure.columns = {"area, layer",           "networks",
                    "recorded animals",      "neurons per unit",
                    "neurons needed (95 %)", "remarks"};
  for (const Figure3Panel& panel : data.panels) {
    std::vector<std::string> remarks;
    if (!panel.f_refused.empty()) {
      remarks.push_back(absl::StrCat("networks not fitted: ", panel.f_refused));
    }
    if (!panel.g_refused.empty()) {
      remarks.push_back(absl::StrCat("animals not fitted: ", panel.g_refused));
    }
    remarks.insert(remarks.end(), panel.warnings.begin(), panel.warnings.end());
    figure.rows.push_back({panel.Name(), absl::StrCat(panel.num_models),
                           absl::StrCat(panel.num_animals), RatioWords(panel),
                           panel.needed.empty() ? "-" : panel.needed,
                           remarks.empty() ? "-" : absl::StrJoin(remarks, "; ")});
    figure.findings.push_back(absl::StrCat(
        data.simulated ? "Simulated animals, " : "", panel.Name(), ": ",
        RatioWords(panel),
        panel.needed.empty() ? "" : absl::StrCat("; neurons needed: ", panel.needed),
        "."));
  }
  return figure;
}

}  // namespace iat
