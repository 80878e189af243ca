#include "neural/neural_summary.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/json_text.h"
#include "base/nan.h"

namespace iat {
namespace {

constexpr size_t kFewestAnimals = 4;

using Rows = std::vector<const NeuralScoreRow*>;
using Key = std::tuple<std::string, std::string, std::string, int64_t, std::string,
                       std::string, std::string, std::string>;

Key KeyOf(const NeuralScoreRow& row) {
  return {row.recording,   row.direction,
          row.mapping,     row.sample_seed < 0 ? 0 : row.num_source_units,
          row.source_area, row.source_stage,
          row.target_area, row.target_stage};
}

double Mean(const Rows& rows, double NeuralScoreRow::*member) {
  double sum = 0.0;
  int64_t count = 0;
  for (const NeuralScoreRow* row : rows) {
    if (std::isnan(row->*member)) continue;
    sum += row->*member;
    ++count;
  }
  return count > 0 ? sum / static_cast<double>(count) : kNaN;
}

double MeanCount(const Rows& rows, int64_t NeuralScoreRow::*member) {
  double sum = 0.0;
  for (const NeuralScoreRow* row : rows) sum += static_cast<double>(row->*member);
  return sum / static_cast<double>(rows.size());
}

std::set<std::string> Names(const Rows& rows, std::string NeuralScoreRow::*member) {
  std::set<std::string> names;
  for (const NeuralScoreRow* row : rows) names.insert(row->*member);
  return names;
}

// Means within each animal of one role, jackknifed over them.
Interval OverRole(const Rows& rows, std::string NeuralScoreRow::*role,
                  double NeuralScoreRow::*member) {
  std::map<std::string, Rows> by_animal;
  for (const NeuralScoreRow* row : rows) by_animal[row->*role].push_back(row);
  std::map<std::pair<std::string, std::string>, double> values;
  for (const auto& [animal, own] : by_animal)
    values[{animal, animal}] = Mean(own, member);
  return JackknifeOverAnimals(values);
}

Interval OverPairs(const Rows& rows, double NeuralScoreRow::*member) {
  std::map<std::pair<std::string, std::string>, double> values;
  for (const NeuralScoreRow* row : rows) {
    values[{row->source_animal, row->target_animal}] = row->*member;
  }
  return JackknifeOverAnimals(values);
}

// How this line's intervals are made, and of how many animals.
struct Road {
  std::string over;
  size_t num = 0;
  std::string NeuralScoreRow::*role = nullptr;  // null: pairs
};

Road RoadOf(const std::string& direction, const Rows& rows) {
  const std::set<std::string> sources = Names(rows, &NeuralScoreRow::source_animal),
                              targets = Names(rows, &NeuralScoreRow::target_animal);
  if (direction == "animals->animals") {
    std::set<std::string> animals = sources;
    animals.insert(targets.begin(), targets.end());
    return {"animals", animals.size(), nullptr};
  }
  const bool models_predict = direction == "models->animals";
  const bool models_targets = direction == "animals->models";
  const auto target = &NeuralScoreRow::target_animal;
  const auto source = &NeuralScoreRow::source_animal;
  if (!models_predict && !models_targets) return {"animals", targets.size(), target};
  const size_t recorded = models_predict ? targets.size() : sources.size();
  const size_t models = models_predict ? sources.size() : targets.size();
  if (recorded < kFewestAnimals && models >= kFewestAnimals) {
    return {"models", models, models_predict ? source : target};
  }
  return {"animals", recorded, models_predict ? target : source};
}

NeuralSummaryLine LineOf(const Rows& rows) {
  const NeuralScoreRow& first = *rows[0];
  NeuralSummaryLine line;
  line.recording = first.recording;
  line.direction = first.direction;
  line.source_area = first.source_area;
  line.source_stage = first.source_stage;
  line.target_area = first.target_area;
  line.target_stage = first.target_stage;
  line.mapping = first.mapping;
  line.num_source_units = first.sample_seed < 0 ? 0 : first.num_source_units;
  line.simulated = first.simulated;
  const Road road = RoadOf(first.direction, rows);
  const auto interval = [&](double NeuralScoreRow::*member) {
    return road.role == nullptr ? OverPairs(rows, member)
                                : OverRole(rows, road.role, member);
  };
  line.r2 = interval(&NeuralScoreRow::median_r2);
  line.r = interval(&NeuralScoreRow::median_r);
  line.r_reliable = interval(&NeuralScoreRow::median_r_reliable);
  line.r_corrected = interval(&NeuralScoreRow::median_r_corrected);
  line.r_corrected_all_trials = interval(&NeuralScoreRow::median_r_corrected_all_trials);
  line.rsa = interval(&NeuralScoreRow::rsa);
  line.rsa_spearman = interval(&NeuralScoreRow::rsa_spearman);
  line.interval_over = road.num >= kFewestAnimals ? road.over : "";
  line.num_interval = static_cast<int64_t>(road.num);
  line.num_rows = static_cast<int64_t>(rows.size());
  line.num_sources =
      static_cast<int64_t>(Names(rows, &NeuralScoreRow::source_animal).size());
  line.num_targets =
      static_cast<int64_t>(Names(rows, &NeuralScoreRow::target_animal).size());
  line.target_units = MeanCount(rows, &NeuralScoreRow::num_target_units);
  line.reliable_units = MeanCount(rows, &NeuralScoreRow::num_reliable_units);
  line.consistency = Mean(rows, &NeuralScoreRow::median_target_consistency);
  line.undefined_share = Mean(rows, &NeuralScoreRow::undefined_target_share) +
                         Mean(rows, &NeuralScoreRow::undefined_mapped_share);
  line.active_share = Mean(rows, &NeuralScoreRow::active_share);
  return line;
}

std::string PopulationText(const std::string& area, const std::string& stage) {
  return stage == "recorded" ? area : absl::StrCat(area, "/", stage);
}

std::string NumberText(double value) {
  return std::isnan(value) ? "-" : absl::StrFormat("%.3f", value);
}

std::string ValueText(const Interval& interval) {
  std::string text = absl::StrFormat("%6s", NumberText(interval.mean));
  if (std::isnan(interval.low)) return absl::StrFormat("%-23s", text);
  absl::StrAppendFormat(&text, " [%6.3f, %6.3f]", interval.low, interval.high);
  return absl::StrFormat("%-23s", text);
}

void AppendLines(const std::vector<NeuralSummaryLine>& lines, std::string& text) {
  absl::StrAppendFormat(
      &text,
      "%-16s %-17s %-16s %5s %-16s %-13s %-23s %-23s %-23s %-7s %-23s %-6s %-6s %s\n",
      "recording", "direction", "source", "units", "target", "mapping", "R2",
      "r (reliable neurons)", "r corrected", "(all)", "RSA", "undef.", "active",
      "interval over");
  for (const NeuralSummaryLine& line : lines) {
    absl::StrAppendFormat(
        &text, "%-16s %-17s %-16s %5s %-16s %-13s %s %s %s %-7s %s %-6s %-6s %s%s\n",
        line.recording, line.direction,
        PopulationText(line.source_area, line.source_stage),
        line.num_source_units > 0 ? absl::StrCat(line.num_source_units) : "all",
        PopulationText(line.target_area, line.target_stage), line.mapping,
        ValueText(line.r2), ValueText(line.r_reliable), ValueText(line.r_corrected),
        NumberText(line.r_corrected_all_trials.mean), ValueText(line.rsa),
        NumberText(line.undefined_share), NumberText(line.active_share),
        line.interval_over.empty()
            ? absl::StrFormat("none: %d animals, fewer than 4", line.num_interval)
            : absl::StrFormat("%d %s", line.num_interval, line.interval_over),
        line.simulated ? "  SIMULATED" : "");
  }
}

std::vector<std::string> InOrder(const std::vector<NeuralSummaryLine>& lines,
                                 std::string NeuralSummaryLine::*member) {
  std::vector<std::string> names;
  for (const NeuralSummaryLine& line : lines) {
    if (std::find(names.begin(), names.end(), line.*member) == names.end()) {
      names.push_back(line.*member);
    }
  }
  return names;
}

// Source areas down, target areas across.
void AppendMatrix(const std::vector<NeuralSummaryLine>& lines, const std::string& title,
                  Interval NeuralSummaryLine::*measure, std::string& text) {
  const auto sources = InOrder(lines, &NeuralSummaryLine::source_area);
  const auto targets = InOrder(lines, &NeuralSummaryLine::target_area);
  absl::StrAppendFormat(&text, "\n%s%s: source area down, target area across\n%-8s",
                        lines[0].simulated ? "SIMULATED " : "", title, "");
  for (const std::string& target : targets) absl::StrAppendFormat(&text, " %8s", target);
  for (const std::string& source : sources) {
    absl::StrAppendFormat(&text, "\n%-8s", source);
    for (const std::string& target : targets) {
      const auto found =
          std::find_if(lines.begin(), lines.end(), [&](const NeuralSummaryLine& line) {
            return line.source_area == source && line.target_area == target;
          });
      absl::StrAppendFormat(
          &text, " %8s",
          found == lines.end() ? "-" : NumberText(((*found).*measure).mean));
    }
  }
  text += '\n';
}

void AppendMatrices(const std::vector<NeuralSummaryLine>& lines, std::string& text) {
  std::map<std::tuple<std::string, std::string, std::string>,
           std::vector<NeuralSummaryLine>>
      groups;
  for (const NeuralSummaryLine& line : lines) {
    if (!absl::EndsWith(line.direction, "->animals") || line.num_source_units > 0 ||
        line.source_stage != "recorded") {
      continue;
    }
    groups[{line.recording, line.direction, line.mapping}].push_back(line);
  }
  for (const auto& [key, group] : groups) {
    if (group.size() < 2) continue;
    const std::string title =
        absl::StrCat(std::get<0>(key), ", ", std::get<1>(key), ", ", std::get<2>(key));
    AppendMatrix(group, absl::StrCat(title, ", R2"), &NeuralSummaryLine::r2, text);
    AppendMatrix(group, absl::StrCat(title, ", r of reliable neurons"),
                 &NeuralSummaryLine::r_reliable, text);
    AppendMatrix(group, absl::StrCat(title, ", r corrected for noise"),
                 &NeuralSummaryLine::r_corrected, text);
    AppendMatrix(group, absl::StrCat(title, ", RSA"), &NeuralSummaryLine::rsa, text);
  }
}

// For each area and mapping the layer and stage with the largest value, by measure.
void AppendBestLayers(const std::vector<NeuralSummaryLine>& lines, std::string& text) {
  std::map<std::tuple<std::string, std::string, std::string>,
           std::vector<const NeuralSummaryLine*>>
      of_area;
  for (const NeuralSummaryLine& line : lines) {
    if (line.direction != "models->animals") continue;
    of_area[{line.recording, line.target_area, line.mapping}].push_back(&line);
  }
  if (of_area.empty()) return;
  absl::StrAppendFormat(&text, "\n%-16s %-10s %-14s %-34s %-34s %s\n", "recording",
                        "area", "mapping", "best layer by R2", "by r corrected",
                        "by RSA");
  for (const auto& [key, candidates] : of_area) {
    absl::StrAppendFormat(&text, "%-16s %-10s %-14s", std::get<0>(key), std::get<1>(key),
                          std::get<2>(key));
    for (const auto measure : {&NeuralSummaryLine::r2, &NeuralSummaryLine::r_corrected,
                               &NeuralSummaryLine::rsa}) {
      const NeuralSummaryLine* best = nullptr;
      for (const NeuralSummaryLine* line : candidates) {
        if (std::isnan((line->*measure).mean)) continue;
        if (best == nullptr || (line->*measure).mean > (best->*measure).mean) best = line;
      }
      const std::string cell =
          best == nullptr
              ? "undefined"
              : absl::StrFormat("%s %.3f",
                                PopulationText(best->source_area, best->source_stage),
                                (best->*measure).mean);
      absl::StrAppendFormat(&text, " %-34s", cell);
    }
    text += '\n';
  }
}

}  // namespace

std::vector<NeuralSummaryLine> SummariseNeuralScores(
    const std::vector<NeuralScoreRow>& rows) {
  std::map<Key, Rows> groups;
  for (const NeuralScoreRow& row : rows) groups[KeyOf(row)].push_back(&row);
  std::vector<NeuralSummaryLine> lines;
  for (const auto& [key, group] : groups) lines.push_back(LineOf(group));
  return lines;
}

std::string NeuralSummaryText(const std::vector<NeuralSummaryLine>& lines) {
  std::string text;
  if (lines.empty()) return "no scores\n";
  AppendLines(lines, text);
  AppendMatrices(lines, text);
  AppendBestLayers(lines, text);
  return text;
}

std::string NeuralSummaryJson(const std::vector<NeuralSummaryLine>& lines) {
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const NeuralSummaryLine& line : lines) {
    nlohmann::ordered_json json = {{"recording", line.recording},
                                   {"simulated", line.simulated},
                                   {"direction", line.direction},
                                   {"source_area", line.source_area},
                                   {"source_stage", line.source_stage},
                                   {"target_area", line.target_area},
                                   {"target_stage", line.target_stage},
                                   {"mapping", line.mapping},
                                   {"num_source_units", line.num_source_units}};
    const std::pair<const char*, const Interval*> measures[] = {
        {"r2", &line.r2},
        {"r", &line.r},
        {"r_reliable", &line.r_reliable},
        {"r_corrected", &line.r_corrected},
        {"r_corrected_all_trials", &line.r_corrected_all_trials},
        {"rsa", &line.rsa},
        {"rsa_spearman", &line.rsa_spearman}};
    for (const auto& [name, interval] : measures) {
      json[name] = NumberJson(interval->mean);
      json[absl::StrCat(name, "_low")] = NumberJson(interval->low);
      json[absl::StrCat(name, "_high")] = NumberJson(interval->high);
    }
    json["interval_over"] = line.interval_over;
    json["num_interval"] = line.num_interval;
    json["num_sources"] = line.num_sources;
    json["num_targets"] = line.num_targets;
    json["target_units"] = line.target_units;
    json["reliable_units"] = line.reliable_units;
    json["consistency"] = NumberJson(line.consistency);
    json["undefined_share"] = NumberJson(line.undefined_share);
    json["active_share"] = NumberJson(line.active_share);
    all.push_back(std::move(json));
  }
  return JsonText(all) + "\n";
}

}  // namespace iat
