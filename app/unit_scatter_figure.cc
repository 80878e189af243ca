#include "app/unit_scatter_figure.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "report/figure1_script.h"
#include "similarity/summary.h"

namespace iat {
namespace {

// Below it a unit lies on the edge: a mapping can be arbitrarily worse than the mean.
constexpr double kLowestR2 = -0.2;
constexpr char kRidge[] = "ridge", kLogistic[] = "logistic_ridge";

// Rows of the two mappings on the same units of the same responses.
struct Cell {
  const UnitR2Row* ridge = nullptr;
  const UnitR2Row* logistic = nullptr;
};

struct Means {
  double ridge = 0, logistic = 0;
  int64_t count = 0;
};

struct LayerPoints {
  std::map<std::pair<std::string, size_t>, Means> units;  // target animal, unit
  std::map<std::pair<std::string, std::string>, std::pair<double, int64_t>> shares;
  std::set<std::string> animals;
};

void AddCell(const Cell& cell, LayerPoints& layer) {
  const UnitR2Row& ridge = *cell.ridge;
  int64_t num_scored = 0, num_above = 0;
  for (size_t u = 0; u < std::min(ridge.r2.size(), cell.logistic->r2.size()); ++u) {
    const double x = ridge.r2[u], y = cell.logistic->r2[u];
    if (!std::isfinite(x) || !std::isfinite(y)) continue;
    Means& means = layer.units[{ridge.target_animal, u}];
    means.ridge += x;
    means.logistic += y;
    ++means.count;
    ++num_scored;
    num_above += y > x;
  }
  if (num_scored == 0) return;
  auto& [sum, count] = layer.shares[{ridge.source_animal, ridge.target_animal}];
  sum += static_cast<double>(num_above) / static_cast<double>(num_scored);
  ++count;
  layer.animals.insert({ridge.source_animal, ridge.target_animal});
}

std::map<std::string, LayerPoints> Collect(const std::vector<UnitR2Row>& rows,
                                           const FigureFamily& family,
                                           const std::string& stimuli,
                                           std::set<int64_t>& splits) {
  std::map<std::tuple<std::string, std::string, std::string, int64_t, int64_t>, Cell>
      cells;
  for (const UnitR2Row& row : rows) {
    if (!IsOfUnitScatter(row, family) || row.stimuli != stimuli) continue;
    Cell& cell = cells[{row.target_layer, row.source_animal, row.target_animal,
                        row.split_seed, row.num_target_units}];
    (row.mapping == kRidge ? cell.ridge : cell.logistic) = &row;
  }
  std::map<std::string, LayerPoints> layers;
  for (const auto& [key, cell] : cells) {
    if (cell.ridge == nullptr || cell.logistic == nullptr) continue;
    splits.insert(cell.ridge->split_seed);
    AddCell(cell, layers[cell.ridge->target_layer]);
  }
  return layers;
}

// The interval is cut at 0 and 1, which no share passes.
Interval Share(const LayerPoints& layer) {
  std::map<std::pair<std::string, std::string>, double> share_of_pair;
  for (const auto& [pair, share] : layer.shares) {
    share_of_pair[pair] = share.first / static_cast<double>(share.second);
  }
  Interval share = JackknifeOverAnimals(share_of_pair);
  if (std::isfinite(share.low)) {
    share.low = std::max(share.low, 0.0);
    share.high = std::min(share.high, 1.0);
  }
  return share;
}

std::string ShownShare(const Interval& share) {
  if (!std::isfinite(share.low)) return absl::StrFormat("%.2f", share.mean);
  return absl::StrFormat("%.2f [%.2f, %.2f]", share.mean, share.low, share.high);
}

ScatterSeries Points(const LayerPoints& layer, size_t most_points, double& low) {
  ScatterSeries series{.name = "unit"};
  const size_t count = layer.units.size();
  size_t index = 0;
  for (const auto& [unit, means] : layer.units) {
    const auto n = static_cast<double>(means.count);
    const double x = means.ridge / n, y = means.logistic / n;
    low = std::min({low, x, y});
    // Of n, m are drawn: those behind which index * m / n goes up by one.
    const bool drawn = count <= most_points ||
                       index * most_points / count != (index + 1) * most_points / count;
    ++index;
    if (!drawn) continue;
    series.points.push_back({absl::StrCat(unit.first, " ", unit.second), x, y});
  }
  return series;
}

}  // namespace

bool IsOfUnitScatter(const UnitR2Row& row, const FigureFamily& family) {
  return (row.mapping == kRidge || row.mapping == kLogistic) &&
         row.source_stage == "post_relu" && row.target_stage == "post_relu" &&
         row.source_layer == row.target_layer &&
         FamilyOf(row.source_animal) == family.prefix &&
         FamilyOf(row.target_animal) == family.prefix;
}

std::optional<RunFigure<ScatterChart>> MakeUnitScatterFigure(
    const std::vector<UnitR2Row>& rows, const FigureFamily& family, size_t most_points) {
  if (rows.empty()) return std::nullopt;
  const UnitR2Row& first = rows.front();
  std::set<int64_t> splits;
  const std::map<std::string, LayerPoints> layers =
      Collect(rows, family, first.stimuli, splits);
  std::vector<std::string> names;
  for (const auto& [name, layer] : layers) {
    if (!layer.units.empty()) names.push_back(name);
  }
  if (names.empty()) return std::nullopt;
  SortLayers(names);

  RunFigure<ScatterChart> figure;
  ScatterChart& chart = figure.chart;
  ReportFigure& report = figure.report;
  chart.name = report.id = "unit-scatter";
  chart.simulated = family.simulated;
  chart.num_columns = std::min<int>(3, static_cast<int>(names.size()));
  report.title = "Every unit: LogisticRidge against ridge";
  report.columns = {"layer", "units", "share above the diagonal"};
  double low = 0;
  size_t fewest = 0, most = 0;
  bool thinned = false, any_interval = false;
  std::set<std::string> animals;
  std::string findings;
  for (const std::string& name : names) {
    const LayerPoints& layer = layers.at(name);
    const Interval share = Share(layer);
    ScatterPanel& panel = chart.panels.emplace_back();
    panel.id = panel.heading = name;
    panel.subheading = absl::StrCat("above: ", ShownShare(share));
    panel.x_title = "R² by ridge";
    panel.y_title = "R² by LogisticRidge";
    panel.series = {Points(layer, most_points, low)};
    fewest = fewest == 0 ? layer.units.size() : std::min(fewest, layer.units.size());
    most = std::max(most, layer.units.size());
    thinned = thinned || layer.units.size() > most_points;
    any_interval = any_interval || std::isfinite(share.low);
    animals.insert(layer.animals.begin(), layer.animals.end());
    report.rows.push_back({name, WithThousands(static_cast<int64_t>(layer.units.size())),
                           ShownShare(share)});
    absl::StrAppend(&findings, findings.empty() ? "" : ", ", ShownShare(share), " at ",
                    name);
  }
  const bool is_cut = low < kLowestR2;
  for (ScatterPanel& panel : chart.panels) {
    panel.low = is_cut ? kLowestR2 : std::min(0.0, low);
    panel.high = 1.02;
  }
  report.findings = {absl::StrCat(
      "Share of target units that LogisticRidge (hard gate) predicts better than ridge "
      "after the ReLU: ",
      findings, ".")};
  chart.caption = report.caption = absl::StrCat(
      family.simulated ? "SIMULATED DATA. " : "",
      "R² of each target unit after the ReLU on held-out stimuli, by ridge and by "
      "LogisticRidge (hard gate), mean over source animals and splits. Above: share "
      "of units above the diagonal, which LogisticRidge predicts better, mean over pairs "
      "of animals",
      any_interval
          ? ", with the 95 % interval over animals from a jackknife that leaves out one "
            "at a time (t quantile, animals − 1 degrees of freedom), cut at 0 and 1. "
          : "; too few animals for intervals. ",
      is_cut ? "Units below −0.2 lie on the edge. " : "",
      thinned ? absl::StrCat("Drawn: ", WithThousands(static_cast<int64_t>(most_points)),
                             " units a panel, evenly chosen. ")
              : "",
      animals.size(), animals.size() == 1 ? " animal, " : " animals, ", splits.size(),
      splits.size() == 1 ? " split, " : " splits, ",
      Range(static_cast<int64_t>(fewest), static_cast<int64_t>(most)),
      " target units a layer; stimuli ", first.stimuli, ", ",
      WithThousands(first.num_fit_stimuli), " to fit and ",
      WithThousands(first.num_test_stimuli), " to test. ", FamilyWords(family));
  report.alt =
      "A panel for each layer with a point for each unit: R squared by ridge across, by "
      "LogisticRidge up, and the diagonal where both are equal.";
  return figure;
}

}  // namespace iat
