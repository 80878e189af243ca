// The command line: exit codes and messages for input that is wrong, as a user sees
// them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "tests/app/run_command.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

// Two tiny networks on a handful of procedural images: seconds for the whole
// pipeline.
std::string TinyConfig(const std::string& more = "") {
  return R"(
[run]
name = "tiny"

[family]
seeds = [0, 1]

[images]
source = "dead-leaves"
count = 96
seed = 1

[model]
width = 0.0625

[training]
objective = "simclr"
epochs = 2
batch_size = 32
optimizer = "sgd"
learning_rate = 0.05
simclr.hidden_size = 32
simclr.embedding_size = 16
checkpoint_every = 2
log_every = 2

[stimuli.held-out]
source = "dead-leaves"
count = 120
seed = 2

[compare]
num_fit_stimuli = 90
split_seeds = [0, 1]
)" + more;
}

class CommandTest : public ::testing::Test {
 protected:
  CommandTest() : folder_("command_test") {
    config_ = folder_ / "tiny.toml";
    run_ = folder_ / "run";
  }

  void ExpectFailure(const std::vector<std::string>& arguments, int exit_code,
                     const std::string& message) {
    const CommandResult result = RunCommand(arguments);
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    EXPECT_THAT(result.err, HasSubstr(message));
  }

  // Trains and extracts the tiny family.
  void MakeActivations() {
    WriteText(config_, TinyConfig());
    for (const char* stage : {"train", "extract"}) {
      const CommandResult result = RunCommand({stage, config_, "--out", run_});
      ASSERT_EQ(result.exit_code, 0) << result.err;
    }
  }

  TemporaryFolder folder_;
  std::string config_, run_;
};

TEST_F(CommandTest, VersionNamesRevisionAndLibraries) {
  const CommandResult result = RunCommand({"--version"});
  EXPECT_EQ(result.exit_code, 0);
  for (const char* part : {"iat 0.1.0", "revision ", "LibTorch ", "OpenCV ", "BLAS "}) {
    EXPECT_THAT(result.out, HasSubstr(part));
  }
}

TEST_F(CommandTest, BadUsageIsExitCode2) {
  EXPECT_EQ(RunCommand({}).exit_code, 2);
  EXPECT_EQ(RunCommand({"trian"}).exit_code, 2);
  EXPECT_EQ(RunCommand({"train"}).exit_code, 2);
  EXPECT_EQ(RunCommand({"--help"}).exit_code, 0);
}

TEST_F(CommandTest, MisspeltKeysWrongTypesAndRangesNameFileAndLine) {
  WriteText(config_, "[training]\nepoch = 3\n");
  ExpectFailure({"reproduce", config_, "--out", run_}, 2,
                config_ +
                    ":2: unknown key \"training.epoch\"; did you mean "
                    "\"training.epochs\"?");
  WriteText(config_, "[training]\n\nepochs = \"three\"\n");
  ExpectFailure(
      {"reproduce", config_, "--out", run_}, 2,
      config_ + ":3: training.epochs is \"three\"; expected a whole number >= 1");
  WriteText(config_, "[model]\nwidth = 0\n");
  ExpectFailure({"reproduce", config_, "--out", run_}, 2,
                config_ + ":2: model.width is 0; expected a number > 0 and <= 8");
  WriteText(config_, TinyConfig());
  ExpectFailure({"train", config_, "--out", run_, "--set", "family.seeds=[1,1]"}, 2,
                "family.seeds is [1, 1]; expected at least one seed, none twice");
  WriteText(config_, TinyConfig("[scopes]\n"));
  ExpectFailure(
      {"train", config_, "--out", run_, "--set", "extraction.scope=layer"}, 2,
      "extraction.scope is \"layer\"; [scopes] compares hypercolumns with whole "
      "layers and needs \"hypercolumn\"");
  EXPECT_FALSE(fs::exists(run_));
}

