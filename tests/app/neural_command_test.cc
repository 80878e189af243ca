// Recordings by the command and by the stage of a run.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "app/neural_stage.h"
#include "base/activation_file.h"
#include "neural/recording.h"
#include "tests/app/run_command.h"
#include "tests/neural/hdf5_writer.h"
#include "tests/neural/test_folder.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class NeuralCommandTest : public ::testing::Test {
 protected:
  NeuralCommandTest() { WriteData(1.0); }
  void WriteData(double scale) {
    {
      Hdf5Writer writer(data_);
      std::vector<double> values(2 * 3 * 2);
      for (size_t i = 0; i < values.size(); ++i) values[i] = scale * i;
      writer.Numbers("/m1/r", H5T_IEEE_F32LE, {2, 3, 2}, values);
      writer.Numbers("/m2/r", H5T_IEEE_F32LE, {2, 3, 2}, values);
    }
    std::ofstream(description_)
        << "[recording]\nunit = \"spikes/s\"\nsource = \"planted\"\n[table]\nfiles = [\""
        << data_.string() << "\"]\ndataset = \"/{animal}/r\"\narea = \"V1\"\n"
        << "stimulus_id = \"s{}\"\n";
  }

  TestFolder folder_;
  const fs::path data_ = folder_ / "data.h5";
  const fs::path description_ = folder_ / "planted.toml";
};

TEST_F(NeuralCommandTest, ImportsPrintsAndShows) {
  const std::string out = (folder_ / "neural/planted.nc").string();
  CommandResult result = RunCommand({"neural", "import", description_, "--out", out});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("with a response\n"));
  EXPECT_THAT(result.out, HasSubstr("  m2      V1          2 kept        0 dropped\n"));
  EXPECT_THAT(result.out, HasSubstr("4 neurons of 2 animals in 1 areas, 3 stimuli"));
  result = RunCommand({"show", out});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("recording planted: 4 neurons of 2 animals"));
  EXPECT_THAT(result.out, HasSubstr("source: planted"));

  result = RunCommand({"neural", "import", description_, "--out", out, "--set",
                       "table.animals=[\"m3\"]"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("nothing is left; the steps dropped:"));
  result = RunCommand({"neural", "import", description_, "--out", "x.csv"});
  EXPECT_THAT(result.err, HasSubstr("--out is \"x.csv\"; expected a file such as"));
  fs::remove(data_);
  result = RunCommand({"neural", "import", description_, "--out", out});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr(data_.string() + ": No such file"));
}

TEST_F(NeuralCommandTest, TheAllenConfigsDryRunPasses) {
  const char* root = std::getenv("IAT_SOURCE_DIR");
  ASSERT_NE(root, nullptr);
  // The user's sessions are not here: the plan says so.
  ::setenv("ALLEN_NEUROPIXELS", folder_.path().c_str(), 1);
  fs::create_directories(folder_ / "data/allen_scenes/exact31");
  WriteText(folder_ / "data/train64_part0.tar.gz", "");
  ::setenv("IAT_DATA", (folder_ / "data").c_str(), 1);
  const fs::path old = fs::current_path();
  fs::current_path(root);
  const CommandResult result = RunCommand({"reproduce", "configs/allen-neuropixels.toml",
                                           "--dry-run", "--out", folder_ / "run"});
  fs::current_path(old);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err,
              HasSubstr("[neural] will import allen-neuropixels from 2 file(s) by "
                        "configs/neural/allen-neuropixels.toml"));
  EXPECT_THAT(result.err,
              HasSubstr("[neural] 2 of them missing, first " + folder_.path().string()));
  EXPECT_FALSE(fs::exists(folder_ / "run"));
}

TEST_F(NeuralCommandTest, ADryRunCountsOnThePicturesThatAnImportBrings) {
  const std::string run = (folder_ / "run").string();
  const std::string pictures = run + "/neural/planted.npy";
  const std::string config = (folder_ / "config.toml").string();
  WriteText(config,
            "[family]\nseeds = [0]\n[images]\nsource = \"dead-leaves\"\n"
            "count = 40\n[neural.planted]\ndescription = \"" +
                description_.string() +
                "\"\n[stimuli.shown]\nsource = \"npy\"\npaths = [\"" + pictures +
                "\"]\n");
  const auto plan = [&] {
    return RunCommand({"extract", config, "--out", run, "--dry-run"});
  };
  CommandResult result = plan();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err,
              HasSubstr("stimuli shown: " + pictures + ": No such file or folder"));

  std::ofstream(description_)
      << "[recording]\nunit = \"spikes/s\"\nsource = \"planted\"\n"
      << "images = \"/pictures\"\n[table]\nfiles = [\"" << data_.string()
      << "\"]\ndataset = \"/{animal}/r\"\narea = \"V1\"\n"
      << "stimulus_id = \"planted-{:06d}\"\n";
  result = plan();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err,
              HasSubstr("[images] will pack all stimuli shown once planted is imported, "
                        "which writes " +
                        pictures));
}

TEST_F(NeuralCommandTest, TheStageMakesWhatIsMissingAndKeepsTheRest) {
  NeuralStage stage;
  stage.recordings["planted"].description = description_.string();
  stage.folder = folder_ / "run";
  std::string said;
  stage.say = [&](const std::string& text) { said += text + "\n"; };
  const auto run = [&] {
    said.clear();
    const absl::Status status = RunNeuralStage(stage);
    EXPECT_TRUE(status.ok()) << status;
  };
  stage.dry_run = true;
  run();
  EXPECT_THAT(said, HasSubstr("will import planted from 1 file(s)"));
  EXPECT_FALSE(fs::exists(stage.folder));
  stage.dry_run = false;
  run();
  EXPECT_THAT(said, HasSubstr("planted:\nwith a response\n"));
  const fs::path recording = stage.folder / "neural/planted.nc";
  const fs::path means = stage.folder / "activations/planted/m2.nc";
  EXPECT_TRUE(fs::exists(recording));
  auto file = ActivationFile::Open(means);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file->Read({"V1", Stage::kRecorded}))(2, 1), 8.0f);  // mean of 5 and 11

  run();
  EXPECT_EQ(said, "planted complete and unchanged\n");
  // Means alone are made again without the import.
  fs::remove(means);
  const auto time = fs::last_write_time(recording);
  run();
  EXPECT_EQ(said, "");
  EXPECT_TRUE(fs::exists(means));
  EXPECT_EQ(fs::last_write_time(recording), time);
  // Other data, another recording.
  WriteData(10.0);
  fs::last_write_time(data_, time + std::chrono::seconds(5));
  stage.recordings["planted"].stimuli = "held-out";
  run();
  file = ActivationFile::Open(stage.folder / "activations/held-out/m2.nc");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file->Read({"V1", Stage::kRecorded}))(2, 1), 80.0f);

  stage.recordings["planted"].description = "none.toml";
  EXPECT_THAT(std::string(RunNeuralStage(stage).message()),
              HasSubstr("neural.planted: "));
}

}  // namespace
}  // namespace iat
