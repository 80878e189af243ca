#include "report/figure1_script.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/csv.h"
#include "report/axis.h"
#include "report/gnuplot.h"
#include "report/gnuplot_page.h"
#include "report/panel.h"

namespace iat {
namespace {

// Okabe & Ito (2008): told apart with every common colour blindness. A shape
// goes with each, for print in grey. gnuplot's point types 5 to 15 are filled.
struct Style {
  uint32_t colour;
  int point_type;
  double point_size;
};

Style StyleOf(const std::string& stage, const std::string& mapping, int num_unknown) {
  static const auto& known = *new std::map<std::pair<std::string, std::string>, Style>{
      {{"pre_relu", "ridge"}, {0x0072B2, 7, 1.0}},                   // blue circle
      {{"post_relu", "ridge"}, {0xD55E00, 5, 0.9}},                  // vermillion square
      {{"post_relu", "ridge_clamped"}, {0xE69F00, 9, 1.1}},          // orange triangle
      {{"post_relu", "logistic_ridge"}, {0x009E73, 13, 1.25}},       // green diamond
      {{"post_relu", "logistic_ridge_soft"}, {0xCC79A7, 11, 1.1}},   // purple triangle
      {{"post_relu", "logistic_ridge_tuned"}, {0x56B4E9, 15, 1.1}},  // sky pentagon
  };
  if (const auto it = known.find({stage, mapping}); it != known.end()) return it->second;
  // Open shapes, so that they can't be taken for a known mapping.
  static constexpr std::array<Style, 6> kOthers = {{{0x000000, 6, 1.0},
                                                    {0x0072B2, 4, 0.9},
                                                    {0xD55E00, 8, 1.1},
                                                    {0x009E73, 12, 1.25},
                                                    {0xCC79A7, 10, 1.1},
                                                    {0xE69F00, 14, 1.1}}};
  return kOthers[num_unknown % kOthers.size()];
}

bool IsKnown(const Figure1Series& series) {
  return StyleOf(series.stage, series.mapping, 0).point_type % 2 == 1;
}

std::vector<Style> StylesOf(const std::vector<Figure1Series>& all_series) {
  std::vector<Style> styles;
  int num_unknown = 0;
  for (const Figure1Series& series : all_series) {
    styles.push_back(StyleOf(series.stage, series.mapping, num_unknown));
    num_unknown += !IsKnown(series);
  }
  return styles;
}

// `weight` of the colour on white paper.
uint32_t Tint(uint32_t colour, double weight) {
  uint32_t tint = 0;
  for (const int shift : {16, 8, 0}) {
    const double channel = (colour >> shift) & 0xff;
    tint |= static_cast<uint32_t>(std::lround(255 - weight * (255 - channel))) << shift;
  }
  return tint;
}

// Where a series stands inside its layer, layers being 1 apart.
constexpr double kLayerWidth = 0.84;
// In a column the mean stands left and its pairs fan out to the right of it, so
// that neither hides the other. In units of the column's width.
constexpr double kMeanPlace = -0.22;
constexpr double kFirstPairPlace = 0.04;
constexpr double kLastPairPlace = 0.42;

double ColumnWidth(size_t num_series) { return kLayerWidth / num_series; }

double ColumnOffset(size_t series, size_t num_series) {
  return (series - (num_series - 1) / 2.0) * ColumnWidth(num_series);
}

struct PanelOfFigure {
  std::string name;
  std::string heading;
  const std::vector<Figure1Mark>* marks;
  double height_mm;
  double colour_weight;
  bool permuted;
};

constexpr absl::string_view kPermuted = "permuted";

std::vector<PanelOfFigure> PanelsOf(const Figure1Data& data) {
  const auto heading = [](const Figure1Panel& panel) {
    return absl::StrCat(panel.name, ", ", panel.num_animals,
                        panel.num_animals == 1 ? " animal" : " animals",
                        panel.training.empty() ? "" : ": ", panel.training);
  };
  std::vector<PanelOfFigure> panels;
  panels.push_back({data.family.name, heading(data.family), &data.family.marks, 56, 1.0,
                    /*permuted=*/false});
  if (!data.permuted.empty()) {
    panels.push_back({std::string(kPermuted),
                      absl::StrCat(data.family.name, ", stimuli of the target permuted"),
                      &data.permuted, 14, 1.0, /*permuted=*/true});
  }
  if (data.companion.has_value()) {
    panels.push_back({data.companion->name, heading(*data.companion),
                      &data.companion->marks, 44, 0.55, /*permuted=*/false});
  }
  return panels;
}

// Everything drawn in a panel.
std::vector<double> ValuesOf(const std::vector<Figure1Mark>& marks) {
  std::vector<double> values;
  for (const Figure1Mark& mark : marks) {
    for (const double value : {mark.mean, mark.low, mark.high}) values.push_back(value);
    for (const Figure1Pair& pair : mark.pairs) values.push_back(pair.r2);
  }
  return values;
}

size_t IndexOf(const std::vector<Figure1Series>& all_series, const Figure1Mark& mark,
               bool permuted) {
  const std::string mapping = permuted ? WithoutPermuted(mark.mapping) : mark.mapping;
  for (size_t i = 0; i < all_series.size(); ++i) {
    if (all_series[i].stage == mark.stage && all_series[i].mapping == mapping) return i;
  }
  return all_series.size();
}

bool AnyMark(const Figure1Data& data, bool (*test)(const Figure1Mark&)) {
  for (const PanelOfFigure& panel : PanelsOf(data)) {
    if (std::any_of(panel.marks->begin(), panel.marks->end(), test)) return true;
  }
  return false;
}

// "conv1" 1, "conv2" 2: a % would start a number format.
std::string LayerTics(const std::vector<std::string>& layers) {
  std::vector<std::string> tics;
  for (size_t i = 0; i < layers.size(); ++i) {
    tics.push_back(absl::StrCat(
        GnuplotString(absl::StrReplaceAll(layers[i], {{"%", "%%"}})), " ", i + 1));
  }
  return absl::StrJoin(tics, ", ");
}

constexpr absl::string_view kCross = "pt 2 ps 0.8 lc rgb 'black'";
// Arrows with square heads: gnuplot's own error bars paint a white disc on the mark.
constexpr absl::string_view kBar = "heads size screen 0.003,90 lw 1 lc rgb 'black'";
constexpr double kLeftMm = 20;
constexpr double kRightMm = 2;
constexpr double kTopMm = 1.5;
constexpr double kLegendRowMm = 4.6;
constexpr double kLegendColumnMm = 54;
constexpr double kHeadingMm = 6.5;
constexpr double kTicsMm = 6;

// The legend is set by hand on a grid: gnuplot's own has another width in every
// terminal, because it guesses the width of text.
class Legend {
 public:
  Legend(const Figure1Data& data, double width_mm)
      : all_series_(Figure1SeriesOf(data)),
        styles_(StylesOf(all_series_)),
        has_interval_(AnyMark(
            data, [](const Figure1Mark& mark) { return std::isfinite(mark.low); })),
        has_missing_(AnyMark(
            data, [](const Figure1Mark& mark) { return !std::isfinite(mark.mean); })),
        has_pair_(
            AnyMark(data, [](const Figure1Mark& mark) { return !mark.pairs.empty(); })),
        confidence_(data.confidence),
        num_columns_(std::max(
            1, static_cast<int>((width_mm - kLeftMm - kRightMm) / kLegendColumnMm))) {}

