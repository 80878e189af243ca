#include "neural/neuropixels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cmath>
#include <fstream>

#include "base/file.h"
#include "neural/contained.h"
#include "neural/spike_counts.h"
#include "tests/neural/allen_files.h"
#include "tests/neural/golden.h"
#include "tests/neural/test_folder.h"

namespace iat {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kImages = 24, kTrials = 6;
constexpr double kBin = 0.01;

class NeuropixelsTest : public ::testing::Test {
 protected:
  NeuropixelsTest() : file_(MakeNeuropixelsFile(kImages, kTrials)) {
    options_.files = {path_.string()};
    options_.num_images = kImages;
    options_.specimen_percentile = 0.0;
    splits_.num_splits = 40;
  }
  absl::StatusOr<Recording> Read() {
    file_.Write(path_);
    record_ = {};
    return ReadNeuropixels(options_, splits_, 2, record_);
  }
  std::string Message() { return std::string(Read().status().message()); }
  int64_t Dropped(const std::string& step, const std::string& area) const {
    for (const auto& s : record_.steps()) {
      if (s.name != step) continue;
      for (const auto& [key, count] : s.counts) {
        if (key.second == area) return count.dropped;
      }
    }
    return -1;
  }

  TestFolder folder_;
  const std::filesystem::path path_ = folder_ / "session.nwb";
  NeuropixelsFile file_;
  NeuropixelsOptions options_;
  TrialSplitOptions splits_;
  SelectionRecord record_;
};

TEST_F(NeuropixelsTest, FindsThePlantedRates) {
  const auto recording = Read();
  ASSERT_TRUE(recording.ok()) << recording.status();
  ASSERT_TRUE(recording->Validate().ok()) << recording->Validate();
  EXPECT_THAT(recording->animals(), ElementsAre("specimen-699733573"));
  ASSERT_EQ(recording->neurons.size(), 3u);
  // Areas come in the order of their names.
  EXPECT_EQ(recording->neurons[0].area, "VISl");
  EXPECT_EQ(recording->neurons[0].id, "954");
  EXPECT_EQ(recording->neurons[1].id, "950");
  EXPECT_EQ(recording->neurons[2].id, "951");
  EXPECT_EQ(recording->num_trials, kTrials);
  ASSERT_EQ(recording->stimulus_ids.size(), static_cast<size_t>(kImages));
  EXPECT_EQ(recording->stimulus_ids[7], "scene_007.png");
  // VISl responds in all 25 bins; in VISp the median is 1 in bins 5 to 11.
  EXPECT_EQ(recording->by_neuron.at("first_bin")[0], 0.0);
  EXPECT_EQ(recording->by_neuron.at("num_bins")[0], 25.0);
  EXPECT_EQ(recording->by_neuron.at("first_bin")[1], 5.0);
  EXPECT_EQ(recording->by_neuron.at("num_bins")[1], 7.0);
  for (int64_t t = 0; t < kTrials; ++t) {
    for (int i = 0; i < kImages; ++i) {
      EXPECT_FLOAT_EQ(recording->at(t, i, 0), static_cast<float>(i % 5 / kBin));
      EXPECT_FLOAT_EQ(recording->at(t, i, 1),
                      static_cast<float>((1 + i % 3) * 5 / (7 * kBin)));
      EXPECT_FLOAT_EQ(recording->at(t, i, 2),
                      static_cast<float>((1 + i * 7 % 4) * 6 / (7 * kBin)));
    }
  }
  for (int n = 0; n < 3; ++n) {
    EXPECT_NEAR(recording->by_neuron.at("reliability")[n], 1.0, 1e-12);
    EXPECT_NEAR(recording->by_neuron.at("max_bin_reliability")[n], 1.0, 1e-12);
  }
}

TEST_F(NeuropixelsTest, CountsWhatEveryStepDrops) {
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(Dropped("a valid electrode with a location", "?"), 1);
  EXPECT_EQ(Dropped("a valid electrode with a location", "VISp"), 1);
  EXPECT_EQ(Dropped("quality good", "VISp"), 1);
  EXPECT_EQ(Dropped("amplitude_cutoff <= 0.1", "VISp"), 2);  // 0.2 and NaN
  EXPECT_EQ(Dropped("presence_ratio >= 0.95", "VISp"), 1);
  EXPECT_EQ(Dropped("isi_violations <= 0.5", "VISp"), 1);
  EXPECT_EQ(Dropped("area one of VISp, VISl, VISrl, VISal, VISpm, VISam", "LGd"), 1);
  EXPECT_EQ(Dropped("not modulated by running, p > 0.05 or unknown", "VISp"), 1);
  // The unreliable and the silent unit.
  EXPECT_EQ(Dropped("reliability >= 0.5 in some bin", "VISp"), 2);
  EXPECT_EQ(Dropped("median reliability of the area >= 0.3 in some bin", "VISp"), 0);
  EXPECT_THAT(record_.Table(),
              HasSubstr(path_.string() +
                        ": /intervals/natural_scenes_presentations: 144 presentations, "
                        "14 blanks left out, rows sorted by start"));
  EXPECT_THAT(
      record_.Table(),
      HasSubstr("specimen-699733573 VISp: responses are means over bins 5 to 11"));
}

TEST_F(NeuropixelsTest, EveryFilterCanBeSwitchedOff) {
  options_.quality = "";
  options_.max_amplitude_cutoff = INFINITY;
  options_.min_presence_ratio = -INFINITY;
  options_.max_isi_violations = INFINITY;
  options_.min_running_p = -1.0;
  options_.areas.push_back("LGd");
  file_.left_out = {"/units/quality", "/units/amplitude_cutoff", "/units/presence_ratio",
                    "/units/isi_violations", "/processing/running"};
  const auto recording = Read();
  ASSERT_TRUE(recording.ok()) << recording.status();
  // All but the unit of a bad electrode, the one without a location, the silent one and
  // the unreliable one.
  EXPECT_EQ(recording->neurons.size(), 10u);
  options_.min_reliability = -INFINITY;
  EXPECT_EQ(Read()->neurons.size(), 12u);
}

TEST_F(NeuropixelsTest, AFixedWindowReplacesTheLongestRun) {
  options_.first_response_bin = 6;
  options_.num_response_bins = 2;
  const auto recording = Read();
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_FLOAT_EQ(recording->at(0, 4, 1), static_cast<float>((1 + 4 % 3) / kBin));
  options_.num_response_bins = 0;
  EXPECT_THAT(Message(), HasSubstr("first_response_bin is 6 and num_response_bins is 0; "
                                   "expected both or neither, within 25 bins"));
}

TEST_F(NeuropixelsTest, WithoutRunningNobodyIsTestedAndTheRecordSaysSo) {
  file_.left_out = {"/processing/running"};
  const auto recording = Read();
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_EQ(recording->neurons.size(), 4u);
  EXPECT_THAT(record_.Table(), HasSubstr("there is no /processing/running/running_speed; "
                                         "no unit is tested for running"));
}

TEST_F(NeuropixelsTest, SpeedTimesMayStandInTwoRows) {
  file_.speed_times_in_two_rows = true;
  const auto recording = Read();
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_EQ(recording->neurons.size(), 3u);
}

TEST_F(NeuropixelsTest, TheResultDoesNotDependOnBlocksOrJobs) {
  const auto whole = Read();
  options_.spikes_per_block = 7;
  const auto pieces = Read();
  ASSERT_TRUE(whole.ok() && pieces.ok());
  EXPECT_EQ(whole->responses, pieces->responses);
  SelectionRecord record;
  const auto single = ReadNeuropixels(options_, splits_, 1, record);
  EXPECT_EQ(single->responses, whole->responses);
  EXPECT_EQ(single->by_neuron.at("reliability"), whole->by_neuron.at("reliability"));
  EXPECT_EQ(record.Table(), record_.Table());
}

TEST_F(NeuropixelsTest, MissingTrialsAreNan) {
  // The last row of the table goes: its image has one trial less.
  const int image = static_cast<int>(file_.frame.back());
  const int gone = image >= 0 ? image : static_cast<int>(file_.frame[0]);
  const size_t row = image >= 0 ? file_.frame.size() - 1 : 0;
  ASSERT_GE(gone, 0);
  file_.frame.erase(file_.frame.begin() + static_cast<ptrdiff_t>(row));
  file_.start_time.erase(file_.start_time.begin() + static_cast<ptrdiff_t>(row));
  file_.stop_time.erase(file_.stop_time.begin() + static_cast<ptrdiff_t>(row));
  const auto recording = Read();
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_TRUE(std::isnan(recording->at(kTrials - 1, gone, 0)));
  EXPECT_FALSE(std::isnan(recording->at(kTrials - 2, gone, 0)));
}

TEST_F(NeuropixelsTest, TwoSessionsAndTheSpecimenRule) {
  file_.Write(path_);
  // A second animal with one VISp neuron only: the 75th percentile of 1 and 2 is 1.75.
  NeuropixelsFile other = file_;
  other.subject_id = "42";
  other.quality[1] = "noise";
  const std::filesystem::path second = folder_ / "second.nwb";
  other.Write(second);
  options_.files.push_back(second.string());
  options_.specimen_percentile = 75.0;
  const auto recording = Read();
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_THAT(recording->animals(), ElementsAre("specimen-699733573", "specimen-42"));
  ASSERT_EQ(recording->neurons.size(), 4u);
  EXPECT_EQ(recording->neurons[3].animal, "specimen-42");
  EXPECT_EQ(recording->neurons[3].area, "VISl");
}

TEST_F(NeuropixelsTest, SaysWhatIsWrongWithAFile) {
  const std::string path = path_.string();
  const NeuropixelsFile good = file_;
  const auto message = [&](auto damage) {
    file_ = good;
    damage(file_);
    return Message();
  };
  using File = NeuropixelsFile;
  EXPECT_EQ(message([](File& f) { f.version = "1.0.6"; }),
            path +
                ": its NWB version is 1.0.6; expected an NWB 2 file of a Neuropixels "
                "session");
  EXPECT_EQ(
      message([](File& f) { f.left_out = {"/intervals"}; }),
      path +
          ": there is no /intervals/natural_scenes_presentations; expected a session "
          "that saw natural scenes (session type brain_observatory_1.1)");
  EXPECT_EQ(message([](File& f) { f.left_out = {"/units"}; }),
            path + ": there is no /units; expected a session with sorted units");
  EXPECT_EQ(message([](File& f) { f.left_out = {"/units/quality"}; }),
            path +
                ": there is no /units/quality; set neuropixels.quality to \"\" to do "
                "without");
  EXPECT_EQ(message([](File& f) { f.left_out = {"/units/presence_ratio"}; }),
            path +
                ": there is no /units/presence_ratio, which min_presence_ratio asks "
                "about; set neuropixels.min_presence_ratio to -inf to do without");
  EXPECT_EQ(message([](File& f) { f.left_out = {"/units/spike_times"}; }),
            path + ": /units/spike_times: there is no such dataset or group");
  EXPECT_THAT(message([](File& f) { f.spike_times_index[3] = 1; }),
              HasSubstr("/units/spike_times_index: unit 3 ends at 1; expected "));
  EXPECT_THAT(message([](File& f) { f.spike_times_index.back() += 1; }),
              HasSubstr("the number of spikes"));
  EXPECT_THAT(message([](File& f) { f.spike_times[2] = NAN; }),
              HasSubstr("/units/spike_times from 0: spike 2 is at nan"));
  EXPECT_THAT(message([](File& f) { f.frame[4] = 3.5; }),
              HasSubstr("/frame: value 4 is 3.5; expected a whole number"));
  EXPECT_THAT(message([](File& f) { f.frame[4] = kImages; }),
              HasSubstr("row 4 shows image 24; expected 0 to 23, or -1 for a blank"));
  EXPECT_THAT(message([](File& f) { f.stop_time.pop_back(); }),
              HasSubstr("stop_time: its shape is 157; expected 158"));
  EXPECT_THAT(message([](File& f) { f.quality.pop_back(); }),
              HasSubstr("/units/quality: 13 entries; expected one a unit, 14"));
  EXPECT_THAT(message([](File& f) { f.location.pop_back(); }),
              HasSubstr("14 ids and 13 locations"));
  EXPECT_THAT(message([](File& f) {
                for (std::string& q : f.quality) q = "noise";
              }),
              HasSubstr("no unit is left of 1 session(s); the steps dropped:"));
  options_.files = {};
  EXPECT_THAT(Message(), HasSubstr("files is []"));
}

TEST_F(NeuropixelsTest, ATruncatedFileIsAnError) {
  file_.Write(path_);
  const std::string bytes = *ReadFile(path_);
  for (const double share : {0.0, 0.001, 0.2, 0.5, 0.9, 0.999}) {
    std::ofstream(path_, std::ios::binary) << bytes.substr(
        0, static_cast<size_t>(share * static_cast<double>(bytes.size())));
    const auto result =
        RunContained(path_.string(), [&]() -> absl::StatusOr<std::string> {
          SelectionRecord record;
          return ReadNeuropixels(options_, splits_, 1, record).status().ok()
                     ? absl::StatusOr<std::string>("read")
                     : absl::DataLossError("refused");
        });
    EXPECT_TRUE(absl::IsDataLoss(result.status())) << share << " " << result.status();
  }
}

// Eight million spikes are 64 MiB; read in blocks of 65536 they take half a megabyte, and
// HDF5's cache 16 MiB. Measured in a process of its own by what its memory grew to.
TEST_F(NeuropixelsTest, MemoryIsBoundedByTheBlockAndNotByTheSession) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer keeps freed memory";
#endif
  constexpr int64_t kSpikes = int64_t{1} << 23;
  {
    // One long unit in front of the planted ones, an hour of chatter.
    std::vector<double> spikes(kSpikes);
    for (int64_t i = 0; i < kSpikes; ++i)
      spikes[i] = 1000.0 + 4e-4 * static_cast<double>(i);
    spikes.insert(spikes.end(), file_.spike_times.begin(), file_.spike_times.end());
    file_.spike_times = std::move(spikes);
    for (int64_t& end : file_.spike_times_index) end += kSpikes;
    file_.Write(path_);
    file_.spike_times = {};
    file_.spike_times.shrink_to_fit();
  }
  options_.spikes_per_block = int64_t{1} << 16;
  const auto grown = [&](int64_t block) {
    options_.spikes_per_block = block;
    const auto text = RunContained("session", [&]() -> absl::StatusOr<std::string> {
      struct rusage before {
      }, after{};
      ::getrusage(RUSAGE_SELF, &before);
      SelectionRecord record;
      const auto recording = ReadNeuropixels(options_, splits_, 1, record);
      if (!recording.ok()) return recording.status();
      ::getrusage(RUSAGE_SELF, &after);
      return std::to_string(after.ru_maxrss - before.ru_maxrss);
    });
    EXPECT_TRUE(text.ok()) << text.status();
    return text.ok() ? std::stol(*text) : 0;
  };
  constexpr long kMiB = 1024;  // ru_maxrss counts KiB
  EXPECT_LT(grown(int64_t{1} << 16), 40 * kMiB);
  // The measurement sees a session that is read at once.
  EXPECT_GT(grown(kSpikes), 60 * kMiB);
}

