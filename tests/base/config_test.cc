#include "base/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/fingerprint.h"

namespace iat {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Ridge {
  double ridge_penalty = 1.0;
  std::vector<double> grid = {0.5};
  void Describe(OptionVisitor& v) {
    v.Number("ridge_penalty", ridge_penalty, {.min = 0.0}, "");
    v.Numbers("grid", grid, {.min = 0.0, .min_excluded = true}, "");
  }
};

struct Compare {
  int64_t pairs_from = 4;
  bool both_directions = true;
  std::string gate = "hard";
  std::string title = "none";
  std::vector<std::string> mappings = {"ridge"};
  std::vector<std::string> paths;
  Ridge ridge;
  void Describe(OptionVisitor& v) {
    v.Integer("pairs_from", pairs_from, {.min = 2, .max = 100}, "");
    v.Flag("both_directions", both_directions, "");
    v.Choice("gate", gate, {"hard", "soft"}, "");
    v.Text("title", title, "");
    v.Choices("mappings", mappings, {"ridge", "logistic_ridge"}, "");
    v.Paths("paths", paths, "");
    v.Table("ridge", "", [this](OptionVisitor& inner) { ridge.Describe(inner); });
  }
};

std::string ErrorOf(const std::string& text,
                    const std::vector<std::string>& overrides = {}) {
  auto config = ConfigDocument::Parse(text, "c.toml", overrides);
  if (!config.ok()) return std::string(config.status().message());
  Compare options;
  config->Read("compare", options);
  return std::string(config->Finish().message());
}

TEST(ConfigTest, ReadsEveryKind) {
  ::setenv("IAT_TEST_FOLDER", "/data", 1);
  auto config = ConfigDocument::Parse(R"(
[compare]
pairs_from = 3
both_directions = false
gate = "soft"
title = "a \"b\""
mappings = ["logistic_ridge", "ridge"]
paths = ["${IAT_TEST_FOLDER}/x", "y"]
[compare.ridge]
ridge_penalty = 2
grid = [1, 2.5]
)",
                                      "c.toml", {"compare.ridge.ridge_penalty=7"});
  ASSERT_TRUE(config.ok()) << config.status();
  Compare options;
  config->Read("compare", options);
  ASSERT_TRUE(config->Finish().ok()) << config->Finish();
  EXPECT_EQ(options.pairs_from, 3);
  EXPECT_FALSE(options.both_directions);
  EXPECT_EQ(options.gate, "soft");
  EXPECT_EQ(options.title, "a \"b\"");
  EXPECT_THAT(options.mappings, ElementsAre("logistic_ridge", "ridge"));
  EXPECT_THAT(options.paths, ElementsAre("/data/x", "y"));
  EXPECT_EQ(options.ridge.ridge_penalty, 7.0);
  EXPECT_THAT(options.ridge.grid, ElementsAre(1.0, 2.5));

  // What is written out reads back the same.
  const std::string text = "[compare]\n" + OptionsText(options);
  auto again = ConfigDocument::Parse(text, "resolved.toml", {});
  ASSERT_TRUE(again.ok()) << again.status() << text;
  Compare back;
  again->Read("compare", back);
  ASSERT_TRUE(again->Finish().ok()) << again->Finish();
  EXPECT_EQ(OptionsText(back), OptionsText(options));
}

TEST(ConfigTest, UnknownKeysNameTheNearest) {
  EXPECT_EQ(ErrorOf("[compare]\npairs_form = 3\n"),
            "c.toml:2: unknown key \"compare.pairs_form\"; did you mean "
            "\"compare.pairs_from\"?");
  EXPECT_EQ(ErrorOf("[compare.ridge]\n\nridge_penality = 3\n"),
            "c.toml:3: unknown key \"compare.ridge.ridge_penality\"; did you mean "
            "\"compare.ridge.ridge_penalty\"?");
  EXPECT_EQ(ErrorOf("[comapre]\n"),
            "c.toml:1: unknown table \"comapre\"; did you mean \"compare\"?");
  EXPECT_THAT(
      ErrorOf("[compare]\nxyzzy = 1\n"),
      HasSubstr("unknown key \"compare.xyzzy\"; expected one of compare.both_dir"));
}

