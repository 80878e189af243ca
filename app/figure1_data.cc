#include "app/figure1_data.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace iat {
namespace {

constexpr char kPermuted[] = "_permuted";

// Only pairs of like with like belong in figure 1.
bool SameTap(const SummaryKey& key) {
  return key.source_layer == key.target_layer && key.source_stage == key.target_stage;
}

bool Matches(const ScoreRow& row, const SummaryLine& line) {
  const SummaryKey& key = line.key;
  return row.stimuli == key.stimuli && row.mapping == line.mapping &&
         row.source_layer == key.source_layer && row.target_layer == key.target_layer &&
         row.source_stage == key.source_stage && row.target_stage == key.target_stage &&
         row.num_target_units == key.num_target_units &&
         absl::StartsWith(row.target_animal, key.family + "-") &&
         absl::StartsWith(row.source_animal, key.family + "-");
}

Figure1Mark MakeMark(const std::vector<ScoreRow>& rows, const SummaryLine& line) {
  Figure1Mark mark{.layer = line.key.target_layer,
                   .stage = line.key.target_stage,
                   .mapping = line.mapping,
                   .label = "",
                   .mean = line.r2.mean,
                   .low = line.r2.low,
                   .high = line.r2.high,
                   .pairs = {},
                   .num_splits = line.num_splits,
                   .num_target_units = line.key.num_target_units,
                   .min_scored_units = 0,
                   .max_scored_units = 0};
  std::map<std::pair<std::string, std::string>, std::pair<double, int>> sums;
  bool first = true;
  for (const ScoreRow& row : rows) {
    if (!Matches(row, line)) continue;
    mark.min_scored_units = first ? row.num_scored_units
                                  : std::min(mark.min_scored_units, row.num_scored_units);
    mark.max_scored_units = std::max(mark.max_scored_units, row.num_scored_units);
    first = false;
    if (std::isnan(row.median_r2)) continue;
    auto& [sum, count] = sums[{row.source_animal, row.target_animal}];
    sum += row.median_r2;
    ++count;
  }
  for (const auto& [pair, sum] : sums) {
    mark.pairs.push_back({pair.first, pair.second, sum.first / sum.second});
  }
  return mark;
}

// Lines of a family that are drawn: for each layer and stage those of the set of
// target units that most mappings share.
std::vector<const SummaryLine*> DrawnLines(const Summary& summary,
                                           const std::string& stimuli,
                                           const std::string& family, bool permuted) {
  std::map<std::pair<std::string, std::string>, std::map<int64_t, int>> counts;
  std::vector<const SummaryLine*> candidates;
  for (const SummaryLine& line : summary.lines) {
    if (line.key.stimuli != stimuli || line.key.family != family || !SameTap(line.key) ||
        absl::EndsWith(line.mapping, kPermuted) != permuted) {
      continue;
    }
    candidates.push_back(&line);
    ++counts[{line.key.target_layer, line.key.target_stage}][line.key.num_target_units];
  }
  std::vector<const SummaryLine*> drawn;
  for (const SummaryLine* line : candidates) {
    const auto& sets = counts[{line->key.target_layer, line->key.target_stage}];
    const auto best =
        std::max_element(sets.begin(), sets.end(), [](const auto& a, const auto& b) {
          return std::tie(a.second, a.first) < std::tie(b.second, b.first);
        });
    if (line->key.num_target_units == best->first) drawn.push_back(line);
  }
  // Input to output, before the ReLU first: the order of the figure.
  std::stable_sort(
      drawn.begin(), drawn.end(), [](const SummaryLine* a, const SummaryLine* b) {
        const auto order = [](const SummaryLine* line) {
          return std::make_tuple(absl::StartsWith(line->key.target_layer, "conv") ? 0 : 1,
                                 line->key.target_layer,
                                 line->key.target_stage != "pre_relu");
        };
        return order(a) < order(b);
      });
  return drawn;
}

Figure1Panel MakePanel(const std::vector<ScoreRow>& rows, const Summary& summary,
                       const std::string& stimuli, const std::string& family,
                       const std::string& name, const std::string& training) {
  Figure1Panel panel{
      .name = name, .training = training, .num_animals = 0, .num_pairs = 0, .marks = {}};
  for (const SummaryLine* line : DrawnLines(summary, stimuli, family, false)) {
    panel.num_animals = std::max(panel.num_animals, line->num_animals);
    panel.num_pairs = std::max(panel.num_pairs, line->num_pairs);
    panel.marks.push_back(MakeMark(rows, *line));
  }
  return panel;
}

std::string InWords(const std::string& mapping_and_stage) {
  const size_t space = mapping_and_stage.find(' ');
  const std::string mapping = mapping_and_stage.substr(0, space);
  const std::string stage =
      space == std::string::npos ? "" : mapping_and_stage.substr(space + 1);
  // "ridge, pre-ReLU" reads better in a sentence as "ridge before the ReLU".
  std::string label = MappingLabel(mapping, stage);
  for (const auto& [tag, words] :
       {std::pair<const char*, const char*>{", pre-ReLU", " before the ReLU"},
        {", post-ReLU", " after the ReLU"}}) {
    if (absl::EndsWith(label, tag)) {
      return absl::StrCat(absl::StripSuffix(label, tag), words);
    }
  }
  return label;
}

std::string IntervalText(const Interval& interval) {
  if (std::isnan(interval.mean)) return "not measured";
  if (std::isnan(interval.low)) return absl::StrFormat("%.3f", interval.mean);
  return absl::StrFormat("%.3f [%.3f, %.3f]", interval.mean, interval.low, interval.high);
}

}  // namespace

