#include "base/sampling_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

#include "base/csv.h"
#include "base/file.h"

namespace iat {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

SamplingRow Row(const std::string& axis, int64_t size, int64_t sample, double median) {
  SamplingRow row;
  row.score = {.stimuli = "held-out",
               .source_animal = "seed-000+seed-001",
               .target_animal = "seed-002",
               .source_layer = "conv1",
               .target_layer = "conv1",
               .source_stage = "pre_relu",
               .target_stage = "pre_relu",
               .source_scope = "hypercolumn",
               .target_scope = "hypercolumn",
               .mapping = "ridge",
               .split_seed = 3,
               .num_fit_stimuli = axis == "stimuli" ? size : 80,
               .num_test_stimuli = 20,
               .num_source_units = axis == "units" ? size : 128,
               .num_target_units = 64,
               .num_scored_units = 63,
               .median_r2 = median,
               .mean_r2 = 0.5,
               .q25_r2 = -0.25,
               .q75_r2 = 0.75,
               .median_r = 0.875};
  row.axis = axis;
  row.size = size;
  row.sample_seed = sample;
  row.num_pooled_sources = 2;
  return row;
}

class SamplingTableTest : public ::testing::Test {
 protected:
  SamplingTableTest()
      : path_(std::filesystem::path(::testing::TempDir()) /
              ("sampling_table_test-" + std::to_string(::getpid()) + ".csv")) {}
  ~SamplingTableTest() override { std::filesystem::remove(path_); }
  std::filesystem::path path_;
};

TEST_F(SamplingTableTest, SortsAndGivesEveryColumnBack) {
  const std::vector<SamplingRow> rows = {
      Row("units", 8, 10, 1.0 / 3.0), Row("units", 8, 9, NAN), Row("stimuli", 40, 0, 0.1),
      Row("stimuli", 4, 1, 0.2), Row("stimuli", 4, 0, 0.3)};
  ASSERT_TRUE(WriteSampling(path_, rows).ok());
  const auto read = ReadSampling(path_);
  ASSERT_TRUE(read.ok()) << read.status();
  std::vector<double> medians;
  for (const SamplingRow& row : *read) medians.push_back(row.score.median_r2);
  ASSERT_EQ(medians.size(), 5u);
  // By the columns of a score first: 4 and 40 fit stimuli come before 80.
  EXPECT_THAT(std::vector<double>(medians.begin(), medians.begin() + 3),
              ElementsAre(0.3, 0.2, 0.1));
  EXPECT_TRUE(std::isnan(medians[3]));
  const SamplingRow& last = read->back();
  EXPECT_NEAR(last.score.median_r2, 1.0 / 3.0, 1e-9);
  EXPECT_EQ(last.axis, "units");
  EXPECT_EQ(last.size, 8);
  EXPECT_EQ(last.sample_seed, 10);
  EXPECT_EQ(last.num_pooled_sources, 2);
  EXPECT_EQ(last.score.source_animal, "seed-000+seed-001");
  EXPECT_EQ(last.score.median_r, 0.875);
  EXPECT_EQ(SamplingText(*read), *ReadFile(path_));
}

TEST_F(SamplingTableTest, NamesItsColumnsInOrder) {
  const auto table = ParseCsv(SamplingText({}), "t");
  ASSERT_TRUE(table.ok());
  ASSERT_EQ(table->columns.size(), 25u);
  EXPECT_EQ(table->columns[0], "stimuli");
  EXPECT_THAT(
      std::vector<std::string>(table->columns.begin() + 15, table->columns.begin() + 21),
      ElementsAre("num_scored_units", "axis", "size", "sample_seed", "num_pooled_sources",
                  "median_r2"));
}

TEST_F(SamplingTableTest, NamesLineAndColumnOfWhatDoesNotFit) {
  std::string text = SamplingText({Row("units", 8, 10, 0.5)});
  text.replace(text.find(",8,10,"), 6, ",8,ten,");
  std::ofstream(path_) << text;
  EXPECT_THAT(std::string(ReadSampling(path_).status().message()),
              HasSubstr(":2: sample_seed is \"ten\"; expected a number"));
  std::ofstream(path_) << "a,b\n1,2\n";
  EXPECT_THAT(std::string(ReadSampling(path_).status().message()),
              HasSubstr(":1: columns are a,b; expected stimuli,source_animal,"));
}

}  // namespace
}  // namespace iat
