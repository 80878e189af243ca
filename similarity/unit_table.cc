#include "similarity/unit_table.h"

#include <netcdf.h>

#include <array>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/netcdf.h"
#include "base/status.h"

namespace iat {
namespace {

constexpr std::pair<const char*, std::string UnitR2Row::*> kTexts[] = {
    {"stimuli", &UnitR2Row::stimuli},
    {"source_animal", &UnitR2Row::source_animal},
    {"target_animal", &UnitR2Row::target_animal},
    {"source_layer", &UnitR2Row::source_layer},
    {"target_layer", &UnitR2Row::target_layer},
    {"source_stage", &UnitR2Row::source_stage},
    {"target_stage", &UnitR2Row::target_stage},
    {"mapping", &UnitR2Row::mapping}};

constexpr std::pair<const char*, int64_t UnitR2Row::*> kNumbers[] = {
    {"split_seed", &UnitR2Row::split_seed},
    {"num_fit_stimuli", &UnitR2Row::num_fit_stimuli},
    {"num_test_stimuli", &UnitR2Row::num_test_stimuli},
    {"num_target_units", &UnitR2Row::num_target_units}};

}  // namespace

absl::StatusOr<std::vector<UnitR2Row>> ReadUnitR2(
    const std::filesystem::path& path,
    const std::function<bool(const UnitR2Row&)>& wanted) {
  IAT_ASSIGN_OR_RETURN(const NetcdfFile file, NetcdfFile::Open(path));
  IAT_ASSIGN_OR_RETURN(const size_t num_rows, file.DimensionSize("row"));
  IAT_ASSIGN_OR_RETURN(const size_t num_units, file.DimensionSize("target_unit"));
  std::vector<UnitR2Row> rows(num_rows);
  const auto check_length = [&](const char* name, size_t length) {
    if (length == num_rows) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(path.string(), ": ", name, " has ", length,
                     " entries; expected one for each of ", num_rows, " rows"));
  };
  for (const auto& [name, member] : kTexts) {
    IAT_ASSIGN_OR_RETURN(std::vector<std::string> values, file.ReadStrings(name));
    IAT_RETURN_IF_ERROR(check_length(name, values.size()));
    for (size_t i = 0; i < num_rows; ++i) rows[i].*member = std::move(values[i]);
  }
  for (const auto& [name, member] : kNumbers) {
    IAT_ASSIGN_OR_RETURN(const std::vector<int32_t> values, file.ReadIntegers(name));
    IAT_RETURN_IF_ERROR(check_length(name, values.size()));
    for (size_t i = 0; i < num_rows; ++i) rows[i].*member = values[i];
  }
  IAT_ASSIGN_OR_RETURN(const int variable, file.Variable("r2"));
  std::vector<UnitR2Row> kept;
  for (size_t i = 0; i < num_rows; ++i) {
    if (!wanted(rows[i])) continue;
    UnitR2Row& row = kept.emplace_back(std::move(rows[i]));
    row.r2.resize(num_units);
    const std::array<size_t, 2> start = {i, 0}, count = {1, num_units};
    int code = NC_NOERR;
    {
      const std::lock_guard<std::mutex> lock(NetcdfMutex());
      code = nc_get_vara_double(file.id(), variable, start.data(), count.data(),
                                row.r2.data());
    }
    IAT_RETURN_IF_ERROR(file.Check(code, "r2"));
  }
  return kept;
}

}  // namespace iat
