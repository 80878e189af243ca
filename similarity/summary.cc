#include "similarity/summary.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/json_text.h"
#include "base/nan.h"

namespace iat {
namespace {

constexpr double kCoverage = 0.95;

using Pair = std::pair<std::string, std::string>;  // source, target
// One value for each ordered pair and split.
using Measurements = std::map<Pair, std::map<int64_t, double>>;

auto Tied(const SummaryKey& k) {
  return std::tie(k.stimuli, k.family, k.source_layer, k.target_layer, k.source_stage,
                  k.target_stage, k.source_scope, k.target_scope, k.num_fit_stimuli,
                  k.num_test_stimuli, k.num_source_units, k.num_target_units);
}

struct KeyLess {
  bool operator()(const std::pair<SummaryKey, std::string>& a,
                  const std::pair<SummaryKey, std::string>& b) const {
    const auto ka = Tied(a.first), kb = Tied(b.first);
    return ka != kb ? ka < kb : a.second < b.second;
  }
};

using Groups = std::map<std::pair<SummaryKey, std::string>, Measurements, KeyLess>;

SummaryKey KeyOf(const ScoreRow& row) {
  const std::string source = FamilyOf(row.source_animal),
                    target = FamilyOf(row.target_animal);
  return {row.stimuli,
          source == target ? source : absl::StrCat(source, "->", target),
          row.source_layer,
          row.target_layer,
          row.source_stage,
          row.target_stage,
          row.source_scope,
          row.target_scope,
          row.num_fit_stimuli,
          row.num_test_stimuli,
          row.num_source_units,
          row.num_target_units};
}

Pair Unordered(const Pair& pair) { return std::minmax(pair.first, pair.second); }

// Mean over pairs of the mean of their directions, without the pairs of `left_out`.
double MeanOverPairs(const std::map<Pair, double>& value_of_pair,
                     const std::string* left_out) {
  std::map<Pair, std::pair<double, int>> of_unordered;
  for (const auto& [pair, value] : value_of_pair) {
    if (std::isnan(value)) continue;
    if (left_out != nullptr && (pair.first == *left_out || pair.second == *left_out))
      continue;
    auto& [sum, count] = of_unordered[Unordered(pair)];
    sum += value;
    ++count;
  }
  double sum = 0.0;
  for (const auto& [pair, directions] : of_unordered) {
    sum += directions.first / directions.second;
  }
  return sum / static_cast<double>(of_unordered.size());  // 0 / 0 is NaN
}

std::set<std::string> AnimalsOf(const std::map<Pair, double>& value_of_pair) {
  std::set<std::string> animals;
  for (const auto& [pair, value] : value_of_pair) {
    if (std::isnan(value)) continue;
    animals.insert(pair.first);
    animals.insert(pair.second);
  }
  return animals;
}

// `statistic` takes the animal to leave out, or none.
Interval Jackknife(const std::set<std::string>& animals,
                   const std::function<double(const std::string*)>& statistic) {
  const std::vector<std::string> names(animals.begin(), animals.end());
  return JackknifeStatistic(names.size(), [&](size_t left_out) {
    return statistic(left_out < names.size() ? &names[left_out] : nullptr);
  });
}

std::map<Pair, double> MeanOverSplits(const Measurements& measurements) {
  std::map<Pair, double> value_of_pair;
  for (const auto& [pair, values] : measurements) {
    double sum = 0.0;
    int64_t count = 0;
    for (const auto& [split, value] : values) {
      if (std::isnan(value)) continue;
      sum += value;
      ++count;
    }
    value_of_pair[pair] = count > 0 ? sum / static_cast<double>(count) : kNaN;
  }
  return value_of_pair;
}

struct Aggregate {
  Interval r2;
  int64_t num_animals = 0, num_pairs = 0, num_splits = 0, num_empty = 0;
};

Aggregate AggregateOf(const Measurements& measurements) {
  Aggregate aggregate;
  std::set<std::string> animals;
  std::set<Pair> pairs;
  std::set<int64_t> splits;
  for (const auto& [pair, values] : measurements) {
    for (const auto& [split, value] : values) {
      splits.insert(split);
      aggregate.num_empty += std::isnan(value);
    }
    pairs.insert(Unordered(pair));
    animals.insert(pair.first);
    animals.insert(pair.second);
  }
  aggregate.r2 = JackknifeOverAnimals(MeanOverSplits(measurements));
  aggregate.num_animals = static_cast<int64_t>(animals.size());
  aggregate.num_pairs = static_cast<int64_t>(pairs.size());
  aggregate.num_splits = static_cast<int64_t>(splits.size());
  return aggregate;
}

Measurements Difference(const Measurements& first, const Measurements& second) {
  Measurements difference;
  for (const auto& [pair, values] : first) {
    const auto other = second.find(pair);
    if (other == second.end()) continue;
    for (const auto& [split, value] : values) {
      const auto found = other->second.find(split);
      if (found != other->second.end()) difference[pair][split] = value - found->second;
    }
  }
  return difference;
}

void AddDifference(const Groups& groups, const SummaryKey& first_key,
                   const std::string& first, const SummaryKey& second_key,
                   const std::string& second, std::vector<DifferenceLine>& lines) {
  const auto a = groups.find({first_key, first}), b = groups.find({second_key, second});
  if (a == groups.end() || b == groups.end()) return;
  const Measurements difference = Difference(a->second, b->second);
  if (difference.empty()) return;
  const Aggregate aggregate = AggregateOf(difference);
  lines.push_back({first_key, absl::StrCat(first, " ", first_key.target_stage),
                   absl::StrCat(second, " ", second_key.target_stage), aggregate.r2,
                   aggregate.num_animals, aggregate.num_pairs, aggregate.num_splits});
}

// A mapping's values for every (source layer, target layer).
using LayerMatrix = std::map<Pair, std::map<Pair, double>>;

// Smallest lead of R2(l -> l) over another entry of its row or column, averaged over
// layers, without the pairs of `left_out`.
double MeanLead(const LayerMatrix& matrix, const std::set<std::string>& layers,
                bool by_target, const std::string* left_out, int64_t* num_won = nullptr) {
  double sum = 0.0;
  for (const std::string& layer : layers) {
    const double own = MeanOverPairs(matrix.at({layer, layer}), left_out);
    double best_other = -std::numeric_limits<double>::infinity();
    for (const std::string& other : layers) {
      if (other == layer) continue;
      const Pair entry = by_target ? Pair{other, layer} : Pair{layer, other};
      const double value = MeanOverPairs(matrix.at(entry), left_out);
      if (std::isnan(value)) return kNaN;  // an entry without a scored unit
      best_other = std::max(best_other, value);
    }
    sum += own - best_other;
    if (num_won != nullptr) *num_won += own > best_other;
  }
  return sum / static_cast<double>(layers.size());
}

std::vector<SeparabilityLine> MakeSeparability(const Groups& groups) {
  std::map<std::pair<SummaryKey, std::string>, LayerMatrix, KeyLess> matrices;
  // Keys ascend, so rows on more target units replace those on fewer.
  for (const auto& [group, measurements] : groups) {
    SummaryKey key = group.first;
    key.source_layer.clear();
    key.target_layer.clear();
    key.num_source_units = key.num_target_units = 0;
    matrices[{key, group.second}][{group.first.source_layer, group.first.target_layer}] =
        MeanOverSplits(measurements);
  }
  std::vector<SeparabilityLine> lines;
  for (const auto& [group, matrix] : matrices) {
    std::set<std::string> layers, animals;
    for (const auto& [entry, values] : matrix) {
      if (entry.first == entry.second) layers.insert(entry.first);
      animals.merge(AnimalsOf(values));
    }
    bool whole = layers.size() > 1;
    for (const std::string& source : layers) {
      for (const std::string& target : layers) {
        whole = whole && matrix.count({source, target}) > 0;
      }
    }
    if (!whole) continue;
    SeparabilityLine& line = lines.emplace_back();
    line.key = group.first;
    line.mapping = group.second;
    line.num_layers = static_cast<int64_t>(layers.size());
    line.num_animals = static_cast<int64_t>(animals.size());
    MeanLead(matrix, layers, true, nullptr, &line.num_matched);
    for (const bool by_target : {true, false}) {
      (by_target ? line.by_target : line.by_source) =
          Jackknife(animals, [&](const std::string* left_out) {
            return MeanLead(matrix, layers, by_target, left_out);
          });
    }
  }
  return lines;
}

std::string FormatInterval(const Interval& r2) {
  if (std::isnan(r2.low)) return absl::StrFormat("%7.4f %17s", r2.mean, "-");
  return absl::StrFormat("%7.4f [%7.4f,%7.4f]", r2.mean, r2.low, r2.high);
}

std::string StageText(const SummaryKey& key) {
  return key.source_stage == key.target_stage
             ? key.source_stage
             : absl::StrCat(key.source_stage, "->", key.target_stage);
}

std::string LayerText(const SummaryKey& key) {
  return key.source_layer == key.target_layer
             ? key.source_layer
             : absl::StrCat(key.source_layer, "->", key.target_layer);
}

void AppendDifferences(const Summary& summary, std::string& text) {
  if (summary.differences.empty()) return;
  absl::StrAppendFormat(&text, "\n%-12s %-8s %-56s %7s %17s %7s %5s %6s %5s\n", "family",
                        "layer", "difference", "R2", "95 % interval", "animals", "pairs",
                        "splits", "units");
  for (const DifferenceLine& line : summary.differences) {
    absl::StrAppendFormat(&text, "%-12s %-8s %-56s %s %7d %5d %6d %5d\n", line.key.family,
                          LayerText(line.key),
                          absl::StrCat(line.first, " - ", line.second),
                          FormatInterval(line.r2), line.num_animals, line.num_pairs,
                          line.num_splits, line.key.num_target_units);
  }
}

void AppendSeparability(const Summary& summary, std::string& text) {
  if (summary.separability.empty()) return;
  absl::StrAppendFormat(&text, "\n%-12s %-24s %-24s %25s %25s %7s %7s\n", "family",
                        "stage", "layers kept apart by", "lead by target",
                        "lead by source", "matched", "animals");
  for (const SeparabilityLine& line : summary.separability) {
    absl::StrAppendFormat(
        &text, "%-12s %-24s %-24s %s %s %7s %7d\n", line.key.family, StageText(line.key),
        line.mapping, FormatInterval(line.by_target), FormatInterval(line.by_source),
        absl::StrCat(line.num_matched, "/", line.num_layers), line.num_animals);
  }
}

nlohmann::ordered_json KeyJson(const SummaryKey& key) {
  return {{"stimuli", key.stimuli},
          {"family", key.family},
          {"source_layer", key.source_layer},
          {"target_layer", key.target_layer},
          {"source_stage", key.source_stage},
          {"target_stage", key.target_stage},
          {"source_scope", key.source_scope},
          {"target_scope", key.target_scope},
          {"num_fit_stimuli", key.num_fit_stimuli},
          {"num_test_stimuli", key.num_test_stimuli},
          {"num_source_units", key.num_source_units},
          {"num_target_units", key.num_target_units}};
}

}  // namespace

Interval JackknifeStatistic(size_t num_animals,
                            const std::function<double(size_t)>& statistic) {
  std::vector<double> without;
  for (size_t a = 0; a < num_animals; ++a) without.push_back(statistic(a));
  return TInterval(statistic(num_animals), JackknifeVariance(without), kCoverage);
}

Interval JackknifeOverAnimals(const std::map<Pair, double>& value_of_pair) {
  return Jackknife(AnimalsOf(value_of_pair), [&](const std::string* left_out) {
    return MeanOverPairs(value_of_pair, left_out);
  });
}

Interval JackknifeOverTargets(const std::map<std::string, double>& value_of_target) {
  std::set<std::string> animals;
  for (const auto& [animal, value] : value_of_target) {
    if (!std::isnan(value)) animals.insert(animal);
  }
  return Jackknife(animals, [&](const std::string* left_out) {
    double sum = 0.0;
    int count = 0;
    for (const std::string& animal : animals) {
      if (left_out != nullptr && animal == *left_out) continue;
      sum += value_of_target.at(animal);
      ++count;
    }
    return sum / count;  // 0 / 0 is NaN
  });
}

std::string FamilyOf(const std::string& animal) {
  const size_t dash = animal.rfind('-');
  if (dash == std::string::npos || dash == 0 || dash + 1 == animal.size() ||
      animal.find_first_not_of("0123456789", dash + 1) != std::string::npos) {
    return animal;
  }
  return animal.substr(0, dash);
}

Summary Summarise(const std::vector<ScoreRow>& rows) {
  Groups groups;
  for (const ScoreRow& row : rows) {
    groups[{KeyOf(row), row.mapping}][{row.source_animal, row.target_animal}]
          [row.split_seed] = row.median_r2;
  }
  Summary summary;
  for (const auto& [group, measurements] : groups) {
    const Aggregate aggregate = AggregateOf(measurements);
    summary.lines.push_back({group.first, group.second, aggregate.r2,
                             aggregate.num_animals, aggregate.num_pairs,
                             aggregate.num_splits, aggregate.num_empty});
  }
  for (const auto& [group, measurements] : groups) {
    const auto& [key, mapping] = group;
    if (mapping == "ridge" && key.source_stage == "pre_relu" &&
        key.target_stage == "pre_relu") {
      SummaryKey after = key;
      after.source_stage = after.target_stage = "post_relu";
      AddDifference(groups, key, "ridge", after, "ridge", summary.differences);
    }
    if (mapping == "ridge" || absl::EndsWith(mapping, "_permuted")) continue;
    AddDifference(groups, key, mapping, key, "ridge", summary.differences);
    if (absl::StartsWith(mapping, "logistic_ridge")) {
      AddDifference(groups, key, mapping, key, "ridge_clamped", summary.differences);
    }
  }
  summary.separability = MakeSeparability(groups);
  return summary;
}

std::string SummaryText(const Summary& summary) {
  std::string text =
      absl::StrFormat("%-12s %-8s %-10s %-24s %7s %17s %7s %5s %6s %11s %5s\n", "family",
                      "layer", "stage", "mapping", "R2", "95 % interval", "animals",
                      "pairs", "splits", "stimuli", "units");
  for (const SummaryLine& line : summary.lines) {
    absl::StrAppendFormat(
        &text, "%-12s %-8s %-10s %-24s %s %7d %5d %6d %11s %5d\n", line.key.family,
        LayerText(line.key), StageText(line.key), line.mapping, FormatInterval(line.r2),
        line.num_animals, line.num_pairs, line.num_splits,
        absl::StrCat(line.key.num_fit_stimuli, "+", line.key.num_test_stimuli),
        line.key.num_target_units);
  }
  AppendDifferences(summary, text);
  AppendSeparability(summary, text);
  return text;
}

std::string SummaryJson(const Summary& summary) {
  nlohmann::ordered_json lines = nlohmann::ordered_json::array();
  for (const SummaryLine& line : summary.lines) {
    nlohmann::ordered_json json = KeyJson(line.key);
    json["mapping"] = line.mapping;
    json["median_r2"] = NumberJson(line.r2.mean);
    json["low"] = NumberJson(line.r2.low);
    json["high"] = NumberJson(line.r2.high);
    json["num_animals"] = line.num_animals;
    json["num_pairs"] = line.num_pairs;
    json["num_splits"] = line.num_splits;
    json["num_empty"] = line.num_empty;
    lines.push_back(std::move(json));
  }
  nlohmann::ordered_json differences = nlohmann::ordered_json::array();
  for (const DifferenceLine& line : summary.differences) {
    nlohmann::ordered_json json = KeyJson(line.key);
    json["first"] = line.first;
    json["second"] = line.second;
    json["difference"] = NumberJson(line.r2.mean);
    json["low"] = NumberJson(line.r2.low);
    json["high"] = NumberJson(line.r2.high);
    json["num_animals"] = line.num_animals;
    json["num_pairs"] = line.num_pairs;
    json["num_splits"] = line.num_splits;
    differences.push_back(std::move(json));
  }
  nlohmann::ordered_json separability = nlohmann::ordered_json::array();
  for (const SeparabilityLine& line : summary.separability) {
    nlohmann::ordered_json json = {{"stimuli", line.key.stimuli},
                                   {"family", line.key.family},
                                   {"source_stage", line.key.source_stage},
                                   {"target_stage", line.key.target_stage},
                                   {"source_scope", line.key.source_scope},
                                   {"target_scope", line.key.target_scope},
                                   {"num_fit_stimuli", line.key.num_fit_stimuli},
                                   {"num_test_stimuli", line.key.num_test_stimuli},
                                   {"mapping", line.mapping}};
    for (const bool by_target : {true, false}) {
      const Interval& lead = by_target ? line.by_target : line.by_source;
      const std::string name = by_target ? "by_target" : "by_source";
      json[name] = NumberJson(lead.mean);
      json[name + "_low"] = NumberJson(lead.low);
      json[name + "_high"] = NumberJson(lead.high);
    }
    json["num_layers"] = line.num_layers;
    json["num_matched"] = line.num_matched;
    json["num_animals"] = line.num_animals;
    separability.push_back(std::move(json));
  }
  const nlohmann::ordered_json json = {{"lines", std::move(lines)},
                                       {"differences", std::move(differences)},
                                       {"separability", std::move(separability)}};
  return JsonText(json) + "\n";
}

}  // namespace iat
