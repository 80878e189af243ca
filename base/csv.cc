#include "base/csv.h"

#include <cmath>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/csv_rows.h"
#include "base/file.h"
#include "base/status.h"

namespace iat {

int CsvTable::Column(absl::string_view name) const {
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i] == name) return static_cast<int>(i);
  }
  return -1;
}

absl::Status VisitCsvRows(
    absl::string_view text, absl::string_view name,
    const std::function<absl::Status(std::vector<std::string>& cells)>& visit) {
  size_t num_columns = 0;  // 0 before the heading
  std::vector<std::string> cells;
  std::string cell;
  int line = 1;
  int first_line = 1;
  bool quoted = false;
  bool any = false;  // something on this line, so that blank lines are skipped
  const auto finish_row = [&]() -> absl::Status {
    if (!any) return absl::OkStatus();
    cells.push_back(std::move(cell));
    cell.clear();
    if (num_columns == 0) num_columns = cells.size();
    if (cells.size() != num_columns) {
      return absl::InvalidArgumentError(absl::StrCat(name, ":", first_line, ": ",
                                                     cells.size(), " cells; expected ",
                                                     num_columns, " as in the heading"));
    }
    IAT_RETURN_IF_ERROR(visit(cells));
    cells.clear();
    any = false;
    return absl::OkStatus();
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
        cell += '"';
        ++i;
      } else if (c == '"') {
        quoted = false;
      } else {
        line += c == '\n';
        cell += c;
      }
    } else if (c == '"' && cell.empty()) {
      quoted = any = true;
    } else if (c == ',') {
      cells.push_back(std::move(cell));
      cell.clear();
      any = true;
    } else if (c == '\n') {
      IAT_RETURN_IF_ERROR(finish_row());
      first_line = ++line;
    } else if (c != '\r' || i + 1 == text.size() || text[i + 1] != '\n') {
      cell += c;
      any = true;
    }
  }
  if (quoted) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ":", first_line, ": a quote is not closed"));
  }
  IAT_RETURN_IF_ERROR(finish_row());
  if (num_columns == 0) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": empty; expected a heading"));
  }
  return absl::OkStatus();
}

absl::StatusOr<CsvTable> ParseCsv(absl::string_view text, absl::string_view name) {
  CsvTable table;
  IAT_RETURN_IF_ERROR(VisitCsvRows(text, name, [&](std::vector<std::string>& cells) {
    if (table.columns.empty()) {
      table.columns = std::move(cells);
    } else {
      table.rows.push_back(std::move(cells));
    }
    return absl::OkStatus();
  }));
  return table;
}

absl::StatusOr<CsvTable> ReadCsv(const std::filesystem::path& path) {
  IAT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParseCsv(text, path.string());
}

std::string CsvLine(const std::vector<std::string>& cells) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) line += ',';
    if (cells[i].find_first_of(",\"\r\n") == std::string::npos) {
      line += cells[i];
      continue;
    }
    line += '"';
    for (const char c : cells[i]) {
      if (c == '"') line += '"';
      line += c;
    }
    line += '"';
  }
  return line;
}

std::string CsvText(const CsvTable& table) {
  std::string text = absl::StrCat(CsvLine(table.columns), "\n");
  for (const auto& row : table.rows) absl::StrAppend(&text, CsvLine(row), "\n");
  return text;
}

std::string FormatNumber(double value) {
  // printf's "nan" may carry a sign that says nothing.
  if (std::isnan(value)) return "nan";
  return absl::StrFormat("%.9g", value);
}

}  // namespace iat
