#include "report/figure2.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "report/curve_chart.h"
#include "report/figure1_script.h"

namespace iat {
namespace {

// Curves of few stimuli can predict far worse than the mean, which would flatten the
// rest.
constexpr double kLowestR2 = -0.2;

const char* const kAxes[] = {"stimuli", "units"};

std::vector<std::string> Distinct(const Figure2Data& data,
                                  std::string Figure2Curve::*member) {
  std::vector<std::string> names;
  for (const Figure2Curve& curve : data.curves) {
    if (std::find(names.begin(), names.end(), curve.*member) == names.end()) {
      names.push_back(curve.*member);
    }
  }
  return names;
}

// Before the ReLU first, then after it, then whatever else.
std::vector<std::string> StagesOf(const Figure2Data& data) {
  std::vector<std::string> stages = Distinct(data, &Figure2Curve::stage);
  const auto rank = [](const std::string& stage) {
    return stage == "pre_relu" ? 0 : stage == "post_relu" ? 1 : 2;
  };
  std::stable_sort(
      stages.begin(), stages.end(),
      [&](const std::string& a, const std::string& b) { return rank(a) < rank(b); });
  return stages;
}

// Ridge first.
std::vector<std::string> MappingsOf(const Figure2Data& data) {
  std::vector<std::string> mappings = Distinct(data, &Figure2Curve::mapping);
  std::stable_partition(mappings.begin(), mappings.end(),
                        [](const std::string& mapping) { return mapping == "ridge"; });
  return mappings;
}

// "LogisticRidge (hard gate)" without the stage.
std::string MappingName(const std::string& mapping) {
  const std::string label = MappingLabel(mapping, "");
  return label.substr(0, label.find(", "));
}

std::string StageInWords(const std::string& stage) {
  return stage == "pre_relu"    ? "before the ReLU"
         : stage == "post_relu" ? "after the ReLU"
                                : stage;
}

// Smallest and largest of a number over the curves of an axis and mapping.
std::pair<int64_t, int64_t> Extent(const Figure2Data& data, const std::string& axis,
                                   const std::string& mapping,
                                   int64_t Figure2Curve::*member) {
  int64_t low = 0, high = 0;
  bool any = false;
  for (const Figure2Curve& curve : data.curves) {
    if (curve.axis != axis || (!mapping.empty() && curve.mapping != mapping)) continue;
    low = any ? std::min(low, curve.*member) : curve.*member;
    high = std::max(high, curve.*member);
    any = true;
  }
  return {low, high};
}

bool HasAxis(const Figure2Data& data, const std::string& axis) {
  return std::any_of(data.curves.begin(), data.curves.end(),
                     [&](const Figure2Curve& curve) { return curve.axis == axis; });
}

CurveChart MakeChart(const Figure2Data& data) {
  CurveChart chart;
  chart.name = "figure-2";
  chart.caption = Figure2Caption(data);
  chart.simulated = data.simulated;
  chart.lowest_y = kLowestR2;
  const std::vector<std::string> layers = Distinct(data, &Figure2Curve::layer);
  const std::vector<std::string> mappings = MappingsOf(data);
  std::vector<std::string> axes;
  for (const char* axis : kAxes) {
    if (HasAxis(data, axis)) axes.push_back(axis);
  }
  chart.num_columns = static_cast<int>(axes.size());
  bool any_interval = false, any_mark = false;
  for (const std::string& stage : StagesOf(data)) {
    for (const std::string& axis : axes) {
      CurvePanel& panel = chart.panels.emplace_back();
      panel.id = absl::StrCat(axis, " ", stage);
      panel.heading = StageInWords(stage);
      panel.x_title = axis == "stimuli" ? "fit stimuli" : "source units";
      panel.y_title = "median R²";
      for (const Figure2Curve& curve : data.curves) {
        if (curve.axis != axis || curve.stage != stage) continue;
        const auto at = [](const std::vector<std::string>& names,
                           const std::string& name) {
          return static_cast<size_t>(std::find(names.begin(), names.end(), name) -
                                     names.begin());
        };
        CurveStyle style = ChartStyle(at(layers, curve.layer));
        const size_t mapping = at(mappings, curve.mapping);
        style.dashed = mapping > 0;
        // Open shapes, whose numbers precede those of the filled ones.
        if (mapping > 0) --style.point_type;
        // Further mappings: points without a line, or nothing would tell them apart.
        style.line = mapping < 2;
        ChartCurve& drawn = panel.curves.emplace_back();
        drawn.name = absl::StrCat(curve.layer, " ", curve.mapping);
        drawn.style = style;
        drawn.band = mapping == 0;
        for (const Figure2Point& point : curve.points) {
          drawn.points.push_back(
              {static_cast<double>(point.size), point.mean, point.low, point.high});
          any_interval = any_interval || std::isfinite(point.low);
        }
        if (curve.saturation.has_value()) {
          panel.marks.push_back({drawn.name, style.colour, curve.saturation->size,
                                 curve.saturation->low, curve.saturation->high});
          any_mark = true;
        }
      }
    }
  }
  for (size_t i = 0; i < layers.size(); ++i) {
    chart.legend.push_back({.label = layers[i], .style = ChartStyle(i)});
  }
  constexpr uint32_t kGrey = 0x666666;
  if (mappings.size() > 1) {
    for (size_t i = 0; i < mappings.size(); ++i) {
      chart.legend.push_back({.label = MappingName(mappings[i]),
                              .style = {.colour = kGrey,
                                        .point_type = i < 2 ? 0 : 7,
                                        .line = i<2, .dashed = i> 0}});
    }
  }
  if (any_interval) {
    chart.legend.push_back(
        {.label = absl::StrFormat("%g %% interval", 100 * data.confidence),
         .style = {.colour = kGrey},
         .band = true});
  }
  if (any_mark) {
    chart.legend.push_back({.label = "saturation",
                            .style = {.colour = kGrey, .point_type = 9},
                            .mark = true});
  }
  return chart;
}

// "5 subsamples a size, 2 splits, 64 to 384 target units (ridge)"
std::string ScoredOn(const Figure2Data& data, const std::string& axis) {
  std::vector<std::string> texts;
  for (const std::string& mapping : MappingsOf(data)) {
    const auto samples = Extent(data, axis, mapping, &Figure2Curve::num_samples);
    if (samples.second == 0) continue;
    const auto splits = Extent(data, axis, mapping, &Figure2Curve::num_splits);
    const auto fewest = Extent(data, axis, mapping, &Figure2Curve::min_target_units);
    const auto most = Extent(data, axis, mapping, &Figure2Curve::max_target_units);
    texts.push_back(absl::StrCat(
        Range(samples.first, samples.second),
        samples.second == 1 ? " subsample a size, " : " subsamples a size, ",
        Range(splits.first, splits.second), splits.second == 1 ? " split, " : " splits, ",
        Range(fewest.first, most.second), " target units (", MappingName(mapping), ")"));
  }
  return absl::StrJoin(texts, "; ");
}

}  // namespace

absl::Status ValidateFigure2(const Figure2Data& data) {
  if (data.curves.empty()) {
    return absl::InvalidArgumentError(
        "figure 2: there are no curves to draw; expected rows in scores/subsample.csv");
  }
  std::set<std::tuple<std::string, std::string, std::string, std::string>> seen;
  for (const Figure2Curve& curve : data.curves) {
    if (curve.axis != "stimuli" && curve.axis != "units") {
      return absl::InvalidArgumentError(absl::StrCat(
          "figure 2: an axis is \"", curve.axis, "\"; expected stimuli or units"));
    }
    if (!seen.insert({curve.axis, curve.layer, curve.stage, curve.mapping}).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("figure 2: ", curve.axis, ", ", curve.layer, ", ", curve.stage,
                       ", ", curve.mapping, ": two curves; expected one"));
    }
  }
  return ValidateCurveChart(MakeChart(data));
}

