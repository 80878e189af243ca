// Comma-separated values as RFC 4180 has them: quotes where needed, \n line
// ends when written, \r\n accepted when read.

#ifndef IAT_BASE_CSV_H_
#define IAT_BASE_CSV_H_

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace iat {

struct CsvTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;

  // Position of a column, or -1.
  int Column(absl::string_view name) const;
};

// InvalidArgument naming file and line of a row with too few or too many cells
// or an unclosed quote.
absl::StatusOr<CsvTable> ReadCsv(const std::filesystem::path& path);
absl::StatusOr<CsvTable> ParseCsv(absl::string_view text, absl::string_view name);

// One line, without the line end.
std::string CsvLine(const std::vector<std::string>& cells);
std::string CsvText(const CsvTable& table);

// "%.9g": enough to give a float back exactly, the same on every machine.
std::string FormatNumber(double value);

}  // namespace iat

#endif  // IAT_BASE_CSV_H_
