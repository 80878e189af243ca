#include "neural/recording.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>

#include "base/activation_file.h"
#include "base/file.h"
#include "base/netcdf.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

class RecordingTest : public ::testing::Test {
 protected:
  RecordingTest()
      : folder_(fs::path(::testing::TempDir()) /
                ("recording_test-" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
    recording_.name = "planted";
    recording_.unit = "spikes/s";
    recording_.source = "a test";
    recording_.selection = "nothing dropped";
    recording_.fingerprint = "abc";
    recording_.stimulus_ids = {"s0", "s1", "s2"};
    recording_.neurons = {{"mouse-1", "VISp", "7"},
                          {"mouse-1", "VISl", "8"},
                          {"mouse-2", "VISp", "7"},
                          {"mouse-1", "VISp", "9"}};
    recording_.num_trials = 2;
    recording_.responses.resize(2 * 3 * 4);
    for (int64_t t = 0; t < 2; ++t) {
      for (int64_t s = 0; s < 3; ++s) {
        for (int64_t n = 0; n < 4; ++n) {
          recording_.at(t, s, n) = static_cast<float>(100 * t + 10 * s + n);
        }
      }
    }
    recording_.by_neuron["reliability"] = {0.5, NAN, 0.25, 1.0};
  }
  ~RecordingTest() override { fs::remove_all(folder_); }

  fs::path folder_;
  Recording recording_;
};

TEST_F(RecordingTest, ComesBackAsWritten) {
  recording_.at(1, 2, 3) = kNone;
  recording_.simulated = true;
  const fs::path path = folder_ / "neural" / "planted.nc";
  ASSERT_TRUE(WriteRecording(path, recording_).ok());
  const auto read = ReadRecording(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->name, "planted");
  EXPECT_EQ(read->unit, "spikes/s");
  EXPECT_EQ(read->source, "a test");
  EXPECT_EQ(read->selection, "nothing dropped");
  EXPECT_EQ(read->fingerprint, "abc");
  EXPECT_TRUE(read->simulated);
  EXPECT_EQ(read->stimulus_ids, recording_.stimulus_ids);
  ASSERT_EQ(read->neurons.size(), 4u);
  EXPECT_EQ(read->neurons[1].area, "VISl");
  EXPECT_EQ(read->neurons[2].animal, "mouse-2");
  EXPECT_EQ(read->neurons[3].id, "9");
  EXPECT_EQ(read->num_trials, 2);
  EXPECT_EQ(read->at(1, 1, 2), 112.0f);
  EXPECT_TRUE(std::isnan(read->at(1, 2, 3)));
  EXPECT_TRUE(std::isnan(read->by_neuron.at("reliability")[1]));
  EXPECT_EQ(read->by_neuron.at("reliability")[2], 0.25);
  EXPECT_THAT(read->animals(), ElementsAre("mouse-1", "mouse-2"));
  EXPECT_THAT(read->areas(), ElementsAre("VISp", "VISl"));
}

TEST_F(RecordingTest, MeansOverTrialsAreActivationsByAnimalAndArea) {
  // Neuron 9 misses a trial of s1; nobody of mouse-2 has seen s2.
  recording_.at(0, 1, 3) = kNone;
  recording_.at(0, 2, 2) = recording_.at(1, 2, 2) = kNone;
  const auto paths = WriteTrialMeans(recording_, folder_ / "activations");
  ASSERT_TRUE(paths.ok()) << paths.status();
  EXPECT_THAT(*paths, ElementsAre(folder_ / "activations/mouse-1.nc",
                                  folder_ / "activations/mouse-2.nc"));
  const auto first = ActivationFile::Open((*paths)[0]);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->stimulus_ids(), recording_.stimulus_ids);
  EXPECT_EQ(first->metadata().scope, "recorded");
  EXPECT_FALSE(first->metadata().simulated);
  ActivationMatrix expected(3, 2);
  expected << 50, 53, 60, 113, 70, 73;
  EXPECT_EQ(*first->Read({"VISp", Stage::kRecorded}), expected);
  EXPECT_THAT(*first->ReadByUnit("VISp", "reliability"), ElementsAre(0.5, 1.0));
  const auto second = ActivationFile::Open((*paths)[1]);
  ASSERT_TRUE(second.ok());
  EXPECT_THAT(second->stimulus_ids(), ElementsAre("s0", "s1"));
  EXPECT_EQ((*second->Read({"VISp", Stage::kRecorded}))(1, 0), 62.0f);
}

TEST_F(RecordingTest, ANeuronWithoutATrialOfAStimulusItsAnimalSawIsAnError) {
  recording_.at(0, 1, 3) = recording_.at(1, 1, 3) = kNone;
  EXPECT_THAT(std::string(WriteTrialMeans(recording_, folder_).status().message()),
              HasSubstr("planted: animal \"mouse-1\", area \"VISp\", neuron \"9\" has no "
                        "trial of stimulus \"s1\""));
}