TEST_F(CommandTest, CalibrateNamesWhatItLacks) {
  WriteText(config_, TinyConfig());
  ExpectFailure({"calibrate", config_, "--out", run_}, 1,
                "the config has no [calibrate] table; an empty one takes every default");
  WriteText(config_, TinyConfig("\n[calibrate]\nstimuli = \"scenes\"\n"));
  ExpectFailure({"calibrate", config_, "--out", run_}, 2,
                "calibrate.stimuli is \"scenes\"; expected the name of a [stimuli.NAME] "
                "table");
  WriteText(config_, TinyConfig("\n[calibrate]\nmatches = \"VISp=conv1\"\n"));
  ExpectFailure({"calibrate", config_, "--out", run_}, 2,
                "matches has \"VISp=conv1\"; expected area->layer");
}

TEST_F(CommandTest, MissingConfigsAndVariablesAreNamed) {
  ExpectFailure({"train", folder_ / "absent.toml"}, 2,
                "absent.toml: No such file or directory");
  WriteText(config_, "[images]\npaths = [\"${IAT_TEST_UNSET}/x\"]\n");
  ExpectFailure({"train", config_}, 2, "environment variable IAT_TEST_UNSET is not set");
}

TEST_F(CommandTest, MissingAndEmptyImageFoldersAreNamed) {
  const std::string images = folder_ / "images";
  WriteText(config_, "[images]\npaths = [\"" + images + "\"]\n");
  ExpectFailure({"train", config_, "--out", run_}, 1, images);
  fs::create_directories(images);
  ExpectFailure({"train", config_, "--out", run_}, 1, images);
}

TEST_F(CommandTest, FewerImagesThanAskedIsAnError) {
  const std::string images = folder_ / "images";
  ASSERT_EQ(RunCommand({"images", "make", "--count", "10", "--out", images}).exit_code,
            0);
  WriteText(config_,
            TinyConfig() + "\n[stimuli.few]\npaths = [\"" + images + "\"]\ncount = 11\n");
  const CommandResult result = RunCommand({"extract", config_, "--out", run_});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("10"));
  EXPECT_THAT(result.err, HasSubstr("11"));
}

TEST_F(CommandTest, ACorruptedImageIsSkippedNamedAndFailsPastTheThreshold) {
  const std::string images = folder_ / "images";
  const std::string sheet = folder_ / "sheet.png";
  const std::string set = folder_ / "set";
  ASSERT_EQ(RunCommand({"images", "make", "--count", "4", "--out", set}).exit_code, 0);
  ASSERT_EQ(RunCommand({"images", "show", set, "--png", sheet}).exit_code, 0);
  const std::string png = *ReadFile(sheet);
  WriteText(fs::path(images) / "a" / "good.png", png);
  WriteText(fs::path(images) / "a" / "cut.png", png.substr(0, png.size() / 2));
  const std::string packed = folder_ / "packed";
  ExpectFailure({"images", "pack", images, "--out", packed}, 1, "cut.png");
  const CommandResult allowed = RunCommand(
      {"images", "pack", images, "--out", packed, "--max-unreadable-fraction", "0.5"});
  EXPECT_EQ(allowed.exit_code, 0) << allowed.err;
  EXPECT_THAT(allowed.err, HasSubstr("skipped cut.png: "));
  EXPECT_THAT(*ReadFile(fs::path(packed) / "skipped.csv"), HasSubstr("cut.png"));
}

TEST_F(CommandTest, ATruncatedPackedSetIsNamedWithItsSizes) {
  const std::string set = folder_ / "set";
  ASSERT_EQ(RunCommand({"images", "make", "--count", "4", "--out", set}).exit_code, 0);
  fs::resize_file(fs::path(set) / "images.npy", 30000);
  ExpectFailure({"images", "show", set}, 1, "images.npy");
}

