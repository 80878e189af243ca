// Recordings that are simulated, scored and measured for consistency, as a user does it:
// models' activations are there, nothing is trained.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "base/activation_file.h"
#include "neural/recording.h"
#include "tests/app/run_command.h"
#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

using ::testing::HasSubstr;

class NeuralScoresCommandTest : public ::testing::Test {
 protected:
  static constexpr int kStimuli = 40, kUnits = 10, kAnimals = 4;

  NeuralScoresCommandTest() : folder_("neural_scores_command_test") {
    config_ = folder_ / "config.toml";
    std::string reference = "image,consistency\n";
    for (int i = 0; i < kStimuli; ++i) {
      absl::StrAppend(&reference, i, ",", 0.01 * (i * 7 % kStimuli), "\n");
    }
    WriteText(folder_ / "reference.csv", reference);
    WriteText(config_, absl::StrCat(R"([run]
name = "demo"
out = ")",
                                    folder_ / "run", R"("
[family]
seeds = [0, 1, 2, 3]
[images]
source = "dead-leaves"
count = 10
[stimuli.pictures]
source = "dead-leaves"
count = 40
[neural.planted]
source = "simulated"
[neural.planted.simulation]
activations = "pictures"
num_neurons = 8
num_trials = 6
[neural.planted.scores]
directions = ["animals->animals", "models->animals"]
activations = "pictures"
num_bootstraps = 2
split_seeds = [0, 1]
[consistency.pictures]
activations = "pictures"
reference = ")",
                                    folder_ / "reference.csv", "\"\n"));
  }

  void WriteActivations() {
    std::filesystem::create_directories(folder_.path() / "run" / "activations" /
                                        "pictures");
    for (int k = 0; k < kAnimals; ++k) {
      ActivationWriter::Layer layer{"conv1", {}, {Stage::kPreRelu, Stage::kPostRelu}};
      layer.units.channel.assign(kUnits, 0);
      layer.units.row.assign(kUnits, -1);
      layer.units.column.assign(kUnits, -1);
      std::vector<std::string> ids;
      for (int i = 0; i < kStimuli; ++i) ids.push_back(absl::StrCat("picture-", i));
      ActivationMetadata metadata;
      metadata.animal = absl::StrCat("seed-00", k);
      metadata.fingerprint = absl::StrCat("model ", k);
      auto writer =
          ActivationWriter::Create(folder_.path() / "run" / "activations" / "pictures" /
                                       absl::StrCat("seed-00", k, ".nc"),
                                   ids, {layer}, metadata);
      const ActivationMatrix before =
          (NormalMatrix(kStimuli, 4, 1) * NormalMatrix(4, kUnits, 20 + k) +
           0.2 * NormalMatrix(kStimuli, kUnits, 40 + k))
              .cast<float>();
      ASSERT_TRUE(writer->Write({"conv1", Stage::kPreRelu}, 0, before).ok());
      ASSERT_TRUE(
          writer->Write({"conv1", Stage::kPostRelu}, 0, before.cwiseMax(0.0f)).ok());
      ASSERT_TRUE(writer->Close().ok());
    }
  }

  TemporaryFolder folder_;
  std::string config_;
};

TEST_F(NeuralScoresCommandTest, SimulatesScoresAndMeasures) {
  const CommandResult early = RunCommand({"neural", "scores", config_});
  EXPECT_EQ(early.exit_code, 1);
  EXPECT_THAT(early.err,
              HasSubstr("seed-000.nc is not there yet; run iat extract first"));
  const CommandResult planned = RunCommand({"neural", "scores", config_, "--dry-run"});
  EXPECT_EQ(planned.exit_code, 0) << planned.err;
  EXPECT_THAT(planned.err, HasSubstr("will go on once pictures is extracted"));

  WriteActivations();
  const CommandResult simulated = RunCommand({"neural", "simulate", config_});
  ASSERT_EQ(simulated.exit_code, 0) << simulated.err;
  EXPECT_THAT(simulated.err,
              HasSubstr("simulated from post_relu activations of seed-000"));
  const auto recording = ReadRecording(folder_ / "run/neural/planted.nc");
  ASSERT_TRUE(recording.ok()) << recording.status();
  EXPECT_TRUE(recording->simulated);

  const CommandResult scored = RunCommand({"neural", "scores", config_, "--jobs", "2"});
  ASSERT_EQ(scored.exit_code, 0) << scored.err;
  EXPECT_THAT(scored.err, HasSubstr("planted complete and unchanged"));
  EXPECT_THAT(scored.out, HasSubstr("SIMULATED"));
  EXPECT_THAT(scored.out, HasSubstr("animals->animals"));
  EXPECT_THAT(scored.out, HasSubstr("best layer by R2"));
  const std::string table = ReadFile(folder_ / "run/scores/neural.csv").value_or("");
  EXPECT_THAT(table, HasSubstr("planted,models->animals,seed-000,simulated-003,conv1"));

  const CommandResult again = RunCommand({"neural", "scores", config_, "--json"});
  EXPECT_THAT(again.err, HasSubstr("parts complete and unchanged"));
  EXPECT_THAT(again.out, HasSubstr("\"simulated\": true"));
  EXPECT_EQ(ReadFile(folder_ / "run/scores/neural.csv").value_or(""), table);

  const CommandResult consistency = RunCommand({"neural", "consistency", config_});
  ASSERT_EQ(consistency.exit_code, 0) << consistency.err;
  EXPECT_THAT(consistency.out, HasSubstr("pre_relu"));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "run/scores/consistency_images.csv"));
}

TEST_F(NeuralScoresCommandTest, WrongTablesAreErrorsWithFileAndLine) {
  const auto fails = [&](const std::string& setting, const std::string& message) {
    const CommandResult result =
        RunCommand({"neural", "scores", config_, "--set", setting});
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_THAT(result.err, HasSubstr(message));
  };
  fails("neural.planted.scores.mapings=[\"ridge\"]", "did you mean");
  fails("neural.planted.scores.activations=paintings",
        "activations is \"paintings\", but there is no [stimuli.paintings]");
  fails("neural.planted.simulation.sparsity=1.5", "sparsity");
  fails("neural.planted.scores.num_fit_stimuli=-1", "num_fit_stimuli");
  fails("consistency.pictures.activations=paintings",
        "activations is \"paintings\", but there is no [stimuli.paintings]");
}

}  // namespace
}  // namespace iat
