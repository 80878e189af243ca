#include "neural/two_photon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/file.h"
#include "neural/contained.h"
#include "tests/neural/allen_files.h"
#include "tests/neural/test_folder.h"

namespace iat {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int kImages = 10, kTrials = 12;
// Traces are stored as float32, percents of up to 100 are differences of them.
constexpr double kFloatTolerance = 2e-4;

class TwoPhotonTest : public ::testing::Test {
 protected:
  TwoPhotonTest() : file_(MakeTwoPhotonFile(kImages, kTrials)) {
    options_.files = {path_.string()};
    options_.num_images = kImages;
    options_.specimen_percentile = 0.0;
    splits_.num_splits = 40;
  }
  absl::StatusOr<Recording> Read() {
    file_.Write(path_);
    record_ = {};
    return ReadTwoPhoton(options_, splits_, 2, record_);
  }
  std::string Message() { return std::string(Read().status().message()); }
  void ExpectPlanted(const Recording& recording) {
    ASSERT_EQ(recording.neurons.size(), 2u);
    EXPECT_EQ(recording.neurons[0].id, "517410000");
    EXPECT_EQ(recording.neurons[1].id, "517410003");
    for (int64_t t = 0; t < kTrials; ++t) {
      for (int i = 0; i < kImages; ++i) {
        EXPECT_NEAR(recording.at(t, i, 0), PlantedFluorescence(0, i, t, kImages),
                    kFloatTolerance);
        EXPECT_NEAR(recording.at(t, i, 1), PlantedFluorescence(3, i, t, kImages),
                    kFloatTolerance);
      }
    }
  }

