#include "report/figure1.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "absl/strings/str_split.h"
#include "base/csv.h"
#include "base/file.h"
#include "report/gnuplot.h"
#include "tests/report/figure1_fixture.h"
#include "tests/report/markup_check.h"
#include "tests/report/temporary_folder.h"

namespace iat {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Two mappings at three layers, chosen so that every place is easy to work out.
Figure1Data Small() {
  Figure1Data data;
  data.family.name = "trained";
  data.family.num_animals = 4;
  data.family.num_pairs = 6;
  for (int i = 0; i < 3; ++i) {
    const std::string layer = absl::StrCat("conv", i + 1);
    data.family.marks.push_back(
        MadeUpMark(layer, "pre_relu", "ridge", 0.9 - 0.1 * i, 0.01));
    data.family.marks.push_back(
        MadeUpMark(layer, "post_relu", "ridge", 0.5 - 0.2 * i, 0.01));
  }
  data.num_fit_stimuli = 8000;
  data.num_test_stimuli = 2000;
  return data;
}

TEST(Figure1CsvTest, HoldsEveryNumberThatIsDrawn) {
  const Figure1Data data = MadeUpFigure1();
  const auto table = ParseCsv(Figure1Csv(data), "figure-1.csv");
  ASSERT_TRUE(table.ok()) << table.status();
  std::map<std::string, std::vector<std::string>> rows;
  for (const auto& row : table->rows) {
    const auto cell = [&](absl::string_view name) { return row[table->Column(name)]; };
    rows[absl::StrCat(cell("panel"), " ", cell("layer"), " ", cell("stage"), " ",
                      cell("mapping"), " ", cell("kind"), " ", cell("source_animal"), " ",
                      cell("target_animal"))] = row;
  }
  ASSERT_EQ(rows.size(), table->rows.size()) << "two rows with the same names";
  size_t num_expected = 0;
  const auto check = [&](const std::string& panel,
                         const std::vector<Figure1Mark>& marks) {
    for (const Figure1Mark& mark : marks) {
      const std::string mapping =
          panel == "permuted" ? "ridge" : mark.mapping;  // column of the true mapping
      const std::string key =
          absl::StrCat(panel, " ", mark.layer, " ", mark.stage, " ", mapping, " ");
      const auto& mean = rows[absl::StrCat(key, "mean  ")];
      ASSERT_EQ(mean.size(), table->columns.size()) << key;
      EXPECT_EQ(mean[table->Column("r2")], FormatNumber(mark.mean));
      EXPECT_EQ(mean[table->Column("low")], FormatNumber(mark.low));
      EXPECT_EQ(mean[table->Column("high")], FormatNumber(mark.high));
      for (const Figure1Pair& pair : mark.pairs) {
        const auto& row =
            rows[absl::StrCat(key, "pair ", pair.source_animal, " ", pair.target_animal)];
        ASSERT_EQ(row.size(), table->columns.size()) << key;
        EXPECT_EQ(row[table->Column("r2")], FormatNumber(pair.r2));
      }
      num_expected += 1 + mark.pairs.size();
    }
  };
  check("trained", data.family.marks);
  check("untrained", data.companion->marks);
  check("permuted", data.permuted);
  EXPECT_EQ(rows.size(), num_expected);
}

TEST(Figure1CsvTest, ColumnsOfALayerDoNotOverlap) {
  const auto table = ParseCsv(Figure1Csv(MadeUpFigure1()), "figure-1.csv");
  ASSERT_TRUE(table.ok());
  // Smallest and largest x of each column of the trained panel, in order.
  std::map<double, double> spans;
  std::map<std::string, std::pair<double, double>> columns;
  for (const auto& row : table->rows) {
    if (row[table->Column("panel")] != "trained") continue;
    const double x = std::stod(row[table->Column("x")]);
    const std::string layer = row[table->Column("layer")];
    EXPECT_EQ(std::round(x), std::stod(layer.substr(4))) << "outside its layer";
    auto [it, fresh] = columns.insert(
        {absl::StrCat(layer, row[table->Column("stage")], row[table->Column("mapping")]),
         {x, x}});
    it->second = {std::min(it->second.first, x), std::max(it->second.second, x)};
  }
  EXPECT_EQ(columns.size(), 30u);
  for (const auto& [name, span] : columns) spans[span.first] = span.second;
  double last = 0;
  for (const auto& [low, high] : spans) {
    EXPECT_GT(low, last);
    last = high;
  }
}

TEST(Figure1LabelTest, NamesMappingsAsThePaperDoes) {
  EXPECT_EQ(MappingLabel("ridge", "pre_relu"), "ridge, pre-ReLU");
  EXPECT_EQ(MappingLabel("logistic_ridge", "post_relu"),
            "LogisticRidge (hard gate), post-ReLU");
  EXPECT_EQ(MappingLabel("ridge_permuted", "recorded"), "ridge, recorded, permuted");
  EXPECT_EQ(MappingLabel("zippering", "post_relu"), "zippering, post-ReLU");
}

TEST(Figure1CaptionTest, NamesEveryNumberThatMatters) {
  const std::string caption = Figure1Caption(MadeUpFigure1());
  EXPECT_THAT(caption,
              AllOf(HasSubstr("95 % intervals"), HasSubstr("animals − 1"),
                    HasSubstr("trained: 4 animals, 6 unordered pairs; SimCLR"),
                    HasSubstr("untrained: 4 animals"),
                    HasSubstr("Stimuli held-out: 8,000 to fit, 2,000 to test"),
                    HasSubstr("10 splits, 250 to 256 scored units (ridge, pre-ReLU"),
                    HasSubstr("2 splits, 250 to 256 scored units (LogisticRidge"),
                    HasSubstr("own R² axis")));
  EXPECT_THAT(caption, AllOf(Not(HasSubstr("SIMULATED")), Not(HasSubstr("No value"))));
}

TEST(Figure1CaptionTest, SaysWhatIsMissing) {
  Figure1Data data = Small();
  for (Figure1Mark& mark : data.family.marks) mark.low = mark.high = NAN;
  data.family.num_animals = 3;
  data.family.marks[2].mean = NAN;
  data.simulated = true;
  const std::string caption = Figure1Caption(data);
  EXPECT_THAT(
      caption,
      AllOf(HasSubstr("SIMULATED DATA"), HasSubstr("No interval for trained (3 animals)"),
            HasSubstr("No value, because no unit could be scored: trained "
                      "conv2 ridge, pre-ReLU.")));
  EXPECT_THAT(caption, Not(HasSubstr("Bars")));
}

TEST(Figure1ValidateTest, NamesWhatIsWrong) {
  const auto message = [](const Figure1Data& data) {
    const absl::Status status = ValidateFigure1(data);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_TRUE(ValidateFigure1(MadeUpFigure1()).ok());
  EXPECT_THAT(message({}), HasSubstr("there are no scores to draw"));

  Figure1Data data = Small();
  data.family.marks.push_back(data.family.marks[0]);
  EXPECT_EQ(message(data),
            "figure 1: trained, conv1, pre_relu, ridge: two marks; expected one");
  data = Small();
  data.family.marks[0].low = 0.95;
  EXPECT_THAT(message(data),
              HasSubstr("interval [0.95, 0.908] of mean 0.9; expected low"));
  data = Small();
  data.family.marks[0].low = NAN;
  EXPECT_THAT(message(data), HasSubstr("or NaN at both ends"));
  data = Small();
  data.family.marks[0].layer = "con\nv1";
  EXPECT_THAT(message(data),
              HasSubstr("a layer is \"con\\nv1\"; expected a name without"));
  data = Small();
  data.family.marks[0].pairs[0].source_animal = "";
  EXPECT_THAT(message(data), HasSubstr("a source animal is \"\""));
  data = MadeUpFigure1();
  data.companion->name = "trained";
  EXPECT_THAT(message(data), HasSubstr("two panels are named \"trained\""));
  data = Small();
  data.family.name = "permuted";
  EXPECT_THAT(message(data), HasSubstr("two panels are named \"permuted\""));
}

class Figure1DrawTest : public ::testing::Test {
 protected:
  std::string Read(const std::string& name) {
    const auto text = ReadFile(folder_.path() / name);
    EXPECT_TRUE(text.ok()) << text.status();
    return text.value_or("");
  }
  TemporaryFolder folder_;
};

TEST_F(Figure1DrawTest, LeavesFiveWholeFilesWithEveryLabel) {
  const Figure1Data data = MadeUpFigure1();
  const absl::Status status = DrawFigure1(data, folder_.path(), {});
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 5)
      << "something temporary was left";
  EXPECT_EQ(Read("figure-1.csv"), Figure1Csv(data));
  EXPECT_EQ(Read("figure-1.gp"), Figure1Script(data, {}));
  EXPECT_EQ(Read("figure-1.pdf").substr(0, 5), "%PDF-");
  EXPECT_EQ(Read("figure-1.png").substr(1, 3), "PNG");
  const std::string svg = Read("figure-1.svg");
  EXPECT_EQ(MarkupProblem(svg), "");
  for (const std::string label :
       {"ridge, pre-ReLU", "ridge, post-ReLU", "clamped ridge, post-ReLU",
        "LogisticRidge (hard gate), post-ReLU", "LogisticRidge (soft gate), post-ReLU",
        "LogisticRidge (tuned gate), post-ReLU", "an ordered pair of animals",
        "mean, 95 % interval over animals", "median R² on", "held-out stimuli", "conv1",
        "conv5", "trained, 4 animals: SimCLR, 6 epochs of 10,000 images",
        "untrained, 4 animals", "trained, stimuli of the target permuted"}) {
    EXPECT_THAT(svg, HasSubstr(">" + label + "<"));
  }
  EXPECT_THAT(svg, Not(HasSubstr("SIMULATED")));
}

TEST_F(Figure1DrawTest, SameDataSameBytes) {
  ASSERT_TRUE(DrawFigure1(MadeUpFigure1(), folder_.path() / "a", {}).ok());
  ASSERT_TRUE(DrawFigure1(MadeUpFigure1(), folder_.path() / "b", {}).ok());
  for (const std::string name : {"figure-1.csv", "figure-1.gp", "figure-1.svg"}) {
    EXPECT_EQ(Read("a/" + name), Read("b/" + name)) << name;
  }
  // Two drawings within one second would agree without our help: the date itself
  // must be gone. (cairo 1.18 hides it in a compressed stream.)
  const std::string pdf = Read("a/figure-1.pdf");
  if (absl::StrContains(pdf, "/CreationDate")) {
    EXPECT_THAT(pdf, HasSubstr("/CreationDate (D:19700101000000"));
    EXPECT_EQ(pdf, Read("b/figure-1.pdf"));
  }
}

TEST_F(Figure1DrawTest, TheScriptMakesThePicturesAgain) {
  ASSERT_TRUE(DrawFigure1(MadeUpFigure1(), folder_.path(), {}).ok());
  const std::string svg = Read("figure-1.svg");
  std::filesystem::remove(folder_.path() / "figure-1.svg");
  std::filesystem::remove(folder_.path() / "figure-1.pdf");
  ASSERT_TRUE(RunGnuplot("gnuplot", folder_.path(), "figure-1.gp").ok());
  EXPECT_EQ(Read("figure-1.svg"), svg);
  EXPECT_EQ(Read("figure-1.pdf").substr(0, 5), "%PDF-");
}

// Heights of all marks of one shape and colour, in the order of drawing.
std::vector<double> MarkHeights(const std::string& svg, const std::string& shape,
                                const std::string& colour) {
  std::vector<double> heights;
  for (const absl::string_view line : absl::StrSplit(svg, '\n')) {
    if (!absl::StrContains(line, "<use xlink:href='#" + shape + "'") ||
        !absl::StrContains(line, "color='" + colour + "'")) {
      continue;
    }
    const size_t comma = line.find(',', line.find("translate("));
    heights.push_back(std::strtod(line.data() + comma + 1, nullptr));
  }
  return heights;
}

TEST_F(Figure1DrawTest, MarksStandWhereTheAxisPutsThem) {
  ASSERT_TRUE(DrawFigure1(Small(), folder_.path(), {}).ok());
  const std::string svg = Read("figure-1.svg");
  // The first of each kind is the legend's.
  const auto pre = MarkHeights(svg, "gpPt6", "rgb(  0, 114, 178)");
  const auto post = MarkHeights(svg, "gpPt4", "rgb(213,  94,   0)");
  ASSERT_EQ(pre.size(), 4u);
  ASSERT_EQ(post.size(), 4u);
  // 0.9, 0.8, 0.7 and 0.5, 0.3, 0.1: gnuplot rounds to 0.1 pixels.
  constexpr double kPixels = 0.15;
  const double per_unit = (post[3] - pre[1]) / 0.8;
  EXPECT_GT(per_unit, 100);
  EXPECT_NEAR(pre[2] - pre[1], 0.1 * per_unit, kPixels);
  EXPECT_NEAR(pre[3] - pre[1], 0.2 * per_unit, kPixels);
  EXPECT_NEAR(post[1] - pre[1], 0.4 * per_unit, kPixels);
  EXPECT_NEAR(post[2] - pre[1], 0.6 * per_unit, kPixels);
}

TEST_F(Figure1DrawTest, AMeanWithoutValueIsACrossAndSaidSo) {
  Figure1Data data = Small();
  data.family.marks[2].mean = data.family.marks[2].low = data.family.marks[2].high = NAN;
  data.family.marks[2].pairs.clear();
  ASSERT_TRUE(DrawFigure1(data, folder_.path(), {}).ok());
  const std::string svg = Read("figure-1.svg");
  EXPECT_THAT(svg, HasSubstr(">no value (no unit could be scored)<"));
  EXPECT_EQ(MarkHeights(svg, "gpPt1", "rgb(  0,   0,   0)").size(),
            2u);  // in legend and panel
  EXPECT_EQ(MarkHeights(svg, "gpPt6", "rgb(  0, 114, 178)").size(), 3u);
  EXPECT_THAT(Read("figure-1.csv"), HasSubstr("trained,conv2,pre_relu,ridge,missing,"));
}

TEST_F(Figure1DrawTest, NothingButMissingValuesStillDraws) {
  Figure1Data data = Small();
  for (Figure1Mark& mark : data.family.marks) {
    mark.mean = mark.low = mark.high = NAN;
    mark.pairs.clear();
  }
  const absl::Status status = DrawFigure1(data, folder_.path(), {});
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(MarkHeights(Read("figure-1.svg"), "gpPt1", "rgb(  0,   0,   0)").size(), 7u);
}

TEST_F(Figure1DrawTest, SimulatedDataSayIt) {
  Figure1Data data = Small();
  data.simulated = true;
  ASSERT_TRUE(DrawFigure1(data, folder_.path(), {}).ok());
  EXPECT_THAT(Read("figure-1.svg"), HasSubstr(">SIMULATED DATA<"));
}

TEST_F(Figure1DrawTest, NamesAreTakenLiterally) {
  Figure1Data data = Small();
  for (Figure1Mark& mark : data.family.marks) {
    if (mark.layer == "conv1") mark.layer = "V1's 50% `touch stolen`";
    mark.label = mark.stage == "pre_relu" ? "a_b^c {/:Bold d} <&>" : "";
  }
  data.family.training = "it's 10% \"of\" @all\nquit";
  const absl::Status status = DrawFigure1(data, folder_.path(), {});
  ASSERT_TRUE(status.ok()) << status;
  const std::string svg = Read("figure-1.svg");
  EXPECT_EQ(MarkupProblem(svg), "");
  EXPECT_THAT(svg, HasSubstr("V1's 50% `touch stolen`"));
  EXPECT_THAT(svg, HasSubstr("a_b^c {/:Bold d} &lt;&amp;>"));
  EXPECT_EQ(MarkHeights(svg, "gpPt6", "rgb(  0, 114, 178)").size(), 4u);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "stolen"));
}

TEST_F(Figure1DrawTest, FailuresLeaveTheOldFigureAndNoLitter) {
  ASSERT_TRUE(DrawFigure1(Small(), folder_.path() / "figures", {}).ok());
  const std::string svg = Read("figures/figure-1.svg");
  FigureOptions options;
  options.gnuplot = "no-such-gnuplot";
  EXPECT_EQ(DrawFigure1(MadeUpFigure1(), folder_.path() / "figures", options).code(),
            absl::StatusCode::kNotFound);
  options.gnuplot = folder_.Program("silent", "exit 0");
  const absl::Status status =
      DrawFigure1(MadeUpFigure1(), folder_.path() / "figures", options);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("ended without an error but left no "
                                                "figure-1.svg"),
                                      HasSubstr("pdfcairo")));
  EXPECT_EQ(Read("figures/figure-1.svg"), svg);
  EXPECT_EQ(Read("figures/figure-1.csv"), Figure1Csv(Small()));
  EXPECT_EQ(
      std::distance(std::filesystem::directory_iterator(folder_.path() / "figures"), {}),
      5);
}

}  // namespace
}  // namespace iat
