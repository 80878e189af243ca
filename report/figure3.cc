#include "report/figure3.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "report/curve_chart.h"

namespace iat {
namespace {

struct Series {
  const char* name;
  std::vector<Figure3Point> Figure3Panel::*points;
  const char* label;
  CurveStyle style;
};

// Okabe & Ito (2008). Lines first, so that points lie on top.
constexpr Series kSeries[] = {
    {"f", &Figure3Panel::f, "networks: L arctan(k m) + b", {0x0072B2, 0, true, false}},
    {"g", &Figure3Panel::g, "animals: ", {0xD55E00, 0, true, false}},
    {"calibrated",
     &Figure3Panel::calibrated,
     "animals, from the networks by the ratio",
     {0x009E73, 0, true, true}},
    {"models",
     &Figure3Panel::models,
     "networks, against units",
     {0x0072B2, 7, false, false}},
    {"animals",
     &Figure3Panel::animals,
     "animals, against neurons",
     {0xD55E00, 5, false, false}},
};

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

// What kind of refusal it was: "flat" of "flat: R2 rises by 0.001 from ...".
std::string Kind(const std::string& refused) {
  return refused.substr(0, refused.find(':'));
}

std::string Heading(const Figure3Panel& panel) {
  if (!panel.f_refused.empty()) {
    return absl::StrCat(panel.Name(), ", networks: ", Kind(panel.f_refused));
  }
  if (!panel.g_refused.empty()) {
    return absl::StrCat(panel.Name(), ", animals: ", Kind(panel.g_refused));
  }
  return absl::StrCat(panel.Name(), ": ", RatioWords(panel));
}

// Why curves are missing, panel by panel.
std::string Refusals(const Figure3Data& data) {
  std::vector<std::string> refusals;
  for (const Figure3Panel& panel : data.panels) {
    for (const auto& [who, words] :
         {std::pair<const char*, const std::string&>{"networks", panel.f_refused},
          {"animals", panel.g_refused}}) {
      if (!words.empty()) {
        refusals.push_back(absl::StrCat(panel.Name(), ", ", who, ": ", words));
      }
    }
  }
  if (refusals.empty()) return "";
  return absl::StrCat(" Not fitted: ", absl::StrJoin(refusals, "; "), ".");
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

CurveChart Figure3Chart(const Figure3Data& data) {
  CurveChart chart;
  chart.name = "figure-3";
  chart.caption = Figure3Caption(data);
  chart.num_columns = data.panels.size() > 1 ? 2 : 1;
  chart.panel_height_mm = 44;
  chart.simulated = data.simulated;
  for (const Figure3Panel& panel : data.panels) {
    CurvePanel& drawn = chart.panels.emplace_back();
    drawn.id = PanelKey(panel);
    drawn.heading = Heading(panel);
    drawn.x_title = "source units or neurons";
    drawn.y_title = "median R² on held-out stimuli";
    for (const Series& series : kSeries) {
      if ((panel.*series.points).empty()) continue;
      ChartCurve& curve = drawn.curves.emplace_back();
      curve.name = series.name;
      curve.style = series.style;
      curve.band = false;
      for (const Figure3Point& point : panel.*series.points) {
        CurveChartPoint& place = curve.points.emplace_back();
        place.x = point.size;
        place.y = point.r2;
        if (point.spread > 0) {
          place.low = point.r2 - point.spread;
          place.high = point.r2 + point.spread;
        }
      }
    }
  }
  for (const Series& series : kSeries) {
    const bool any = std::any_of(
        data.panels.begin(), data.panels.end(),
        [&](const Figure3Panel& panel) { return !(panel.*series.points).empty(); });
    if (!any) continue;
    LegendEntry& entry = chart.legend.emplace_back();
    entry.label = series.label;
    if (series.points == &Figure3Panel::g) absl::StrAppend(&entry.label, data.formula);
    entry.style = series.style;
  }
  return chart;
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
      "animals.",
      Refusals(data));
}

absl::Status DrawFigure3(const Figure3Data& data, const std::filesystem::path& folder,
                         const FigureOptions& options) {
  IAT_RETURN_IF_ERROR(ValidateFigure3(data));
  return DrawCurveChart(Figure3Chart(data), folder, options);
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