TEST_F(RecordingTest, AnAnimalWithoutAnyTrialIsAnError) {
  for (int64_t t = 0; t < 2; ++t) {
    for (int64_t s = 0; s < 3; ++s) recording_.at(t, s, 2) = kNone;
  }
  EXPECT_THAT(std::string(WriteTrialMeans(recording_, folder_).status().message()),
              HasSubstr("animal \"mouse-2\" has no trial of any stimulus"));
}

TEST_F(RecordingTest, SaysWhatDoesNotFit) {
  const auto message = [](const Recording& recording) {
    return std::string(recording.Validate().message());
  };
  Recording changed = recording_;
  changed.responses.pop_back();
  EXPECT_THAT(message(changed),
              HasSubstr("23 responses; expected 2 trials x 3 stimuli x 4 neurons"));
  changed = recording_;
  changed.stimulus_ids[2] = "s0";
  EXPECT_THAT(message(changed), HasSubstr("stimulus id \"s0\" appears twice"));
  changed = recording_;
  changed.neurons[3].id = "7";
  EXPECT_THAT(message(changed), HasSubstr("neuron \"7\" appears twice"));
  changed = recording_;
  changed.neurons[0].animal = "../mouse";
  EXPECT_THAT(message(changed), HasSubstr("has no slash"));
  changed = recording_;
  changed.at(1, 2, 0) = INFINITY;
  EXPECT_THAT(message(changed), HasSubstr("neuron \"7\", stimulus \"s2\", trial 1: the "
                                          "response is inf"));
  changed = recording_;
  changed.by_neuron["area"] = {0, 0, 0, 0};
  EXPECT_THAT(message(changed), HasSubstr("named \"area\""));
  changed = recording_;
  changed.by_neuron["reliability"].pop_back();
  EXPECT_THAT(message(changed), HasSubstr("reliability has 3 values; expected one a "
                                          "neuron, 4"));
  changed = Recording();
  EXPECT_THAT(message(changed), HasSubstr("expected at least one of each"));
}

TEST_F(RecordingTest, RefusesOtherAndDamagedFiles) {
  const fs::path path = folder_ / "x.nc";
  std::ofstream(path) << "not netCDF";
  EXPECT_TRUE(absl::IsDataLoss(ReadRecording(path).status()));
  {
    auto other = NetcdfFile::Create(path);
    ASSERT_TRUE(other.ok());
    ASSERT_TRUE(other->Close().ok());
  }
  EXPECT_THAT(
      std::string(ReadRecording(path).status().message()),
      HasSubstr("not a recording (its attribute title is not \"iat recording\")"));

  ASSERT_TRUE(WriteRecording(path, recording_).ok());
  std::string bytes = *ReadFile(path);
  // Cut anywhere, it is an error and not a crash.
  for (size_t size = 0; size < bytes.size(); size += 97) {
    std::ofstream(path, std::ios::binary) << bytes.substr(0, size);
    EXPECT_FALSE(ReadRecording(path).ok()) << size;
  }
}

// A file that claims more than there can be is refused before memory is asked for.
TEST_F(RecordingTest, RefusesSizesThatCannotBe) {
  const fs::path path = folder_ / "huge.nc";
  {
    auto file = NetcdfFile::Create(path);
    ASSERT_TRUE(file.ok()) << file.status();
    for (const char* name : {"name", "unit", "source", "selection", "fingerprint"}) {
      ASSERT_TRUE(file->SetAttribute(NC_GLOBAL, name, "x").ok());
    }
    ASSERT_TRUE(file->SetAttribute(NC_GLOBAL, "title", "iat recording").ok());
    ASSERT_TRUE(file->SetAttribute(NC_GLOBAL, "simulated", "no").ok());
    ASSERT_TRUE(file->SetAttribute(NC_GLOBAL, "format_version", int64_t{1}).ok());
    const int trial = *file->AddDimension("trial", size_t{1} << 33);
    const int stimulus = *file->AddDimension("stimulus", 1);
    const int neuron = *file->AddDimension("neuron", 1);
    const auto define = [&](const char* name, nc_type type, int rank, const int* sides) {
      const std::lock_guard<std::mutex> lock(NetcdfMutex());
      int variable = -1;
      EXPECT_EQ(nc_def_var(file->id(), name, type, rank, sides, &variable), NC_NOERR);
      const size_t chunk[] = {1, 1, 1};
      EXPECT_EQ(nc_def_var_chunking(file->id(), variable, NC_CHUNKED, chunk), NC_NOERR);
      return variable;
    };
    ASSERT_TRUE(
        file->WriteStrings(define("stimulus_id", NC_STRING, 1, &stimulus), {"s"}).ok());
    for (const char* name : {"animal", "area", "neuron_id"}) {
      ASSERT_TRUE(file->WriteStrings(define(name, NC_STRING, 1, &neuron), {"n"}).ok());
    }
    const int sides[] = {trial, stimulus, neuron};
    define("response", NC_FLOAT, 3, sides);
    ASSERT_TRUE(file->Close().ok());
  }
  EXPECT_THAT(std::string(ReadRecording(path).status().message()),
              HasSubstr("8.58993e+09 responses; expected at most 4.29497e+09"));
}

}  // namespace
}  // namespace iat
