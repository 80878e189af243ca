// Rows of comma-separated values (base/csv.h) one at a time, for tables that are not to
// be held as text cells.

#ifndef IAT_BASE_CSV_ROWS_H_
#define IAT_BASE_CSV_ROWS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace iat {

// Calls `visit` with the heading, then with every row, which has as many cells; ends at
// the first status that is not OK. The cells may be moved from. Errors as ParseCsv's.
absl::Status VisitCsvRows(
    absl::string_view text, absl::string_view name,
    const std::function<absl::Status(std::vector<std::string>& cells)>& visit);

}  // namespace iat

#endif  // IAT_BASE_CSV_ROWS_H_
