// Networks and recorded animals made of the same hidden responses, as files.

#include "similarity/calibrate_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/activation_file.h"
#include "base/file.h"
#include "base/random.h"
#include "base/sampling_table.h"
#include "base/status.h"
#include "similarity/area_match.h"
#include "tests/similarity/synthetic.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr Eigen::Index kNumStimuli = 118, kNumHidden = 12;

// What an animal's file holds: by layer, its units, of hidden responses `world`.
struct Tapped {
  std::string layer;
  Eigen::Index units = 0;
  int world = 0;
  double noise = 0.0;
  bool shuffled = false;  // its stimuli, in an order of this animal's own
};

class CalibrateRunTest : public ::testing::Test {
 protected:
  CalibrateRunTest() {
    folder_ =
        fs::path(::testing::TempDir()) / absl::StrCat("calibrate_run_test-", ::getpid());
    fs::remove_all(folder_);
    options_.split_seeds = {0, 1};
    options_.num_samples = 2;
    options_.mapping_options.ridge.num_penalties = 7;
    options_.fit.form = "sampled";
    options_.unit_sizes = {4, 8, 16, 32, 64, 96, 128};
    options_.neuron_sizes = {4, 8, 16, 32, 64, 72};
    for (int seed = 0; seed < 5; ++seed) {
      input_.models.push_back(Write(absl::StrFormat("seed-%03d", seed), 10 * seed + 1,
                                    Stage::kPostRelu,
                                    {{"conv1", 32, 1, 0.4}, {"conv2", 32, 2, 0.4}}));
    }
    for (int animal = 0; animal < 5; ++animal) {
      input_.animals.push_back(Write(absl::StrFormat("simulated-%03d", animal),
                                     10 * animal + 501, Stage::kRecorded,
                                     {{"VISp", 18, 2, 1.0}, {"conv1", 18, 1, 1.0}},
                                     /*simulated=*/true));
    }
    input_.stimuli = "scenes";
  }
  ~CalibrateRunTest() override { fs::remove_all(folder_); }

  fs::path Write(const std::string& animal, int seed, Stage stage,
                 const std::vector<Tapped>& taps, bool simulated = false,
                 Eigen::Index first_stimulus = 0) {
    const fs::path path = folder_ / "activations" / absl::StrCat(animal, ".nc");
    const absl::Status status =
        WriteAtomically(path, [&](const fs::path& temporary) -> absl::Status {
          std::vector<std::string> ids;
          for (Eigen::Index i = 0; i < kNumStimuli; ++i) {
            ids.push_back(absl::StrFormat("scene_%03d", first_stimulus + i));
          }
          std::vector<ActivationWriter::Layer> layers;
          for (const Tapped& tap : taps) {
            std::vector<int32_t> channel(tap.units), position(tap.units, 0);
            std::iota(channel.begin(), channel.end(), 0);
            layers.push_back({tap.layer, {channel, position, position}, {stage}});
          }
          ActivationMetadata metadata;
          metadata.animal = animal;
          metadata.architecture = stage == Stage::kRecorded ? "" : "alexnet";
          metadata.stimuli_sha256 = "5ha";
          metadata.scope = stage == Stage::kRecorded ? "recorded" : "hypercolumn";
          metadata.preprocessing = "none";
          metadata.simulated = simulated;
          IAT_ASSIGN_OR_RETURN(
              ActivationWriter writer,
              ActivationWriter::Create(temporary, ids, layers, metadata));
          for (const Tapped& tap : taps) {
            Eigen::MatrixXd values =
                NormalMatrix(kNumStimuli, kNumHidden, 7000 + tap.world) *
                    NormalMatrix(kNumHidden, tap.units, seed + 100 * tap.world) +
                tap.noise * std::sqrt(static_cast<double>(kNumHidden)) *
                    NormalMatrix(kNumStimuli, tap.units, 3000 + seed + 100 * tap.world);
            if (tap.shuffled) {
              RandomStream stream(static_cast<uint64_t>(seed), "shuffle");
              values =
                  Eigen::MatrixXd(values(stream.Permutation(kNumStimuli), Eigen::all));
            }
            IAT_RETURN_IF_ERROR(
                writer.Write({tap.layer, stage}, 0, values.cast<float>()));
            IAT_RETURN_IF_ERROR(writer.WriteByUnit(
                tap.layer, "reliability", "split-half reliability",
                std::vector<double>(tap.units, 1.0 / (1.0 + tap.noise * tap.noise))));
          }
          return writer.Close();
        });
    EXPECT_TRUE(status.ok()) << status;
    return path;
  }

