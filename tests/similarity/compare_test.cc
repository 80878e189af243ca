#include "similarity/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netcdf.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/netcdf.h"
#include "base/status.h"
#include "similarity/lasso.h"
#include "similarity/r2.h"
#include "similarity/ridge.h"
#include "similarity/split.h"
#include "tests/similarity/compare_fixture.h"
#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class CompareTest : public CompareFixture {};
// As netCDF has a table.
using RowMajorMatrix =
    Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

TEST_F(CompareTest, ScoresEveryPairLayerStageSplitAndMapping) {
  const CompareResult result = Run(Family(3), "scores");
  // 6 directed pairs x 2 layers x 2 splits.
  EXPECT_EQ(CountRows(result.rows, "ridge", kNumUnits), 48);  // both stages
  for (const char* mapping : {"ridge_clamped", "logistic_ridge", "logistic_ridge_soft",
                              "logistic_ridge_tuned"}) {
    EXPECT_EQ(CountRows(result.rows, mapping, kNumUnits), 24) << mapping;
  }
  for (const ScoreRow& row : result.rows) {
    EXPECT_EQ(row.num_scored_units,
              row.target_stage == "post_relu" ? kNumUnits - 1 : kNumUnits);
    EXPECT_EQ(row.num_fit_stimuli, 100);
    EXPECT_EQ(row.num_test_stimuli, 50);
    if (row.target_stage == "pre_relu") {
      EXPECT_GT(row.median_r2, 0.3);
    }
  }
  const auto read = ReadScores(folder_ / "scores" / "compare.csv");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->size(), result.rows.size());
}

// A cell by hand: split, fit and score with nothing of compare.cc.
TEST_F(CompareTest, ACellIsTheRidgeOfItsSplit) {
  const CompareInput input = Family(2);
  const CompareResult result = Run(input, "scores");
  const auto file = ActivationFile::Open(input.families[0][0]);
  ASSERT_TRUE(file.ok());
  const auto split = MakeSplit(file->stimulus_ids(), {.split_seed = 1, .num_fit = 100});
  ASSERT_TRUE(split.ok());
  const Eigen::MatrixXd x =
      Response({.seed = 0}, "conv2", Stage::kPreRelu).cast<double>();
  const Eigen::MatrixXd y =
      Response({.seed = 1}, "conv2", Stage::kPreRelu).cast<double>();
  const auto basis = SourceBasis::Make(x(split->fit, Eigen::all));
  ASSERT_TRUE(basis.ok());
  const auto fit = FitRidge(*basis, y(split->fit, Eigen::all), options_.mapping.ridge);
  ASSERT_TRUE(fit.ok());
  const double median =
      SummariseR2(R2PerUnit(y(split->test, Eigen::all),
                            *fit->map.Predict(x(split->test, Eigen::all))))
          .median;
  const auto row =
      std::find_if(result.rows.begin(), result.rows.end(), [](const ScoreRow& r) {
        return r.source_animal == "seed-000" && r.source_layer == "conv2" &&
               r.source_stage == "pre_relu" && r.split_seed == 1 && r.mapping == "ridge";
      });
  ASSERT_NE(row, result.rows.end());
  EXPECT_EQ(row->median_r2, median);
}

TEST_F(CompareTest, MappingsAreComparedUnitByUnit) {
  options_.mappings = {"ridge", "ridge_clamped"};
  options_.stages = {"post_relu->post_relu"};
  Run(Family(2), "scores");
  const auto table = ReadCsv(folder_ / "scores" / "paired.csv");
  ASSERT_TRUE(table.ok()) << table.status();
  ASSERT_EQ(table->rows.size(), 8u);  // 2 directions x 2 layers x 2 splits
  for (const std::vector<std::string>& row : table->rows) {
    EXPECT_EQ(row[8], "ridge");
    EXPECT_EQ(row[9], "ridge_clamped");
    EXPECT_EQ(row[11], absl::StrCat(kNumUnits - 1));
    // Clamping can only bring a prediction nearer to a target that is never negative.
    EXPECT_EQ(row[12], "0");
    EXPECT_GT(std::stoi(row[13]), 0);
    EXPECT_LE(std::stod(row[14]), 0.0);
  }
}