Figure1Data MakeFigure1Data(const std::vector<ScoreRow>& rows, const Summary& summary,
                            const std::string& training, const std::string& no_training) {
  Figure1Data data;
  if (summary.lines.empty()) return data;
  const SummaryKey& first = summary.lines.front().key;
  data.stimuli = first.stimuli;
  data.num_fit_stimuli = first.num_fit_stimuli;
  data.num_test_stimuli = first.num_test_stimuli;
  // A run without seeds is about the animals it imported.
  const bool has_seeds =
      std::any_of(summary.lines.begin(), summary.lines.end(),
                  [](const SummaryLine& line) { return line.key.family == "seed"; });
  const std::string family = has_seeds ? "seed" : "imported";
  data.family = MakePanel(rows, summary, data.stimuli, family,
                          has_seeds ? "trained" : "imported", training);
  Figure1Panel untrained =
      MakePanel(rows, summary, data.stimuli, "untrained", "untrained", no_training);
  if (!untrained.marks.empty()) {
    data.companion = std::move(untrained);
  } else if (has_seeds) {
    Figure1Panel imported = MakePanel(rows, summary, data.stimuli, "imported", "imported",
                                      "weights of other programs");
    if (!imported.marks.empty()) data.companion = std::move(imported);
  }
  for (const SummaryLine* line : DrawnLines(summary, data.stimuli, family, true)) {
    data.permuted.push_back(MakeMark(rows, *line));
  }
  return data;
}

ReportTable ScopesTable(const std::vector<ScopeLine>& lines) {
  ReportTable table{
      .title = "Hypercolumn against whole layer",
      .note =
          "Median R\u00b2 of ridge, mean over splits and pairs, with its interval over "
          "animals. Hypercolumn and layer predict the same hypercolumn targets; the "
          "last column has a sample of the layer's units as targets.",
      .columns = {"layer", "stage", "from the hypercolumn", "from the whole layer",
                  "hypercolumn \u2212 layer", "layer onto layer", "animals", "splits"},
      .rows = {}};
  for (const ScopeLine& line : lines) {
    table.rows.push_back({line.layer, line.stage, IntervalText(line.hypercolumn),
                          IntervalText(line.from_layer), IntervalText(line.difference),
                          IntervalText(line.whole_layer), absl::StrCat(line.num_animals),
                          absl::StrCat(line.num_splits)});
  }
  return table;
}

ReportTable MetricsTable(const std::vector<MetricLine>& lines) {
  ReportTable table{.title = "Metrics",
                    .note =
                        "How alike two animals are, with nothing fitted: means over "
                        "pairs, intervals over animals.",
                    .columns = {"family", "layer", "stage", "metric", "value", "animals",
                                "pairs", "stimuli"},
                    .rows = {}};
  for (const MetricLine& line : lines) {
    table.rows.push_back(
        {line.family,
         line.source_layer == line.target_layer
             ? line.source_layer
             : absl::StrCat(line.source_layer, " \u2192 ", line.target_layer),
         line.stage, line.metric, IntervalText(line.value),
         absl::StrCat(line.num_animals), absl::StrCat(line.num_pairs),
         absl::StrCat(line.num_stimuli)});
  }
  return table;
}

std::vector<Contrast> MakeContrasts(const Summary& summary) {
  std::vector<Contrast> contrasts;
  for (const DifferenceLine& line : summary.differences) {
    if (line.key.source_layer != line.key.target_layer ||
        line.key.stimuli != summary.differences.front().key.stimuli) {
      continue;
    }
    Contrast wanted{.family = line.key.family == "seed" ? "trained" : line.key.family,
                    .first = InWords(line.first),
                    .second = InWords(line.second),
                    .layers = {}};
    auto found = std::find_if(contrasts.begin(), contrasts.end(), [&](const Contrast& c) {
      return c.family == wanted.family && c.first == wanted.first &&
             c.second == wanted.second;
    });
    if (found == contrasts.end()) found = contrasts.insert(contrasts.end(), wanted);
    // Where a difference was taken on two sets of units, the larger one speaks.
    auto same = std::find_if(found->layers.begin(), found->layers.end(),
                             [&](const LayerDifference& layer) {
                               return layer.layer == line.key.target_layer;
                             });
    const LayerDifference difference{line.key.target_layer, line.r2.mean, line.r2.low,
                                     line.r2.high};
    if (same == found->layers.end()) {
      found->layers.push_back(difference);
    } else {
      *same = difference;
    }
  }
  return contrasts;
}

}  // namespace iat