  std::string Failure() {
    const auto result = RunCalibrate(options_, input_, folder_ / "scores", {.jobs = 2});
    EXPECT_FALSE(result.ok());
    return std::string(result.status().message());
  }

  fs::path folder_;
  CalibrateOptions options_;
  CalibrateInput input_;
};

TEST_F(CalibrateRunTest, FromFilesToRatioTableAndJson) {
  const auto run = RunCalibrate(options_, input_, folder_ / "scores", {.jobs = 2});
  ASSERT_TRUE(run.ok()) << run.status();
  ASSERT_TRUE(run->has_value());
  const CalibrationReport& report = **run;
  ASSERT_THAT(report.calibrations, SizeIs(2));
  // Hidden responses tell which layer is VISp's; conv1 is named by its layer.
  EXPECT_EQ(report.calibrations[0].Name(), "area VISp, layer conv2");
  EXPECT_EQ(report.calibrations[1].Name(), "layer conv1");
  ASSERT_THAT(report.matches, SizeIs(2));
  EXPECT_EQ(report.matches[0].layer, "conv1");
  EXPECT_FALSE(report.matches[0].chosen);
  EXPECT_LT(report.matches[0].r2, 0.05);
  EXPECT_TRUE(report.matches[1].chosen);
  EXPECT_GT(report.matches[1].r2, 0.1);
  EXPECT_TRUE(report.simulated);
  for (const Calibration& calibration : report.calibrations) {
    ASSERT_TRUE(calibration.ratio.has_value())
        << calibration.f_refused << calibration.g_refused;
    // Noisier neurons than units: more of them for the same R2.
    EXPECT_GT(calibration.ratio->neuron_to_unit_ratio.mean, 1.5);
    EXPECT_EQ(calibration.animals.most_pooled_sources, 4);
    EXPECT_THAT(calibration.animals.animals, SizeIs(5));
  }
  EXPECT_THAT(CalibrationText(report), HasSubstr("SIMULATED"));

  const auto json =
      nlohmann::json::parse(*ReadFile(folder_ / "scores" / "calibrate.json"));
  EXPECT_EQ(json["simulated"], true);
  EXPECT_EQ(json["measure"]["stimuli"], "scenes");
  EXPECT_EQ(json["measure"]["mapping"], "ridge");
  EXPECT_EQ(json["measure"]["num_fit_stimuli"], 59);
  EXPECT_EQ(json["measure"]["num_test_stimuli"], 59);
  EXPECT_EQ(json["measure"]["split_seeds"], nlohmann::json({0, 1}));
  EXPECT_EQ(json["measure"]["noise_correction"], "none");
  EXPECT_EQ(json["matches"][0]["f"]["formula"], "L arctan(k m) + b");
  EXPECT_TRUE(json["matches"][0]["f"]["parameters"]["k"]["low"].is_number());
  EXPECT_EQ(json["matches"][0]["g"]["form"], "sampled");
  EXPECT_NEAR(json["matches"][0]["neuron_to_unit_ratio"]["value"].get<double>(),
              report.calibrations[0].ratio->neuron_to_unit_ratio.mean, 1e-9);

  // Read back, and run again from finished cells: the same.
  const auto read = ReadCalibration(options_, folder_ / "scores");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(CalibrationText(*read), CalibrationText(report));
  const std::string rows = *ReadFile(folder_ / "scores" / "calibrate.csv");
  ASSERT_TRUE(RunCalibrate(options_, input_, folder_ / "scores", {.jobs = 1}).ok());
  EXPECT_EQ(*ReadFile(folder_ / "scores" / "calibrate.csv"), rows);
}

// R2 over reliability, row by row, in the table that is fitted.
TEST_F(CalibrateRunTest, NoiseCorrectionDividesRecordedRowsByReliability) {
  options_.matches = "VISp->conv2";
  const auto plain = RunCalibrate(options_, input_, folder_ / "scores", {.jobs = 2});
  ASSERT_TRUE(plain.ok()) << plain.status();
  options_.noise_correction = "target";
  const auto corrected = RunCalibrate(options_, input_, folder_ / "scores", {.jobs = 2});
  ASSERT_TRUE(corrected.ok()) << corrected.status();
  const Calibration &before = (*plain)->calibrations.at(0),
                    &after = (*corrected)->calibrations.at(0);
  EXPECT_TRUE(after.models.r2.isApprox(before.models.r2, 1e-12));
  EXPECT_TRUE(after.animals.r2.isApprox(2.0 * before.animals.r2, 1e-6));
  EXPECT_THAT((*corrected)->matches, IsEmpty());  // the layer was given
}