  int NumEntries() const {
    return static_cast<int>(all_series_.size()) + 1 + has_pair_ + has_missing_;
  }
  int NumRows() const { return (NumEntries() + num_columns_ - 1) / num_columns_; }

  std::string Script(const GnuplotPage& page, double top_mm) const {
    std::string script;
    int entry = 0;
    const double column_mm = (page.width() - kLeftMm - kRightMm) / num_columns_;
    // Down the columns, so that mappings of one kind stay together.
    const auto place = [&](double* x, double* y) {
      *x = kLeftMm + 2 + (entry / NumRows()) * column_mm;
      *y = top_mm + (entry % NumRows() + 0.5) * kLegendRowMm;
      ++entry;
    };
    const auto add = [&](absl::string_view text, absl::string_view point) {
      double x, y;
      place(&x, &y);
      absl::StrAppend(&script, "  set label ", GnuplotString(text), " at ",
                      page.At(x + 3, y), " left noenhanced\n");
      absl::StrAppend(&script, "  set label '' at ", page.At(x, y), " point ", point,
                      "\n");
      return std::pair(x, y);
    };
    for (size_t i = 0; i < all_series_.size(); ++i) {
      add(all_series_[i].label,
          absl::StrFormat("pt %d ps %g lc rgb %s", styles_[i].point_type,
                          styles_[i].point_size, GnuplotColour(styles_[i].colour)));
    }
    if (has_pair_) add("an ordered pair of animals", "pt 7 ps 0.35 lc rgb '#999999'");
    const auto [x, y] =
        add(has_interval_
                ? absl::StrFormat("mean, %g %% interval over animals", 100 * confidence_)
                : "mean over pairs",
            "pt 7 ps 0.9 lc rgb '#999999'");
    if (has_interval_) {
      absl::StrAppend(&script, "  set arrow from ", page.At(x, y - 1.7), " to ",
                      page.At(x, y + 1.7), " ", kBar, " front\n");
    }
    if (has_missing_) add("no value (no unit could be scored)", kCross);
    return script;
  }

