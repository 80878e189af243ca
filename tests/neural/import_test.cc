#include "neural/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <optional>

#include "absl/strings/match.h"
#include "base/activation_file.h"
#include "base/file.h"
#include "base/npy.h"
#include "neural/array_store.h"
#include "tests/neural/allen_files.h"
#include "tests/neural/test_folder.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string SourceDir() {
  const char* root = std::getenv("IAT_SOURCE_DIR");
  return root != nullptr ? root : ".";
}

// An environment variable with another value for a while.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const std::string& value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    ::setenv(name, value.c_str(), 1);
  }
  ~ScopedVariable() {
    if (old_) {
      ::setenv(name_, old_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

class ImportTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& text) {
    const fs::path path = folder_ / "description.toml";
    std::ofstream(path) << text;
    return path.string();
  }
  static std::string Message(const std::string& path) {
    return std::string(Description::Load(path, {}).status().message());
  }
  TestFolder folder_;
};

TEST_F(ImportTest, ADescribedTableBecomesARecordingWithItsPictures) {
  const fs::path data = folder_ / "data.h5";
  {
    Hdf5Writer writer(data);
    writer.Numbers("/m1/r", H5T_IEEE_F32LE, {2, 3, 1}, {1, 2, 3, 1, 2, 4});
    std::vector<double> pixels(3 * 4 * 5);
    for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<double>(4 * i);
    writer.Numbers("/m1/pictures", H5T_STD_U8LE, {3, 4, 5}, pixels);
  }
  const std::string text =
      "[recording]\nunit = \"spikes/s\"\nsource = \"planted\"\n"
      "images = \"/m1/pictures\"\n[table]\nfiles = [\"" +
      data.string() +
      "\"]\ndataset = \"/{animal}/r\"\narea = \"V1\"\n"
      "stimulus_id = \"planted-{:06d}\"\n";
  const auto description = Description::Load(Write(text), {});
  ASSERT_TRUE(description.ok()) << description.status();
  const fs::path out = folder_ / "neural/planted.nc";
  const auto log = ImportRecording(*description, out, 1);
  ASSERT_TRUE(log.ok()) << log.status();
  EXPECT_THAT(*log, HasSubstr("with a response\n"));
  EXPECT_THAT(*log, HasSubstr("recording planted: 1 neurons of 1 animals in 1 areas, 3 "
                              "stimuli, up to 2 trials, in spikes/s"));
  const auto recording = ReadRecording(out);
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_EQ(recording->name, "planted");
  EXPECT_EQ(recording->source, "planted");
  EXPECT_EQ(recording->selection, "with a response: 1 of 1 kept");
  EXPECT_EQ(recording->fingerprint, *description->Fingerprint());
  EXPECT_FALSE(recording->simulated);
  EXPECT_EQ(recording->at(1, 2, 0), 4.0f);

  const std::string npy = *ReadFile(folder_ / "neural/planted.npy");
  const auto header = ParseNpyHeader(npy, "planted.npy");
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->type, "|u1");
  EXPECT_THAT(header->shape, ElementsAre(3, 4, 5, 1));
  EXPECT_EQ(static_cast<uint8_t>(npy[header->data_start + 59]), 236);

  // Another name for the file would give the pictures other ids than the stimuli.
  EXPECT_THAT(
      std::string(
          ImportRecording(*description, folder_ / "other.nc", 1).status().message()),
      HasSubstr("stimulus 0 is \"planted-000000\", its picture in other.npy would "
                "be \"other-000000\"; set stimulus_id to \"other-{:06d}\""));
  EXPECT_FALSE(fs::exists(folder_ / "other.nc"));
}

TEST_F(ImportTest, DescriptionsAreStrict) {
  const std::string path = (folder_ / "description.toml").string();
  const std::string words = "[recording]\nunit = \"x\"\nsource = \"y\"\n";
  EXPECT_EQ(Message(Write(words + "[table]\nfiels = [\"a\"]\n")),
            path + ":5: unknown key \"table.fiels\"; did you mean \"table.files\"?");
  EXPECT_THAT(Message(Write(words + "[neuropixels]\nfiles = [\"a\"]\n")),
              HasSubstr("unknown table \"neuropixels\""));
  EXPECT_THAT(Message(Write("[recording]\nkind = \"spikes\"\n")),
              HasSubstr(":2: recording.kind is \"spikes\"; expected one of \"table\", "
                        "\"neuropixels\", \"two_photon\""));
  EXPECT_THAT(Message(Write(words + "kind = \"two_photon\"\n[two_photon]\n")),
              HasSubstr("files is []; expected at least one NWB 1 file"));
  EXPECT_THAT(Message(Write("[recording]\nkind = \"two_photon\"\nunit = \"x\"\n"
                            "[two_photon]\nfiles = [\"a\"]\n")),
              HasSubstr("recording.source is \"\"; expected the source in words"));
}