TEST_F(CommandTest, ATruncatedWeightFileIsNamedAndNothingIsLeftBehind) {
  MakeActivations();
  const fs::path weights = fs::path(run_) / "models/seed-001/weights.safetensors";
  fs::resize_file(weights, fs::file_size(weights) / 2);
  fs::remove_all(fs::path(run_) / "activations");
  const CommandResult result = RunCommand({"extract", config_, "--out", run_});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("weights.safetensors: "));
  EXPECT_THAT(result.err, HasSubstr("the file is truncated"));
  // The other animal is not taken down with it.
  EXPECT_TRUE(fs::exists(fs::path(run_) / "activations/held-out/seed-000.nc"));
  EXPECT_FALSE(fs::exists(fs::path(run_) / "activations/held-out/seed-001.nc"));
}

TEST_F(CommandTest, StimuliThatWereTrainedOnAreRefused) {
  WriteText(config_, TinyConfig());
  ExpectFailure({"extract", config_, "--out", run_, "--set", "stimuli.held-out.seed=1"},
                1, "stimuli are training images too");
}

TEST_F(CommandTest, AnotherFamilysActivationsAreRefused) {
  MakeActivations();
  const std::string other = folder_ / "other";
  for (const char* stage : {"train", "extract"}) {
    ASSERT_EQ(RunCommand({stage, config_, "--out", other, "--set", "model.width=0.125"})
                  .exit_code,
              0);
  }
  const fs::path place = "activations/held-out/seed-001.nc";
  fs::copy_file(fs::path(other) / place, fs::path(run_) / place,
                fs::copy_options::overwrite_existing);
  const CommandResult result = RunCommand({"compare", config_, "--out", run_});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("alexnet_bn width=0.0625"));
  EXPECT_THAT(result.err, HasSubstr("alexnet_bn width=0.125"));
}

TEST_F(CommandTest, ComparingBeforeExtractingSaysWhatToDo) {
  WriteText(config_, TinyConfig());
  const CommandResult result = RunCommand({"compare", config_, "--out", run_});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("seed-000.nc"));
  EXPECT_THAT(result.err, HasSubstr("iat extract"));
}

