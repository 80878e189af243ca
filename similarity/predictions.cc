#include "similarity/predictions.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/fingerprint.h"
#include "base/memory.h"
#include "base/nan.h"
#include "base/parallel.h"
#include "base/status.h"
#include "similarity/compare_world.h"
#include "similarity/mapping.h"
#include "similarity/tap_cache.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

constexpr char kRidge[] = "ridge", kLogistic[] = "logistic_ridge";
const char* const kColumns[] = {
    "stimuli",    "source_animal", "target_animal", "layer", "target_unit",   "stage",
    "split_seed", "stimulus_id",   "truth",         "ridge", "logistic_ridge"};
// Raised when a change of the rules changes the file.
constexpr int kVersion = 1;

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The comparison of one pair on one split that is looked at; nothing where the options
// ask for none.
std::optional<CompareOptions> OnePair(CompareOptions options, const CompareInput& input) {
  const bool logistic = Contains(options.mappings, kLogistic);
  if (!Contains(options.mappings, kRidge) || input.families.empty() ||
      input.families.front().size() < 2 || options.split_seeds.empty()) {
    return std::nullopt;
  }
  options.mappings = {kRidge};
  if (logistic) options.mappings.push_back(kLogistic);
  std::vector<std::string> stages;
  for (const char* stage : {"pre_relu", "post_relu"}) {
    std::string pair = absl::StrCat(stage, "->", stage);
    if (Contains(options.stages, pair)) stages.push_back(std::move(pair));
  }
  // The unit is chosen by its activity after the ReLU.
  if (!Contains(stages, "post_relu->post_relu")) return std::nullopt;
  options.stages = stages;
  const bool own_splits = logistic && !options.logistic_split_seeds.empty();
  options.split_seeds = {own_splits ? options.logistic_split_seeds.front()
                                    : options.split_seeds.front()};
  options.logistic_split_seeds.clear();
  options.permuted_split_seeds.clear();
  options.layer_pairs = {"same"};
  options.pairs_from = 2;
  options.both_directions = false;
  options.permuted = false;
  return options;
}

// -1 where no unit is active enough and varies.
int64_t MedianActiveUnit(const ActivationMatrix& values, const ComparedAnimal& animal,
                         const Split& split, const std::vector<int64_t>& units,
                         int64_t min_active) {
  std::vector<std::pair<int64_t, int64_t>> active;  // stimuli, unit
  for (const int64_t unit : units) {
    const Eigen::VectorXd fit = Gather(values, animal, split.fit, {unit});
    const Eigen::VectorXd test = Gather(values, animal, split.test, {unit});
    const int64_t count = (fit.array() > 0).count();
    const bool constant = test.minCoeff() == test.maxCoeff();
    if (count >= std::max<int64_t>(min_active, 1) && !constant) {
      active.emplace_back(count, unit);
    }
  }
  if (active.empty()) return -1;
  std::sort(active.begin(), active.end());
  return active[(active.size() - 1) / 2].second;
}

class Predictor {
 public:
  Predictor(const CompareOptions& options, const CompareWorld& world,
            const std::string& stimuli)
      : options_(options), world_(world), stimuli_(stimuli) {
    for (const char* column : kColumns) table_.columns.emplace_back(column);
  }

  absl::Status AddLayer(const std::string& layer) {
    // Where LogisticRidge has units of its own, its cell comes after that of all units.
    const CompareCell* after = LastCell(layer, Stage::kPostRelu);
    if (after == nullptr) return absl::OkStatus();
    IAT_ASSIGN_OR_RETURN(const ActivationMatrix values,
                         Target(*after).file.Read(after->target_tap));
    const int64_t unit =
        MedianActiveUnit(values, Target(*after), world_.splits.front(), after->units,
                         options_.mapping.logistic_ridge.min_active);
    if (unit < 0) return absl::OkStatus();
    for (const Stage stage : {Stage::kPreRelu, Stage::kPostRelu}) {
      const CompareCell* cell = LastCell(layer, stage);
      if (cell == nullptr) continue;
      IAT_RETURN_IF_ERROR(AddUnit(*cell, unit));
    }
    return absl::OkStatus();
  }

  std::string Csv() const { return CsvText(table_); }

 private:
  const ComparedAnimal& Target(const CompareCell& cell) const {
    return world_.animals[cell.target];
  }

  const CompareCell* LastCell(const std::string& layer, Stage stage) const {
    const CompareCell* last = nullptr;
    for (const CompareCell& cell : world_.cells) {
      if (cell.target_tap == Tap{layer, stage}) last = &cell;
    }
    return last;
  }