// A row of compare_units.nc has what its own mapping chose, and nothing of the others'.
TEST_F(CompareTest, UnitScoresHoldWhatEveryMappingChose) {
  const std::map<std::string, std::string> chosen_by = {
      {"elastic_net", "elastic_net_penalty"},
      {"glm_poisson_softplus", "glm_penalty"},
      {"inverse_nonlinear", "inverse_nonlinear_penalty"},
      {"lasso", "lasso_penalty"},
      {"one_to_one", "source_unit"},
      {"percentile", "num_selected_units"},
      {"pls", "num_components"},
      {"ridge", "ridge_penalty"}};
  options_.mappings.clear();
  for (const auto& [mapping, name] : chosen_by) options_.mappings.push_back(mapping);
  options_.mapping.pls.num_components = 3;
  options_.layers = {"conv1"};
  options_.stages = {"post_relu->post_relu"};
  options_.split_seeds = {0};
  options_.both_directions = false;
  const CompareInput input = Family(2);
  Run(input, "scores");
  const auto file = NetcdfFile::Open(folder_ / "scores" / "compare_units.nc");
  ASSERT_TRUE(file.ok()) << file.status();
  const auto mappings = file->ReadStrings("mapping");
  ASSERT_TRUE(mappings.ok()) << mappings.status();
  const auto read = [&](const std::string& name) {
    RowMajorMatrix table(mappings->size(), kNumUnits);
    const auto variable = file->Variable(name);
    EXPECT_TRUE(variable.ok()) << variable.status();
    if (variable.ok()) {
      EXPECT_EQ(nc_get_var_double(file->id(), *variable, table.data()), NC_NOERR) << name;
    }
    return table;
  };
  for (const auto& [mapping, name] : chosen_by) {
    const RowMajorMatrix table = read(name);
    for (size_t row = 0; row < mappings->size(); ++row) {
      // percentile has ridges inside.
      const bool chooses = (*mappings)[row] == mapping ||
                           (name == "ridge_penalty" && (*mappings)[row] == "percentile");
      // One unit is silent: some mappings choose even for it.
      EXPECT_GE(table.row(row).array().isFinite().count(), chooses ? kNumUnits - 1 : 0)
          << (*mappings)[row] << " " << name;
      if (!chooses) {
        EXPECT_TRUE(table.row(row).array().isNaN().all()) << (*mappings)[row] << name;
      }
    }
    const bool from_a_grid = mapping != "one_to_one" && mapping != "percentile";
    EXPECT_EQ(file->Variable(absl::StrCat("num_", name, "_at_edge")).ok(), from_a_grid)
        << name;
  }
  // The very values, by hand.
  const auto split = MakeSplit(ActivationFile::Open(input.families[0][0])->stimulus_ids(),
                               {.split_seed = 0, .num_fit = 100});
  ASSERT_TRUE(split.ok());
  const auto responses = [&](int seed) -> Eigen::MatrixXd {
    return Response({.seed = seed}, "conv1", Stage::kPostRelu)
        .cast<double>()(split->fit, Eigen::all);
  };
  const auto fit = FitElasticNet(responses(0), responses(1), 1.0, options_.mapping.lasso);
  ASSERT_TRUE(fit.ok()) << fit.status();
  const size_t lasso =
      std::find(mappings->begin(), mappings->end(), "lasso") - mappings->begin();
  const RowMajorMatrix penalties = read("lasso_penalty");
  for (Eigen::Index j = 0; j < kNumUnits; ++j) {
    if (std::isnan(fit->penalty(j))) {
      EXPECT_TRUE(std::isnan(penalties(lasso, j)));
    } else {
      EXPECT_EQ(penalties(lasso, j), fit->penalty(j));
    }
  }
}

TEST_F(CompareTest, AnyNumberOfJobsGivesTheSameBytes) {
  const CompareInput input = Family(3);
  Run(input, "one", {.jobs = 1});
  Run(input, "four", {.jobs = 4});
  ExpectSameOutputs("one", "four");
}

TEST_F(CompareTest, RanksShareTheCellsAndTheLastWritesTheSameBytes) {
  const CompareInput input = Family(3);
  const CompareResult alone = Run(input, "alone");
  EXPECT_TRUE(alone.complete);
  for (const int size : {2, 3}) {
    const std::string name = absl::StrCat("ranks", size);
    for (int index = size - 1; index >= 0; --index) {
      const CompareResult result = Run(input, name, {.rank = {index, size}});
      EXPECT_EQ(result.complete, index == 0) << "the last to run";
      EXPECT_EQ(fs::exists(folder_ / name / "compare.csv"), index == 0);
    }
    ExpectSameOutputs("alone", name);
  }
}