TEST_F(CommandTest, SubsamplingIsOnWithItsTableAndEndsInFigure2) {
  MakeActivations();
  ExpectFailure({"subsample", config_, "--out", run_}, 1,
                "the config has no [subsample] table");
  WriteText(config_, TinyConfig("[subsample]\nnum_fit_stimuli = 90\nnum_sizes = 3\n"
                                "num_samples = 1\nmappings = [\"ridge\"]\n"));
  CommandResult result = RunCommand({"subsample", config_, "--out", run_, "--dry-run"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  // 2 targets x 5 layers x 2 stages x 2 axes.
  EXPECT_THAT(result.err, HasSubstr("will fit 40 curves"));
  result = RunCommand({"subsample", config_, "--out", run_});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("units    conv5    post_relu  ridge"));
  EXPECT_TRUE(fs::exists(fs::path(run_) / "scores/subsample.csv"));
  result = RunCommand({"subsample", config_, "--out", run_, "--json"});
  EXPECT_THAT(result.out, HasSubstr("\"axis\": \"stimuli\""));
  EXPECT_THAT(result.err, HasSubstr("40 of 40 curves complete and unchanged"));
  ASSERT_EQ(RunCommand({"compare", config_, "--out", run_}).exit_code, 0);
  ASSERT_EQ(RunCommand({"report", run_}).exit_code, 0);
  for (const char* extension : {"svg", "pdf", "png", "csv", "gp"}) {
    EXPECT_TRUE(
        fs::exists(fs::path(run_) / "figures" / absl::StrCat("figure-2.", extension)));
  }
  EXPECT_THAT(*ReadFile(fs::path(run_) / "report.html"), HasSubstr("id=\"figure-2\""));
}

TEST_F(CommandTest, TheReportDrawsWhatARunHasAndLeavesOutTheRest) {
  MakeActivations();
  WriteText(config_, TinyConfig("layer_pairs = [\"all\"]\nboth_directions = false\n"
                                "mappings = [\"ridge\", \"logistic_ridge\"]\n"
                                "[metrics]\nevery_layer_pair = true\n"
                                "num_stimuli = 100\n"));
  ASSERT_EQ(RunCommand({"compare", config_, "--out", run_}).exit_code, 0);
  CommandResult result = RunCommand({"report", run_});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const fs::path run = run_;
  std::string html = *ReadFile(run / "report.html");
  for (const char* figure :
       {"learning-curves", "conv1-filters", "unit-scatter", "predictions",
        "layer-matrix-mappings", "layer-matrix-metrics"}) {
    for (const char* extension : {".svg", ".pdf", ".png", ".csv", ".gp"}) {
      EXPECT_TRUE(fs::exists(run / "figures" / absl::StrCat(figure, extension)))
          << figure << extension;
    }
    EXPECT_THAT(html, HasSubstr(absl::StrCat("<h2 id=\"", figure, "\">")));
  }
  // Every figure's description: the page has no drawing without words.
  EXPECT_THAT(html, HasSubstr("aria-label=\"A row of small pictures for each network"));

  fs::remove(run / "scores" / "compare_units.nc");
  WriteText(run / "scores" / "predictions.csv", "stimuli\n");
  result = RunCommand({"report", run_});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  html = *ReadFile(run / "report.html");
  EXPECT_THAT(html, Not(HasSubstr("id=\"unit-scatter\"")));
  EXPECT_THAT(html, Not(HasSubstr("<h2 id=\"predictions\">")));
  EXPECT_THAT(html, HasSubstr("figure predictions is missing: "));
  EXPECT_THAT(html, HasSubstr("predictions.csv: expected the columns stimuli"));
}

TEST_F(CommandTest, ASecondReproduceIsRefusedAndTheHolderNamed) {
  WriteText(config_, TinyConfig());
  fs::create_directories(run_);
  auto lock = FileLock::TryAcquire(fs::path(run_) / ".lock", FileLock::Mode::kExclusive);
  ASSERT_TRUE(lock.ok());
  ExpectFailure({"reproduce", config_, "--out", run_}, 1,
                "is in use by process " + std::to_string(::getpid()));
}

TEST_F(CommandTest, AFullDiskIsNamedAndLeavesNoHalfFiles) {
  const std::string disk = folder_ / "disk";
  fs::create_directories(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=1m") != 0) {
    GTEST_SKIP() << "mounting a small disk needs root";
  }
  const CommandResult result =
      RunCommand({"images", "make", "--count", "500", "--out", disk + "/set"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("No space left on device"));
  EXPECT_FALSE(fs::exists(disk + "/set/index.csv"));
  ::umount(disk.c_str());
}

TEST_F(CommandTest, DryRunDoesNothingAndSaysWhatItWouldDo) {
  WriteText(config_, TinyConfig());
  const CommandResult result = RunCommand({"train", config_, "--out", run_, "--dry-run"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("will make seed-000"));
  EXPECT_FALSE(fs::exists(run_));
}

TEST_F(CommandTest, DryRunEstimatesTimeAndDiskAndTheDiskIsRight) {
  WriteText(config_, TinyConfig());
  const CommandResult result =
      RunCommand({"reproduce", config_, "--out", run_, "--jobs", "2", "--dry-run"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  // 96 x 64 x 64 x 3 and 2 x 120 x 72 x 2 x 4 bytes.
  EXPECT_THAT(result.err, HasSubstr("will pack 96 training images: 1.2 MB"));
  EXPECT_THAT(result.err,
              HasSubstr("disk: 138.2 kB before compression (2 animals x 120 stimuli x 72 "
                        "units x 2 stages x 4 bytes)"));
  // 2 epochs of 3 batches of 32.
  EXPECT_THAT(result.err, HasSubstr("for 2 networks, 2 at once, each seeing 192 images"));
  EXPECT_THAT(result.err, HasSubstr("measured just now"));
  EXPECT_THAT(result.err, HasSubstr("loss and gradient of 16 images"));
  EXPECT_FALSE(fs::exists(run_));

  // The same numbers off the disk.
  MakeActivations();
  EXPECT_EQ(fs::file_size(fs::path(run_) / "images/training/images.npy") - 128,
            96u * 64 * 64 * 3);
  ASSERT_EQ(
      RunCommand({"activations", "export", run_ + "/activations/held-out/seed-000.nc",
                  "--out", folder_ / "npy"})
          .exit_code,
      0);
  uintmax_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(folder_ / "npy")) {
    if (entry.path().extension() == ".npy") bytes += entry.file_size() - 128;
  }
  EXPECT_EQ(2 * bytes, 138240u);
}

TEST_F(CommandTest, DryRunFindsPathsThatAreNotThere) {
  WriteText(config_, TinyConfig());
  ExpectFailure({"reproduce", config_, "--out", run_, "--dry-run", "--set",
                 "images.source=folder", "--set", "images.paths=[\"absent\"]"},
                1, "training images: absent: No such file or folder");
}

TEST_F(CommandTest, AnUnknownDeviceIsNamed) {
  WriteText(config_, TinyConfig());
  ExpectFailure({"train", config_, "--device", "tpu"}, 2,
                "--device is \"tpu\"; expected auto, cpu or cuda[:N]");
}

// Our own link order lets OpenBLAS answer even where Debian's alternatives choose
// Netlib's BLAS; preloading Netlib's puts it in front all the same.
TEST_F(CommandTest, DoctorNamesAReferenceBlas) {
  const std::string reference = "/usr/lib/x86_64-linux-gnu/blas/libblas.so.3";
  if (!fs::exists(reference)) GTEST_SKIP() << "no reference BLAS at " << reference;
  ::setenv("LD_PRELOAD", reference.c_str(), 1);
  const CommandResult result = RunCommand({"doctor"});
  ::unsetenv("LD_PRELOAD");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out,
              HasSubstr("no OpenBLAS: matrix products run on the reference BLAS"));
  EXPECT_THAT(result.out, HasSubstr("apt-get install libopenblas0-openmp"));
  EXPECT_THAT(RunCommand({"doctor"}).out, Not(HasSubstr("no OpenBLAS")));
}

TEST_F(CommandTest, DoctorNamesAWrongThreadCountAndFindsOneBlas) {
  ::setenv("OMP_NUM_THREADS", "512", 1);
  const CommandResult result = RunCommand({"doctor"});
  ::setenv("OMP_NUM_THREADS", "1", 1);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("OMP_NUM_THREADS=512"));
  EXPECT_THAT(result.out, HasSubstr("more threads than cores"));
  EXPECT_THAT(result.out, Not(HasSubstr("copies of")));
}

TEST_F(CommandTest, AMissingGnuplotIsNamedBeforeAnyWork) {
  WriteText(config_, TinyConfig());
  const std::string setting = "report.gnuplot=\"/nowhere/gnuplot\"";
  ExpectFailure({"reproduce", config_, "--out", run_, "--set", setting}, 1,
                "cannot start \"/nowhere/gnuplot\", which draws the figures (Debian and "
                "Ubuntu: apt-get install gnuplot-nox; elsewhere: set report.gnuplot to "
                "its path): No such file or directory; iat train, extract and compare do "
                "without it");
  EXPECT_FALSE(fs::exists(run_ + "/models"));
  const CommandResult planned =
      RunCommand({"reproduce", config_, "--out", run_, "--dry-run", "--set", setting});
  EXPECT_EQ(planned.exit_code, 0) << planned.err;
  EXPECT_THAT(planned.err, HasSubstr("[report] will not start: cannot start"));

  const std::string path = std::getenv("PATH");
  ::setenv("PATH", "/nowhere", 1);
  const CommandResult doctor = RunCommand({"doctor"});
  ::setenv("PATH", path.c_str(), 1);
  EXPECT_EQ(doctor.exit_code, 1);
  EXPECT_THAT(doctor.out, HasSubstr("BROKEN  figures: gnuplot is not there\n        -> "
                                    "cannot start \"gnuplot\""));
}

TEST_F(CommandTest, ShowExplainsFiles) {
  MakeActivations();
  CommandResult result = RunCommand({"show", run_ + "/activations/held-out/seed-000.nc"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("activations of seed-000"));
  EXPECT_THAT(result.out, HasSubstr("conv5/post_relu"));
  EXPECT_THAT(result.out, HasSubstr("over the stimuli, the median unit's:"));
  // Responses that were never stored leave their summaries.
  ASSERT_EQ(
      RunCommand({"extract", config_, "--out", run_, "--set", "extraction.store=summary"})
          .exit_code,
      0);
  const std::string summary =
      RunCommand({"show", run_ + "/activations/held-out/seed-000.nc"}).out;
  EXPECT_THAT(summary, Not(HasSubstr("  positive\n")));
  EXPECT_EQ(summary.substr(summary.find("over the")),
            result.out.substr(result.out.find("over the")));
  EXPECT_THAT(summary, ContainsRegex("conv3/post_relu +24 .*%"));
  result = RunCommand({"show", run_ + "/models/seed-000/weights.safetensors"});
  EXPECT_THAT(result.out, HasSubstr("features.0.weight"));
  ExpectFailure({"show", folder_ / "absent"}, 1, "absent: No such file or folder");
  ExpectFailure({"show", config_}, 1, "expected an activation file");
}

std::string OutputOf(const std::string& shell_command) {
  FILE* pipe = ::popen(shell_command.c_str(), "r");
  std::string out;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe))
    out += static_cast<char>(c);
  ::pclose(pipe);
  return out;
}

TEST_F(CommandTest, XarrayOpensActivationsWithNamedDimensionsAndIds) {
  if (OutputOf("/usr/bin/python3 -c 'import xarray, netCDF4; print(1)' 2>&1") != "1\n") {
    GTEST_SKIP() << "python3-xarray and python3-netcdf4 are not installed";
  }
  MakeActivations();
  const std::string script = folder_ / "open.py";
  WriteText(script, R"(
import sys, numpy, xarray
data = xarray.open_dataset(sys.argv[1])
print(data.conv1_pre_relu.dims, data.conv1_pre_relu.shape)
print(data.stimulus_id.values[5], data.conv1_row.values.tolist())
print(bool((data.conv3_post_relu == numpy.maximum(data.conv3_pre_relu, 0)).all()))
print(data.attrs["animal"], data.attrs["scope"], data.attrs["simulated"])
)");
  EXPECT_EQ(OutputOf("/usr/bin/python3 " + script + " " + run_ +
                     "/activations/held-out/seed-001.nc 2>&1"),
            "('stimulus', 'conv1_unit') (120, 4)\n"
            "dead-leaves-2-000005 [7, 7, 7, 7]\n"
            "True\n"
            "seed-001 hypercolumn no\n");
}

TEST_F(CommandTest, OtherProgramsReadActivationsAndTheirExports) {
  MakeActivations();
  const CommandResult result =
      StartProgram({"/usr/bin/python3",
                    std::string(std::getenv("IAT_SOURCE_DIR")) +
                        "/tests/extraction/read_activations.py",
                    IatBinary(), run_ + "/activations/held-out/seed-001.nc"})
          .Wait();
  constexpr int kSomethingIsMissing = 77;
  if (result.exit_code == kSomethingIsMissing) GTEST_SKIP() << result.out;
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
}

}  // namespace
}  // namespace iat
