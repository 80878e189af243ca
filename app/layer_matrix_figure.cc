#include "app/layer_matrix_figure.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "report/figure1.h"
#include "report/figure1_script.h"
#include "similarity/metric.h"

namespace iat {
namespace {

using LayerCells = std::map<std::pair<std::string, std::string>, Interval>;

const char* const kStages[] = {"pre_relu", "post_relu"};

bool HasOtherLayers(const LayerCells& cells) {
  return std::any_of(cells.begin(), cells.end(), [](const auto& cell) {
    return cell.first.first != cell.first.second;
  });
}

// Cells are keyed by source and target layer.
MatrixPanel MakePanel(const LayerCells& cells) {
  MatrixPanel panel;
  for (const auto& [layers, unused] : cells) {
    panel.columns.push_back(layers.first);
    panel.rows.push_back(layers.second);
  }
  SortLayers(panel.columns);
  SortLayers(panel.rows);
  const auto place = [](const std::vector<std::string>& names, const std::string& name) {
    return static_cast<size_t>(std::find(names.begin(), names.end(), name) -
                               names.begin());
  };
  for (const auto& [layers, value] : cells) {
    panel.cells.push_back({place(panel.rows, layers.second),
                           place(panel.columns, layers.first), value.mean, value.low,
                           value.high});
  }
  return panel;
}

void AddRows(const std::string& what, const LayerCells& cells, ReportFigure& report) {
  for (const auto& [layers, value] : cells) {
    report.rows.push_back(
        {what, layers.first, layers.second, ShownR2(value.mean, value.low, value.high)});
  }
}

bool HasIntervals(const MatrixChart& chart) {
  return std::any_of(
      chart.panels.begin(), chart.panels.end(), [](const MatrixPanel& panel) {
        return std::any_of(
            panel.cells.begin(), panel.cells.end(),
            [](const MatrixCell& cell) { return std::isfinite(cell.low); });
      });
}

std::string IntervalWords(const MatrixChart& chart) {
  if (!HasIntervals(chart)) return "Too few animals for intervals. ";
  return "After ±: half of the 95 % interval over animals, from a jackknife that leaves "
         "out one at a time (t quantile, animals − 1 degrees of freedom). ";
}

// Smallest and largest of what was seen.
struct Extent {
  int64_t low = 0, high = 0;
  void Add(int64_t value) {
    low = high == 0 ? value : std::min(low, value);
    high = std::max(high, value);
  }
  std::string Of(const char* one, const char* many) const {
    return absl::StrCat(Range(low, high), " ", high == 1 ? one : many);
  }
};

void Finish(const std::string& name, const std::string& title, const std::string& caption,
            const FigureFamily& family, RunFigure<MatrixChart>& figure) {
  figure.chart.name = figure.report.id = name;
  figure.chart.simulated = family.simulated;
  figure.report.title = title;
  figure.chart.caption = figure.report.caption =
      absl::StrCat(family.simulated ? "SIMULATED DATA. " : "", caption);
}

struct Counts {
  Extent animals, pairs, splits, target_units;
};

LayerCells CellsOf(const Summary& summary, const std::string& stimuli,
                   const FigureFamily& family, const std::string& mapping,
                   const std::string& stage, Counts& counts) {
  LayerCells cells;
  // Of several samples of target units the largest.
  std::map<std::pair<std::string, std::string>, const SummaryLine*> drawn;
  for (const SummaryLine& line : summary.lines) {
    const SummaryKey& key = line.key;
    if (key.stimuli != stimuli || key.family != family.prefix ||
        key.source_stage != stage || key.target_stage != stage ||
        line.mapping != mapping || key.source_scope != key.target_scope) {
      continue;
    }
    const SummaryLine*& chosen = drawn[{key.source_layer, key.target_layer}];
    if (chosen == nullptr || key.num_target_units > chosen->key.num_target_units) {
      chosen = &line;
    }
  }
  for (const auto& [layers, line] : drawn) {
    cells[layers] = line->r2;
    counts.animals.Add(line->num_animals);
    counts.pairs.Add(line->num_pairs);
    counts.splits.Add(line->num_splits);
    counts.target_units.Add(line->key.num_target_units);
  }
  return cells;
}

void AddSeparability(const Summary& summary, const std::string& stimuli,
                     const FigureFamily& family, const std::string& mapping,
                     const std::string& stage, MatrixPanel& panel, ReportFigure& report) {
  for (const SeparabilityLine& line : summary.separability) {
    if (line.key.stimuli != stimuli || line.key.family != family.prefix ||
        line.key.source_stage != stage || line.key.target_stage != stage ||
        line.mapping != mapping) {
      continue;
    }
    const std::string value =
        ShownR2(line.by_target.mean, line.by_target.low, line.by_target.high);
    panel.subheading = absl::StrCat("separability ", value);
    report.findings.push_back(absl::StrCat(
        MappingLabel(mapping, stage), ": ", line.num_matched, " of ", line.num_layers,
        " layers are predicted best by their counterpart; separability by target ", value,
        ", by source ",
        ShownR2(line.by_source.mean, line.by_source.low, line.by_source.high), "."));
    return;
  }
}

}  // namespace

std::optional<RunFigure<MatrixChart>> MakeMappingMatrixFigure(
    const Summary& summary, const FigureFamily& family) {
  if (summary.lines.empty()) return std::nullopt;
  const SummaryKey& first = summary.lines.front().key;
  RunFigure<MatrixChart> figure;
  figure.report.columns = {"mapping", "source layer", "target layer", "R²"};
  Counts counts;
  for (const char* mapping : {"ridge", "logistic_ridge"}) {
    for (const char* stage : kStages) {
      const LayerCells cells =
          CellsOf(summary, first.stimuli, family, mapping, stage, counts);
      if (!HasOtherLayers(cells)) continue;
      MatrixPanel& panel = figure.chart.panels.emplace_back(MakePanel(cells));
      panel.id = absl::StrCat(mapping, " ", stage);
      panel.heading = MappingLabel(mapping, stage);
      AddRows(panel.heading, cells, figure.report);
      AddSeparability(summary, first.stimuli, family, mapping, stage, panel,
                      figure.report);
    }
  }
  if (figure.chart.panels.empty()) return std::nullopt;
  Finish(
      "layer-matrix-mappings", "Every layer mapped onto every layer",
      absl::StrCat(
          "R² with which each layer of one animal (columns) predicts each layer of "
          "another (rows): median over target units on held-out stimuli, mean over "
          "splits and unordered pairs of animals. Darker: higher, white at 0 and "
          "below. ",
          IntervalWords(figure.chart),
          "Separability: mean over layers of a layer's own R² less the best of the "
          "other source layers. ",
          counts.animals.Of("animal", "animals"), ", ", counts.pairs.Of("pair", "pairs"),
          ", ", counts.splits.Of("split", "splits"), ", ",
          counts.target_units.Of("target unit", "target units"), " a layer; stimuli ",
          first.stimuli, ", ", WithThousands(first.num_fit_stimuli), " to fit and ",
          WithThousands(first.num_test_stimuli), " to test. ", FamilyWords(family)),
      family, figure);
  figure.report.alt =
      "Matrices of R squared with the source layer across and the target layer down, one "
      "for each mapping, darker where prediction is better.";
  return figure;
}

std::optional<RunFigure<MatrixChart>> MakeMetricMatrixFigure(
    const std::vector<MetricLine>& lines, const FigureFamily& family) {
  RunFigure<MatrixChart> figure;
  figure.report.columns = {"metric", "source layer", "target layer", "value"};
  std::string stimuli;
  std::vector<std::string> metrics;
  for (const MetricLine& line : lines) {
    if (line.family != family.prefix) continue;
    if (stimuli.empty()) stimuli = line.stimuli;
    if (std::find(metrics.begin(), metrics.end(), line.metric) == metrics.end()) {
      metrics.push_back(line.metric);
    }
  }
  Extent animals, pairs, num_stimuli;
  std::vector<std::string> meanings;
  bool any_distance = false;
  for (const std::string& metric : metrics) {
    bool drawn = false;
    for (const char* stage : kStages) {
      LayerCells cells;
      for (const MetricLine& line : lines) {
        if (line.family != family.prefix || line.stimuli != stimuli ||
            line.metric != metric || line.stage != stage) {
          continue;
        }
        cells[{line.source_layer, line.target_layer}] = line.value;
        animals.Add(line.num_animals);
        pairs.Add(line.num_pairs);
        num_stimuli.Add(line.num_stimuli);
      }
      if (!HasOtherLayers(cells)) continue;
      MatrixPanel& panel = figure.chart.panels.emplace_back(MakePanel(cells));
      panel.id = absl::StrCat(metric, " ", stage);
      panel.heading = MappingLabel(metric, stage);
      for (const auto& [layers, value] : cells) {
        if (std::isfinite(value.mean))
          panel.darkest = std::max(panel.darkest, value.mean);
      }
      AddRows(panel.heading, cells, figure.report);
      drawn = true;
    }
    if (!drawn) continue;
    for (const MetricInfo& info : RegisteredMetrics()) {
      if (info.name != metric) continue;
      any_distance = any_distance || info.direction == MetricInfo::Direction::kDistance;
      meanings.push_back(absl::StrCat(
          info.name, ", ", info.description,
          info.direction == MetricInfo::Direction::kDistance ? " (a distance)" : ""));
    }
  }
  if (figure.chart.panels.empty()) return std::nullopt;
  Finish("layer-matrix-metrics", "Likeness of every layer with every layer",
         absl::StrCat("Each layer of one animal (columns) compared with each layer of "
                      "another (rows), with nothing fitted; mean over pairs of animals. ",
                      absl::StrJoin(meanings, "; "), ". Darker: larger",
                      any_distance ? ", for a distance less alike" : "",
                      "; white at 0 and below. ", IntervalWords(figure.chart),
                      animals.Of("animal", "animals"), ", ", pairs.Of("pair", "pairs"),
                      "; ", num_stimuli.Of("stimulus", "stimuli"), " of ", stimuli, ". ",
                      FamilyWords(family)),
         family, figure);
  figure.report.alt =
      "Matrices of likeness with the source layer across and the target layer down, one "
      "for each metric before and after the ReLU.";
  return figure;
}

}  // namespace iat