TEST_F(ImportTest, ShippedDescriptionsAreValid) {
  const ScopedVariable data("IAT_DATA", folder_.path().string());
  const ScopedVariable spikes("ALLEN_NEUROPIXELS", folder_.path().string());
  const ScopedVariable cells("ALLEN_TWO_PHOTON", folder_.path().string());
  int count = 0;
  for (const auto& item : fs::directory_iterator(SourceDir() + "/configs/neural")) {
    if (item.path().extension() != ".toml") continue;
    // Whole configs live here too.
    if (!absl::StrContains(*ReadFile(item.path()), "\n[recording]\n")) continue;
    ++count;
    const auto description = Description::Load(item.path(), {});
    EXPECT_TRUE(description.ok()) << description.status();
    EXPECT_TRUE(absl::IsNotFound(description->Fingerprint().status()));
  }
  EXPECT_GE(count, 4);
}

// The shipped configs state the defaults; the documentation's table is made from them.
TEST_F(ImportTest, TheAllenConfigsKeepThePipelinesThresholds) {
  const ScopedVariable spikes("ALLEN_NEUROPIXELS", folder_.path().string());
  const auto description =
      Description::Load(SourceDir() + "/configs/neural/allen-neuropixels.toml", {});
  ASSERT_TRUE(description.ok()) << description.status();
  const NeuropixelsOptions defaults;
  EXPECT_EQ(description->neuropixels.areas, defaults.areas);
  EXPECT_EQ(description->neuropixels.min_reliability, defaults.min_reliability);
  EXPECT_EQ(description->neuropixels.min_bin_reliability, defaults.min_bin_reliability);
  EXPECT_EQ(description->neuropixels.specimen_percentile, defaults.specimen_percentile);
  EXPECT_EQ(description->reliability.num_splits, 900);
}

TEST_F(ImportTest, AFileThatCrashesTheLibraryIsAnErrorByName) {
  // Bytes of a session overwritten from its middle on: whatever HDF5 makes of it, there
  // is an answer.
  const NeuropixelsFile file = MakeNeuropixelsFile(6, 4);
  const fs::path path = folder_ / "damaged.nwb";
  file.Write(path);
  const std::string clean = *ReadFile(path);
  Description description;
  description.kind = "neuropixels";
  description.neuropixels.files = {path.string()};
  description.neuropixels.num_images = 6;
  description.reliability.num_splits = 5;
  for (int round = 0; round < 8; ++round) {
    std::string bytes = clean;
    for (size_t i = 512 + 997 * round; i < bytes.size(); i += 4001) bytes[i] ^= 0x3c;
    std::ofstream(path, std::ios::binary) << bytes;
    const auto log = ImportRecording(description, folder_ / "damaged.nc", 1);
    if (log.ok()) continue;  // what was hit is not read
    EXPECT_THAT(std::string(log.status().message()), HasSubstr("damaged.nwb"));
  }
}

class RealDataTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* data = std::getenv("IAT_DATA");
    if (data == nullptr || !fs::exists(fs::path(data) / "neural")) {
      GTEST_SKIP() << "IAT_DATA is not set: real recordings are not here";
    }
    data_ = data;
  }
  fs::path data_;
};

TEST_F(RealDataTest, AntolikHasItsTrialsAndPictures) {
  const TestFolder folder;
  const auto description =
      Description::Load(SourceDir() + "/configs/neural/antolik2016.toml", {});
  ASSERT_TRUE(description.ok()) << description.status();
  const auto log = ImportRecording(*description, folder / "antolik2016.nc", 2);
  ASSERT_TRUE(log.ok()) << log.status();
  const auto recording = ReadRecording(folder / "antolik2016.nc");
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_THAT(recording->animals(), ElementsAre("region1", "region2"));
  EXPECT_EQ(recording->neurons.size(), 103u + 55u);
  EXPECT_EQ(recording->num_trials, 10);
  EXPECT_EQ(recording->stimulus_ids.size(), 50u);
  // NumPy on the same trials with 300 splits of its own says 0.759 and 0.637.
  for (const auto& [animal, expected] :
       {std::pair("region1", 0.759), std::pair("region2", 0.637)}) {
    std::vector<double> reliability;
    for (size_t n = 0; n < recording->neurons.size(); ++n) {
      if (recording->neurons[n].animal == animal) {
        reliability.push_back(recording->by_neuron.at("reliability")[n]);
      }
    }
    EXPECT_NEAR(Percentile(reliability, 50.0), expected, 0.01) << animal;
  }
  // Trial means equal the file's own, by its authors.
  const auto means = WriteTrialMeans(*recording, folder / "activations");
  ASSERT_TRUE(means.ok()) << means.status();
  const auto activations = ActivationFile::Open((*means)[0]);
  ASSERT_TRUE(activations.ok()) << activations.status();
  const auto ours = activations->Read({"V1", Stage::kRecorded});
  const auto store = ArrayStore::Open(data_ / "neural/antolik2016_v1.h5");
  const auto theirs = store->Read("/region1/validation_mean");
  ASSERT_TRUE(ours.ok() && theirs.ok());
  for (Eigen::Index i = 0; i < ours->size(); ++i) {
    EXPECT_NEAR(ours->data()[i], theirs->values[i],
                1e-5 * (1 + std::abs(ours->data()[i])));
  }
  EXPECT_EQ(fs::file_size(folder / "antolik2016.npy"), kNpyHeaderBytes + 50 * 31 * 31);
}

