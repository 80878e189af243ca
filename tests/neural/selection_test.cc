#include "neural/selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "neural/numbered_name.h"
#include "neural/presentations.h"
#include "neural/reliability.h"
#include "neural/response_block.h"
#include "tests/neural/golden.h"

namespace iat {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// NumPy's own sums and matrix products differ from ours in the last bits.
constexpr double kGoldenTolerance = 1e-12;

class ReliabilityGoldenTest : public ::testing::TestWithParam<const char*> {};

TEST_P(ReliabilityGoldenTest, EqualsNumPyOnTheSameArraysAndSplits) {
  const auto golden = ReadNeuralGolden();
  const GoldenMatrix& splits = golden.at("splits");
  std::vector<std::vector<bool>> halves;
  for (int64_t s = 0; s < splits.rows; ++s) {
    halves.emplace_back(splits.values.begin() + s * splits.cols,
                        splits.values.begin() + (s + 1) * splits.cols);
  }
  const GoldenMatrix& array = golden.at(std::string(GetParam()) + "_values");
  const std::vector<float> values(array.values.begin(), array.values.end());
  const Reliability found = TrialSplits(halves).SplitHalf(values.data(), array.cols);
  const GoldenMatrix& expected = golden.at(std::string(GetParam()) + "_reliability");
  EXPECT_NEAR(found.mean, expected.values[0], kGoldenTolerance);
  EXPECT_EQ(found.num_undefined_splits, static_cast<int64_t>(expected.values[1]));
}

INSTANTIATE_TEST_SUITE_P(Arrays, ReliabilityGoldenTest,
                         ::testing::Values("complete", "holes", "counts", "noise"));

TEST(ReliabilityTest, OfTrialsThatRepeatIsOne) {
  const int64_t num_trials = 6, num_stimuli = 20;
  std::vector<float> values;
  for (int64_t t = 0; t < num_trials; ++t) {
    for (int64_t s = 0; s < num_stimuli; ++s) values.push_back(std::sin(s * 1.7f));
  }
  const TrialSplits splits(num_trials, {.num_splits = 50, .trial_seed = 1});
  const Reliability found = splits.SplitHalf(values.data(), num_stimuli);
  EXPECT_NEAR(found.mean, 1.0, kGoldenTolerance);
  EXPECT_EQ(found.num_undefined_splits, 0);
}

// Signal of variance 1 and noise of variance v in n trials: the means of halves correlate
// at 1/(1 + 2v/n), corrected to 1/(1 + v/n).
TEST(ReliabilityTest, IsWhatSpearmanAndBrownPromise) {
  const int64_t num_trials = 20, num_stimuli = 20000;
  const double noise = 3.0;
  RandomStream stream(5, "reliability-test");
  std::vector<double> signal(num_stimuli);
  for (double& s : signal) s = stream.Normal();
  std::vector<float> values;
  for (int64_t t = 0; t < num_trials; ++t) {
    for (int64_t s = 0; s < num_stimuli; ++s) {
      values.push_back(static_cast<float>(signal[s] + noise * stream.Normal()));
    }
  }
  const TrialSplits splits(num_trials, {.num_splits = 20, .trial_seed = 0});
  const double expected = 1.0 / (1.0 + noise * noise / static_cast<double>(num_trials));
  // Sampling error of a correlation over 20,000 stimuli.
  EXPECT_NEAR(splits.SplitHalf(values.data(), num_stimuli).mean, expected, 0.02);
}

TEST(ReliabilityTest, SplitsHalveTheTrialsAndDependOnTheSeedAlone) {
  const TrialSplits few(7, {.num_splits = 10, .trial_seed = 3});
  const TrialSplits many(7, {.num_splits = 20, .trial_seed = 3});
  const TrialSplits other(7, {.num_splits = 10, .trial_seed = 4});
  int differing = 0;
  for (int64_t split = 0; split < 10; ++split) {
    int in_first = 0;
    for (int64_t trial = 0; trial < 7; ++trial) {
      in_first += few.InFirstHalf(split, trial);
      EXPECT_EQ(few.InFirstHalf(split, trial), many.InFirstHalf(split, trial));
      differing += few.InFirstHalf(split, trial) != other.InFirstHalf(split, trial);
    }
    EXPECT_EQ(in_first, 3);
  }
  EXPECT_GT(differing, 0);
}

TEST(ReliabilityTest, CountsSplitsThatSayNothing) {
  // One trial alone differs: in every split one half is constant.
  const int64_t num_stimuli = 5;
  std::vector<float> values(4 * num_stimuli, 2.0f);
  values[3] = 9.0f;
  const TrialSplits splits(4, {.num_splits = 30, .trial_seed = 0});
  Reliability found = splits.SplitHalf(values.data(), num_stimuli);
  EXPECT_TRUE(std::isnan(found.mean));
  EXPECT_EQ(found.num_undefined_splits, 30);
  // A single trial cannot be halved.
  const TrialSplits single(1, {.num_splits = 30, .trial_seed = 0});
  found = single.SplitHalf(values.data(), num_stimuli);
  EXPECT_TRUE(std::isnan(found.mean));
  EXPECT_EQ(found.num_undefined_splits, 30);
  // r = -1 has no correction.
  const std::vector<float> opposed = {1, 2, 2, 1};
  const TrialSplits two(2, {.num_splits = 3, .trial_seed = 0});
  EXPECT_EQ(two.SplitHalf(opposed.data(), 2).num_undefined_splits, 3);
}

TEST(WelchTest, EqualsSciPy) {
  const auto golden = ReadNeuralGolden();
  for (int i = 0; i < 4; ++i) {
    const std::string name = "welch" + std::to_string(i);
    EXPECT_NEAR(WelchP(golden.at(name + "_a").values, golden.at(name + "_b").values),
                golden.at(name + "_p").values[0], kGoldenTolerance)
        << name;
  }
}

TEST(WelchTest, KnowsConstantAndSmallSamples) {
  EXPECT_TRUE(std::isnan(WelchP({1}, {1, 2, 3})));
  EXPECT_TRUE(std::isnan(WelchP({2, 2}, {2, 2, 2})));
  EXPECT_EQ(WelchP({2, 2}, {3, 3, 3}), 0.0);
}

TEST(SelectionTest, PercentilesAreNumPys) {
  const auto golden = ReadNeuralGolden();
  const std::vector<double>& values = golden.at("percentile_values").values;
  const double percents[] = {0, 25, 50, 75, 90, 100};
  for (int i = 0; i < 6; ++i) {
    EXPECT_NEAR(Percentile(values, percents[i]),
                golden.at("percentile_results").values[i], kGoldenTolerance);
  }
}

TEST(SelectionTest, TheLongestRunIsTheFirstOfEqualOnes) {
  EXPECT_EQ(LongestRun({0.4, 0.1, 0.3, 0.5, NAN, 0.9, 0.9}, 0.3),
            (std::pair<int64_t, int64_t>(2, 2)));
  EXPECT_EQ(LongestRun({0.1, 0.3, 0.3, 0.3}, 0.3), (std::pair<int64_t, int64_t>(1, 3)));
  EXPECT_EQ(LongestRun({0.1, NAN}, 0.3), (std::pair<int64_t, int64_t>(0, 0)));
}

TEST(SelectionTest, MediansLeaveNanOut) {
  const std::vector<double> medians =
      ColumnMedians({{1, NAN, NAN}, {3, 5, NAN}, {2, 6, NAN}});
  EXPECT_EQ(medians[0], 2.0);
  EXPECT_EQ(medians[1], 5.5);
  EXPECT_TRUE(std::isnan(medians[2]));
}

// A recording of one trial and stimulus in which animal a has counts[a] neurons.
Recording RecordingOf(const std::vector<int>& counts) {
  ResponseBlock block;
  std::vector<ResponseBlock> blocks;
  for (size_t a = 0; a < counts.size(); ++a) {
    block = {};
    block.animal = "m" + std::to_string(a);
    block.area = "V1";
    block.stimulus_ids = {"s"};
    block.num_trials = 1;
    for (int n = 0; n < counts[a]; ++n) {
      block.neuron_ids.push_back(std::to_string(n));
      block.responses.push_back(static_cast<float>(100 * a + n));
      block.by_neuron["reliability"].push_back(0.1 * n);
    }
    blocks.push_back(block);
  }
  return JoinBlocks(blocks);
}

TEST(SelectionTest, TheSpecimenRuleKeepsAnimalsAtOrAboveThePercentile) {
  // 75th percentile of 1, 2, 3, 10 is 4.75, so 5 neurons are needed.
  Recording recording = RecordingOf({1, 10, 2, 3});
  SelectionRecord record;
  ApplySpecimenRule(75.0, recording, record);
  EXPECT_THAT(recording.animals(), ElementsAre("m1"));
  ASSERT_EQ(recording.neurons.size(), 10u);
  EXPECT_EQ(recording.at(0, 0, 4), 104.0f);
  EXPECT_EQ(recording.by_neuron["reliability"][4], 0.4);
  const auto& counts = record.steps()[0].counts;
  EXPECT_EQ(counts.at({"m1", "V1"}).kept, 10);
  EXPECT_EQ(counts.at({"m3", "V1"}).dropped, 3);
  EXPECT_THAT(record.Table(), HasSubstr("all"));
  EXPECT_EQ(record.InWords(),
            "animals at or above the area's percentile 75 of neurons: 10 of 16 kept");
}

TEST(SelectionTest, TheSpecimenRuleIsPerAreaAndCanBeLeftOut) {
  Recording recording = RecordingOf({4, 4});
  recording.neurons[7].area = "LM";
  SelectionRecord record;
  ApplySpecimenRule(0.0, recording, record);
  EXPECT_EQ(recording.neurons.size(), 8u);
  EXPECT_TRUE(record.steps().empty());
  ApplySpecimenRule(100.0, recording, record);
  // V1: 4 against 3; LM: the only animal.
  EXPECT_EQ(recording.neurons.size(), 5u);
  EXPECT_EQ(recording.neurons[4].area, "LM");
  EXPECT_EQ(recording.at(0, 0, 4), 103.0f);
}

TEST(ResponseBlockTest, JoinsUnequalTrialsAndStimuli) {
  ResponseBlock a{.animal = "a",
                  .area = "V1",
                  .stimulus_ids = {"x", "y"},
                  .neuron_ids = {"0"},
                  .num_trials = 1,
                  .responses = {1, 2},
                  .by_neuron = {{"depth", {7.0}}}};
  ResponseBlock b{.animal = "b",
                  .area = "V1",
                  .stimulus_ids = {"y", "z"},
                  .neuron_ids = {"0", "1"},
                  .num_trials = 2,
                  .responses = {10, 11, 12, 13, 20, 21, 22, 23},
                  .by_neuron = {}};
  const Recording joined = JoinBlocks({a, b});
  EXPECT_THAT(joined.stimulus_ids, ElementsAre("x", "y", "z"));
  EXPECT_EQ(joined.num_trials, 2);
  ASSERT_EQ(joined.neurons.size(), 3u);
  EXPECT_EQ(joined.at(0, 1, 0), 2.0f);
  EXPECT_TRUE(std::isnan(joined.at(1, 1, 0)));
  EXPECT_TRUE(std::isnan(joined.at(0, 0, 1)));
  EXPECT_EQ(joined.at(1, 2, 2), 23.0f);
  EXPECT_EQ(joined.by_neuron.at("depth")[0], 7.0);
  EXPECT_TRUE(std::isnan(joined.by_neuron.at("depth")[2]));
}

TEST(PresentationsTest, SortsByStartCountsTrialsAndLeavesBlanksOut) {
  SelectionRecord record;
  const auto found =
      OrderPresentations({3, 1, 2, 0}, {4, 2, 3, 1}, {5, -1, 5, 2}, 6, "table", record);
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->size(), 3u);
  EXPECT_EQ((*found)[0].image, 2);
  EXPECT_EQ((*found)[1].start, 2.0);
  EXPECT_EQ((*found)[1].trial, 0);
  EXPECT_EQ((*found)[2].trial, 1);
  EXPECT_EQ(NumTrials(*found), 2);
  EXPECT_THAT(record.notes(),
              ElementsAre("table: 3 presentations, 1 blanks left out, rows sorted by "
                          "start"));
}

