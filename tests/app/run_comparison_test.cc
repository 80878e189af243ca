#include "app/run_comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/math/distributions/students_t.hpp>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/score_table.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Every ordered pair of four animals: `level` plus what its two animals add.
std::vector<ScoreRow> Rows(double level, double spread, int num_animals = 4) {
  std::vector<ScoreRow> rows;
  for (int s = 0; s < num_animals; ++s) {
    for (int t = 0; t < num_animals; ++t) {
      if (s == t) continue;
      ScoreRow row;
      row.stimuli = "held-out";
      row.source_animal = absl::StrFormat("seed-%03d", s);
      row.target_animal = absl::StrFormat("seed-%03d", t);
      row.source_layer = row.target_layer = "conv1";
      row.source_stage = row.target_stage = "pre_relu";
      row.source_scope = row.target_scope = "hypercolumn";
      row.mapping = "ridge";
      row.num_fit_stimuli = 80;
      row.num_test_stimuli = 20;
      row.num_source_units = row.num_target_units = row.num_scored_units = 16;
      row.median_r2 = level + spread * (s + t);
      rows.push_back(row);
    }
  }
  return rows;
}

class RunComparisonTest : public ::testing::Test {
 protected:
  RunComparisonTest()
      : folder_(fs::path(::testing::TempDir()) /
                absl::StrCat("run_comparison_test-", ::getpid())) {}
  ~RunComparisonTest() override { fs::remove_all(folder_); }

  fs::path Write(const std::string& name, const std::string& config,
                 const std::vector<ScoreRow>& rows) {
    EXPECT_TRUE(WriteFileAtomically(folder_ / name / "config.toml", config).ok());
    EXPECT_TRUE(WriteScores(folder_ / name / "scores" / "compare.csv", rows).ok());
    return folder_ / name;
  }

  fs::path folder_;
};

TEST_F(RunComparisonTest, ConfigsDifferKeyByKey) {
  const auto differences = CompareConfigs(
      "[run]\nname = \"a\"\n\n[training]\nepochs = 2\nlr = 0.1\n",
      "[run]\nname = \"a\"\n\n[training]\nepochs = 20\n\n[scopes]\nanimals = 4\n");
  ASSERT_EQ(differences.size(), 3);
  EXPECT_EQ(differences[0].key, "scopes.animals");
  EXPECT_EQ(differences[0].first, "");
  EXPECT_EQ(differences[0].second, "4");
  EXPECT_EQ(differences[1].key, "training.epochs");
  EXPECT_EQ(differences[1].first, "2");
  EXPECT_EQ(differences[1].second, "20");
  EXPECT_EQ(differences[2].key, "training.lr");
}

TEST_F(RunComparisonTest, StandardErrorsOfIndependentRunsAddInSquares) {
  const Summary a = Summarise(Rows(0.8, 0.01)), b = Summarise(Rows(0.5, 0.02));
  const auto differences = CompareSummaries(a, b);
  ASSERT_EQ(differences.size(), 1);
  const ScoreDifference& line = differences[0];
  EXPECT_TRUE(line.same_size);
  // Means over pairs of s + t: 3.
  EXPECT_NEAR(line.difference.mean, (0.8 + 0.03) - (0.5 + 0.06), 1e-12);
  // Without animal k the mean of s + t is 2 (6 - k) / 3, so the jackknife's squared error
  // is 3/4 of the sum over k of (2/3)^2 (k - 1.5)^2, and that sum of squares is 5.
  const double error = std::sqrt(0.75 * (4.0 / 9.0) * 5.0);
  const double t = boost::math::quantile(boost::math::students_t(3.0), 0.975);
  EXPECT_NEAR(line.difference.high - line.difference.mean,
              t * error * std::hypot(0.01, 0.02), 1e-12);
  EXPECT_NEAR(line.difference.mean - line.difference.low,
              line.difference.high - line.difference.mean, 1e-12);
}

TEST_F(RunComparisonTest, FewAnimalsHaveNoInterval) {
  const auto differences =
      CompareSummaries(Summarise(Rows(0.8, 0.01, 3)), Summarise(Rows(0.5, 0.02)));
  ASSERT_EQ(differences.size(), 1);
  EXPECT_TRUE(std::isnan(differences[0].difference.low));
  EXPECT_EQ(differences[0].first_animals, 3);
  EXPECT_EQ(differences[0].second_animals, 4);
}

TEST_F(RunComparisonTest, RunsAreComparedFromTheirFolders) {
  std::vector<ScoreRow> fewer = Rows(0.5, 0.02);
  for (ScoreRow& row : fewer) row.num_fit_stimuli = 40;
  std::vector<ScoreRow> more = Rows(0.8, 0.01);
  for (ScoreRow row : Rows(0.7, 0.01)) {
    row.mapping = "pls";
    more.push_back(row);
  }
  const fs::path a = Write("a", "[compare]\nnum_fit_stimuli = 80\n", more);
  const fs::path b = Write("b", "[compare]\nnum_fit_stimuli = 40\n", fewer);
  const auto comparison = CompareRuns(a, b);
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->only_first, 1);
  EXPECT_EQ(comparison->only_second, 0);
  const std::string text = RunComparisonText(*comparison);
  EXPECT_THAT(text, AllOf(HasSubstr("compare.num_fit_stimuli"), HasSubstr("80  |  40"),
                          HasSubstr("0.2700 ["), HasSubstr("4, 4 *"),
                          HasSubstr("which alone moves R2"),
                          HasSubstr("1 lines only in the first run, 0 only in")));
  const std::string html = RunComparisonHtml(*comparison);
  EXPECT_THAT(html, AllOf(HasSubstr("1 of 1 differences with an interval lie clear"),
                          HasSubstr("<td>80</td><td>40</td>")));
  const auto same = CompareRuns(a, a);
  ASSERT_TRUE(same.ok());
  EXPECT_THAT(RunComparisonText(*same),
              AllOf(HasSubstr("The configs are the same."), Not(HasSubstr(" *\n"))));
}

TEST_F(RunComparisonTest, AFolderWithoutScoresIsNamed) {
  const fs::path a = Write("a", "", Rows(0.8, 0.01));
  const auto absent = CompareRuns(a, folder_ / "absent");
  EXPECT_EQ(absent.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(absent.status().message()), HasSubstr("absent/config.toml"));
}

}  // namespace
}  // namespace iat
