#include "base/score_table.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/status.h"

namespace iat {
namespace {

auto Key(const ScoreRow& row) {
  return std::tie(row.stimuli, row.source_animal, row.target_animal, row.source_layer,
                  row.target_layer, row.source_stage, row.target_stage, row.source_scope,
                  row.target_scope, row.mapping, row.split_seed, row.num_fit_stimuli,
                  row.num_test_stimuli, row.num_source_units, row.num_target_units,
                  row.num_scored_units);
}

// Names and places of the columns, once for reading and writing.
template <typename Row, typename Visit>
void ForEachColumn(Row& row, Visit visit) {
  visit("stimuli", row.stimuli);
  visit("source_animal", row.source_animal);
  visit("target_animal", row.target_animal);
  visit("source_layer", row.source_layer);
  visit("target_layer", row.target_layer);
  visit("source_stage", row.source_stage);
  visit("target_stage", row.target_stage);
  visit("source_scope", row.source_scope);
  visit("target_scope", row.target_scope);
  visit("mapping", row.mapping);
  visit("split_seed", row.split_seed);
  visit("num_fit_stimuli", row.num_fit_stimuli);
  visit("num_test_stimuli", row.num_test_stimuli);
  visit("num_source_units", row.num_source_units);
  visit("num_target_units", row.num_target_units);
  visit("num_scored_units", row.num_scored_units);
  visit("median_r2", row.median_r2);
  visit("mean_r2", row.mean_r2);
  visit("q25_r2", row.q25_r2);
  visit("q75_r2", row.q75_r2);
  visit("median_r", row.median_r);
}

std::string CellText(const std::string& value) { return value; }
std::string CellText(int64_t value) { return absl::StrCat(value); }
std::string CellText(double value) { return FormatNumber(value); }

bool ParseCell(const std::string& text, std::string& value) {
  value = text;
  return true;
}
bool ParseCell(const std::string& text, int64_t& value) {
  return absl::SimpleAtoi(text, &value);
}
bool ParseCell(const std::string& text, double& value) {
  return absl::SimpleAtod(text, &value);
}

std::vector<std::string> ColumnNames() {
  std::vector<std::string> names;
  ScoreRow row;
  ForEachColumn(row, [&](const char* name, auto&) { names.push_back(name); });
  return names;
}

}  // namespace

bool ScoreRow::operator<(const ScoreRow& other) const { return Key(*this) < Key(other); }

std::string ScoresText(std::vector<ScoreRow> rows) {
  std::sort(rows.begin(), rows.end());
  CsvTable table{.columns = ColumnNames(), .rows = {}};
  for (const ScoreRow& row : rows) {
    auto& cells = table.rows.emplace_back();
    ForEachColumn(
        row, [&](const char*, const auto& value) { cells.push_back(CellText(value)); });
  }
  return CsvText(table);
}

absl::Status WriteScores(const std::filesystem::path& path, std::vector<ScoreRow> rows) {
  return WriteFileAtomically(path, ScoresText(std::move(rows)));
}

absl::StatusOr<std::vector<ScoreRow>> ReadScores(const std::filesystem::path& path) {
  IAT_ASSIGN_OR_RETURN(const CsvTable table, ReadCsv(path));
  if (table.columns != ColumnNames()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path.string(), ":1: columns are ", absl::StrJoin(table.columns, ","),
                     "; expected ", absl::StrJoin(ColumnNames(), ",")));
  }
  std::vector<ScoreRow> rows;
  for (size_t i = 0; i < table.rows.size(); ++i) {
    ScoreRow& row = rows.emplace_back();
    size_t column = 0;
    absl::Status status;
    ForEachColumn(row, [&](const char* name, auto& value) {
      const std::string& cell = table.rows[i][column++];
      if (status.ok() && !ParseCell(cell, value)) {
        status = absl::InvalidArgumentError(absl::StrCat(path.string(), ":", i + 2, ": ",
                                                         name, " is \"", cell,
                                                         "\"; expected a number"));
      }
    });
    IAT_RETURN_IF_ERROR(status);
  }
  return rows;
}

}  // namespace iat
