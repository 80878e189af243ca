#include "similarity/metric_compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/activation_file.h"
#include "base/file.h"
#include "base/status.h"
#include "similarity/metric.h"
#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr Eigen::Index kNumStimuli = 60, kNumUnits = 5;

class MetricCompareTest : public ::testing::Test {
 protected:
  MetricCompareTest()
      : folder_(fs::path(::testing::TempDir()) /
                absl::StrCat("metric_compare_test-", ::getpid())) {
    options_.names = {"cka", "pwcca"};
    options_.stages = {"pre_relu"};
    options_.num_stimuli = 0;
  }
  ~MetricCompareTest() override { fs::remove_all(folder_); }

  static Eigen::MatrixXd Response(int seed, const std::string& layer) {
    const int salt = layer == "conv1" ? 10 : 20;
    return NormalMatrix(kNumStimuli, 3, salt) * NormalMatrix(3, kNumUnits, salt + seed) +
           0.3 * NormalMatrix(kNumStimuli, kNumUnits, 1000 + salt + seed);
  }

  // `reversed`: the same responses with the file's rows in the opposite order.
  fs::path Write(int seed, bool reversed = false, int first_id = 0) {
    const fs::path path = folder_ / absl::StrCat(seed, ".nc");
    std::vector<Eigen::Index> order(kNumStimuli);
    std::iota(order.begin(), order.end(), 0);
    if (reversed) std::reverse(order.begin(), order.end());
    std::vector<std::string> ids;
    for (const Eigen::Index i : order) {
      ids.push_back(absl::StrFormat("s%03d", static_cast<int>(i) + first_id));
    }
    ActivationMetadata metadata;
    metadata.animal = absl::StrFormat("seed-%03d", seed);
    metadata.scope = "hypercolumn";
    std::vector<int32_t> channel(kNumUnits), position(kNumUnits, 0);
    std::iota(channel.begin(), channel.end(), 0);
    const absl::Status status =
        WriteAtomically(path, [&](const fs::path& temporary) -> absl::Status {
          const UnitCoordinates units{channel, position, position};
          IAT_ASSIGN_OR_RETURN(
              ActivationWriter writer,
              ActivationWriter::Create(temporary, ids,
                                       {{"conv1", units, {Stage::kPreRelu}},
                                        {"conv2", units, {Stage::kPreRelu}}},
                                       metadata));
          for (const char* layer : {"conv1", "conv2"}) {
            const ActivationMatrix rows =
                Response(seed, layer)(order, Eigen::all).cast<float>();
            IAT_RETURN_IF_ERROR(writer.Write({layer, Stage::kPreRelu}, 0, rows));
          }
          return writer.Close();
        });
    EXPECT_TRUE(status.ok()) << status;
    return path;
  }

  std::vector<MetricRow> Run(const std::vector<fs::path>& animals, int jobs = 1) {
    CompareControl control;
    control.jobs = jobs;
    const auto rows =
        RunMetricCompare(options_, {"held-out", {animals}}, folder_ / "scores", control);
    EXPECT_TRUE(rows.ok()) << rows.status();
    return rows.ok() ? *rows : std::vector<MetricRow>{};
  }

  fs::path folder_;
  MetricCompareOptions options_;
};

