#include "report/figure1.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/file.h"
#include "base/status.h"
#include "report/figure1_script.h"
#include "report/gnuplot.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

// Names are compared inside the data file by gnuplot, which knows no escapes.
absl::Status CheckName(absl::string_view what, const std::string& name) {
  const bool bad =
      name.empty() || std::any_of(name.begin(), name.end(), [](char c) {
        return c == '"' || c == ',' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
      });
  if (!bad) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "figure 1: ", what, " is \"", absl::StrReplaceAll(name, {{"\n", "\\n"}}),
      "\"; expected a name without quotes, commas or control characters"));
}

absl::Status CheckMarks(const std::string& panel, const std::vector<Figure1Mark>& marks) {
  std::set<std::string> seen;
  for (const Figure1Mark& mark : marks) {
    IAT_RETURN_IF_ERROR(CheckName("a layer", mark.layer));
    IAT_RETURN_IF_ERROR(CheckName("a stage", mark.stage));
    IAT_RETURN_IF_ERROR(CheckName("a mapping", mark.mapping));
    const std::string where = absl::StrCat("figure 1: ", panel, ", ", mark.layer, ", ",
                                           mark.stage, ", ", mark.mapping);
    if (!seen.insert(where).second) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": two marks; expected one"));
    }
    const bool both = std::isfinite(mark.low) && std::isfinite(mark.high);
    const bool neither = std::isnan(mark.low) && std::isnan(mark.high);
    const bool around = both && mark.low <= mark.mean && mark.mean <= mark.high;
    if (!neither && !around) {
      return absl::InvalidArgumentError(
          absl::StrCat(where, ": interval [", mark.low, ", ", mark.high, "] of mean ",
                       mark.mean, "; expected low <= mean <= high, or NaN at both ends"));
    }
    for (const Figure1Pair& pair : mark.pairs) {
      IAT_RETURN_IF_ERROR(CheckName("a source animal", pair.source_animal));
      IAT_RETURN_IF_ERROR(CheckName("a target animal", pair.target_animal));
    }
  }
  return absl::OkStatus();
}

std::string Count(int64_t number, absl::string_view singular, absl::string_view plural) {
  return absl::StrCat(WithThousands(number), " ", number == 1 ? singular : plural);
}

// What a mapping was scored on. Mappings that agree are named together: "10
// splits, 64 to 384 units (ridge); 2 splits, 64 units (LogisticRidge)".
std::string ScoredOn(const Figure1Data& data) {
  std::vector<std::pair<std::string, std::vector<std::string>>> groups;
  for (const Figure1Series& series : Figure1SeriesOf(data)) {
    int64_t min_splits = 0, max_splits = 0, min_units = 0, max_units = 0;
    bool any = false;
    for (const Figure1Mark& mark : data.family.marks) {
      if (mark.stage != series.stage || mark.mapping != series.mapping) continue;
      min_splits = any ? std::min(min_splits, mark.num_splits) : mark.num_splits;
      max_splits = std::max(max_splits, mark.num_splits);
      min_units =
          any ? std::min(min_units, mark.min_scored_units) : mark.min_scored_units;
      max_units = std::max(max_units, mark.max_scored_units);
      any = true;
    }
    if (!any) continue;
    const std::string text = absl::StrCat(
        Range(min_splits, max_splits), max_splits == 1 ? " split, " : " splits, ",
        Range(min_units, max_units), max_units == 1 ? " scored unit" : " scored units");
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const auto& g) { return g.first == text; });
    if (group == groups.end()) group = groups.insert(groups.end(), {text, {}});
    group->second.push_back(series.label);
  }
  if (groups.size() == 1) return groups.front().first;
  return absl::StrJoin(groups, "; ", [](std::string* out, const auto& group) {
    absl::StrAppend(out, group.first, " (", absl::StrJoin(group.second, "; "), ")");
  });
}

std::vector<std::string> MissingCells(const std::string& panel,
                                      const std::vector<Figure1Mark>& marks) {
  std::vector<std::string> cells;
  for (const Figure1Mark& mark : marks) {
    if (std::isfinite(mark.mean)) continue;
    cells.push_back(absl::StrCat(
        panel, " ", mark.layer, " ",
        mark.label.empty() ? MappingLabel(mark.mapping, mark.stage) : mark.label));
  }
  return cells;
}

std::string Animals(const Figure1Panel& panel) {
  return absl::StrCat(panel.name, ": ", Count(panel.num_animals, "animal", "animals"),
                      ", ", Count(panel.num_pairs, "unordered pair", "unordered pairs"),
                      panel.training.empty() ? "" : "; ", panel.training);
}

}  // namespace

std::string WithThousands(int64_t number) {
  const std::string digits = absl::StrCat(number);
  std::string grouped;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) grouped += ',';
    grouped += digits[i];
  }
  return grouped;
}

std::string Range(int64_t low, int64_t high) {
  return low == high ? WithThousands(low)
                     : absl::StrCat(WithThousands(low), " to ", WithThousands(high));
}

