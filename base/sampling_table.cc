#include "base/sampling_table.h"

#include <tuple>
#include <utility>

#include "base/file.h"
#include "base/score_columns.h"

namespace iat {
namespace {

// The score's key, then what says which subsample it is, then what was measured.
constexpr auto kForEachSamplingColumn = [](auto& row, auto visit) {
  ForEachScoreKey(row.score, visit);
  visit("axis", row.axis);
  visit("size", row.size);
  visit("sample_seed", row.sample_seed);
  visit("num_pooled_sources", row.num_pooled_sources);
  ForEachScoreValue(row.score, visit);
};

auto Key(const SamplingRow& row) {
  return std::tuple_cat(ScoreKey(row.score), std::tie(row.axis, row.size, row.sample_seed,
                                                      row.num_pooled_sources));
}

}  // namespace

bool SamplingRow::operator<(const SamplingRow& other) const {
  return Key(*this) < Key(other);
}

std::string SamplingText(std::vector<SamplingRow> rows) {
  return RowsText(std::move(rows), kForEachSamplingColumn);
}

absl::Status WriteSampling(const std::filesystem::path& path,
                           std::vector<SamplingRow> rows) {
  return WriteFileAtomically(path, SamplingText(std::move(rows)));
}

absl::StatusOr<std::vector<SamplingRow>> ParseSampling(absl::string_view text,
                                                       absl::string_view name) {
  return ParseRows<SamplingRow>(text, name, kForEachSamplingColumn);
}

absl::StatusOr<std::vector<SamplingRow>> ReadSampling(const std::filesystem::path& path) {
  IAT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  return ParseSampling(text, path.string());
}

}  // namespace iat