TEST_F(RealDataTest, YuHasSixteenSessionsWhoseAreasAreKnown) {
  const TestFolder folder;
  const auto description = Description::Load(SourceDir() + "/configs/neural/yu2022.toml",
                                             {"reliability.num_splits=20"});
  ASSERT_TRUE(description.ok()) << description.status();
  const auto log = ImportRecording(*description, folder / "yu2022.nc", 2);
  ASSERT_TRUE(log.ok()) << log.status();
  const auto recording = ReadRecording(folder / "yu2022.nc");
  ASSERT_TRUE(recording.ok()) << recording.status();
  // All neurons of the seventeenth, session_16, are of LM or LI.
  EXPECT_EQ(recording->animals().size(), 16u);
  EXPECT_THAT(recording->areas(),
              ::testing::UnorderedElementsAre("V1", "LM", "AL", "PM", "LI"));
  ASSERT_EQ(recording->stimulus_ids.size(), 128u);
  EXPECT_EQ(recording->stimulus_ids[127], "texture-15-bin-7");
  EXPECT_EQ(recording->num_trials, 10);
  EXPECT_THAT(recording->selection, HasSubstr("animals and areas asked for: "));
  EXPECT_THAT(*log, HasSubstr("session_16  LM-LI        0 kept      872 dropped"));
  const auto means = WriteTrialMeans(*recording, folder / "activations");
  EXPECT_TRUE(means.ok()) << means.status();
}

// Other people's NWB and HDF5 files: none is a session, each is refused in words that
// name it and what is missing, and what is in them can be read.
TEST_F(RealDataTest, SampleFilesAreRefusedInClearWords) {
  const fs::path samples = data_ / "nwb_samples";
  if (!fs::exists(samples)) GTEST_SKIP() << "no samples in IAT_DATA";
  int count = 0;
  for (const auto& item : fs::directory_iterator(samples)) {
    ++count;
    SelectionRecord record;
    const std::string path = item.path().string();
    NeuropixelsOptions spikes;
    spikes.files = {path};
    const std::string as_spikes(
        ReadNeuropixels(spikes, {}, 1, record).status().message());
    EXPECT_THAT(as_spikes, HasSubstr(path));
    EXPECT_THAT(as_spikes, HasSubstr("; expected "));
    TwoPhotonOptions cells;
    cells.files = {path};
    const std::string as_cells(ReadTwoPhoton(cells, {}, 1, record).status().message());
    EXPECT_THAT(as_cells, HasSubstr(path));
    EXPECT_THAT(as_cells, HasSubstr("; expected "));
  }
  EXPECT_GE(count, 11);
  const auto read = [&](const std::string& name) {
    auto file = Hdf5File::Open(samples / name);
    EXPECT_TRUE(file.ok()) << file.status();
    return *std::move(file);
  };
  EXPECT_EQ(*read("osb_LantyerEtAl2018_171220_NC_156_ST100_C.nwb")
                 .TextAttribute("/", "nwb_version"),
            "2.2.2");
  EXPECT_EQ(read("osb_LantyerEtAl2018_171220_NC_156_ST100_C.nwb")
                .ReadNumbers("/acquisition/VoltageClampSeries_01/data", {-1})
                ->size(),
            55000u);
  EXPECT_EQ(read("osb_cache_spec_example.nwb")
                .ReadStrings("/general/extracellular_ephys/electrodes/location")
                ->size(),
            4u);
  EXPECT_EQ(read("allensdk_sync.h5").ReadIntegers("/data", {100, 2})->size(), 200u);
  EXPECT_EQ(read("pynwb_2.1.0_imageseries_no_data.nwb")
                .ReadNumbers("/acquisition/test_imageseries/data", {-1, -1, -1})
                ->size(),
            0u);
}

}  // namespace
}  // namespace iat
