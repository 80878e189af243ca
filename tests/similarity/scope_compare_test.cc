#include "similarity/scope_compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/status.h"
#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr Eigen::Index kNumStimuli = 160, kHypercolumn = 4, kLayer = 12;

class ScopeCompareTest : public ::testing::Test {
 protected:
  ScopeCompareTest()
      : folder_(fs::path(::testing::TempDir()) /
                absl::StrCat("scope_compare_test-", ::getpid())) {
    fs::remove_all(folder_);
    compare_.num_fit_stimuli = 110;
    compare_.mapping.ridge.num_penalties = 6;
    options_.split_seeds = {0, 1};
    options_.max_layer_targets = 5;
  }
  ~ScopeCompareTest() override { fs::remove_all(folder_); }

  // Six signals that all animals share, mixed anew by each. A hypercolumn of four units
  // sees at most four dimensions of them, the whole layer all six.
  static ActivationMatrix Response(int seed, Eigen::Index num_units, Stage stage) {
    const Eigen::MatrixXd pre =
        NormalMatrix(kNumStimuli, 6, 1) * NormalMatrix(6, kLayer, 100 + seed) +
        0.05 * NormalMatrix(kNumStimuli, kLayer, 200 + seed);
    const Eigen::MatrixXd some = pre.leftCols(num_units);
    if (stage == Stage::kPreRelu) return some.cast<float>();
    return some.cwiseMax(0.0).cast<float>();
  }

  fs::path Write(int seed, const std::string& scope) {
    const Eigen::Index num_units = scope == "layer" ? kLayer : kHypercolumn;
    const fs::path path = folder_ / absl::StrCat(seed, "-", scope, ".nc");
    std::vector<std::string> ids;
    for (Eigen::Index i = 0; i < kNumStimuli; ++i) ids.push_back(absl::StrCat("s", i));
    ActivationMetadata metadata;
    metadata.animal = absl::StrFormat("seed-%03d", seed);
    metadata.architecture = "alexnet_bn";
    metadata.scope = scope;
    std::vector<int32_t> channel(num_units), position(num_units, 0);
    std::iota(channel.begin(), channel.end(), 0);
    const absl::Status status =
        WriteAtomically(path, [&](const fs::path& temporary) -> absl::Status {
          IAT_ASSIGN_OR_RETURN(
              ActivationWriter writer,
              ActivationWriter::Create(temporary, ids,
                                       {{"conv1",
                                         {channel, position, position},
                                         {Stage::kPreRelu, Stage::kPostRelu}}},
                                       metadata));
          for (const Stage stage : {Stage::kPreRelu, Stage::kPostRelu}) {
            IAT_RETURN_IF_ERROR(
                writer.Write({"conv1", stage}, 0, Response(seed, num_units, stage)));
          }
          return writer.Close();
        });
    EXPECT_TRUE(status.ok()) << status;
    return path;
  }

  ScopeInput Family(int num_animals) {
    ScopeInput input{.stimuli = "held-out", .hypercolumns = {}, .layers = {}};
    for (int seed = 0; seed < num_animals; ++seed) {
      input.hypercolumns.push_back(Write(seed, "hypercolumn"));
      input.layers.push_back(Write(seed, "layer"));
    }
    return input;
  }

  fs::path folder_;
  ScopeOptions options_;
  CompareOptions compare_;
};

