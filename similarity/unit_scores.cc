#include "similarity/unit_scores.h"

#include <netcdf.h>

#include <array>
#include <functional>
#include <mutex>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/nan.h"
#include "base/netcdf.h"
#include "base/status.h"

namespace iat {
namespace {

class UnitScoreWriter {
 public:
  UnitScoreWriter(NetcdfFile& file, const std::vector<UnitScores>& scores)
      : file_(file), scores_(scores) {}

  absl::Status Write() {
    for (const UnitScores& entry : scores_) {
      num_units_ =
          std::max<size_t>(num_units_, entry.units.empty() ? 0 : entry.units.back() + 1);
    }
    IAT_ASSIGN_OR_RETURN(row_, file_.AddDimension("row", scores_.size()));
    IAT_ASSIGN_OR_RETURN(unit_, file_.AddDimension("target_unit", num_units_));
    IAT_RETURN_IF_ERROR(file_.SetAttribute(NC_GLOBAL, "format_version", int64_t{1}));
    IAT_RETURN_IF_ERROR(file_.SetAttribute(
        NC_GLOBAL, "title",
        "R2, Pearson r and chosen values per target unit; rows of compare.csv"));
    IAT_RETURN_IF_ERROR(WriteKeys());
    IAT_RETURN_IF_ERROR(
        WriteUnits("r2", [](const UnitScores& entry) { return &entry.r2; }));
    IAT_RETURN_IF_ERROR(
        WriteUnits("r", [](const UnitScores& entry) { return &entry.r; }));
    std::set<std::string> names = {"ridge_penalty", "logistic_penalty", "gate_threshold"};
    for (const UnitScores& entry : scores_) AddKeys(entry.chosen.values, names);
    for (const std::string& name : names) {
      IAT_RETURN_IF_ERROR(WriteUnits(
          name.c_str(), [&](const UnitScores& entry) -> const Eigen::VectorXd* {
            const auto found = entry.chosen.values.find(name);
            return found == entry.chosen.values.end() ? nullptr : &found->second;
          }));
    }
    return file_.Close();
  }

 private:
  template <typename Map>
  static void AddKeys(const Map& map, std::set<std::string>& keys) {
    for (const auto& [key, value] : map) keys.insert(key);
  }

  absl::Status WriteText(const char* name, std::string ScoreRow::*column) {
    IAT_ASSIGN_OR_RETURN(const int variable, Define(name, NC_STRING, 1));
    std::vector<std::string> values;
    for (const UnitScores& entry : scores_) values.push_back(entry.row.*column);
    return file_.WriteStrings(variable, values);
  }

  absl::Status WriteIntegers(const char* name,
                             const std::function<int64_t(const UnitScores&)>& value) {
    IAT_ASSIGN_OR_RETURN(const int variable, Define(name, NC_INT64, 1));
    std::vector<long long> values;
    for (const UnitScores& entry : scores_) values.push_back(value(entry));
    const std::lock_guard<std::mutex> lock(NetcdfMutex());
    return file_.Check(nc_put_var_longlong(file_.id(), variable, values.data()), name);
  }

