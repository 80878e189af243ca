#include "similarity/scope_compare.h"

#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/json_text.h"
#include "base/nan.h"
#include "base/status.h"

namespace iat {
namespace {

constexpr char kHypercolumn[] = "hypercolumn", kLayer[] = "layer";

// One of the three comparisons.
struct Part {
  std::string name;
  CompareOptions options;
  CompareInput input;
};

std::vector<Part> MakeParts(const ScopeOptions& options, const CompareOptions& compare,
                            const ScopeInput& input) {
  CompareOptions common;
  common.layers = options.layers;
  common.stages.clear();
  for (const std::string& stage : options.stages) {
    common.stages.push_back(absl::StrCat(stage, "->", stage));
  }
  common.mappings = {"ridge"};
  common.num_fit_stimuli = compare.num_fit_stimuli;
  common.num_test_stimuli = compare.num_test_stimuli;
  common.split_seeds = options.split_seeds;
  common.both_directions = options.both_directions;
  common.sample_seed = compare.sample_seed;
  common.mapping.ridge = compare.mapping.ridge;

  std::vector<Part> parts = {
      {"hypercolumn-to-hypercolumn",
       common,
       {.stimuli = input.stimuli, .families = {input.hypercolumns}}},
      {"layer-to-hypercolumn",
       common,
       {.stimuli = input.stimuli,
        .families = {input.layers},
        .target_families = {input.hypercolumns}}}};
  if (options.max_layer_targets > 0) {
    common.max_target_units = options.max_layer_targets;
    parts.push_back({"layer-to-layer",
                     common,
                     {.stimuli = input.stimuli, .families = {input.layers}}});
  }
  return parts;
}

using Pair = std::pair<std::string, std::string>;

// A mean over splits for every ordered pair.
class PairMeans {
 public:
  void Add(const ScoreRow& row) {
    auto& [sum, count] = sums_[{row.source_animal, row.target_animal}];
    sum += row.median_r2;
    ++count;
    splits_.insert(row.split_seed);
    animals_.insert({row.source_animal, row.target_animal});
    pairs_.insert(std::minmax(row.source_animal, row.target_animal));
  }
  bool empty() const { return sums_.empty(); }
  std::map<Pair, double> Values() const {
    std::map<Pair, double> values;
    for (const auto& [pair, sum] : sums_) values[pair] = sum.first / sum.second;
    return values;
  }
  int64_t num_animals() const { return static_cast<int64_t>(animals_.size()); }
  int64_t num_pairs() const { return static_cast<int64_t>(pairs_.size()); }
  int64_t num_splits() const { return static_cast<int64_t>(splits_.size()); }