std::string Figure2Caption(const Figure2Data& data) {
  std::string caption = absl::StrCat(
      data.simulated ? "SIMULATED DATA. " : "",
      "R² of mappings onto an animal's units against the amount of data: median over "
      "target units on held-out stimuli, mean over random subsamples and splits, mean "
      "over target animals. ");
  const auto animals = [&](const std::string& axis) {
    const auto [low, high] = Extent(data, axis, "", &Figure2Curve::num_animals);
    return absl::StrCat(Range(low, high),
                        high == 1 ? " target animal" : " target animals");
  };
  if (HasAxis(data, "stimuli")) {
    absl::StrAppend(&caption,
                    "Fit stimuli: all units of one other animal predict each of ",
                    animals("stimuli"), "; ", ScoredOn(data, "stimuli"), ". ");
  }
  if (HasAxis(data, "units")) {
    const auto pool = Extent(data, "units", "", &Figure2Curve::num_pooled_sources);
    const auto fit = Extent(data, "units", "", &Figure2Curve::num_fit_stimuli);
    absl::StrAppend(&caption, "Source units: drawn from ", Range(pool.first, pool.second),
                    pool.second == 1 ? " other animal" : " other animals pooled into one",
                    ", ", Range(fit.first, fit.second), " fit stimuli, ",
                    animals("units"), "; ", ScoredOn(data, "units"), ". ");
  }
  const bool has_interval =
      std::any_of(data.curves.begin(), data.curves.end(), [](const Figure2Curve& curve) {
        return std::any_of(curve.points.begin(), curve.points.end(),
                           [](const Figure2Point& p) { return std::isfinite(p.low); });
      });
  if (has_interval) {
    absl::StrAppend(
        &caption,
        absl::StrFormat("Bands and bars: %g %% intervals over target animals, from a "
                        "jackknife that leaves out one at a time (t quantile, animals − "
                        "1 degrees of freedom). ",
                        100 * data.confidence));
  } else {
    absl::StrAppend(&caption, "Too few animals for intervals. ");
  }
  if (!data.saturation_rule.empty()) {
    absl::StrAppend(&caption, "Triangles on the axis: ", data.saturation_rule, ". ");
  }
  absl::StrAppend(&caption, data.family, data.training.empty() ? "" : ": ", data.training,
                  ". Stimuli", data.stimuli.empty() ? "" : " ", data.stimuli, ", ",
                  WithThousands(data.num_test_stimuli), " to test.");
  const bool is_cut =
      std::any_of(data.curves.begin(), data.curves.end(), [](const Figure2Curve& curve) {
        return std::any_of(curve.points.begin(), curve.points.end(),
                           [](const Figure2Point& p) { return p.mean < kLowestR2; });
      });
  if (is_cut) absl::StrAppend(&caption, " Values below −0.2 are not drawn.");
  return caption;
}

absl::Status DrawFigure2(const Figure2Data& data, const std::filesystem::path& folder,
                         const FigureOptions& options) {
  IAT_RETURN_IF_ERROR(ValidateFigure2(data));
  return DrawCurveChart(MakeChart(data), folder, options);
}

ReportFigure Figure2ForReport(const Figure2Data& data, const std::string& svg) {
  ReportFigure figure;
  figure.id = "figure-2";
  figure.title = "Figure 2: R² against the numbers of stimuli and units";
  figure.svg = svg;
  figure.caption = Figure2Caption(data);
  figure.columns = {"layer", "stage", "axis",    "mapping",
                    "size",  "R²",    "animals", "subsamples"};
  for (const Figure2Curve& curve : data.curves) {
    for (const Figure2Point& point : curve.points) {
      figure.rows.push_back(
          {curve.layer, StageInWords(curve.stage), curve.axis, MappingName(curve.mapping),
           WithThousands(point.size), ShownR2(point.mean, point.low, point.high),
           absl::StrCat(curve.num_animals), absl::StrCat(curve.num_samples)});
    }
  }
  return figure;
}

}  // namespace iat