TEST_F(CompareTest, LayersAreMappedOntoEachOther) {
  const CompareInput input = Family(2);
  const CompareResult same = Run(input, "same");
  options_.layer_pairs = {"all"};
  const CompareResult all = Run(input, "all");
  EXPECT_EQ(all.rows.size(), 2 * same.rows.size());
  // What lies on the diagonal does not depend on what surrounds it.
  std::vector<ScoreRow> diagonal;
  for (const ScoreRow& row : all.rows) {
    if (row.source_layer == row.target_layer) diagonal.push_back(row);
  }
  EXPECT_EQ(ScoresText(diagonal), ScoresText(same.rows));
  options_.layer_pairs = {"conv2->conv1", "conv1->conv1"};
  for (const ScoreRow& row : Run(input, "some").rows)
    EXPECT_EQ(row.target_layer, "conv1");
  options_.layer_pairs = {"conv1->conv4"};
  EXPECT_EQ(Message(input),
            "compare.layer_pairs has \"conv1->conv4\", but \"conv4\" is not among the "
            "layers (conv1, conv2)");
}

TEST_F(CompareTest, TargetsMayComeFromFilesOfAnotherScope) {
  CompareInput input = Family(2);
  input.target_families = {{Write({.seed = 0, .num_units = 9, .scope = "layer"}),
                            Write({.seed = 1, .num_units = 9, .scope = "layer"})}};
  const CompareResult result = Run(input, "scores");
  EXPECT_EQ(result.rows.size(), Run(Family(2), "same").rows.size());
  for (const ScoreRow& row : result.rows) {
    EXPECT_EQ(row.source_scope, "hypercolumn");
    EXPECT_EQ(row.target_scope, "layer");
    EXPECT_EQ(row.num_source_units, kNumUnits);
    EXPECT_EQ(row.num_target_units, 9);
    EXPECT_NE(row.source_animal, row.target_animal);
  }
  std::swap(input.target_families[0][0], input.target_families[0][1]);
  EXPECT_THAT(Message(input),
              HasSubstr("seed-001-layer.nc: is of seed-001; expected seed-000"));
  input.target_families.push_back({});
  EXPECT_EQ(Message(input), "there are 2 families of targets for 1 of sources");
}

TEST_F(CompareTest, AnInterruptedRunContinuesAndEndsWithTheSameBytes) {
  const CompareInput input = Family(3);
  Run(input, "whole");
  std::atomic<bool> stop{false};
  CompareControl control;
  control.stop = &stop;
  control.progress = [&](int64_t done, int64_t, const std::string&) { stop = done == 5; };
  const auto broken_off = RunCompare(options_, input, folder_ / "resumed", control);
  EXPECT_EQ(broken_off.status().code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(fs::exists(folder_ / "resumed" / "compare.csv"));
  const auto plan = PlanCompare(options_, input, folder_ / "resumed");
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->num_complete, 5);
  EXPECT_EQ(Run(input, "resumed").num_reused, 5);
  ExpectSameOutputs("whole", "resumed");
}

TEST_F(CompareTest, ADamagedPartIsMadeAgain) {
  const CompareInput input = Family(2);
  const CompareResult whole = Run(input, "scores");
  const fs::path part = fs::directory_iterator(folder_ / "scores" / "parts")->path();
  std::string text = *ReadFile(part);
  ASSERT_TRUE(WriteFileAtomically(part, text.substr(0, text.size() / 2)).ok());
  EXPECT_EQ(Run(input, "scores").num_reused, whole.num_cells - 1);
}

TEST_F(CompareTest, AChangedOptionRedoesWhatDependsOnIt) {
  const CompareInput input = Family(2);
  const int64_t num_cells = Run(input, "scores").num_cells;
  EXPECT_EQ(Run(input, "scores").num_reused, num_cells);
  options_.mapping.logistic_ridge.min_active = 10;
  EXPECT_EQ(Run(input, "scores").num_reused, num_cells / 2);  // before the ReLU
  options_.split_seeds = {0, 1, 2};
  EXPECT_EQ(Run(input, "scores").num_reused, num_cells);
  options_.mapping.ridge.num_penalties = 6;
  EXPECT_EQ(Run(input, "scores").num_reused, 0);
  const auto parts = fs::directory_iterator(folder_ / "scores" / "parts");
  EXPECT_EQ(std::distance(parts, {}), num_cells * 3 / 2);  // no leftovers
}

TEST_F(CompareTest, LogisticCellsRepeatTheOtherMappingsOnTheirUnits) {
  options_.logistic_max_target_units = 3;
  options_.logistic_split_seeds = {1};
  const CompareResult result = Run(Family(2), "scores");
  // 2 directed pairs x 2 layers.
  EXPECT_EQ(CountRows(result.rows, "ridge", kNumUnits), 16);  // 2 stages x 2 splits
  EXPECT_EQ(CountRows(result.rows, "ridge_clamped", kNumUnits), 8);
  EXPECT_EQ(CountRows(result.rows, "logistic_ridge", kNumUnits), 0);
  for (const char* mapping : {"ridge", "ridge_clamped", "logistic_ridge"}) {
    EXPECT_EQ(CountRows(result.rows, mapping, 3), 4) << mapping;
  }
  for (const ScoreRow& row : result.rows) {
    EXPECT_TRUE(row.num_target_units == kNumUnits || row.split_seed == 1);
  }
}