TEST_F(MetricCompareTest, MeasuresEveryPairAndReadsBackWhatItWrote) {
  const std::vector<fs::path> animals = {Write(0), Write(1, true), Write(2), Write(3)};
  const std::vector<MetricRow> rows = Run(animals, 2);
  // cka: 6 pairs x 2 layers; pwcca is not symmetric: 12 x 2.
  EXPECT_EQ(rows.size(), 36);
  const auto read = ReadMetrics(folder_ / "scores" / "metrics.csv");
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ((*read)[i].metric, rows[i].metric);
    EXPECT_NEAR((*read)[i].value, rows[i].value, 1e-8);
  }
  // By another road: the metric itself on the responses, whatever the order of rows.
  const auto wanted = [&](int s, int t, const std::string& layer) {
    auto source = MetricData::Make(Response(s, layer).cast<float>().cast<double>(), "s");
    auto target = MetricData::Make(Response(t, layer).cast<float>().cast<double>(), "t");
    return (*MakeMetric("cka", {}))->Compare(*source, *target)->value;
  };
  int checked = 0;
  for (const MetricRow& row : rows) {
    if (row.metric != "cka") continue;
    const int s = row.source_animal.back() - '0', t = row.target_animal.back() - '0';
    EXPECT_LT(s, t);
    EXPECT_NEAR(row.value, wanted(s, t, row.source_layer), 1e-12);
    ++checked;
  }
  EXPECT_EQ(checked, 12);
  const std::vector<MetricLine> lines = SummariseMetrics(rows);
  ASSERT_EQ(lines.size(), 4);
  EXPECT_EQ(lines[0].metric, "cka");
  EXPECT_EQ(lines[0].num_pairs, 6);
  EXPECT_LT(lines[0].value.low, lines[0].value.mean);
  EXPECT_THAT(MetricsText(lines),
              HasSubstr("seed         conv1          pre_relu   cka"));
}

TEST_F(MetricCompareTest, JobsDoNotChangeABit) {
  const std::vector<fs::path> animals = {Write(0), Write(1), Write(2)};
  Run(animals, 1);
  const std::string one = *ReadFile(folder_ / "scores" / "metrics.csv");
  Run(animals, 3);
  EXPECT_EQ(*ReadFile(folder_ / "scores" / "metrics.csv"), one);
}

TEST_F(MetricCompareTest, EveryLayerPairTellsLayersApart) {
  options_.names = {"cka"};
  options_.every_layer_pair = true;
  const std::vector<MetricRow> rows = Run({Write(0), Write(1), Write(2)});
  // conv1-conv1 and conv2-conv2: 3 pairs each; conv1-conv2 and back: 6 each.
  EXPECT_EQ(rows.size(), 18);
  double own = 0, other = 0;
  for (const MetricLine& line : SummariseMetrics(rows)) {
    (line.source_layer == line.target_layer ? own : other) += line.value.mean / 2;
  }
  EXPECT_GT(own, 0.5);
  EXPECT_LT(other, 0.2);
}

TEST_F(MetricCompareTest, ASampleOfStimuliIsTheSameForAll) {
  options_.names = {"cka"};
  options_.num_stimuli = 40;
  const std::vector<MetricRow> rows = Run({Write(0), Write(1)});
  EXPECT_EQ(rows.front().num_stimuli, 40);
  const double value = rows.front().value;
  EXPECT_EQ(Run({Write(0), Write(1, true)}).front().value, value);
  options_.sample_seed = 1;
  EXPECT_NE(Run({Write(0), Write(1)}).front().value, value);
}

TEST_F(MetricCompareTest, WhatIsNotDefinedIsNanWithItsReason) {
  options_.names = {"cka_debiased"};
  options_.num_stimuli = 3;
  const std::vector<MetricRow> rows = Run({Write(0), Write(1)});
  EXPECT_TRUE(std::isnan(rows.front().value));
  EXPECT_THAT(rows.front().note, HasSubstr("stimuli"));
  EXPECT_EQ(SummariseMetrics(rows).front().num_undefined, 1);
}

TEST_F(MetricCompareTest, NamesTheStimulusOrLayerThatIsMissing) {
  const auto message = [&](const std::vector<fs::path>& animals) {
    return std::string(
        RunMetricCompare(options_, {"held-out", {animals}}, folder_ / "scores", {})
            .status()
            .message());
  };
  EXPECT_THAT(message({Write(0), Write(1, false, 1)}),
              HasSubstr("1.nc: no stimulus \"s000\""));
  options_.layers = {"conv5"};
  EXPECT_THAT(message({Write(0), Write(1)}), HasSubstr("conv5"));
  ASSERT_TRUE(WriteFileAtomically(folder_ / "m.csv", "a,b\n").ok());
  EXPECT_THAT(std::string(ReadMetrics(folder_ / "m.csv").status().message()),
              HasSubstr("m.csv:1: columns are a,b; expected stimuli,"));
  options_.names.clear();
  EXPECT_EQ(options_.Validate().message(), "names is empty; expected at least one entry");
}

}  // namespace
}  // namespace iat
