// How an ArrayComparison is shown: as text, as JSON, as CSV.

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/csv.h"
#include "base/json_text.h"
#include "similarity/compare_arrays.h"

namespace iat {
namespace {

using nlohmann::ordered_json;

// Over splits; NaN where no split has a number.
struct OverSplits {
  double mean = 0.0, smallest = 0.0, largest = 0.0;
};

OverSplits Summarise(const std::vector<ArraySplitScores>& splits,
                     double R2Summary::*member) {
  std::vector<double> values;
  for (const ArraySplitScores& split : splits) {
    const double value = split.summary.*member;
    if (!std::isnan(value)) values.push_back(value);
  }
  if (values.empty()) {
    const double nan = std::nan("");
    return {nan, nan, nan};
  }
  double sum = 0.0;
  for (const double value : values) sum += value;
  const auto [smallest, largest] = std::minmax_element(values.begin(), values.end());
  return {sum / static_cast<double>(values.size()), *smallest, *largest};
}

// One kind of choice over all units and splits.
struct Choices {
  std::vector<double> values;  // those that were needed
  int64_t num_at_edge = 0;
};

std::map<std::string, Choices> CollectChoices(
    const std::vector<ArraySplitScores>& splits) {
  std::map<std::string, Choices> all;
  for (const ArraySplitScores& split : splits) {
    for (const auto& [name, values] : split.chosen.values) {
      for (const double value : values) {
        if (!std::isnan(value)) all[name].values.push_back(value);
      }
    }
    for (const auto& [name, count] : split.chosen.num_at_edge) {
      all[name].num_at_edge += count;
    }
  }
  return all;
}

std::string ScoredUnits(const std::vector<ArraySplitScores>& splits, int64_t num_units) {
  int64_t fewest = num_units, most = 0;
  for (const ArraySplitScores& split : splits) {
    fewest = std::min(fewest, split.summary.num_scored_units);
    most = std::max(most, split.summary.num_scored_units);
  }
  return absl::StrCat(fewest, fewest == most ? "" : absl::StrCat("-", most), " of ",
                      num_units);
}

std::string MappingLines(const ArrayComparison& comparison) {
  std::string text =
      absl::StrFormat("%-22s %9s  %-20s %9s %9s  %s\n", "mapping", "median R2",
                      "over splits", "q25", "q75", "scored units");
  for (const auto& [name, splits] : comparison.mappings) {
    const OverSplits median = Summarise(splits, &R2Summary::median);
    absl::StrAppend(
        &text,
        absl::StrFormat("%-22s %9.4f  %-20s %9.4f %9.4f  %s\n", name, median.mean,
                        absl::StrFormat("%.4f ... %.4f", median.smallest, median.largest),
                        Summarise(splits, &R2Summary::q25).mean,
                        Summarise(splits, &R2Summary::q75).mean,
                        ScoredUnits(splits, comparison.num_target_units)));
    for (const auto& [choice, choices] : CollectChoices(splits)) {
      absl::StrAppend(
          &text, absl::StrFormat("  %-20s median %.4g; %d of %d at an edge of the grid\n",
                                 choice, Quantile(choices.values, 0.5),
                                 choices.num_at_edge, choices.values.size()));
    }
  }
  return text;
}

std::string MetricLines(const ArrayComparison& comparison) {
  std::string text = absl::StrFormat("%-26s %12s\n", "metric", "value");
  for (const auto& [info, result] : comparison.metrics) {
    absl::StrAppend(&text,
                    absl::StrFormat("%-26s %12.6g  %s%s\n", info.name, result.value,
                                    DirectionName(info.direction),
                                    result.note.empty() ? "" : "; " + result.note));
  }
  return text;
}

ordered_json SplitJson(const ArraySplitScores& split) {
  return {{"split_seed", split.split_seed},
          {"num_scored_units", split.summary.num_scored_units},
          {"median_r2", NumberJson(split.summary.median)},
          {"mean_r2", NumberJson(split.summary.mean)},
          {"q25_r2", NumberJson(split.summary.q25)},
          {"q75_r2", NumberJson(split.summary.q75)}};
}

ordered_json MappingJson(const ArrayComparison::OfMapping& mapping) {
  const OverSplits median = Summarise(mapping.splits, &R2Summary::median);
  ordered_json json = {
      {"name", mapping.name},
      {"median_r2", NumberJson(median.mean)},
      {"min_median_r2", NumberJson(median.smallest)},
      {"max_median_r2", NumberJson(median.largest)},
      {"q25_r2", NumberJson(Summarise(mapping.splits, &R2Summary::q25).mean)},
      {"q75_r2", NumberJson(Summarise(mapping.splits, &R2Summary::q75).mean)}};
  json["chosen"] = ordered_json::object();
  for (const auto& [name, choices] : CollectChoices(mapping.splits)) {
    json["chosen"][name] = {{"median", NumberJson(Quantile(choices.values, 0.5))},
                            {"num_choices", choices.values.size()},
                            {"num_at_edge", choices.num_at_edge}};
  }
  json["splits"] = ordered_json::array();
  for (const ArraySplitScores& split : mapping.splits) {
    json["splits"].push_back(SplitJson(split));
  }
  return json;
}

}  // namespace

std::string ComparisonText(const ArrayComparison& comparison) {
  std::string text = absl::StrCat(
      "source  ", comparison.source_name, ": ", comparison.num_stimuli, " stimuli x ",
      comparison.num_source_units, " units\ntarget  ", comparison.target_name, ": ",
      comparison.num_stimuli, " stimuli x ", comparison.num_target_units, " units, ",
      StageName(comparison.target_stage), "\n");
  if (!comparison.mappings.empty()) {
    absl::StrAppend(&text, "R2 on ", comparison.num_test_stimuli,
                    " test stimuli after fitting on ", comparison.num_fit_stimuli,
                    ": over units, then the mean of ",
                    comparison.mappings.front().splits.size(), " splits\n\n",
                    MappingLines(comparison));
  }
  if (!comparison.metrics.empty()) {
    absl::StrAppend(&text, "\n", MetricLines(comparison));
  }
  return text;
}

std::string ComparisonJson(const ArrayComparison& comparison) {
  ordered_json json = {{"source", comparison.source_name},
                       {"target", comparison.target_name},
                       {"num_stimuli", comparison.num_stimuli},
                       {"num_source_units", comparison.num_source_units},
                       {"num_target_units", comparison.num_target_units},
                       {"target_stage", StageName(comparison.target_stage)},
                       {"target_stage_inferred", comparison.stage_was_inferred},
                       {"num_fit_stimuli", comparison.num_fit_stimuli},
                       {"num_test_stimuli", comparison.num_test_stimuli}};
  json["mappings"] = ordered_json::array();
  for (const auto& mapping : comparison.mappings) {
    json["mappings"].push_back(MappingJson(mapping));
  }
  json["metrics"] = ordered_json::array();
  for (const auto& [info, result] : comparison.metrics) {
    json["metrics"].push_back({{"name", info.name},
                               {"value", NumberJson(result.value)},
                               {"direction", DirectionName(info.direction)},
                               {"note", result.note}});
  }
  return JsonText(json);
}

std::string ComparisonUnitsCsv(const ArrayComparison& comparison) {
  std::set<std::string> choices;
  for (const auto& mapping : comparison.mappings) {
    for (const ArraySplitScores& split : mapping.splits) {
      for (const auto& [name, values] : split.chosen.values) choices.insert(name);
    }
  }
  CsvTable table;
  table.columns = {"mapping", "split_seed", "unit", "r2"};
  table.columns.insert(table.columns.end(), choices.begin(), choices.end());
  for (const auto& [mapping, splits] : comparison.mappings) {
    for (const ArraySplitScores& split : splits) {
      for (Eigen::Index unit = 0; unit < split.r2.size(); ++unit) {
        std::vector<std::string> row = {mapping, absl::StrCat(split.split_seed),
                                        absl::StrCat(unit), FormatNumber(split.r2(unit))};
        for (const std::string& name : choices) {
          const auto found = split.chosen.values.find(name);
          row.push_back(found == split.chosen.values.end()
                            ? ""
                            : FormatNumber(found->second(unit)));
        }
        table.rows.push_back(std::move(row));
      }
    }
  }
  return CsvText(table);
}

}  // namespace iat