TEST(ConfigTest, WrongTypesAndRangesNameLineKeyValueAndWhatIsAllowed) {
  EXPECT_EQ(
      ErrorOf("[compare]\npairs_from = \"four\"\n"),
      "c.toml:2: compare.pairs_from is \"four\"; expected a whole number >= 2 and <= "
      "100");
  EXPECT_EQ(
      ErrorOf("[compare]\npairs_from = 2.5\n"),
      "c.toml:2: compare.pairs_from is 2.5; expected a whole number >= 2 and <= 100");
  EXPECT_EQ(ErrorOf("[compare]\n\npairs_from = 1\n"),
            "c.toml:3: compare.pairs_from is 1; expected a whole number >= 2 and <= 100");
  EXPECT_EQ(ErrorOf("[compare.ridge]\nridge_penalty = -1\n"),
            "c.toml:2: compare.ridge.ridge_penalty is -1; expected a number >= 0");
  EXPECT_EQ(ErrorOf("[compare.ridge]\ngrid = [1, 0]\n"),
            "c.toml:2: compare.ridge.grid[1] is 0; expected a number > 0");
  EXPECT_EQ(ErrorOf("[compare]\nboth_directions = 1\n"),
            "c.toml:2: compare.both_directions is 1; expected true or false");
  EXPECT_EQ(
      ErrorOf("[compare]\ngate = \"sofd\"\n"),
      "c.toml:2: compare.gate is \"sofd\"; expected one of \"hard\", \"soft\"; did you "
      "mean \"soft\"?");
  EXPECT_EQ(ErrorOf("[compare]\nmappings = [\"ridge\", \"ridge\"]\n"),
            "c.toml:2: compare.mappings[1] is \"ridge\"; expected one of \"ridge\", "
            "\"logistic_ridge\", none twice");
  EXPECT_EQ(ErrorOf("compare = 3\n"),
            "c.toml:1: compare is a whole number; expected a table");
}

TEST(ConfigTest, TheFirstProblemOfTheFileIsReported) {
  EXPECT_THAT(ErrorOf("[compare]\nxyzzy = 1\npairs_from = 1\n"), HasSubstr("c.toml:2"));
}

TEST(ConfigTest, OverridesAreCheckedAndNamed) {
  EXPECT_EQ(
      ErrorOf("", {"compare.pairs_from=1"}),
      "--set compare.pairs_from=1: compare.pairs_from is 1; expected a whole number >= "
      "2 and <= 100");
  EXPECT_EQ(
      ErrorOf("", {"compare.pairs_form=1"}),
      "--set compare.pairs_form=1: unknown key \"compare.pairs_form\"; did you mean "
      "\"compare.pairs_from\"?");
  EXPECT_EQ(ErrorOf("", {"compare.gate=soft"}), "");  // a bare word is text
  EXPECT_EQ(ErrorOf("", {"nothing"}), "--set nothing: expected table.key=value");
}

TEST(ConfigTest, UnsetVariablesAndBrokenTomlAreNamed) {
  EXPECT_EQ(ErrorOf("[compare]\npaths = \"${IAT_NOT_SET}/x\"\n"),
            "c.toml:2: compare.paths is \"${IAT_NOT_SET}/x\": environment variable "
            "IAT_NOT_SET is not set; export IAT_NOT_SET=...");
  EXPECT_THAT(ErrorOf("[compare\n"), HasSubstr("c.toml:1: not TOML: "));
  EXPECT_THAT(ErrorOf("[%"), HasSubstr("c.toml:1: not TOML: "));
  // Undefined behaviour in the parser as it comes; the sanitizers' preset watches.
  for (const char* line :
       {"é = 1", "couché = 1", "[é]", "gate = 1é", "gate = \"a\"é", "paths = {é = 1}"}) {
    const std::string error = ErrorOf(absl::StrCat("[compare]\n", line));
    EXPECT_TRUE(absl::StartsWith(error, "c.toml:2: not TOML: ")) << error;
    EXPECT_TRUE(absl::EndsWith(
        error, "saw 'é'; without quotes a name is ASCII letters, digits, - and _"))
        << error;
  }
  EXPECT_THAT(ErrorOf("[compare]\ngate = é"), HasSubstr("c.toml:2: not TOML: "));
  EXPECT_EQ(ErrorOf("[compare]\ntitle = \"\"\"é\\\n  ü\"\"\"  # ß"), "");
}

TEST(ConfigTest, ListsNamedTables) {
  auto config = ConfigDocument::Parse("[stimuli.b]\n[stimuli.a]\n", "c.toml", {});
  ASSERT_TRUE(config.ok());
  EXPECT_THAT(config->TableNames("stimuli"), ElementsAre("a", "b"));
  EXPECT_TRUE(config->TableNames("none").empty());
}

}  // namespace
}  // namespace iat
