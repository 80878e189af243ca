#include "neural/neural_score_table.h"

#include <algorithm>
#include <functional>
#include <tuple>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/status.h"

namespace iat {
namespace {

// A column: its name, and how it is written and read.
struct Column {
  const char* name;
  std::function<std::string(const NeuralScoreRow&)> text;
  std::function<bool(const std::string&, NeuralScoreRow&)> read;
};

Column TextColumn(const char* name, std::string NeuralScoreRow::*member) {
  return {name, [member](const NeuralScoreRow& row) { return row.*member; },
          [member](const std::string& text, NeuralScoreRow& row) {
            row.*member = text;
            return true;
          }};
}
Column CountColumn(const char* name, int64_t NeuralScoreRow::*member) {
  return {name, [member](const NeuralScoreRow& row) { return absl::StrCat(row.*member); },
          [member](const std::string& text, NeuralScoreRow& row) {
            return absl::SimpleAtoi(text, &(row.*member));
          }};
}
Column NumberColumn(const char* name, double NeuralScoreRow::*member) {
  return {name, [member](const NeuralScoreRow& row) { return FormatNumber(row.*member); },
          [member](const std::string& text, NeuralScoreRow& row) {
            return absl::SimpleAtod(text, &(row.*member));
          }};
}

const std::vector<Column>& KeyColumns() {
  using Row = NeuralScoreRow;
  static const auto* const columns =
      new std::vector<Column>{TextColumn("recording", &Row::recording),
                              TextColumn("direction", &Row::direction),
                              TextColumn("source_animal", &Row::source_animal),
                              TextColumn("target_animal", &Row::target_animal),
                              TextColumn("source_area", &Row::source_area),
                              TextColumn("target_area", &Row::target_area),
                              TextColumn("source_stage", &Row::source_stage),
                              TextColumn("target_stage", &Row::target_stage),
                              TextColumn("mapping", &Row::mapping),
                              CountColumn("num_pooled_units", &Row::num_pooled_units),
                              CountColumn("num_source_units", &Row::num_source_units),
                              CountColumn("sample_seed", &Row::sample_seed)};
  return *columns;
}

const std::vector<Column>& AllColumns() {
  using Row = NeuralScoreRow;
  static const auto* const columns = [] {
    auto* all = new std::vector<Column>(KeyColumns());
    all->push_back({"simulated",
                    [](const Row& row) { return row.simulated ? "yes" : "no"; },
                    [](const std::string& text, Row& row) {
                      row.simulated = text == "yes";
                      return text == "yes" || text == "no";
                    }});
    const std::vector<Column> more = {
        CountColumn("num_target_units", &Row::num_target_units),
        CountColumn("num_scored_units", &Row::num_scored_units),
        CountColumn("num_reliable_units", &Row::num_reliable_units),
        CountColumn("num_fit_stimuli", &Row::num_fit_stimuli),
        CountColumn("num_test_stimuli", &Row::num_test_stimuli),
        CountColumn("block_size", &Row::block_size),
        CountColumn("num_splits", &Row::num_splits),
        CountColumn("num_bootstraps", &Row::num_bootstraps),
        NumberColumn("median_r2", &Row::median_r2),
        NumberColumn("median_r", &Row::median_r),
        NumberColumn("median_r_reliable", &Row::median_r_reliable),
        NumberColumn("median_r_corrected", &Row::median_r_corrected),
        NumberColumn("median_r_corrected_all_trials",
                     &Row::median_r_corrected_all_trials),
        NumberColumn("median_target_consistency", &Row::median_target_consistency),
        NumberColumn("median_mapped_consistency", &Row::median_mapped_consistency),
        NumberColumn("undefined_target_share", &Row::undefined_target_share),
        NumberColumn("undefined_mapped_share", &Row::undefined_mapped_share),
        NumberColumn("rsa", &Row::rsa),
        NumberColumn("rsa_spearman", &Row::rsa_spearman),
        NumberColumn("active_share", &Row::active_share)};
    all->insert(all->end(), more.begin(), more.end());
    return all;
  }();
  return *columns;
}

std::vector<std::string> ColumnNames(const std::vector<Column>& columns) {
  std::vector<std::string> names;
  for (const Column& column : columns) names.push_back(column.name);
  return names;
}

std::vector<std::string> Cells(const std::vector<Column>& columns,
                               const NeuralScoreRow& row) {
  std::vector<std::string> cells;
  for (const Column& column : columns) cells.push_back(column.text(row));
  return cells;
}

}  // namespace

bool NeuralScoreRow::operator<(const NeuralScoreRow& other) const {
  const auto key = [](const NeuralScoreRow& r) {
    return std::tie(r.recording, r.direction, r.source_animal, r.target_animal,
                    r.source_area, r.target_area, r.source_stage, r.target_stage,
                    r.mapping, r.num_pooled_units, r.num_source_units, r.sample_seed);
  };
  return key(*this) < key(other);
}

absl::Status WriteNeuralScores(const std::filesystem::path& path,
                               std::vector<NeuralScoreRow> rows) {
  std::sort(rows.begin(), rows.end());
  CsvTable table{ColumnNames(AllColumns()), {}};
  for (const NeuralScoreRow& row : rows) table.rows.push_back(Cells(AllColumns(), row));
  return WriteFileAtomically(path, CsvText(table));
}

absl::Status WriteNeuralUnits(const std::filesystem::path& path,
                              std::vector<NeuralUnitRow> rows) {
  std::stable_sort(
      rows.begin(), rows.end(),
      [](const NeuralUnitRow& a, const NeuralUnitRow& b) { return a.of < b.of; });
  CsvTable table{ColumnNames(KeyColumns()), {}};
  table.columns.insert(table.columns.end(), {"unit_id", "reliability", "r2", "r",
                                             "r_corrected", "r_corrected_all_trials",
                                             "target_consistency", "mapped_consistency"});
  for (const NeuralUnitRow& row : rows) {
    std::vector<std::string> cells = Cells(KeyColumns(), row.of);
    cells.push_back(row.unit_id);
    for (const double value :
         {row.reliability, row.r2, row.r, row.r_corrected, row.r_corrected_all_trials,
          row.target_consistency, row.mapped_consistency}) {
      cells.push_back(FormatNumber(value));
    }
    table.rows.push_back(std::move(cells));
  }
  return WriteFileAtomically(path, CsvText(table));
}

absl::StatusOr<std::vector<NeuralScoreRow>> ReadNeuralScores(
    const std::filesystem::path& path) {
  IAT_ASSIGN_OR_RETURN(const CsvTable table, ReadCsv(path));
  std::vector<NeuralScoreRow> rows(table.rows.size());
  for (const Column& column : AllColumns()) {
    const int place = table.Column(column.name);
    if (place < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(path.string(), ": no column \"", column.name, "\""));
    }
    for (size_t i = 0; i < rows.size(); ++i) {
      const std::string& text = table.rows[i][place];
      if (column.read(text, rows[i])) continue;
      return absl::InvalidArgumentError(absl::StrCat(path.string(), ": row ", i + 1, ": ",
                                                     column.name, " is \"", text, "\""));
    }
  }
  return rows;
}

}  // namespace iat
