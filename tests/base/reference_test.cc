#include "base/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace iat {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Inner {
  double temperature = 0.2;
  void Describe(OptionVisitor& v) {
    v.Number("temperature", temperature, {.min = 0.0, .max = 2.5, .min_excluded = true},
             "divides similarities");
  }
};

struct Everything {
  bool flag = true;
  int64_t count = 3, free = -1;
  double share = 0.5;
  std::string text = "a", choice = "hard", path, silent;
  std::vector<int64_t> integers = {0, 1};
  std::vector<double> numbers = {0.5, 2.0};
  std::vector<std::string> choices = {"x"}, paths = {"p"};
  Inner inner;
  void Describe(OptionVisitor& v) {
    v.Flag("flag", flag, "yes | no");
    v.Integer("count", count, {.min = 0, .max = 100}, "how many");
    v.Integer("free", free, {}, "any");
    v.Number("share", share, {.min = 0.0, .max = 1.0, .max_excluded = true}, "part");
    v.Text("text", text, "words");
    v.Choice("choice", choice, {"hard", "soft"}, "gate");
    v.Path("path", path, "where");
    v.Integers("integers", integers, {.min = 0}, "seeds");
    v.Numbers("numbers", numbers, {}, "grid");
    v.Choices("choices", choices, {"x", "y"}, "some");
    v.Paths("paths", paths, "places");
    v.Text("silent", silent, "");
    v.Table("inner", "a table inside",
            [this](OptionVisitor& inner_v) { inner.Describe(inner_v); });
  }
};

class ReferencePageTest : public ::testing::Test {
 protected:
  ReferencePageTest() {
    page_.AddTable("all", "everything there is",
                   [&](OptionVisitor& v) { options_.Describe(v); });
  }
  Everything options_;
  ReferencePage page_;
};

TEST_F(ReferencePageTest, EveryKindOfKeyIsARowWithItsRangeAndDefault) {
  for (const char* row : {
           "## [all]\n\neverything there is\n\n"
           "| key | value | default | meaning |\n| --- | --- | --- | --- |\n",
           "| `flag` | true or false | `true` | yes \\| no |\n",
           "| `count` | whole number >= 0 and <= 100 | `3` | how many |\n",
           "| `free` | whole number | `-1` | any |\n",
           "| `share` | number >= 0 and < 1 | `0.5` | part |\n",
           "| `text` | text | `\"a\"` | words |\n",
           "| `choice` | one of `hard`, `soft` | `\"hard\"` | gate |\n",
           "| `path` | path | `\"\"` | where |\n",
           "| `integers` | list of whole numbers >= 0 | `[0, 1]` | seeds |\n",
           "| `numbers` | list of numbers | `[0.5, 2.0]` | grid |\n",
           "| `choices` | list of `x`, `y` | `[\"x\"]` | some |\n",
           "| `paths` | list of paths | `[\"p\"]` | places |\n",
           "### [all.inner]\n\na table inside\n\n",
           "| `temperature` | number > 0 and <= 2.5 | `0.2` | divides similarities |\n",
       }) {
    EXPECT_THAT(page_.markdown(), HasSubstr(row));
  }
}

TEST_F(ReferencePageTest, KeysAreListedWithTheirTablesAndSilentOnesNamed) {
  EXPECT_THAT(
      page_.keys(),
      ElementsAre("all.flag", "all.count", "all.free", "all.share", "all.text",
                  "all.choice", "all.path", "all.integers", "all.numbers", "all.choices",
                  "all.paths", "all.silent", "all.inner.temperature"));
  EXPECT_THAT(page_.undocumented(), ElementsAre("all.silent"));
}

}  // namespace
}  // namespace iat