TEST_F(ScopeCompareTest, AWholeLayerPredictsWhatItsHypercolumnCannotSee) {
  const auto result =
      RunScopeCompare(options_, compare_, Family(4), folder_ / "scores", {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->complete);
  // 3 comparisons x 12 ordered pairs x 2 stages x 2 splits.
  EXPECT_EQ(result->rows.size(), 144);
  const auto read = ReadScores(folder_ / "scores" / "scopes.csv");
  ASSERT_TRUE(read.ok()) << read.status();
  const std::vector<ScopeLine> lines = SummariseScopes(*read);
  ASSERT_EQ(lines.size(), 2);
  EXPECT_EQ(lines[0].stage, "pre_relu");
  EXPECT_EQ(lines[1].stage, "post_relu");
  const ScopeLine& before = lines[0];
  EXPECT_EQ(before.num_animals, 4);
  EXPECT_EQ(before.num_pairs, 6);
  EXPECT_EQ(before.num_splits, 2);
  EXPECT_EQ(before.num_hypercolumn_units, kHypercolumn);
  EXPECT_EQ(before.num_layer_units, kLayer);
  EXPECT_EQ(before.num_layer_targets, 5);
  EXPECT_GT(before.from_layer.mean, 0.98);
  EXPECT_GT(before.whole_layer.mean, 0.98);
  // Four of six dimensions predict a random mixture of them only in part.
  EXPECT_LT(before.hypercolumn.mean, 0.9);
  EXPECT_NEAR(before.difference.mean, before.hypercolumn.mean - before.from_layer.mean,
              1e-12);
  EXPECT_LT(before.difference.high, 0.0);
  EXPECT_LT(before.difference.low, before.difference.mean);
}

TEST_F(ScopeCompareTest, OnlyTheSourceDiffersInTheFairComparison) {
  options_.max_layer_targets = 0;
  const auto result =
      RunScopeCompare(options_, compare_, Family(2), folder_ / "scores", {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->rows.size(), 16);
  for (const ScoreRow& row : result->rows) {
    EXPECT_EQ(row.target_scope, "hypercolumn");
    EXPECT_EQ(row.num_target_units, kHypercolumn);
    EXPECT_EQ(row.num_source_units, row.source_scope == "layer" ? kLayer : kHypercolumn);
  }
  const ScopeLine line = SummariseScopes(result->rows).front();
  EXPECT_TRUE(std::isnan(line.whole_layer.mean));
  EXPECT_TRUE(std::isnan(line.difference.low));  // two animals have no interval
  EXPECT_THAT(ScopesText({line}), HasSubstr("conv1  pre_relu"));
  EXPECT_THAT(ScopesJson({line}), HasSubstr("\"whole_layer\": {\n      \"mean\": null"));
}

TEST_F(ScopeCompareTest, AFinishedComparisonIsTakenUp) {
  const ScopeInput input = Family(2);
  const auto plan = [&] {
    const auto planned = PlanScopeCompare(options_, compare_, input, folder_ / "scores");
    EXPECT_TRUE(planned.ok()) << planned.status();
    return planned.ok() ? *planned : ComparePlan{};
  };
  EXPECT_EQ(plan().num_cells, 24);
  EXPECT_EQ(plan().num_complete, 0);
  ASSERT_TRUE(RunScopeCompare(options_, compare_, input, folder_ / "scores", {}).ok());
  const std::string first = *ReadFile(folder_ / "scores" / "scopes.csv");
  EXPECT_EQ(plan().num_complete, 24);
  ASSERT_TRUE(RunScopeCompare(options_, compare_, input, folder_ / "scores", {}).ok());
  EXPECT_EQ(*ReadFile(folder_ / "scores" / "scopes.csv"), first);
}

TEST_F(ScopeCompareTest, LeavesOutRowsWithoutAValueOrOfAnotherMapping) {
  const auto result =
      RunScopeCompare(options_, compare_, Family(2), folder_ / "scores", {});
  ASSERT_TRUE(result.ok()) << result.status();
  std::vector<ScoreRow> rows = result->rows;
  const double mean = SummariseScopes(rows).front().from_layer.mean;
  ScoreRow other = rows.front();
  other.median_r2 = std::numeric_limits<double>::quiet_NaN();
  rows.push_back(other);
  other.median_r2 = -5;
  other.mapping = "logistic_ridge";
  rows.push_back(other);
  EXPECT_EQ(SummariseScopes(rows).front().from_layer.mean, mean);
}

TEST_F(ScopeCompareTest, RefusesAnimalsThatDoNotMatch) {
  ScopeInput input = Family(2);
  std::swap(input.layers[0], input.layers[1]);
  EXPECT_THAT(
      std::string(RunScopeCompare(options_, compare_, input, folder_ / "scores", {})
                      .status()
                      .message()),
      HasSubstr("0-hypercolumn.nc: is of seed-000; expected seed-001"));
  options_.stages.clear();
  EXPECT_EQ(options_.Validate().message(),
            "stages is empty; expected at least one entry");
}

}  // namespace
}  // namespace iat