// Each animal's stimuli in an order of its own: nothing predicts anything.
TEST_F(CalibrateRunTest, ShuffledStimuliGiveNothingAboveZeroAndARefusedFit) {
  for (int animal = 0; animal < 5; ++animal) {
    Write(absl::StrFormat("simulated-%03d", animal), 10 * animal + 501, Stage::kRecorded,
          {{"conv1", 18, 1, 1.0, /*shuffled=*/true}}, /*simulated=*/true);
  }
  const auto run = RunCalibrate(options_, input_, folder_ / "scores", {.jobs = 2});
  ASSERT_TRUE(run.ok()) << run.status();
  const Calibration& calibration = (*run)->calibrations.at(0);
  EXPECT_LE(calibration.animals.Mean().maxCoeff(), 0.0);
  EXPECT_TRUE(calibration.f.has_value()) << calibration.f_refused;
  EXPECT_FALSE(calibration.ratio.has_value());
  EXPECT_THAT(calibration.g_refused, HasSubstr("nothing is predicted"));
  const auto json =
      nlohmann::json::parse(*ReadFile(folder_ / "scores" / "calibrate.json"));
  EXPECT_EQ(json["matches"][0]["g"]["refused"], calibration.g_refused);
  EXPECT_FALSE(json["matches"][0]["g"].contains("parameters"));
  EXPECT_TRUE(json["matches"][0]["neuron_to_unit_ratio"].is_null());
}

TEST_F(CalibrateRunTest, SaysWhatIsMissingOrDiffers) {
  options_.matches = "VISx->conv2";
  EXPECT_EQ(Failure(), "calibrate.matches names area \"VISx\"; there are VISp, conv1");
  options_.matches = "VISp->conv9";
  EXPECT_EQ(Failure(), "calibrate.matches names layer \"conv9\"; there are conv1, conv2");
  options_.matches = "";
  CalibrateInput whole = input_;
  input_.models.resize(1);
  EXPECT_EQ(Failure(),
            "a calibration needs at least 2 networks of one family; there are 1");
  input_ = whole;
  input_.animals.resize(1);
  EXPECT_THAT(Failure(), HasSubstr("there are 1 recorded animals for stimuli scenes, "
                                   "with nothing in common: VISp, conv1"));
  input_ = whole;
  Write("simulated-001", 3, Stage::kRecorded, {{"VISp", 18, 2, 1.0}}, true, 1);
  EXPECT_THAT(Failure(), HasSubstr("simulated-001.nc lacks \"scene_000\""));
  Write("simulated-001", 3, Stage::kRecorded, {{"VISp", 18, 2, 1.0}}, false);
  EXPECT_THAT(Failure(), HasSubstr("only one is simulated"));
  options_.model_stage = "pre_relu";
  EXPECT_THAT(Failure(), HasSubstr("seed-000.nc has no tap at stage pre_relu"));
}

TEST_F(CalibrateRunTest, FindsRecordedAnimalsAmongTheFilesOfAFolder) {
  const auto found = RecordedAnimals(folder_ / "activations");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(*found, input_.animals);
  EXPECT_THAT(*RecordedAnimals(folder_ / "nowhere"), IsEmpty());
}

TEST(AreaMatchTest, ParsesPairsAndNamesWhatIsNone) {
  const auto pairs = ParseAreaPairs(" VISp->conv3,VISl->conv4 ");
  ASSERT_TRUE(pairs.ok()) << pairs.status();
  EXPECT_THAT(*pairs, ElementsAre(Pair("VISp", "conv3"), Pair("VISl", "conv4")));
  EXPECT_THAT(*ParseAreaPairs(""), IsEmpty());
  EXPECT_EQ(ParseAreaPairs("VISp-conv3").status().message(),
            "matches has \"VISp-conv3\"; expected area->layer, such as \"VISp->conv3\"");
}

TEST(AreaMatchTest, AnAreaThatNothingPredictsNeedsAPair) {
  std::vector<AreaMatch> none = {{"VISp", "conv1", NAN, false}};
  EXPECT_THAT(ChooseLayers({"VISp"}, {"conv1"}, {}, none).status().message(),
              HasSubstr("no layer predicts any neuron of area VISp; name one in"));
}

}  // namespace
}  // namespace iat
