// iat compare on two matrices, and --list, as a user runs them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/random.h"
#include "tests/app/run_command.h"

namespace iat {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class ArrayCommandTest : public ::testing::Test {
 protected:
  static constexpr int kStimuli = 200, kUnits = 4;

  ArrayCommandTest() : folder_("array_command_test") {
    a_ = folder_ / "a.npy";
    b_ = folder_ / "b.npy";
    Save(a_, 1.0, 0.0);
    Save(b_, 2.0, 0.0);
  }

  // Rectified normal numbers times `scale`, the same ones every time, plus `shift`.
  static void Save(const std::string& path, double scale, double shift,
                   int num_stimuli = kStimuli) {
    std::string header = "{'descr': '<f8', 'fortran_order': False, 'shape': (" +
                         std::to_string(num_stimuli) + ", " + std::to_string(kUnits) +
                         "), }";
    header.resize(118 - 1, ' ');
    header += '\n';
    std::string bytes("\x93NUMPY\x01\x00\x76\x00", 10);
    bytes += header;
    RandomStream stream(1, "test");
    for (int i = 0; i < num_stimuli * kUnits; ++i) {
      const double value = std::max(stream.Normal(), 0.0) * scale + shift;
      bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
    }
    WriteText(path, bytes);
  }

  void ExpectFailure(const std::vector<std::string>& arguments, int exit_code,
                     const std::string& message) {
    const CommandResult result = RunCommand(arguments);
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    EXPECT_THAT(result.err, HasSubstr(message));
    EXPECT_EQ(result.out, "");
  }

  TemporaryFolder folder_;
  std::string a_, b_;
};

TEST_F(ArrayCommandTest, TwoMatricesOneLine) {
  const CommandResult result = RunCommand({"compare", "--source", a_, "--target", b_});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, StartsWith("source  " + a_ + ": 200 stimuli x 4 units\n"));
  EXPECT_THAT(result.out, HasSubstr("R2 on 40 test stimuli after fitting on 160"));
  EXPECT_THAT(result.out, HasSubstr("\nridge                     1.0000  1.0000 ... "));
  EXPECT_THAT(result.out, HasSubstr("\ncka                                   1  "));
  EXPECT_THAT(result.err, HasSubstr("the target is taken as post_relu, since no value is "
                                    "below 0; --target-stage says otherwise\n"));
}

