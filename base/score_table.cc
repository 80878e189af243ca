#include "base/score_table.h"

#include <utility>

#include "base/file.h"
#include "base/score_columns.h"

namespace iat {
namespace {

constexpr auto kForEachScoreColumn = [](auto& row, auto visit) {
  ForEachScoreKey(row, visit);
  ForEachScoreValue(row, visit);
};

}  // namespace

bool ScoreRow::operator<(const ScoreRow& other) const {
  return ScoreKey(*this) < ScoreKey(other);
}

std::string ScoresText(std::vector<ScoreRow> rows) {
  return RowsText(std::move(rows), kForEachScoreColumn);
}

absl::Status WriteScores(const std::filesystem::path& path, std::vector<ScoreRow> rows) {
  return WriteFileAtomically(path, ScoresText(std::move(rows)));
}

absl::StatusOr<std::vector<ScoreRow>> ReadScores(const std::filesystem::path& path) {
  IAT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParseRows<ScoreRow>(text, path.string(), kForEachScoreColumn);
}

}  // namespace iat