TEST(PresentationsTest, NamesTheRowThatCannotBe) {
  SelectionRecord record;
  const auto message = [&](std::vector<double> starts, std::vector<double> stops,
                           std::vector<int64_t> images) {
    return std::string(OrderPresentations(starts, stops, images, 118, "table", record)
                           .status()
                           .message());
  };
  EXPECT_THAT(message({0, 1}, {1, 2}, {3, 118}),
              HasSubstr("table: row 1 shows image 118; expected 0 to 117, or -1 for a "
                        "blank"));
  EXPECT_THAT(message({0, 2}, {1, 2}, {3, 4}),
              HasSubstr("row 1 lasts from 2 to 2; expected a start before its end"));
  EXPECT_THAT(message({NAN}, {1}, {3}), HasSubstr("row 0 lasts from nan"));
  EXPECT_THAT(message({0, 1}, {1, 2}, {-1, -1}), HasSubstr("no image in 2 rows"));
  EXPECT_THAT(message({0}, {1, 2}, {3, 4}), HasSubstr("1 starts, 2 ends and 2 images"));
  std::vector<double> starts, stops;
  for (int i = 0; i < 10001; ++i) {
    starts.push_back(i);
    stops.push_back(i + 1);
  }
  EXPECT_THAT(message(starts, stops, std::vector<int64_t>(10001, 7)),
              HasSubstr("image 7 is shown more than 10000 times"));
}