std::string MappingLabel(const std::string& mapping, const std::string& stage) {
  static const auto& mappings = *new std::map<std::string, std::string>{
      {"ridge", "ridge"},
      {"ridge_clamped", "clamped ridge"},
      {"logistic_ridge", "LogisticRidge (hard gate)"},
      {"logistic_ridge_soft", "LogisticRidge (soft gate)"},
      {"logistic_ridge_tuned", "LogisticRidge (tuned gate)"},
  };
  static const auto& stages = *new std::map<std::string, std::string>{
      {"pre_relu", "pre-ReLU"}, {"post_relu", "post-ReLU"}, {"recorded", "recorded"}};
  const auto name = mappings.find(WithoutPermuted(mapping));
  const auto place = stages.find(stage);
  return absl::StrCat(name == mappings.end() ? WithoutPermuted(mapping) : name->second,
                      ", ", place == stages.end() ? stage : place->second,
                      WithoutPermuted(mapping) == mapping ? "" : ", permuted");
}

std::string ShownR2(double r2) {
  if (!std::isfinite(r2)) return "no value";
  const std::string digits = absl::StrFormat("%.3f", std::abs(r2));
  return r2 < 0 && digits != "0.000" ? absl::StrCat("−", digits) : digits;
}

std::string ShownR2(double r2, double low, double high) {
  if (!std::isfinite(low) || !std::isfinite(high)) return ShownR2(r2);
  return absl::StrCat(ShownR2(r2), " [", ShownR2(low), ", ", ShownR2(high), "]");
}

absl::Status ValidateFigure1(const Figure1Data& data) {
  if (data.family.marks.empty()) {
    return absl::InvalidArgumentError(
        "figure 1: there are no scores to draw; expected at least one layer and mapping "
        "in "
        "scores/compare.csv");
  }
  IAT_RETURN_IF_ERROR(CheckName("the family's name", data.family.name));
  IAT_RETURN_IF_ERROR(CheckMarks(data.family.name, data.family.marks));
  std::set<std::string> names = {data.family.name, "permuted"};
  if (names.size() < 2 ||
      (data.companion.has_value() && !names.insert(data.companion->name).second)) {
    return absl::InvalidArgumentError(
        absl::StrCat("figure 1: two panels are named \"",
                     names.size() < 2 ? data.family.name : data.companion->name,
                     "\"; expected different names, and none \"permuted\""));
  }
  if (data.companion.has_value()) {
    IAT_RETURN_IF_ERROR(CheckName("the companion's name", data.companion->name));
    IAT_RETURN_IF_ERROR(CheckMarks(data.companion->name, data.companion->marks));
  }
  return CheckMarks("permuted", data.permuted);
}

std::string Figure1Caption(const Figure1Data& data) {
  std::string caption = absl::StrCat(
      data.simulated ? "SIMULATED DATA. " : "",
      "R² of mappings from one animal's units to the same layer of another, before and "
      "after the ReLU: median over target units on held-out stimuli, mean over splits. "
      "Small points: ordered pairs of animals. Marks: means over unordered pairs. ");
  std::vector<const Figure1Panel*> families = {&data.family};
  if (data.companion.has_value()) families.push_back(&*data.companion);
  bool any_interval = false;
  std::vector<std::string> without;  // families without a single interval
  for (const Figure1Panel* family : families) {
    const bool has =
        std::any_of(family->marks.begin(), family->marks.end(),
                    [](const Figure1Mark& mark) { return std::isfinite(mark.low); });
    any_interval |= has;
    if (!has) {
      without.push_back(absl::StrCat(
          family->name, " (", Count(family->num_animals, "animal", "animals"), ")"));
    }
  }
  if (any_interval) {
    absl::StrAppend(
        &caption,
        absl::StrFormat("Bars: %g %% intervals over animals, from a jackknife that "
                        "leaves out one animal at a time (t quantile, animals − 1 "
                        "degrees of freedom). ",
                        100 * data.confidence));
  }
  if (!without.empty()) {
    absl::StrAppend(&caption, "No interval for ", absl::StrJoin(without, " and "), ". ");
  }
  for (const Figure1Panel* family : families)
    absl::StrAppend(&caption, Animals(*family), ". ");
  absl::StrAppend(&caption, "Stimuli", data.stimuli.empty() ? "" : " ", data.stimuli,
                  ": ", WithThousands(data.num_fit_stimuli), " to fit, ",
                  WithThousands(data.num_test_stimuli), " to test; ", ScoredOn(data),
                  ".");
  if (!data.permuted.empty()) {
    absl::StrAppend(&caption,
                    " Permuted: the target's stimuli shuffled, so that nothing can be "
                    "predicted.");
  }
  if (families.size() + !data.permuted.empty() > 1) {
    absl::StrAppend(&caption, " Each panel has its own R² axis.");
  }
  std::vector<std::string> missing = MissingCells(data.family.name, data.family.marks);
  for (const auto& cell : MissingCells("permuted", data.permuted))
    missing.push_back(cell);
  if (data.companion.has_value()) {
    for (const auto& cell : MissingCells(data.companion->name, data.companion->marks)) {
      missing.push_back(cell);
    }
  }
  if (!missing.empty()) {
    absl::StrAppend(&caption, " No value, because no unit could be scored: ",
                    absl::StrJoin(missing, "; "), ".");
  }
  return caption;
}

absl::Status DrawFigure1(const Figure1Data& data, const fs::path& folder,
                         const FigureOptions& options) {
  IAT_RETURN_IF_ERROR(ValidateFigure1(data));
  return DrawWithGnuplot(options.gnuplot, folder, "figure-1", Figure1Csv(data),
                         Figure1Script(data, options));
}

}  // namespace iat