 private:
  std::map<Pair, std::pair<double, int>> sums_;
  std::set<std::string> animals_;
  std::set<Pair> pairs_;
  std::set<int64_t> splits_;
};

struct Measured {
  PairMeans hypercolumn, from_layer, whole_layer;
  ScopeLine line;
};

std::string IntervalText(const Interval& interval) {
  if (std::isnan(interval.mean)) return absl::StrFormat("%25s", "-");
  if (std::isnan(interval.low)) return absl::StrFormat("%7.4f %17s", interval.mean, "-");
  return absl::StrFormat("%7.4f [%7.4f,%7.4f]", interval.mean, interval.low,
                         interval.high);
}

}  // namespace

void ScopeOptions::Describe(OptionVisitor& visitor) {
  visitor.Integer("animals", animals, {.min = 2},
                  "the family's first so many animals, whose whole layers are extracted "
                  "too");
  visitor.Choices("layers", layers,
                  {"conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"},
                  "layers to compare; none: every layer that is extracted");
  visitor.Choices("stages", stages, {"pre_relu", "post_relu"},
                  "before the ReLU, after it, or both");
  visitor.Integers("split_seeds", split_seeds, {.min = 0},
                   "one split of the stimuli for each");
  visitor.Flag("both_directions", both_directions, "map each pair both ways");
  visitor.Integer("max_layer_targets", max_layer_targets, {.min = 0},
                  "seeded sample of a whole layer's units as targets; 0: no mapping from "
                  "layer onto layer");
}

absl::Status ScopeOptions::Validate() const {
  for (const auto& [name, empty] :
       {std::pair<const char*, bool>{"stages", stages.empty()},
        {"split_seeds", split_seeds.empty()}}) {
    if (empty) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " is empty; expected at least one entry"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ScopeResult> RunScopeCompare(const ScopeOptions& options,
                                            const CompareOptions& compare,
                                            const ScopeInput& input,
                                            const std::filesystem::path& scores_folder,
                                            const CompareControl& control) {
  ScopeResult result{.complete = true, .rows = {}};
  for (const Part& part : MakeParts(options, compare, input)) {
    IAT_ASSIGN_OR_RETURN(CompareResult one,
                         RunCompare(part.options, part.input,
                                    scores_folder / "scopes" / part.name, control));
    result.complete = result.complete && one.complete;
    std::move(one.rows.begin(), one.rows.end(), std::back_inserter(result.rows));
  }
  if (!result.complete) return ScopeResult{};
  IAT_RETURN_IF_ERROR(WriteScores(scores_folder / "scopes.csv", result.rows));
  return result;
}

absl::StatusOr<ComparePlan> PlanScopeCompare(const ScopeOptions& options,
                                             const CompareOptions& compare,
                                             const ScopeInput& input,
                                             const std::filesystem::path& scores_folder) {
  ComparePlan plan;
  for (const Part& part : MakeParts(options, compare, input)) {
    IAT_ASSIGN_OR_RETURN(
        const ComparePlan one,
        PlanCompare(part.options, part.input, scores_folder / "scopes" / part.name));
    plan.num_cells += one.num_cells;
    plan.num_complete += one.num_complete;
  }
  return plan;
}

std::vector<ScopeLine> SummariseScopes(const std::vector<ScoreRow>& rows) {
  std::map<std::tuple<std::string, std::string, std::string>, Measured> measured;
  for (const ScoreRow& row : rows) {
    if (row.source_layer != row.target_layer || row.source_stage != row.target_stage ||
        row.mapping != "ridge" || std::isnan(row.median_r2)) {
      continue;
    }
    // Before the ReLU first.
    Measured& one =
        measured[{row.stimuli, row.source_layer,
                  row.source_stage == "pre_relu" ? " pre_relu" : row.source_stage}];
    one.line.stimuli = row.stimuli;
    one.line.layer = row.source_layer;
    one.line.stage = row.source_stage;
    if (row.source_scope == kHypercolumn && row.target_scope == kHypercolumn) {
      one.hypercolumn.Add(row);
      one.line.num_hypercolumn_units = row.num_source_units;
    } else if (row.source_scope == kLayer && row.target_scope == kHypercolumn) {
      one.from_layer.Add(row);
      one.line.num_layer_units = row.num_source_units;
    } else if (row.source_scope == kLayer && row.target_scope == kLayer) {
      one.whole_layer.Add(row);
      one.line.num_layer_targets = row.num_target_units;
    }
  }
  std::vector<ScopeLine> lines;
  for (auto& [unused, one] : measured) {
    ScopeLine& line = one.line;
    const std::map<Pair, double> small = one.hypercolumn.Values(),
                                 large = one.from_layer.Values();
    std::map<Pair, double> difference;
    for (const auto& [pair, value] : small) {
      const auto found = large.find(pair);
      if (found != large.end()) difference[pair] = value - found->second;
    }
    const Interval none{kNaN, kNaN, kNaN};
    line.hypercolumn = small.empty() ? none : JackknifeOverAnimals(small);
    line.from_layer = large.empty() ? none : JackknifeOverAnimals(large);
    line.whole_layer =
        one.whole_layer.empty() ? none : JackknifeOverAnimals(one.whole_layer.Values());
    line.difference = difference.empty() ? none : JackknifeOverAnimals(difference);
    const PairMeans& counted = one.from_layer.empty() ? one.hypercolumn : one.from_layer;
    line.num_animals = counted.num_animals();
    line.num_pairs = counted.num_pairs();
    line.num_splits = counted.num_splits();
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string ScopesText(const std::vector<ScopeLine>& lines) {
  std::string text =
      absl::StrFormat("%-6s %-10s %25s %25s %25s %25s %7s %6s\n", "layer", "stage",
                      "hypercolumn", "layer -> hypercolumn", "hypercolumn - layer",
                      "layer -> layer", "animals", "splits");
  for (const ScopeLine& line : lines) {
    absl::StrAppendFormat(&text, "%-6s %-10s %s %s %s %s %7d %6d\n", line.layer,
                          line.stage, IntervalText(line.hypercolumn),
                          IntervalText(line.from_layer), IntervalText(line.difference),
                          IntervalText(line.whole_layer), line.num_animals,
                          line.num_splits);
  }
  return text;
}

std::string ScopesJson(const std::vector<ScopeLine>& lines) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const ScopeLine& line : lines) {
    nlohmann::ordered_json json = {
        {"stimuli", line.stimuli}, {"layer", line.layer}, {"stage", line.stage}};
    for (const auto& [name, interval] :
         {std::pair<const char*, const Interval*>{"hypercolumn", &line.hypercolumn},
          {"from_layer", &line.from_layer},
          {"whole_layer", &line.whole_layer},
          {"difference", &line.difference}}) {
      json[name] = {{"mean", NumberJson(interval->mean)},
                    {"low", NumberJson(interval->low)},
                    {"high", NumberJson(interval->high)}};
    }
    json["num_animals"] = line.num_animals;
    json["num_pairs"] = line.num_pairs;
    json["num_splits"] = line.num_splits;
    json["num_hypercolumn_units"] = line.num_hypercolumn_units;
    json["num_layer_units"] = line.num_layer_units;
    json["num_layer_targets"] = line.num_layer_targets;
    all.push_back(std::move(json));
  }
  return JsonText(all) + "\n";
}

}  // namespace iat