TEST(PresentationsTest, MeansDuringTakeEachSampleByItsTime) {
  const auto means =
      MeansDuring({2.0, 0.0, 1.0, 3.0}, {20, 0, NAN, 30}, {0, 1, 2}, {1, 2, 4});
  EXPECT_EQ(means[0], 0.0);
  EXPECT_TRUE(std::isnan(means[1]));
  EXPECT_EQ(means[2], 25.0);
}

TEST(PresentationsTest, TheRunningTestLooksAtThePreferredImageOnly) {
  std::vector<Presentation> presentations;
  std::vector<double> responses, speeds;
  // Image 1 is preferred, and faster running goes with smaller responses there; image 0
  // shows the opposite and does not count.
  const double of_preferred[] = {9, 10, 11, 5, 6, 4};
  for (int64_t trial = 0; trial < 6; ++trial) {
    presentations.push_back({0, 1, 1, trial});
    responses.push_back(of_preferred[trial]);
    speeds.push_back(trial < 3 ? 0.5 : 1.0);
    presentations.push_back({0, 1, 0, trial});
    responses.push_back(trial < 3 ? 0.0 : 3.0);
    speeds.push_back(trial < 3 ? 0.5 : 2.0);
  }
  EXPECT_NEAR(RunningP(presentations, responses, speeds, 2, 1.0, 2),
              WelchP({5, 6, 4}, {9, 10, 11}), 1e-15);
  EXPECT_TRUE(std::isnan(RunningP(presentations, responses, speeds, 2, 1.0, 4)));
  EXPECT_TRUE(std::isnan(RunningP(presentations, responses, {}, 2, 1.0, 2)));
}

TEST(NumberedNameTest, FillsTheOneNumber) {
  EXPECT_EQ(*NumberedName("scene_{:03d}.png", 7), "scene_007.png");
  EXPECT_EQ(*NumberedName("{}", 12), "12");
  EXPECT_EQ(*NumberedName("i{:d}", 3), "i3");
  EXPECT_EQ(*NumberedName("t-{block:02d}-{within}", {{"block", 3}, {"within", 5}}),
            "t-03-5");
  for (const char* pattern :
       {"scene", "{}{}", "{:3f}", "{:03d", "}{", "{x}", "{:999d}"}) {
    EXPECT_THAT(std::string(NumberedName(pattern, 0).status().message()),
                HasSubstr(std::string("the pattern is \"") + pattern + "\""));
  }
  EXPECT_FALSE(NumberedName("t-{block}", {{"block", 3}, {"within", 5}}).ok());
}

}  // namespace
}  // namespace iat
