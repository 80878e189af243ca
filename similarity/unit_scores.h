// compare_units.nc: R2 and chosen values of every target unit, beside compare.csv.
// Dimensions and variables are described in similarity/compare.h; a row's key columns
// are variables of the same names.

#ifndef IAT_SIMILARITY_UNIT_SCORES_H_
#define IAT_SIMILARITY_UNIT_SCORES_H_

#include <Eigen/Core>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "absl/status/status.h"
#include "base/score_table.h"
#include "similarity/mapping.h"

namespace iat {

struct UnitScores {
  ScoreRow row;
  std::vector<int64_t> units;  // places in the target layer
  Eigen::VectorXd r2, r;       // one a unit
  Chosen chosen;
};

// In the order given. Whole or not at all.
absl::Status WriteUnitScores(const std::filesystem::path& path,
                             const std::vector<UnitScores>& scores);

}  // namespace iat

#endif  // IAT_SIMILARITY_UNIT_SCORES_H_