 private:
  std::vector<Figure1Series> all_series_;
  std::vector<Style> styles_;
  bool has_interval_, has_missing_, has_pair_;
  double confidence_;
  int num_columns_;
};

// The columns of one panel, as gnuplot's plot commands.
class PanelPlots {
 public:
  PanelPlots(const Figure1Data& data, const PanelOfFigure& panel)
      : panel_(panel),
        all_series_(Figure1SeriesOf(data)),
        styles_(StylesOf(all_series_)) {}

  // Pairs at the back, then means, then their intervals.
  std::string Script() const {
    std::vector<std::string> plots;
    for (size_t i = 0; i < all_series_.size(); ++i) {
      if (Any(i, [](const Figure1Mark& mark) { return !mark.pairs.empty(); })) {
        plots.push_back(Plot(i, "pair", ":'r2'",
                             absl::StrCat("points pt 7 ps 0.35 lc rgb ", Paint(i, 0.6)),
                             "pairs of animals"));
      }
    }
    for (size_t i = 0; i < all_series_.size(); ++i) {
      if (Any(i, [](const Figure1Mark& mark) { return std::isfinite(mark.mean); })) {
        plots.push_back(
            Plot(i, "mean", ":'r2'",
                 absl::StrFormat("points pt %d ps %g lc rgb %s", styles_[i].point_type,
                                 styles_[i].point_size, Paint(i, 1)),
                 "mean"));
      }
      if (Any(i, [](const Figure1Mark& mark) { return !std::isfinite(mark.mean); })) {
        plots.push_back(
            Plot(i, "missing", ":(foot)", absl::StrCat("points ", kCross), "no value"));
      }
    }
    for (size_t i = 0; i < all_series_.size(); ++i) {
      if (Any(i, [](const Figure1Mark& mark) { return std::isfinite(mark.low); })) {
        plots.push_back(Plot(i, "mean", ":'low':(0):(column('high') - column('low'))",
                             absl::StrCat("vectors ", kBar), "interval"));
      }
    }
    return absl::StrCat("  plot ", absl::StrJoin(plots, ", \\\n       "), "\n");
  }

 private:
  bool Any(size_t series, bool (*test)(const Figure1Mark&)) const {
    return std::any_of(
        panel_.marks->begin(), panel_.marks->end(), [&](const Figure1Mark& mark) {
          return IndexOf(all_series_, mark, panel_.permuted) == series && test(mark);
        });
  }
  // The title isn't drawn: it is what a browser shows over the points.
  std::string Plot(size_t series, absl::string_view kind, absl::string_view columns,
                   absl::string_view style, absl::string_view title) const {
    const Figure1Series& of = all_series_[series];
    return absl::StrCat("data using (at(", GnuplotString(panel_.name), ", ",
                        GnuplotString(of.stage), ", ", GnuplotString(of.mapping), ", ",
                        GnuplotString(kind), "))", columns, " with ", style, " title ",
                        GnuplotString(absl::StrCat(of.label, ": ", title)),
                        " noenhanced");
  }
  std::string Paint(size_t series, double weight) const {
    return GnuplotColour(Tint(styles_[series].colour, weight * panel_.colour_weight));
  }