TEST_F(CompareTest, PermutedTargetsCannotBePredicted) {
  options_.permuted = true;
  options_.permuted_split_seeds = {0};
  const CompareResult result = Run(Family(3), "scores");
  EXPECT_EQ(CountRows(result.rows, "ridge_permuted", kNumUnits), 24);
  EXPECT_EQ(CountRows(result.rows, "logistic_ridge_permuted", kNumUnits), 12);
  double sum = 0.0;
  int count = 0;
  for (const ScoreRow& row : result.rows) {
    if (row.mapping != "ridge_permuted") continue;
    sum += row.median_r2;
    ++count;
  }
  EXPECT_LT(sum / count, 0.02);
}

TEST_F(CompareTest, RowsAreMatchedByStimulusId) {
  const CompareInput input = Family(2);
  const CompareResult expected = Run(input, "scores");
  std::vector<int64_t> reversed(kNumStimuli);
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  Write({.seed = 1, .stimuli = reversed});
  const CompareResult result = Run(input, "reordered");
  EXPECT_EQ(ScoresText(result.rows), ScoresText(expected.rows));
}

TEST_F(CompareTest, FamiliesArePairedAmongThemselves) {
  CompareInput input = Family(2);
  input.families.push_back(
      {Write({.seed = 0, .name = "untrained"}), Write({.seed = 1, .name = "untrained"})});
  for (const ScoreRow& row : Run(input, "scores").rows) {
    EXPECT_EQ(row.source_animal.substr(0, 4), row.target_animal.substr(0, 4));
  }
}

TEST_F(CompareTest, OneDirectionAndFewerAnimals) {
  options_.both_directions = false;
  options_.pairs_from = 2;
  for (const ScoreRow& row : Run(Family(3), "scores").rows) {
    EXPECT_EQ(row.source_animal, "seed-000");
    EXPECT_EQ(row.target_animal, "seed-001");
  }
}

TEST_F(CompareTest, SaysWhichStimulusIsMissing) {
  CompareInput input = Family(2);
  std::vector<int64_t> fewer(kNumStimuli - 1);
  std::iota(fewer.begin(), fewer.end(), 1);
  Write({.seed = 1, .stimuli = fewer});
  EXPECT_THAT(Message(input),
              HasSubstr("seed-000 has 150 stimuli, seed-001 has 149 (first missing: "
                        "\"img_00000\"); extract both with the same stimulus list"));
}

TEST_F(CompareTest, RefusesAnimalsOfAnotherFamily) {
  CompareInput input = Family(2);
  Write({.seed = 1, .architecture = "alexnet width=1"});
  const std::string message = Message(input);
  EXPECT_THAT(message, HasSubstr("seed-001.nc: architecture is \"alexnet width=1\""));
  EXPECT_THAT(message, HasSubstr("\"alexnet_bn width=0.25\""));
  Write({.seed = 1, .num_units = 8});
  EXPECT_THAT(Message(input), HasSubstr("seed-001.nc: conv1 has 8 units"));
}

TEST_F(CompareTest, SaysWhatElseIsWrong) {
  CompareInput input = Family(2);
  options_.num_fit_stimuli = 150;
  EXPECT_EQ(Message(input),
            "held-out: asked for 150 fit and at least 1 test stimuli, but there are 150 "
            "stimuli");
  options_.num_fit_stimuli = 100;
  options_.pairs_from = 3;
  EXPECT_EQ(Message(input), "compare.pairs_from is 3, but there are 2 animals");
  options_.pairs_from = 0;
  options_.layers = {"conv4"};
  EXPECT_THAT(Message(input), HasSubstr("no layer \"conv4\"; it holds conv1, conv2"));
  options_.layers = {};
  options_.stages = {"pre_relu->pre_relu"};
  options_.mappings = {"logistic_ridge"};
  EXPECT_THAT(Message(input), HasSubstr("nothing to compare"));
  options_.mappings = {"ridge"};
  options_.logistic_split_seeds = {7};
  EXPECT_EQ(Message(input),
            "logistic_split_seeds has 7; expected some of split_seeds (0, 1)");
  options_.logistic_split_seeds = {};
  options_.split_seeds = {1, 1};
  EXPECT_EQ(Message(input), "split_seeds is 1, 1; expected no seed twice");
  options_.split_seeds = {};
  EXPECT_EQ(Message(input), "split_seeds is empty; expected at least one entry");
}

}  // namespace
}  // namespace iat
