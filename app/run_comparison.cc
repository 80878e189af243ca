#include "app/run_comparison.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/distributions.h"
#include "base/file.h"
#include "base/nan.h"
#include "base/status.h"
#include "report/html.h"
#include "report/page.h"

namespace iat {
namespace {

constexpr double kCoverage = 0.95;

// Our own writer puts a key and its value on one line.
std::map<std::string, std::string> Flatten(absl::string_view config) {
  std::map<std::string, std::string> values;
  std::string table;
  for (absl::string_view line : absl::StrSplit(config, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    if (line.front() == '[') {
      table = std::string(line.substr(1, line.size() - 2));
      continue;
    }
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(" = ", 1));
    values[absl::StrCat(table, ".", parts.first)] = std::string(parts.second);
  }
  return values;
}

using LineKey =
    std::tuple<std::string, std::string, std::string, std::string, std::string,
               std::string, std::string, std::string, std::string>;
LineKey KeyOf(const SummaryLine& line) {
  const SummaryKey& k = line.key;
  return {k.stimuli,      k.family,       k.source_layer, k.target_layer, k.source_stage,
          k.target_stage, k.source_scope, k.target_scope, line.mapping};
}

std::map<LineKey, const SummaryLine*> ByKey(const Summary& summary) {
  std::map<LineKey, const SummaryLine*> lines;
  for (const SummaryLine& line : summary.lines) {
    const SummaryLine*& place = lines[KeyOf(line)];
    if (place == nullptr || place->key.num_target_units < line.key.num_target_units) {
      place = &line;
    }
  }
  return lines;
}

double StandardError(const Interval& interval, int64_t num_animals) {
  return (interval.high - interval.low) / 2.0 /
         StudentTQuantile(static_cast<double>(num_animals - 1), 0.5 + kCoverage / 2.0);
}

Interval DifferenceOf(const SummaryLine& first, const SummaryLine& second) {
  Interval difference{first.r2.mean - second.r2.mean, kNaN, kNaN};
  if (std::isnan(first.r2.low) || std::isnan(second.r2.low)) return difference;
  const double error = std::hypot(StandardError(first.r2, first.num_animals),
                                  StandardError(second.r2, second.num_animals));
  const auto freedom =
      static_cast<double>(std::min(first.num_animals, second.num_animals) - 1);
  const double half = error * StudentTQuantile(freedom, 0.5 + kCoverage / 2.0);
  difference.low = difference.mean - half;
  difference.high = difference.mean + half;
  return difference;
}

struct LoadedRun {
  std::string config;
  Summary summary;
};

absl::StatusOr<LoadedRun> Load(const std::filesystem::path& folder) {
  LoadedRun run;
  IAT_ASSIGN_OR_RETURN(run.config, ReadFile(folder / "config.toml"));
  IAT_ASSIGN_OR_RETURN(const std::vector<ScoreRow> rows,
                       ReadScores(folder / "scores" / "compare.csv"));
  run.summary = Summarise(rows);
  return run;
}

std::string LayerOf(const SummaryKey& key) {
  return key.source_layer == key.target_layer
             ? key.target_layer
             : absl::StrCat(key.source_layer, "->", key.target_layer);
}

std::string StageOf(const SummaryKey& key) {
  return key.source_stage == key.target_stage
             ? key.target_stage
             : absl::StrCat(key.source_stage, "->", key.target_stage);
}

std::string IntervalText(const Interval& interval) {
  if (std::isnan(interval.mean)) return "no value";
  if (std::isnan(interval.low)) return absl::StrFormat("%.4f", interval.mean);
  return absl::StrFormat("%.4f [%.4f, %.4f]", interval.mean, interval.low, interval.high);
}

std::string Missing(const std::string& value) { return value.empty() ? "-" : value; }

std::string OnlyText(const RunComparison& comparison) {
  if (comparison.only_first == 0 && comparison.only_second == 0) return "";
  return absl::StrCat(comparison.only_first, " lines only in the first run, ",
                      comparison.only_second, " only in the second.");
}

bool AnySizeDiffers(const RunComparison& comparison) {
  return std::any_of(comparison.scores.begin(), comparison.scores.end(),
                     [](const ScoreDifference& line) { return !line.same_size; });
}

constexpr char kSizeNote[] =
    "* the runs differ in numbers of stimuli or units, which alone moves R2.";

}  // namespace

std::vector<ConfigDifference> CompareConfigs(absl::string_view first,
                                             absl::string_view second) {
  const auto a = Flatten(first), b = Flatten(second);
  std::set<std::string> keys;
  for (const auto* values : {&a, &b}) {
    for (const auto& [key, unused] : *values) keys.insert(key);
  }
  std::vector<ConfigDifference> differences;
  for (const std::string& key : keys) {
    const auto in_a = a.find(key), in_b = b.find(key);
    const std::string value_a = in_a == a.end() ? "" : in_a->second;
    const std::string value_b = in_b == b.end() ? "" : in_b->second;
    if (value_a != value_b) differences.push_back({key, value_a, value_b});
  }
  return differences;
}

std::vector<ScoreDifference> CompareSummaries(const Summary& first,
                                              const Summary& second) {
  const auto a = ByKey(first), b = ByKey(second);
  std::vector<ScoreDifference> differences;
  for (const auto& [key, line] : a) {
    const auto found = b.find(key);
    if (found == b.end()) continue;
    const SummaryLine& other = *found->second;
    const auto sizes = [](const SummaryKey& k) {
      return std::tie(k.num_fit_stimuli, k.num_test_stimuli, k.num_source_units,
                      k.num_target_units);
    };
    differences.push_back({.key = line->key,
                           .mapping = line->mapping,
                           .first = line->r2,
                           .second = other.r2,
                           .difference = DifferenceOf(*line, other),
                           .first_animals = line->num_animals,
                           .second_animals = other.num_animals,
                           .same_size = sizes(line->key) == sizes(other.key)});
  }
  return differences;
}

absl::StatusOr<RunComparison> CompareRuns(const std::filesystem::path& first,
                                          const std::filesystem::path& second) {
  IAT_ASSIGN_OR_RETURN(const LoadedRun a, Load(first));
  IAT_ASSIGN_OR_RETURN(const LoadedRun b, Load(second));
  RunComparison comparison{.first = first.string(),
                           .second = second.string(),
                           .config = CompareConfigs(a.config, b.config),
                           .scores = CompareSummaries(a.summary, b.summary)};
  const auto shared = static_cast<int64_t>(comparison.scores.size());
  comparison.only_first = static_cast<int64_t>(ByKey(a.summary).size()) - shared;
  comparison.only_second = static_cast<int64_t>(ByKey(b.summary).size()) - shared;
  return comparison;
}

std::string RunComparisonText(const RunComparison& comparison) {
  std::string text =
      absl::StrCat("first:  ", comparison.first, "\nsecond: ", comparison.second, "\n\n");
  if (comparison.config.empty()) absl::StrAppend(&text, "The configs are the same.\n");
  for (const ConfigDifference& line : comparison.config) {
    absl::StrAppendFormat(&text, "%-36s %s  |  %s\n", line.key, Missing(line.first),
                          Missing(line.second));
  }
  absl::StrAppendFormat(&text, "\n%-10s %-8s %-10s %-24s %-25s %-25s %-26s %s\n",
                        "family", "layer", "stage", "mapping", "first R2", "second R2",
                        "first - second", "animals");
  for (const ScoreDifference& line : comparison.scores) {
    absl::StrAppendFormat(
        &text, "%-10s %-8s %-10s %-24s %-25s %-25s %-26s %d, %d%s\n", line.key.family,
        LayerOf(line.key), StageOf(line.key), line.mapping, IntervalText(line.first),
        IntervalText(line.second), IntervalText(line.difference), line.first_animals,
        line.second_animals, line.same_size ? "" : " *");
  }
  if (AnySizeDiffers(comparison)) absl::StrAppend(&text, kSizeNote, "\n");
  const std::string only = OnlyText(comparison);
  if (!only.empty()) absl::StrAppend(&text, only, "\n");
  return text;
}

std::string RunComparisonHtml(const RunComparison& comparison) {
  std::vector<std::vector<std::string>> config, scores;
  for (const ConfigDifference& line : comparison.config) {
    config.push_back({line.key, Missing(line.first), Missing(line.second)});
  }
  int64_t num_clear = 0, num_intervals = 0;
  for (const ScoreDifference& line : comparison.scores) {
    scores.push_back(
        {line.key.family, LayerOf(line.key), StageOf(line.key), line.mapping,
         IntervalText(line.first), IntervalText(line.second),
         absl::StrCat(IntervalText(line.difference), line.same_size ? "" : " *"),
         absl::StrCat(line.first_animals, ", ", line.second_animals)});
    if (std::isnan(line.difference.low)) continue;
    ++num_intervals;
    num_clear += line.difference.low > 0.0 || line.difference.high < 0.0;
  }
  std::string notes = absl::StrCat(
      "<p>", num_clear, " of ", num_intervals,
      " differences with an interval lie clear of 0. The runs' animals are taken as "
      "independent; 95 % intervals, none below 4 animals in either run.</p>\n");
  if (AnySizeDiffers(comparison)) absl::StrAppend(&notes, "<p>", kSizeNote, "</p>\n");
  const std::string only = OnlyText(comparison);
  if (!only.empty()) absl::StrAppend(&notes, "<p>", HtmlEscape(only), "</p>\n");
  return PageHtml(
      absl::StrCat(comparison.first, " against ", comparison.second), "Two runs",
      absl::StrCat("first: ", comparison.first, ", second: ", comparison.second),
      absl::StrCat(
          "<h2 id=\"scores\">Scores</h2>\n", notes,
          TableHtml("Differences in scores",
                    {"family", "layer", "stage", "mapping", "first R\u00b2",
                     "second R\u00b2", "first \u2212 second", "animals"},
                    scores),
          "<h2 id=\"config\">Config</h2>\n",
          config.empty()
              ? "<p>The configs are the same.</p>\n"
              : TableHtml("What differs in the configs",
                          {"key", comparison.first, comparison.second}, config)));
}

}  // namespace iat