  absl::Status WriteKeys() {
    IAT_RETURN_IF_ERROR(WriteText("stimuli", &ScoreRow::stimuli));
    IAT_RETURN_IF_ERROR(WriteText("source_animal", &ScoreRow::source_animal));
    IAT_RETURN_IF_ERROR(WriteText("target_animal", &ScoreRow::target_animal));
    IAT_RETURN_IF_ERROR(WriteText("source_layer", &ScoreRow::source_layer));
    IAT_RETURN_IF_ERROR(WriteText("target_layer", &ScoreRow::target_layer));
    IAT_RETURN_IF_ERROR(WriteText("source_stage", &ScoreRow::source_stage));
    IAT_RETURN_IF_ERROR(WriteText("target_stage", &ScoreRow::target_stage));
    IAT_RETURN_IF_ERROR(WriteText("source_scope", &ScoreRow::source_scope));
    IAT_RETURN_IF_ERROR(WriteText("target_scope", &ScoreRow::target_scope));
    IAT_RETURN_IF_ERROR(WriteText("mapping", &ScoreRow::mapping));
    const auto column = [&](const char* name, int64_t ScoreRow::*member) {
      return WriteIntegers(name,
                           [=](const UnitScores& entry) { return entry.row.*member; });
    };
    IAT_RETURN_IF_ERROR(column("split_seed", &ScoreRow::split_seed));
    IAT_RETURN_IF_ERROR(column("num_fit_stimuli", &ScoreRow::num_fit_stimuli));
    IAT_RETURN_IF_ERROR(column("num_test_stimuli", &ScoreRow::num_test_stimuli));
    IAT_RETURN_IF_ERROR(column("num_source_units", &ScoreRow::num_source_units));
    IAT_RETURN_IF_ERROR(column("num_target_units", &ScoreRow::num_target_units));
    IAT_RETURN_IF_ERROR(column("num_scored_units", &ScoreRow::num_scored_units));
    IAT_RETURN_IF_ERROR(WriteIntegers("num_constant_units", [](const UnitScores& entry) {
      return entry.row.num_target_units - entry.row.num_scored_units;
    }));
    std::set<std::string> names = {"ridge_penalty", "logistic_penalty"};
    for (const UnitScores& entry : scores_) AddKeys(entry.chosen.num_at_edge, names);
    for (const std::string& name : names) {
      IAT_RETURN_IF_ERROR(WriteIntegers(
          absl::StrCat("num_", name, "_at_edge").c_str(),
          [&](const UnitScores& entry) -> int64_t {
            const auto found = entry.chosen.num_at_edge.find(name);
            return found == entry.chosen.num_at_edge.end() ? 0 : found->second;
          }));
    }
    return absl::OkStatus();
  }

  absl::Status WriteUnits(
      const char* name,
      const std::function<const Eigen::VectorXd*(const UnitScores&)>& values) {
    IAT_ASSIGN_OR_RETURN(const int variable, Define(name, NC_DOUBLE, 2));
    std::vector<double> table(scores_.size() * num_units_, kNaN);
    for (size_t row = 0; row < scores_.size(); ++row) {
      const Eigen::VectorXd* column = values(scores_[row]);
      if (column == nullptr) continue;
      for (size_t j = 0; j < scores_[row].units.size(); ++j) {
        table[row * num_units_ + scores_[row].units[j]] =
            (*column)(static_cast<Eigen::Index>(j));
      }
    }
    const std::lock_guard<std::mutex> lock(NetcdfMutex());
    return file_.Check(nc_put_var_double(file_.id(), variable, table.data()), name);
  }

  absl::StatusOr<int> Define(const char* name, nc_type type, int num_dimensions) {
    const std::lock_guard<std::mutex> lock(NetcdfMutex());
    const std::array<int, 2> dimensions = {row_, unit_};
    int variable = -1;
    IAT_RETURN_IF_ERROR(file_.Check(
        nc_def_var(file_.id(), name, type, num_dimensions, dimensions.data(), &variable),
        name));
    if (num_dimensions == 2) {
      // Most of a wide table is NaN, which packs to nothing.
      IAT_RETURN_IF_ERROR(
          file_.Check(nc_def_var_deflate(file_.id(), variable, 1, 1, 1), name));
      IAT_RETURN_IF_ERROR(file_.Check(
          nc_put_att_double(file_.id(), variable, "_FillValue", NC_DOUBLE, 1, &kNaN),
          name));
    }
    return variable;
  }

  NetcdfFile& file_;
  const std::vector<UnitScores>& scores_;
  size_t num_units_ = 0;
  int row_ = -1, unit_ = -1;
};

}  // namespace

absl::Status WriteUnitScores(const std::filesystem::path& path,
                             const std::vector<UnitScores>& scores) {
  return WriteAtomically(
      path, [&](const std::filesystem::path& temporary) -> absl::Status {
        IAT_ASSIGN_OR_RETURN(NetcdfFile file, NetcdfFile::Create(temporary));
        return UnitScoreWriter(file, scores).Write();
      });
}

}  // namespace iat
