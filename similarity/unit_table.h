// Reads back compare_units.nc (similarity/compare.h): the R2 of every target unit.
//
// Example:
//   auto rows = ReadUnitR2("scores/compare_units.nc", [](const UnitR2Row& row) {
//     return row.mapping == "ridge" && row.target_stage == "post_relu";
//   });

#ifndef IAT_SIMILARITY_UNIT_TABLE_H_
#define IAT_SIMILARITY_UNIT_TABLE_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace iat {

struct UnitR2Row {
  std::string stimuli, source_animal, target_animal;
  std::string source_layer, target_layer, source_stage, target_stage;
  std::string mapping;
  int64_t split_seed = 0;
  int64_t num_fit_stimuli = 0, num_test_stimuli = 0, num_target_units = 0;
  // By the unit's place in its activation file; NaN where it was not scored.
  std::vector<double> r2;
};

// The rows that are `wanted`, in the order of the file; values of others are not read.
// Errors name the file and the variable that is not there or cannot be read.
absl::StatusOr<std::vector<UnitR2Row>> ReadUnitR2(
    const std::filesystem::path& path,
    const std::function<bool(const UnitR2Row&)>& wanted);

}  // namespace iat

#endif  // IAT_SIMILARITY_UNIT_TABLE_H_
