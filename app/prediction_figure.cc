#include "app/prediction_figure.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "report/figure1.h"
#include "report/figure1_script.h"
#include "similarity/r2.h"
#include "similarity/summary.h"

namespace iat {
namespace {

constexpr uint32_t kActive = 0x0072B2, kSilent = 0xD55E00;

struct Column {
  const char* stage;
  const char* mapping;
  const char* heading;  // short: three stand side by side in a journal's column
  std::vector<double> UnitPrediction::*values;
};
constexpr Column kColumns[] = {
    {"pre_relu", "ridge", "ridge, pre", &UnitPrediction::ridge},
    {"post_relu", "ridge", "ridge, post", &UnitPrediction::ridge},
    {"post_relu", "logistic_ridge", "LogisticRidge", &UnitPrediction::logistic_ridge}};

double R2(const std::vector<double>& truth, const std::vector<double>& predicted) {
  const auto column = [](const std::vector<double>& values) -> Eigen::MatrixXd {
    return Eigen::Map<const Eigen::VectorXd>(values.data(),
                                             static_cast<Eigen::Index>(values.size()));
  };
  return R2PerUnit(column(truth), column(predicted))(0);
}

bool HasValues(const std::vector<double>& values) {
  return !values.empty() && std::all_of(values.begin(), values.end(), [](double value) {
    return std::isfinite(value);
  });
}

ScatterPanel MakePanel(const UnitPrediction& unit, const Column& column,
                       size_t most_points) {
  const std::vector<double>& predicted = unit.*column.values;
  ScatterPanel panel;
  panel.id = absl::StrCat(unit.layer, " ", column.stage, " ", column.mapping);
  panel.heading = column.heading;
  panel.subheading = absl::StrCat("R² ", ShownR2(R2(unit.truth, predicted)));
  panel.x_title = "prediction";
  panel.y_title = absl::StrCat(unit.layer, " unit ", unit.target_unit);
  panel.series = {{.name = "active", .colour = kActive},
                  {.name = "silent", .colour = kSilent}};
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (size_t i = 0; i < std::min(most_points, unit.truth.size()); ++i) {
    low = std::min({low, unit.truth[i], predicted[i]});
    high = std::max({high, unit.truth[i], predicted[i]});
    panel.series[unit.truth[i] > 0 ? 0 : 1].points.push_back(
        {unit.stimulus_ids[i], predicted[i], unit.truth[i]});
  }
  const double air = 0.04 * std::max(high - low, 1e-9);
  panel.low = low - air;
  panel.high = high + air;
  return panel;
}

}  // namespace

std::optional<RunFigure<ScatterChart>> MakePredictionFigure(
    const std::vector<UnitPrediction>& predictions, const FigureFamily& family,
    size_t most_points) {
  // Of another family than the one the captions speak of.
  if (!predictions.empty() &&
      FamilyOf(predictions.front().target_animal) != family.prefix) {
    return std::nullopt;
  }
  std::vector<std::string> layers;
  for (const UnitPrediction& unit : predictions) layers.push_back(unit.layer);
  SortLayers(layers);
  std::vector<const Column*> columns;
  for (const Column& column : kColumns) {
    if (std::any_of(predictions.begin(), predictions.end(), [&](const auto& unit) {
          return unit.stage == column.stage && HasValues(unit.*column.values);
        })) {
      columns.push_back(&column);
    }
  }
  if (columns.empty()) return std::nullopt;

  RunFigure<ScatterChart> figure;
  ScatterChart& chart = figure.chart;
  ReportFigure& report = figure.report;
  chart.name = report.id = "predictions";
  chart.simulated = family.simulated;
  chart.num_columns = static_cast<int>(columns.size());
  chart.own_axes = true;
  chart.least_panel_mm = 0;
  chart.most_height_mm = 29;
  report.title = "What the ReLU hides: prediction against truth";
  report.columns = {"layer", "unit", "mapping", "stimuli", "R²"};
  size_t num_stimuli = 0;
  for (const std::string& layer : layers) {
    for (const Column* column : columns) {
      for (const UnitPrediction& unit : predictions) {
        if (unit.layer != layer || unit.stage != column->stage ||
            !HasValues(unit.*column->values)) {
          continue;
        }
        chart.panels.push_back(MakePanel(unit, *column, most_points));
        num_stimuli = std::max(num_stimuli, unit.truth.size());
        report.rows.push_back({layer, absl::StrCat(unit.target_unit),
                               MappingLabel(column->mapping, column->stage),
                               WithThousands(static_cast<int64_t>(unit.truth.size())),
                               ShownR2(R2(unit.truth, unit.*column->values))});
      }
    }
  }
  chart.legend = {
      {.label = "active", .style = {.colour = kActive, .line = false}},
      {.label = "silent after the ReLU", .style = {.colour = kSilent, .line = false}}};
  const UnitPrediction& first = predictions.front();
  chart.caption = report.caption = absl::StrCat(
      family.simulated ? "SIMULATED DATA. " : "", "Responses of one unit of ",
      first.target_animal, " a layer against their predictions from all units of ",
      first.source_animal, " on held-out stimuli of split ", first.split_seed,
      " (one pair of animals, so no interval), before (pre) and after the ReLU (post), "
      "LogisticRidge with the hard gate after it. Across: prediction; up: response. The "
      "unit is the one of median activity "
      "after the ReLU among those that were scored. Silent: stimuli on which it is at or "
      "below 0 before the ReLU, and at 0 after it, where ridge can't say so. On the "
      "diagonal prediction and truth agree. Stimuli ",
      first.stimuli, ", ", WithThousands(static_cast<int64_t>(num_stimuli)),
      " to test, all of them in R²",
      num_stimuli > most_points
          ? absl::StrCat("; ", most_points, " drawn, the first of the shuffled order. ")
          : ". ",
      FamilyWords(family));
  report.alt =
      "A row of panels for each layer with a point for each stimulus: predicted response "
      "across, response up, the diagonal where both agree.";
  return figure;
}

}  // namespace iat