  const PanelOfFigure& panel_;
  const std::vector<Figure1Series> all_series_;
  const std::vector<Style> styles_;
};

// Axes and headings around the columns.
std::string PanelScript(const Figure1Data& data, const PanelOfFigure& panel,
                        const std::string& letter, const GnuplotPage& page,
                        double top_mm) {
  const Axis axis = panel.permuted ? AxisAround(ValuesOf(*panel.marks), 3, 0.02)
                                   : AxisAround(ValuesOf(*panel.marks), 6, 0.01);
  const double plot_top = top_mm + kHeadingMm;
  const double plot_bottom = plot_top + panel.height_mm;
  const double middle = (plot_top + plot_bottom) / 2;
  const double heading = plot_top - 2.2;
  std::string script = absl::StrCat(
      "\n  # ", letter, ": ", panel.name, "\n",  //
      "  set lmargin at screen ", page.X(kLeftMm), "\n", "  set rmargin at screen ",
      page.X(page.width() - kRightMm), "\n", "  set tmargin at screen ", page.Y(plot_top),
      "\n", "  set bmargin at screen ", page.Y(plot_bottom), "\n", "  set label ",
      GnuplotString(absl::StrCat("{/:Bold ", letter, "}")), " at ", page.At(1, heading),
      " left font large\n", "  set label ", GnuplotString(panel.heading), " at ",
      page.At(kLeftMm, heading), " left noenhanced\n");
  // Two labels, because terminals disagree on where a label of two lines goes.
  const std::vector<absl::string_view> title =
      panel.permuted ? std::vector<absl::string_view>{"R²"}
                     : std::vector<absl::string_view>{"median R² on", "held-out stimuli"};
  for (size_t line = 0; line < title.size(); ++line) {
    absl::StrAppend(&script, "  set label ", GnuplotString(title[line]), " at ",
                    page.At(3 + 3.6 * line, middle), " center rotate\n");
  }
  absl::StrAppend(
      &script,
      absl::StrFormat("  set yrange [%.6g:%.6g]\n  set ytics %.6g format '%%.%df'\n"
                      "  foot = %.6g\n",
                      axis.low, axis.high, axis.step, axis.Decimals(),
                      axis.low + 0.04 * (axis.high - axis.low)));
  if (axis.low < 0 && axis.high > 0) {
    absl::StrAppend(&script,
                    "  set arrow from graph 0, first 0 to graph 1, first 0 nohead back "
                    "lw 1 lc rgb '#777777'\n");
  }
  return absl::StrCat(script, PanelPlots(data, panel).Script(),
                      "  unset label\n  unset arrow\n");
}

}  // namespace

std::string WithoutPermuted(const std::string& mapping) {
  const absl::string_view suffix = "_permuted";
  if (mapping.size() <= suffix.size() ||
      mapping.compare(mapping.size() - suffix.size(), suffix.size(), suffix.data()) !=
          0) {
    return mapping;
  }
  return mapping.substr(0, mapping.size() - suffix.size());
}

std::vector<Figure1Series> Figure1SeriesOf(const Figure1Data& data) {
  static constexpr std::array<std::pair<absl::string_view, absl::string_view>, 6> kOrder =
      {{{"pre_relu", "ridge"},
        {"post_relu", "ridge"},
        {"post_relu", "ridge_clamped"},
        {"post_relu", "logistic_ridge"},
        {"post_relu", "logistic_ridge_soft"},
        {"post_relu", "logistic_ridge_tuned"}}};
  std::vector<Figure1Series> all_series;
  for (const PanelOfFigure& panel : PanelsOf(data)) {
    for (const Figure1Mark& mark : *panel.marks) {
      if (IndexOf(all_series, mark, panel.permuted) < all_series.size()) continue;
      const std::string mapping =
          panel.permuted ? WithoutPermuted(mark.mapping) : mark.mapping;
      all_series.push_back({mark.stage, mapping,
                            mark.label.empty() || panel.permuted
                                ? MappingLabel(mapping, mark.stage)
                                : mark.label});
    }
  }
  const auto rank = [](const Figure1Series& series) {
    return std::find(kOrder.begin(), kOrder.end(),
                     std::pair<absl::string_view, absl::string_view>(series.stage,
                                                                     series.mapping)) -
           kOrder.begin();
  };
  std::stable_sort(
      all_series.begin(), all_series.end(),
      [&](const Figure1Series& a, const Figure1Series& b) { return rank(a) < rank(b); });
  return all_series;
}

std::vector<std::string> Figure1LayersOf(const Figure1Data& data) {
  std::vector<std::string> layers;
  for (const PanelOfFigure& panel : PanelsOf(data)) {
    for (const Figure1Mark& mark : *panel.marks) {
      if (std::find(layers.begin(), layers.end(), mark.layer) == layers.end()) {
        layers.push_back(mark.layer);
      }
    }
  }
  return layers;
}

std::string Figure1Csv(const Figure1Data& data) {
  const std::vector<Figure1Series> all_series = Figure1SeriesOf(data);
  const std::vector<std::string> layers = Figure1LayersOf(data);
  CsvTable table;
  table.columns = {"panel",         "layer",         "stage", "mapping", "kind", "x",
                   "source_animal", "target_animal", "r2",    "low",     "high"};
  for (const PanelOfFigure& panel : PanelsOf(data)) {
    for (const Figure1Mark& mark : *panel.marks) {
      const size_t series = IndexOf(all_series, mark, panel.permuted);
      const double centre =
          1 + (std::find(layers.begin(), layers.end(), mark.layer) - layers.begin()) +
          ColumnOffset(series, all_series.size());
      const double width = ColumnWidth(all_series.size());
      const auto add = [&](absl::string_view kind, double x, const std::string& source,
                           const std::string& target, double r2, double low,
                           double high) {
        table.rows.push_back({panel.name, mark.layer, mark.stage,
                              all_series[series].mapping, std::string(kind),
                              absl::StrFormat("%.6g", x), source, target,
                              FormatNumber(r2), FormatNumber(low), FormatNumber(high)});
      };
      add(std::isfinite(mark.mean) ? "mean" : "missing", centre + kMeanPlace * width, "",
          "", mark.mean, mark.low, mark.high);
      std::vector<Figure1Pair> pairs = mark.pairs;
      std::sort(pairs.begin(), pairs.end(),
                [](const Figure1Pair& a, const Figure1Pair& b) {
                  return std::tie(a.source_animal, a.target_animal) <
                         std::tie(b.source_animal, b.target_animal);
                });
      for (size_t i = 0; i < pairs.size(); ++i) {
        const double place = kFirstPairPlace + (kLastPairPlace - kFirstPairPlace) *
                                                   (i + 0.5) / pairs.size();
        add("pair", centre + place * width, pairs[i].source_animal,
            pairs[i].target_animal, pairs[i].r2, NAN, NAN);
      }
    }
  }
  return CsvText(table);
}

std::string Figure1Script(const Figure1Data& data, const FigureOptions& options) {
  const Legend legend(data, options.width_mm);
  const std::vector<PanelOfFigure> panels = PanelsOf(data);
  const double legend_top = kTopMm + (data.simulated ? kSimulatedMm : 0);
  const double panels_top = legend_top + legend.NumRows() * kLegendRowMm;
  double height = panels_top;
  for (const PanelOfFigure& panel : panels) {
    height += kHeadingMm + panel.height_mm + kTicsMm;
  }
  const GnuplotPage page(options.width_mm, height);
  const std::vector<std::string> layers = Figure1LayersOf(data);

  std::string script = absl::StrCat(
      GnuplotComment(Figure1Caption(data)),
      "#\n# gnuplot 5.4 or newer: `gnuplot figure-1.gp` here reads figure-1.csv and "
      "writes\n"
      "# figure-1.svg, figure-1.pdf and figure-1.png. Colours: Okabe & Ito.\n\n"
      "data = 'figure-1.csv'\n"
      "set encoding utf8\n"
      "set datafile separator comma\n"
      "set datafile columnheaders\n"
      "set datafile missing 'nan'\n\n"
      "# The x of a row of this panel, stage, mapping and kind; no point otherwise.\n"
      "at(p, s, m, k) = strcol('panel') eq p && strcol('stage') eq s && \\\n"
      "    strcol('mapping') eq m && strcol('kind') eq k ? column('x') : NaN\n\n"
      "set border 3 lw 0.8\n"
      "set tics nomirror out scale 0.6\n"
      "set grid ytics back lt 1 dt solid lw 0.6 lc rgb '#DDDDDD'\n"
      "set minussign\n"
      "unset key\n");
  absl::StrAppend(&script, absl::StrFormat("set xrange [0.5:%d.5]\n", layers.size()));
  absl::StrAppend(&script, "set xtics (", LayerTics(layers), ") scale 0 noenhanced\n");
  for (size_t i = 0; i < layers.size(); i += 2) {
    absl::StrAppend(&script,
                    absl::StrFormat("set object rect from %d.5, graph 0 to %d.5, "
                                    "graph 1 behind fs solid noborder fc rgb "
                                    "'#F5F5F5'\n",
                                    i, i + 1));
  }
  absl::StrAppend(&script, BeginDrawing("figure-1", page));
  if (data.simulated) absl::StrAppend(&script, SimulatedScript(page, kTopMm));
  absl::StrAppend(&script, legend.Script(page, legend_top));
  double top = panels_top;
  char letter = 'a';
  for (const PanelOfFigure& panel : panels) {
    absl::StrAppend(&script,
                    PanelScript(data, panel, std::string(1, letter++), page, top));
    top += kHeadingMm + panel.height_mm + kTicsMm;
  }
  absl::StrAppend(&script, EndDrawing());
  return script;
}

}  // namespace iat
