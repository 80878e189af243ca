#include "similarity/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "tests/similarity/curve_world.h"

namespace iat {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Rows of one mapping at one tap: both directions of every pair, whose R2 differs from
// `r2` by `noise` times something that belongs to the target.
struct Scores {
  std::string mapping = "ridge", stage = "post_relu", layer = "conv1";
  double r2 = 0.8;
  double noise = 0.0;
  int num_animals = 5;
  std::string source_scope = "hypercolumn";
};

void Add(const Scores& scores, std::vector<ScoreRow>& rows) {
  const double of_target[] = {-1.0, 0.4, 1.0, -0.6, 0.2};
  for (int source = 0; source < scores.num_animals; ++source) {
    for (int target = 0; target < scores.num_animals; ++target) {
      if (source == target) continue;
      ScoreRow row;
      row.stimuli = "held-out";
      row.source_animal = absl::StrCat("seed-00", source);
      row.target_animal = absl::StrCat("seed-00", target);
      row.source_layer = row.target_layer = scores.layer;
      row.source_stage = row.target_stage = scores.stage;
      row.source_scope = scores.source_scope;
      row.target_scope = "hypercolumn";
      row.mapping = scores.mapping;
      row.num_fit_stimuli = 80;
      row.num_test_stimuli = 20;
      row.num_source_units = scores.source_scope == "layer" ? 256 : 16;
      row.num_target_units = row.num_scored_units = 16;
      row.median_r2 = scores.r2 + scores.noise * of_target[target];
      rows.push_back(row);
    }
  }
}

VerdictLine Line(const std::vector<VerdictLine>& lines, const std::string& name) {
  for (const VerdictLine& line : lines) {
    if (line.name == name) return line;
  }
  ADD_FAILURE() << "no claim " << name;
  return {};
}

Verdict Judge(const VerdictInput& input, const std::string& name,
              const VerdictOptions& options = {}) {
  return Line(MakeVerdicts(input, options), name).verdict;
}

// What three claims about differences are planted with.
struct DifferenceCase {
  const char* what;
  double difference, noise;
  int num_animals;
  Verdict expected;
};
const DifferenceCase kDifferenceCases[] = {
    {"clearly above", 0.05, 0.01, 5, Verdict::kSupported},
    {"clearly below", -0.05, 0.01, 5, Verdict::kNotSupported},
    {"exactly equal", 0.0, 0.0, 5, Verdict::kNotSupported},
    {"above, but animals differ more", 0.02, 0.05, 5, Verdict::kUndecided},
    {"below, but animals differ more", -0.02, 0.05, 5, Verdict::kUndecided},
    {"clearly above, three animals", 0.05, 0.01, 3, Verdict::kUndecided},
    {"clearly below, three animals", -0.05, 0.01, 3, Verdict::kUndecided},
};

TEST(VerdictTest, RidgeBeforeAgainstAfterTheRelu) {
  for (const DifferenceCase& planted : kDifferenceCases) {
    VerdictInput input;
    Add({.r2 = 0.8, .num_animals = planted.num_animals}, input.compare);
    Add({.stage = "pre_relu",
         .r2 = 0.8 + planted.difference,
         .noise = planted.noise,
         .num_animals = planted.num_animals},
        input.compare);
    EXPECT_EQ(Judge(input, "relu"), planted.expected) << planted.what;
  }
}

TEST(VerdictTest, LogisticRidgeAgainstRidgeAndClampedRidge) {
  for (const DifferenceCase& planted : kDifferenceCases) {
    VerdictInput input;
    Add({.r2 = 0.8, .num_animals = planted.num_animals}, input.compare);
    Add({.mapping = "ridge_clamped", .r2 = 0.81, .num_animals = planted.num_animals},
        input.compare);
    Add({.mapping = "logistic_ridge",
         .r2 = 0.8 + planted.difference,
         .noise = planted.noise,
         .num_animals = planted.num_animals},
        input.compare);
    EXPECT_EQ(Judge(input, "logistic"), planted.expected) << planted.what;
    // The claims are apart: 0.01 more for the baseline leaves the clear cases as they
    // are.
    if (planted.noise == 0.01) {
      EXPECT_EQ(Judge(input, "clamped"), planted.expected) << planted.what;
    }
  }
  VerdictInput between;
  Add({.r2 = 0.8}, between.compare);
  Add({.mapping = "ridge_clamped", .r2 = 0.83}, between.compare);
  Add({.mapping = "logistic_ridge", .r2 = 0.82}, between.compare);
  EXPECT_EQ(Judge(between, "logistic"), Verdict::kSupported);
  EXPECT_EQ(Judge(between, "clamped"), Verdict::kNotSupported);
  EXPECT_EQ(Judge(between, "logistic", {.difference_margin = 0.03}),
            Verdict::kNotSupported);
}

TEST(VerdictTest, HypercolumnAgainstLayer) {
  struct Planted {
    const char* what;
    double lost, noise;
    int num_animals;
    Verdict expected;
  };
  for (const Planted& planted :
       {Planted{"loses little", 0.02, 0.005, 5, Verdict::kSupported},
        Planted{"loses nothing", -0.01, 0.005, 5, Verdict::kSupported},
        Planted{"loses much", 0.15, 0.01, 5, Verdict::kNotSupported},
        Planted{"loses about the margin", 0.05, 0.02, 5, Verdict::kUndecided},
        Planted{"loses little, three animals", 0.02, 0.005, 3, Verdict::kUndecided}}) {
    VerdictInput input;
    Add({.r2 = 0.9, .num_animals = planted.num_animals, .source_scope = "layer"},
        input.compare);
    Add({.r2 = 0.9 - planted.lost,
         .noise = planted.noise,
         .num_animals = planted.num_animals},
        input.compare);
    input.scopes = SummariseScopes(input.compare);
    EXPECT_EQ(Judge(input, "hypercolumn"), planted.expected) << planted.what;
  }
}

TEST(VerdictTest, HypercolumnsEvidenceIsTheDifferenceOfEachLayerAndStage) {
  VerdictInput input;
  Add({.r2 = 0.9, .source_scope = "layer"}, input.compare);
  Add({.r2 = 0.89}, input.compare);
  input.scopes = SummariseScopes(input.compare);
  const VerdictLine line = Line(MakeVerdicts(input, {}), "hypercolumn");
  ASSERT_THAT(line.cases, SizeIs(1));
  EXPECT_EQ(line.cases[0].place, "conv1 post_relu");
  EXPECT_EQ(line.cases[0].evidence, "-0.010 [-0.010, -0.010]");
}

TEST(VerdictTest, OneLayerAgainstIsEnoughAndAllMustBeFor) {
  VerdictInput input;
  const auto add = [&](const std::string& layer, double difference, double noise) {
    Add({.layer = layer, .r2 = 0.8}, input.compare);
    Add({.stage = "pre_relu", .layer = layer, .r2 = 0.8 + difference, .noise = noise},
        input.compare);
  };
  add("conv1", 0.05, 0.01);
  add("conv2", 0.05, 0.01);
  EXPECT_EQ(Judge(input, "relu"), Verdict::kSupported);
  add("conv3", 0.01, 0.05);
  EXPECT_EQ(Judge(input, "relu"), Verdict::kUndecided);
  add("conv4", -0.05, 0.01);
  const VerdictLine line = Line(MakeVerdicts(input, {}), "relu");
  EXPECT_EQ(line.verdict, Verdict::kNotSupported);
  EXPECT_EQ(line.reason, "2 of 4 for it, 1 against");
  EXPECT_EQ(line.cases[2].place, "conv3");
  EXPECT_EQ(line.cases[3].verdict, Verdict::kNotSupported);
}

Saturation Saturated(const std::string& axis, const std::string& stage, double size,
                     double low, double high) {
  Saturation line;
  line.key.family = "seed";
  line.key.layer = "conv2";
  line.key.stage = stage;
  line.key.mapping = "ridge";
  line.key.axis = axis;
  line.num_animals = 6;
  line.point.state = SaturationState::kSaturated;
  line.point.largest_size = 8000;
  line.point.largest_r2 = 0.8;
  line.point.share = {.size = size, .low = low, .high = high, .at_smallest = false};
  line.point.within = {
      .size = 2 * size, .low = 2 * low, .high = 2 * high, .at_smallest = false};
  return line;
}

Saturation NotSaturated(const std::string& axis, const std::string& stage,
                        double largest_size, int64_t num_animals) {
  Saturation line = Saturated(axis, stage, NAN, NAN, NAN);
  line.point.state = SaturationState::kNotSaturated;
  line.point.largest_size = largest_size;
  line.num_animals = num_animals;
  return line;
}

TEST(VerdictTest, SaturationCounts) {
  const struct {
    const char *axis, *stage;
    double paper;
  } claims[] = {{"stimuli", "post_relu", 500},
                {"stimuli", "pre_relu", 200},
                {"units", "post_relu", 500},
                {"units", "pre_relu", 100}};
  for (const auto& claim : claims) {
    const std::string name = absl::StrCat("saturation ", claim.axis, " ", claim.stage);
    const double paper = claim.paper;
    const auto judge = [&](const Saturation& line, const VerdictOptions& options = {}) {
      return Judge({.compare = {},
                    .scopes = {},
                    .saturations = {line},
                    .calibrations = {},
                    .simulated_animals = false},
                   name, options);
    };
    const auto saturated = [&](double size, double low, double high) {
      return Saturated(claim.axis, claim.stage, size, low, high);
    };
    EXPECT_EQ(judge(saturated(paper, 0.8 * paper, 1.2 * paper)), Verdict::kSupported);
    EXPECT_EQ(judge(saturated(0.5 * paper, 0.4 * paper, 0.9 * paper)),
              Verdict::kNotSupported);
    EXPECT_EQ(judge(saturated(3 * paper, 2 * paper, 4 * paper)), Verdict::kNotSupported);
    EXPECT_EQ(judge(saturated(paper, NAN, NAN)), Verdict::kUndecided);
    EXPECT_EQ(judge(NotSaturated(claim.axis, claim.stage, 1.01 * paper, 6)),
              Verdict::kNotSupported);
    EXPECT_EQ(judge(NotSaturated(claim.axis, claim.stage, 0.99 * paper, 6)),
              Verdict::kUndecided);
    EXPECT_EQ(judge(NotSaturated(claim.axis, claim.stage, 1.01 * paper, 3)),
              Verdict::kUndecided);
    Saturation silent = saturated(paper, NAN, NAN);
    silent.point.state = SaturationState::kUndefined;
    EXPECT_EQ(judge(silent), Verdict::kUndecided);
    // Margins of the config.
    EXPECT_EQ(judge(saturated(0.5 * paper, 0.4 * paper, 0.9 * paper),
                    {.saturation_factor = 1.25}),
              Verdict::kSupported);
    EXPECT_EQ(judge(saturated(0.5 * paper, 0.4 * paper, 0.6 * paper),
                    {.saturation_rule = "within"}),
              Verdict::kSupported);
    // Of other families and mappings nothing is said.
    Saturation other = saturated(paper, 0.8 * paper, 1.2 * paper);
    other.key.mapping = "logistic_ridge";
    EXPECT_EQ(judge(other), Verdict::kNotMeasured);
  }
}

TEST(VerdictTest, OfTwoSetsOfTargetUnitsTheLargerSpeaks) {
  VerdictInput input;
  input.saturations = {Saturated("units", "post_relu", 500, 400, 600),
                       Saturated("units", "post_relu", 50, 40, 60)};
  input.saturations[0].key.num_target_units = 192;
  input.saturations[1].key.num_target_units = 64;
  const VerdictLine line = Line(MakeVerdicts(input, {}), "saturation units post_relu");
  EXPECT_EQ(line.verdict, Verdict::kSupported);
  EXPECT_THAT(line.cases, SizeIs(1));
}

TEST(VerdictTest, StimuliAreJudgedWhereMostAreNeeded) {
  VerdictInput input;
  input.saturations = {Saturated("stimuli", "post_relu", 60, 50, 70),
                       Saturated("stimuli", "post_relu", 480, 400, 600)};
  input.saturations[1].key.layer = "conv3";
  VerdictLine line = Line(MakeVerdicts(input, {}), "stimuli");
  EXPECT_EQ(line.verdict, Verdict::kSupported);
  EXPECT_EQ(line.cases[0].place, "conv3");
  EXPECT_EQ(line.reason, "2 compared, most needed at conv3");
  input.saturations.push_back(NotSaturated("stimuli", "post_relu", 8000, 6));
  input.saturations[2].key.layer = "conv4";
  line = Line(MakeVerdicts(input, {}), "stimuli");
  EXPECT_EQ(line.verdict, Verdict::kNotSupported);
  EXPECT_EQ(line.cases[0].evidence, "not saturated at 8000");
  input.saturations[2].point.largest_size = 400;
  EXPECT_EQ(Judge(input, "stimuli"), Verdict::kUndecided);
}

Calibration Calibrated(const std::string& area, double neurons, double low, double high) {
  Calibration calibration;
  calibration.models.key.layer = "conv2";
  calibration.animals.key.layer = area;
  calibration.models.animals = calibration.animals.animals = {"a", "b", "c", "d"};
  calibration.ratio = CalibratedRatio{};
  calibration.ratio->needed = Saturated("", "", neurons, low, high).point;
  return calibration;
}

TEST(VerdictTest, NeuronsAreJudgedWhereMostAreNeeded) {
  VerdictInput input;
  input.calibrations = {Calibrated("VISp", 120, 100, 140),
                        Calibrated("VISl", 280, 200, 350)};
  VerdictLine line = Line(MakeVerdicts(input, {}), "neurons");
  EXPECT_EQ(line.verdict, Verdict::kSupported);
  EXPECT_EQ(line.cases[0].place, "area VISl, layer conv2");
  EXPECT_EQ(line.cases[0].evidence, "280 [200, 350]");
  input.simulated_animals = true;
  line = Line(MakeVerdicts(input, {}), "neurons");
  EXPECT_THAT(line.reason, HasSubstr("SIMULATED animals"));
  input.calibrations.push_back(Calibrated("VISam", 900, 700, 1200));
  EXPECT_EQ(Judge(input, "neurons"), Verdict::kNotSupported);
  input.calibrations.push_back(Calibrated("VISpm", 1000, NAN, NAN));
  EXPECT_EQ(Judge(input, "neurons"), Verdict::kUndecided);
  // A ratio at the edge of its range is no ratio.
  for (Calibration& calibration : input.calibrations) calibration.ratio->at_edge = true;
  line = Line(MakeVerdicts(input, {}), "neurons");
  EXPECT_EQ(line.verdict, Verdict::kNotMeasured);
  EXPECT_THAT(line.reason, HasSubstr("every fit was refused or ended at a bound"));
}

TEST(VerdictTest, WithoutDataItSaysWhatWouldMeasureEachClaim) {
  const std::vector<VerdictLine> lines = MakeVerdicts({}, {});
  ASSERT_THAT(lines, SizeIs(10));
  for (const VerdictLine& line : lines) {
    EXPECT_EQ(line.verdict, Verdict::kNotMeasured) << line.name;
    EXPECT_THAT(line.reason, HasSubstr("measures it"));
  }
}

TEST(VerdictTest, TextAndJsonNameClaimVerdictRuleAndEvidence) {
  VerdictInput input;
  Add({.r2 = 0.8}, input.compare);
  Add({.stage = "pre_relu", .r2 = 0.85}, input.compare);
  const std::vector<VerdictLine> lines = MakeVerdicts(input, {});
  EXPECT_THAT(
      VerdictText(lines),
      AllOf(HasSubstr("supported      ridge before the ReLU is above ridge after it"),
            HasSubstr("1 of 1 for it, 0 against. Rule: interval of the difference "
                      "above 0."),
            HasSubstr("0.050 [0.050, 0.050]"), HasSubstr("not measured ")));
  const auto json = nlohmann::json::parse(VerdictJson(lines));
  EXPECT_EQ(json[0]["name"], "relu");
  EXPECT_EQ(json[0]["verdict"], "supported");
  EXPECT_EQ(json[0]["cases"][0]["evidence"], "0.050 [0.050, 0.050]");
}

}  // namespace
}  // namespace iat