TEST_F(ArrayCommandTest, MappingsMetricsJsonAndUnits) {
  const std::string units = folder_ / "out/units.csv";
  const CommandResult result = RunCommand({"compare",
                                           "--source",
                                           a_,
                                           "--target",
                                           b_,
                                           "--mapping",
                                           "ridge,logistic_ridge",
                                           "--metric",
                                           "cka,procrustes_distance",
                                           "--test-fraction",
                                           "0.25",
                                           "--splits",
                                           "2",
                                           "--target-stage",
                                           "post_relu",
                                           "--set",
                                           "compare.metric.distance_scale=raw",
                                           "--set",
                                           "compare.ridge.num_penalties=5",
                                           "--json",
                                           "--quiet",
                                           "--units",
                                           units,
                                           "--jobs",
                                           "2"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["num_test_stimuli"], 50);
  EXPECT_EQ(json["mappings"].size(), 2u);
  EXPECT_EQ(json["mappings"][1]["name"], "logistic_ridge");
  EXPECT_EQ(json["mappings"][1]["splits"].size(), 2u);
  EXPECT_GT(json["mappings"][0]["median_r2"], 0.999);
  EXPECT_NEAR(json["metrics"][0]["value"], 1.0, 1e-9);
  // Twice the source: as far away as the source is from 0.
  EXPECT_GT(json["metrics"][1]["value"], 1.0);
  const std::string csv = ReadFile(units).value_or("");
  EXPECT_THAT(csv, StartsWith("mapping,split_seed,unit,r2,"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 2 * 2 * kUnits);
}

TEST_F(ArrayCommandTest, AMetricAloneNeedsNoFit) {
  const CommandResult result =
      RunCommand({"compare", "--source", a_, "--target", b_, "--metric", "rsa"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("\nrsa "));
  EXPECT_THAT(result.out, Not(HasSubstr("ridge")));
  EXPECT_THAT(result.err, Not(HasSubstr("taken as")));
}

TEST_F(ArrayCommandTest, BadUsageIsExitCode2) {
  ExpectFailure({"compare"}, 2, "CONFIG, or --source and --target, is required");
  ExpectFailure({"compare", "--source", a_}, 2, "--source requires --target");
  ExpectFailure({"compare", "--mapping", "ridge"}, 2, "--mapping requires --source");
  ExpectFailure({"compare", "x.toml", "--source", a_, "--target", b_}, 2, "CONFIG");
  ExpectFailure({"compare", "--source", a_, "--target", b_, "--mapping", "rigde"}, 2,
                "iat: no mapping \"rigde\"; did you mean \"ridge\"?");
  ExpectFailure({"compare", "--source", a_, "--target", b_, "--metric", "ckaa"}, 2,
                "iat: no metric \"ckaa\"; did you mean \"cka\"?");
  ExpectFailure({"compare", "--source", a_, "--target", b_, "--test-fraction", "2"}, 2,
                "iat: the test fraction is 2; expected a number > 0 and < 1");
  ExpectFailure({"compare", "--source", a_, "--target", b_, "--target-stage", "post"}, 2,
                "--target-stage");
  ExpectFailure(
      {"compare", "--source", a_, "--target", b_, "--set", "compare.metric.shape_alfa=0"},
      2, "did you mean \"compare.metric.shape_alpha\"?");
  ExpectFailure({"compare", "--source", a_, "--target", b_, "--out", "x"}, 2,
                "--out, --seeds and --dry-run go with a CONFIG");
}

TEST_F(ArrayCommandTest, BadDataIsExitCode1) {
  ExpectFailure({"compare", "--source", folder_ / "none.npy", "--target", b_}, 1,
                "iat: " + (folder_ / "none.npy") + ": no such file\n");
  Save(b_, 2.0, 0.0, 150);
  ExpectFailure({"compare", "--source", a_, "--target", b_}, 1,
                "iat: " + a_ + " has 200 stimuli, " + b_ +
                    " has 150; expected responses to the same stimuli\n");
  Save(b_, 2.0, -1.0);
  ExpectFailure(
      {"compare", "--source", a_, "--target", b_, "--mapping", "logistic_ridge"}, 1,
      "iat: " + b_ + " has values below 0: ");
}

TEST_F(ArrayCommandTest, ListNamesEveryMappingAndMetric) {
  const CommandResult result = RunCommand({"compare", "--list"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const char* line :
       {"\n  ridge", "\n  logistic_ridge_soft",
        "\n  cka                        similarity, linear centred kernel alignment\n",
        "\n  pwcca                      similarity, canonical correlations weighted by "
        "how "
        "much of the activity each holds (not symmetric)\n"}) {
    EXPECT_THAT(result.out, HasSubstr(line));
  }
  const CommandResult as_json = RunCommand({"compare", "--list", "--json"});
  ASSERT_EQ(as_json.exit_code, 0) << as_json.err;
  const auto json = nlohmann::json::parse(as_json.out);
  EXPECT_GE(json["mappings"].size(), 5u);
  for (const auto& mapping : json["mappings"]) {
    EXPECT_NE(mapping["description"], "") << mapping["name"];
  }
  EXPECT_EQ(json["metrics"][0]["name"], "cca");
  EXPECT_EQ(json["metrics"][3]["direction"], "distance");
  ExpectFailure({"compare", "--list", "--source", a_, "--target", b_}, 2, "--list");
}

}  // namespace
}  // namespace iat
