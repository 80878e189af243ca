// What base/score_table.cc and base/sampling_table.cc share: the columns of a ScoreRow
// and how rows of any kind become a CSV table and come back.

#ifndef IAT_BASE_SCORE_COLUMNS_H_
#define IAT_BASE_SCORE_COLUMNS_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "base/csv.h"
#include "base/score_table.h"
#include "base/status.h"

namespace iat {

// Names and places of the columns that identify and order a row, once for reading and
// writing, and of those with what was measured.
template <typename Row, typename Visit>
void ForEachScoreKey(Row& row, Visit visit) {
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
}

template <typename Row, typename Visit>
void ForEachScoreValue(Row& row, Visit visit) {
  visit("median_r2", row.median_r2);
  visit("mean_r2", row.mean_r2);
  visit("q25_r2", row.q25_r2);
  visit("q75_r2", row.q75_r2);
  visit("median_r", row.median_r);
}

inline auto ScoreKey(const ScoreRow& row) {
  return std::tie(row.stimuli, row.source_animal, row.target_animal, row.source_layer,
                  row.target_layer, row.source_stage, row.target_stage, row.source_scope,
                  row.target_scope, row.mapping, row.split_seed, row.num_fit_stimuli,
                  row.num_test_stimuli, row.num_source_units, row.num_target_units,
                  row.num_scored_units);
}

inline std::string CellText(const std::string& value) { return value; }
inline std::string CellText(int64_t value) { return absl::StrCat(value); }
inline std::string CellText(double value) { return FormatNumber(value); }

inline bool ParseCell(const std::string& text, std::string& value) {
  value = text;
  return true;
}
inline bool ParseCell(const std::string& text, int64_t& value) {
  return absl::SimpleAtoi(text, &value);
}
inline bool ParseCell(const std::string& text, double& value) {
  return absl::SimpleAtod(text, &value);
}

// `for_each(row, visit)` calls visit(column, member) once a column.
template <typename Row, typename ForEachColumn>
std::vector<std::string> ColumnNames(ForEachColumn for_each) {
  std::vector<std::string> names;
  Row row;
  for_each(row, [&](const char* name, auto&) { names.push_back(name); });
  return names;
}

// Sorted.
template <typename Row, typename ForEachColumn>
std::string RowsText(std::vector<Row> rows, ForEachColumn for_each) {
  std::sort(rows.begin(), rows.end());
  CsvTable table{.columns = ColumnNames<Row>(for_each), .rows = {}};
  for (const Row& row : rows) {
    auto& cells = table.rows.emplace_back();
    for_each(row,
             [&](const char*, const auto& value) { cells.push_back(CellText(value)); });
  }
  return CsvText(table);
}

// InvalidArgument naming file, line and column of what does not fit.
template <typename Row, typename ForEachColumn>
absl::StatusOr<std::vector<Row>> ParseRows(absl::string_view text, absl::string_view name,
                                           ForEachColumn for_each) {
  IAT_ASSIGN_OR_RETURN(const CsvTable table, ParseCsv(text, name));
  const std::vector<std::string> names = ColumnNames<Row>(for_each);
  if (table.columns != names) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ":1: columns are ", absl::StrJoin(table.columns, ","),
                     "; expected ", absl::StrJoin(names, ",")));
  }
  std::vector<Row> rows;
  for (size_t i = 0; i < table.rows.size(); ++i) {
    Row& row = rows.emplace_back();
    size_t column = 0;
    absl::Status status;
    for_each(row, [&](const char* column_name, auto& value) {
      const std::string& cell = table.rows[i][column++];
      if (status.ok() && !ParseCell(cell, value)) {
        status = absl::InvalidArgumentError(absl::StrCat(name, ":", i + 2, ": ",
                                                         column_name, " is \"", cell,
                                                         "\"; expected a number"));
      }
    });
    IAT_RETURN_IF_ERROR(status);
  }
  return rows;
}

}  // namespace iat

#endif  // IAT_BASE_SCORE_COLUMNS_H_
