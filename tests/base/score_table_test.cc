#include "base/score_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

#include "base/csv.h"

namespace iat {
namespace {

using ::testing::HasSubstr;

ScoreRow Row(const std::string& target, int64_t split, double median) {
  return {.stimuli = "held-out",
          .source_animal = "seed-000",
          .target_animal = target,
          .source_layer = "conv1",
          .target_layer = "conv1",
          .source_stage = "pre_relu",
          .target_stage = "pre_relu",
          .source_scope = "hypercolumn",
          .target_scope = "hypercolumn",
          .mapping = "ridge",
          .split_seed = split,
          .num_fit_stimuli = 80,
          .num_test_stimuli = 20,
          .num_source_units = 64,
          .num_target_units = 64,
          .num_scored_units = 63,
          .median_r2 = median,
          .mean_r2 = 0.5,
          .q25_r2 = -0.25,
          .q75_r2 = NAN,
          .median_r = 0.75};
}

class ScoreTableTest : public ::testing::Test {
 protected:
  ScoreTableTest()
      : path_(std::filesystem::path(::testing::TempDir()) /
              ("score_table_test-" + std::to_string(::getpid()) + ".csv")) {}
  ~ScoreTableTest() override { std::filesystem::remove(path_); }
  std::filesystem::path path_;
};

TEST_F(ScoreTableTest, SortsAndGivesBack) {
  ASSERT_TRUE(WriteScores(path_, {Row("seed-002", 0, 0.1), Row("seed-001", 10, 0.2),
                                  Row("seed-001", 9, 1.0 / 3.0)})
                  .ok());
  const auto rows = ReadScores(path_);
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->size(), 3u);
  EXPECT_EQ((*rows)[0].split_seed, 9);
  EXPECT_EQ((*rows)[1].split_seed, 10);
  EXPECT_EQ((*rows)[2].target_animal, "seed-002");
  EXPECT_NEAR((*rows)[0].median_r2, 1.0 / 3.0, 1e-9);
  EXPECT_TRUE(std::isnan((*rows)[0].q75_r2));
  EXPECT_EQ((*rows)[0].median_r, 0.75);
}

TEST_F(ScoreTableTest, NamesLineAndColumnOfABadCell) {
  std::string text = ScoresText({Row("seed-001", 0, 0.5)});
  text.replace(text.find(",80,"), 4, ",many,");
  std::ofstream(path_) << text;
  EXPECT_THAT(std::string(ReadScores(path_).status().message()),
              HasSubstr(":2: num_fit_stimuli is \"many\"; expected a number"));
}

TEST(CsvTest, QuotesAndUnquotes) {
  const CsvTable table{.columns = {"a", "b"},
                       .rows = {{"x,y", "say \"hi\""}, {"", "two\nlines"}}};
  const auto back = ParseCsv(CsvText(table), "t");
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->rows, table.rows);
}

TEST(CsvTest, NamesTheLineOfARaggedRow) {
  EXPECT_THAT(std::string(ParseCsv("a,b\r\n1,2\r\n3\r\n", "t.csv").status().message()),
              HasSubstr("t.csv:3: 1 cells; expected 2 as in the heading"));
  EXPECT_THAT(std::string(ParseCsv("a,b\n\"1,2\n", "t.csv").status().message()),
              HasSubstr("t.csv:2: a quote is not closed"));
}

}  // namespace
}  // namespace iat