  absl::Status AddUnit(const CompareCell& cell, int64_t unit) {
    const ComparedAnimal& source_animal = world_.animals[cell.source];
    const Split& split = world_.splits.front();
    IAT_ASSIGN_OR_RETURN(const ActivationMatrix from,
                         source_animal.file.Read(cell.source_tap));
    IAT_ASSIGN_OR_RETURN(const ActivationMatrix onto,
                         Target(cell).file.Read(cell.target_tap));
    std::vector<int64_t> all(from.cols());
    std::iota(all.begin(), all.end(), 0);
    SourceData source(Gather(from, source_animal, split.fit, all));
    FitProblem problem(source, Gather(onto, Target(cell), split.fit, {unit}),
                       cell.target_tap.stage);
    const Eigen::MatrixXd source_test = Gather(from, source_animal, split.test, all);
    const Eigen::VectorXd truth = Gather(onto, Target(cell), split.test, {unit});
    Eigen::MatrixXd predicted = Eigen::MatrixXd::Constant(truth.size(), 2, kNaN);
    for (const std::string& name : cell.mappings) {
      IAT_ASSIGN_OR_RETURN(const std::unique_ptr<Mapping> mapping,
                           MakeMapping(name, options_.mapping));
      IAT_ASSIGN_OR_RETURN(const std::unique_ptr<FittedMapping> fitted,
                           mapping->Fit(problem));
      IAT_ASSIGN_OR_RETURN(predicted.col(name == kRidge ? 0 : 1),
                           fitted->Predict(source_test));
    }
    for (size_t i = 0; i < split.test.size(); ++i) {
      const auto row = static_cast<Eigen::Index>(i);
      table_.rows.push_back(
          {stimuli_, source_animal.name(), Target(cell).name(), cell.target_tap.layer,
           absl::StrCat(unit), StageName(cell.target_tap.stage),
           absl::StrCat(split.split_seed), world_.stimulus_ids[split.test[i]],
           FormatNumber(truth[row]), FormatNumber(predicted(row, 0)),
           FormatNumber(predicted(row, 1))});
    }
    return absl::OkStatus();
  }

  const CompareOptions& options_;
  const CompareWorld& world_;
  const std::string& stimuli_;
  CsvTable table_;
};

}  // namespace

absl::Status WritePredictions(const CompareOptions& options, const CompareInput& input,
                              const fs::path& scores_folder,
                              const CompareControl& control) {
  const fs::path path = scores_folder / "predictions.csv";
  const fs::path fingerprint_path = scores_folder / "predictions.fingerprint";
  const std::optional<CompareOptions> one = OnePair(options, input);
  if (!one.has_value()) {
    std::error_code ignored;
    fs::remove(path, ignored);
    fs::remove(fingerprint_path, ignored);
    return absl::OkStatus();
  }
  SetBlasThreads(1);
  KeepFreedMatrices();
  const std::vector<fs::path>& family = input.families.front();
  IAT_ASSIGN_OR_RETURN(
      const CompareWorld world,
      MakeCompareWorld(*one, {input.stimuli, {{family.begin(), family.begin() + 2}}}));
  std::string inputs = absl::StrCat("predictions ", kVersion, " ",
                                    one->mapping.logistic_ridge.min_active, "\n");
  for (const CompareCell& cell : world.cells) {
    absl::StrAppend(&inputs, cell.fingerprint, "\n");
  }
  const std::string fingerprint = Sha256(inputs);
  if (fs::exists(path)) {
    const auto known = ReadFile(fingerprint_path);
    if (known.ok() && *known == fingerprint) return absl::OkStatus();
  }
  Predictor predictor(*one, world, input.stimuli);
  std::vector<std::string> layers;
  for (const CompareCell& cell : world.cells) {
    if (Contains(layers, cell.target_tap.layer)) continue;
    layers.push_back(cell.target_tap.layer);
    if (control.stop != nullptr && control.stop->load()) {
      return absl::CancelledError("predicting was interrupted; run again to continue");
    }
    IAT_RETURN_IF_ERROR(predictor.AddLayer(layers.back()));
  }
  // A kill between the two files must not leave these rows under another fingerprint.
  std::error_code ignored;
  fs::remove(fingerprint_path, ignored);
  IAT_RETURN_IF_ERROR(WriteFileAtomically(path, predictor.Csv()));
  return WriteFileAtomically(fingerprint_path, fingerprint);
}

absl::StatusOr<std::vector<UnitPrediction>> ReadPredictions(const fs::path& path) {
  IAT_ASSIGN_OR_RETURN(const CsvTable table, ReadCsv(path));
  for (size_t c = 0; c < std::size(kColumns); ++c) {
    if (table.Column(kColumns[c]) == static_cast<int>(c)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        path.string(), ": expected the columns ", absl::StrJoin(kColumns, ", "),
        "; it has ", absl::StrJoin(table.columns, ", ")));
  }
  std::vector<UnitPrediction> all;
  for (size_t i = 0; i < table.rows.size(); ++i) {
    const std::vector<std::string>& cells = table.rows[i];
    const auto bad = [&](int column) {
      return absl::InvalidArgumentError(
          absl::StrCat(path.string(), ":", i + 2, ": ", kColumns[column], " is \"",
                       cells[column], "\"; expected a number"));
    };
    UnitPrediction key;
    key.stimuli = cells[0];
    key.source_animal = cells[1];
    key.target_animal = cells[2];
    key.layer = cells[3];
    key.stage = cells[5];
    if (!absl::SimpleAtoi(cells[4], &key.target_unit)) return bad(4);
    if (!absl::SimpleAtoi(cells[6], &key.split_seed)) return bad(6);
    const bool same = !all.empty() && all.back().layer == key.layer &&
                      all.back().stage == key.stage &&
                      all.back().target_unit == key.target_unit;
    UnitPrediction& unit = same ? all.back() : all.emplace_back(std::move(key));
    unit.stimulus_ids.push_back(cells[7]);
    int column = 8;
    for (std::vector<double>* values : {&unit.truth, &unit.ridge, &unit.logistic_ridge}) {
      double value = 0;
      if (!absl::SimpleAtod(cells[column], &value)) return bad(column);
      values->push_back(value);
      ++column;
    }
  }
  return all;
}

}  // namespace iat