  TestFolder folder_;
  const std::filesystem::path path_ = folder_ / "session.nwb";
  TwoPhotonFile file_;
  TwoPhotonOptions options_;
  TrialSplitOptions splits_;
  SelectionRecord record_;
};

TEST_F(TwoPhotonTest, FindsThePlantedResponses) {
  const auto recording = Read();
  ASSERT_TRUE(recording.ok()) << recording.status();
  ASSERT_TRUE(recording->Validate().ok()) << recording->Validate();
  ExpectPlanted(*recording);
  EXPECT_THAT(recording->animals(),
              ElementsAre("specimen-Cux2-CreERT2;Camk2a-tTA;Ai93-222426"));
  EXPECT_THAT(recording->areas(), ElementsAre("VISp"));
  EXPECT_EQ(recording->stimulus_ids[3], "scene_003.png");
  EXPECT_NEAR(recording->by_neuron.at("reliability")[0], 1.0, 1e-9);
  // The cell that runs modulate, and the one that never does the same.
  const auto& steps = record_.steps();
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_EQ(steps[0].name, "not modulated by running, p > 0.05 or unknown");
  EXPECT_EQ(steps[0].counts.begin()->second.dropped, 1);
  EXPECT_EQ(steps[1].name, "reliability >= 0.75");
  EXPECT_EQ(steps[1].counts.begin()->second.dropped, 1);
  EXPECT_THAT(record_.Table(), HasSubstr("120 presentations, 12 blanks left out, rows "
                                         "sorted by start"));
}

TEST_F(TwoPhotonTest, OlderLayoutsAndNamesGiveTheSame) {
  file_.is_new_layout = false;
  file_.group = "natural_scenes";
  file_.speed_is_column = false;
  file_.left_out = {"/general/session_type"};
  const auto recording = Read();
  ASSERT_TRUE(recording.ok()) << recording.status();
  ExpectPlanted(*recording);
  EXPECT_THAT(record_.Table(),
              HasSubstr("Fluorescence/imaging_plane_1/data less r times"));
}

TEST_F(TwoPhotonTest, TheRunningTestCanBeLeftOut) {
  options_.min_running_p = -1.0;
  auto recording = Read();
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_EQ(recording->neurons.size(), 3u);
  options_.min_reliability = -INFINITY;
  EXPECT_EQ(Read()->neurons.size(), 4u);
  // Fewer than 5 trials on a side say nothing.
  options_ = {};
  options_.files = {path_.string()};
  options_.num_images = kImages;
  options_.running_min_trials = 7;
  EXPECT_EQ(Read()->neurons.size(), 3u);
}

TEST_F(TwoPhotonTest, SpeedIsTakenByItsOwnTimes) {
  // The speed begins 20 samples late and ends early.
  file_.speed.erase(file_.speed.begin(), file_.speed.begin() + 20);
  file_.speed_times.erase(file_.speed_times.begin(), file_.speed_times.begin() + 20);
  file_.speed.resize(file_.speed.size() - 30);
  file_.speed_times.resize(file_.speed.size());
  const auto recording = Read();
  ASSERT_TRUE(recording.ok()) << recording.status();
  ExpectPlanted(*recording);
  file_.left_out = {"/processing/brain_observatory_pipeline/BehavioralTimeSeries"};
  EXPECT_EQ(Read()->neurons.size(), 3u);
  EXPECT_THAT(record_.Table(), HasSubstr("no cell is tested for running"));
}

TEST_F(TwoPhotonTest, ATrialBeyondTheRecordingIsMissing) {
  // The first row's frames move to the very start: no baseline.
  const int64_t image = file_.image[0] >= 0 ? file_.image[0] : file_.image[1];
  const size_t row = file_.image[0] >= 0 ? 0 : 1;
  ASSERT_GE(image, 0);
  file_.frame_duration[2 * row] = 10;
  file_.frame_duration[2 * row + 1] = 17;
  const auto recording = Read();
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_TRUE(std::isnan(recording->at(0, image, 0)));
  EXPECT_THAT(record_.Table(), HasSubstr("4 of 480 responses missing (frames beyond the "
                                         "recording, or F0 not positive)"));
}

TEST_F(TwoPhotonTest, OtherAreasAreLeftOutAndCounted) {
  options_.areas = {"VISl"};
  EXPECT_THAT(Message(), HasSubstr("no cell is left of 1 session(s)"));
  EXPECT_EQ(record_.steps()[0].name, "area one of VISl");
  EXPECT_EQ(record_.steps()[0].counts.begin()->second.dropped, 4);
}

TEST_F(TwoPhotonTest, SaysWhatIsWrongWithAFile) {
  const std::string path = path_.string();
  const TwoPhotonFile good = file_;
  const auto message = [&](auto damage) {
    file_ = good;
    damage(file_);
    return Message();
  };
  using File = TwoPhotonFile;
  EXPECT_EQ(message([](File& f) { f.session_type = "three_session_A"; }),
            path +
                ": /general/session_type is \"three_session_A\"; only "
                "\"three_session_B\" holds natural scenes");
  EXPECT_EQ(message([](File& f) { f.left_out = {"/processing"}; }),
            path +
                ": there is no /processing/brain_observatory_pipeline and no "
                "/processing/visual_coding_pipeline; expected an NWB 1 file of the "
                "Visual Coding two-photon data");
  EXPECT_EQ(message([](File& f) { f.left_out = {"/stimulus"}; }),
            path +
                ": there is no /stimulus/presentation/natural_scenes_stimulus and no "
                "/stimulus/presentation/natural_scenes; expected a session with "
                "natural scenes (three_session_B)");
  EXPECT_EQ(message([](File& f) { f.left_out = {"/general/specimen_name"}; }),
            path + ": /general/specimen_name: there is no such dataset or group");
  EXPECT_THAT(
      message([](File& f) { f.r.pop_back(); }),
      HasSubstr("imaging_plane_1_neuropil_response/r: its shape is 3; expected 4"));
  EXPECT_THAT(message([](File& f) { f.frame_duration.resize(20); }),
              HasSubstr("frame_duration is 10 x 2; expected 132 x 2 or more"));
  EXPECT_THAT(message([](File& f) {
                f.neuropil.resize(f.neuropil.size() * 2);
                f.demixed.resize(f.demixed.size() * 2);
                f.timestamps.resize(3);
              }),
              HasSubstr("imaging_plane_1/timestamps: its shape is 3; expected "));
  EXPECT_THAT(message([](File& f) { f.image[2] = 99; }),
              HasSubstr("row 2 shows image 99"));
  EXPECT_THAT(message([](File& f) { f.frame_duration[5] = f.frame_duration[4]; }),
              HasSubstr("row 2 lasts from"));
  EXPECT_THAT(message([](File& f) {
                f.left_out = {
                    "/processing/brain_observatory_pipeline/"
                    "ImageSegmentation"};
              }),
              HasSubstr("there is no /processing/brain_observatory_pipeline/"
                        "ImageSegmentation"));
}

TEST_F(TwoPhotonTest, ATruncatedFileIsAnError) {
  file_.Write(path_);
  const std::string bytes = *ReadFile(path_);
  for (const double share : {0.0, 0.001, 0.2, 0.5, 0.9, 0.999}) {
    std::ofstream(path_, std::ios::binary) << bytes.substr(
        0, static_cast<size_t>(share * static_cast<double>(bytes.size())));
    const auto result =
        RunContained(path_.string(), [&]() -> absl::StatusOr<std::string> {
          SelectionRecord record;
          return ReadTwoPhoton(options_, splits_, 1, record).status().ok()
                     ? absl::StatusOr<std::string>("read")
                     : absl::DataLossError("refused");
        });
    EXPECT_TRUE(absl::IsDataLoss(result.status())) << share << " " << result.status();
  }
}

}  // namespace
}  // namespace iat
