#include "similarity/compare_outputs.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/status.h"
#include "similarity/r2.h"
#include "similarity/score_part.h"
#include "similarity/split.h"
#include "similarity/unit_scores.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

std::vector<UnitScores> MakeUnitScores(const CompareWorld& world,
                                       const CompareInput& input,
                                       const std::vector<ScorePart>& parts) {
  std::vector<UnitScores> scores;
  for (size_t c = 0; c < world.cells.size(); ++c) {
    const CompareCell& cell = world.cells[c];
    const ComparedAnimal &source = world.animals[cell.source],
                         &target = world.animals[cell.target];
    const Split& split = world.splits.front();  // all have the same sizes
    for (const MappingScores& mapping : parts[c].mappings) {
      const R2Summary summary = SummariseR2(mapping.r2);
      UnitScores& entry = scores.emplace_back();
      entry.row.stimuli = input.stimuli;
      entry.row.source_animal = source.name();
      entry.row.target_animal = target.name();
      entry.row.source_layer = cell.source_tap.layer;
      entry.row.target_layer = cell.target_tap.layer;
      entry.row.source_stage = StageName(cell.source_tap.stage);
      entry.row.target_stage = StageName(cell.target_tap.stage);
      entry.row.source_scope = source.file.metadata().scope;
      entry.row.target_scope = target.file.metadata().scope;
      entry.row.mapping = mapping.mapping;
      entry.row.split_seed = cell.split_seed;
      entry.row.num_fit_stimuli = static_cast<int64_t>(split.fit.size());
      entry.row.num_test_stimuli = static_cast<int64_t>(split.test.size());
      entry.row.num_source_units =
          source.file.Units(cell.source_tap.layer)->channel.size();
      entry.row.num_target_units = static_cast<int64_t>(cell.units.size());
      entry.row.num_scored_units = summary.num_scored_units;
      entry.row.median_r2 = summary.median;
      entry.row.mean_r2 = summary.mean;
      entry.row.q25_r2 = summary.q25;
      entry.row.q75_r2 = summary.q75;
      entry.row.median_r = SummariseR2(mapping.r).median;
      entry.units = cell.units;
      entry.r2 = mapping.r2;
      entry.r = mapping.r;
      entry.chosen = mapping.chosen;
    }
  }
  std::sort(scores.begin(), scores.end(),
            [](const UnitScores& a, const UnitScores& b) { return a.row < b.row; });
  return scores;
}

std::string TimingsCsv(const CompareWorld& world, absl::string_view stimuli,
                       const std::vector<ScorePart>& parts) {
  std::string text =
      "stimuli,source_animal,target_animal,source_layer,target_layer,source_stage,"
      "target_stage,split_seed,num_target_units,mappings,seconds\n";
  for (size_t c = 0; c < world.cells.size(); ++c) {
    const CompareCell& cell = world.cells[c];
    std::vector<std::string> mappings;
    for (const MappingScores& m : parts[c].mappings) mappings.push_back(m.mapping);
    absl::StrAppend(
        &text,
        CsvLine({std::string(stimuli), world.animals[cell.source].name(),
                 world.animals[cell.target].name(), cell.source_tap.layer,
                 cell.target_tap.layer, StageName(cell.source_tap.stage),
                 StageName(cell.target_tap.stage), absl::StrCat(cell.split_seed),
                 absl::StrCat(cell.units.size()), absl::StrJoin(mappings, " "),
                 absl::StrFormat("%.3f", parts[c].seconds)}),
        "\n");
  }
  return text;
}

// Every two mappings of a cell, unit against unit.
std::string PairedCsv(const CompareWorld& world, absl::string_view stimuli,
                      const std::vector<ScorePart>& parts) {
  std::vector<std::vector<std::string>> lines;
  for (size_t c = 0; c < world.cells.size(); ++c) {
    const CompareCell& cell = world.cells[c];
    for (const MappingScores& first : parts[c].mappings) {
      for (const MappingScores& second : parts[c].mappings) {
        if (first.mapping >= second.mapping) continue;
        std::vector<double> differences;
        for (Eigen::Index j = 0; j < first.r2.size(); ++j) {
          const double difference = first.r2(j) - second.r2(j);
          if (!std::isnan(difference)) differences.push_back(difference);
        }
        const auto won = std::count_if(differences.begin(), differences.end(),
                                       [](double d) { return d > 0.0; });
        const auto lost = std::count_if(differences.begin(), differences.end(),
                                        [](double d) { return d < 0.0; });
        lines.push_back({std::string(stimuli), world.animals[cell.source].name(),
                         world.animals[cell.target].name(), cell.source_tap.layer,
                         cell.target_tap.layer, StageName(cell.source_tap.stage),
                         StageName(cell.target_tap.stage),
                         absl::StrFormat("%06d", cell.split_seed), first.mapping,
                         second.mapping, absl::StrCat(cell.units.size()),
                         absl::StrCat(differences.size()), absl::StrCat(won),
                         absl::StrCat(lost), FormatNumber(Quantile(differences, 0.5))});
      }
    }
  }
  std::sort(lines.begin(), lines.end());
  std::string text =
      "stimuli,source_animal,target_animal,source_layer,target_layer,source_stage,"
      "target_stage,split_seed,mapping,other_mapping,num_target_units,num_scored_units,"
      "num_units_won,num_units_lost,median_r2_difference\n";
  for (std::vector<std::string>& line : lines) {
    // Padded only to be sorted by number.
    std::string& split_seed = line[7];
    split_seed.erase(0,
                     std::min(split_seed.find_first_not_of('0'), split_seed.size() - 1));
    absl::StrAppend(&text, CsvLine(line), "\n");
  }
  return text;
}

}  // namespace

absl::StatusOr<std::vector<ScoreRow>> AssembleOutputs(const CompareWorld& world,
                                                      const CompareInput& input,
                                                      const fs::path& scores_folder) {
  std::vector<ScorePart> parts;
  for (const CompareCell& cell : world.cells) {
    IAT_ASSIGN_OR_RETURN(ScorePart part,
                         ReadScorePart(cell.PartPath(scores_folder), cell.fingerprint));
    parts.push_back(std::move(part));
  }
  const std::vector<UnitScores> scores = MakeUnitScores(world, input, parts);
  std::vector<ScoreRow> rows;
  for (const UnitScores& entry : scores) rows.push_back(entry.row);
  IAT_RETURN_IF_ERROR(
      WriteFileAtomically(scores_folder / "splits.csv",
                          SplitsCsv(input.stimuli, world.stimulus_ids, world.splits)));
  IAT_RETURN_IF_ERROR(WriteUnitScores(scores_folder / "compare_units.nc", scores));
  IAT_RETURN_IF_ERROR(WriteFileAtomically(scores_folder / "timings.csv",
                                          TimingsCsv(world, input.stimuli, parts)));
  IAT_RETURN_IF_ERROR(WriteFileAtomically(scores_folder / "paired.csv",
                                          PairedCsv(world, input.stimuli, parts)));
  IAT_RETURN_IF_ERROR(WriteScores(scores_folder / "compare.csv", rows));
  std::set<std::string> wanted;
  for (const CompareCell& cell : world.cells) {
    wanted.insert(cell.PartPath(scores_folder).filename().string());
  }
  IAT_RETURN_IF_ERROR(RemoveOtherParts(scores_folder / "parts", wanted));
  return rows;
}

}  // namespace iat