TEST(SpikeCountsTest, EqualSearchsortedWithSpikesOnEveryEdge) {
  const auto golden = ReadNeuralGolden();
  std::vector<Presentation> presentations;
  for (const double start : golden.at("histogram_starts").values) {
    presentations.push_back({start, start + 0.25, 0, 0});
  }
  const std::vector<double>& spikes = golden.at("histogram_spikes").values;
  const auto count = [&](bool twice) {
    SpikeCounts counts;
    counts.by_bin.assign(presentations.size() * 25, 0);
    counts.totals.assign(presentations.size(), 0.0);
    const SpikeWindow window{.count_edges_twice = twice};
    EXPECT_TRUE(AddSpikes(spikes, presentations, window, counts).ok());
    return counts;
  };
  const SpikeCounts both = count(true), left = count(false);
  const auto as_doubles = [](const SpikeCounts& counts) {
    return std::vector<double>(counts.by_bin.begin(), counts.by_bin.end());
  };
  EXPECT_EQ(as_doubles(both), golden.at("histogram_both").values);
  EXPECT_EQ(as_doubles(left), golden.at("histogram_left").values);
  EXPECT_EQ(both.totals, golden.at("histogram_total").values);
  EXPECT_NE(as_doubles(both), as_doubles(left));
}

TEST(SpikeCountsTest, CountsASpikeInEveryPresentationThatHoldsIt) {
  const std::vector<Presentation> overlapping = {{10.0, 10.25, 0, 0},
                                                 {10.1, 10.35, 0, 1}};
  SpikeCounts counts;
  counts.by_bin.assign(50, 0);
  counts.totals.assign(2, 0.0);
  ASSERT_TRUE(AddSpikes({10.205, 9.9, 10.4}, overlapping, {}, counts).ok());
  EXPECT_THAT(counts.totals, ElementsAre(1.0, 1.0));
  EXPECT_EQ(counts.by_bin[20], 1);
  EXPECT_EQ(counts.by_bin[25 + 10], 1);
}

TEST(SpikeCountsTest, ABinThatOverflowsIsAnError) {
  SpikeCounts counts;
  counts.by_bin.assign(25, 0);
  counts.totals.assign(1, 0.0);
  const std::vector<double> spikes(65536, 1.005);
  EXPECT_THAT(std::string(AddSpikes(spikes, {{1.0, 1.25, 0, 0}}, {}, counts).message()),
              HasSubstr("more than 65535 spikes in bin 0 after 1 s"));
}

}  // namespace
}  // namespace iat
