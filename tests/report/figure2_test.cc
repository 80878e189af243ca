#include "report/figure2.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "absl/strings/str_split.h"
#include "base/csv.h"
#include "base/file.h"
#include "report/curve_chart.h"
#include "report/gnuplot.h"
#include "report/report.h"
#include "tests/report/figure2_fixture.h"
#include "tests/report/markup_check.h"
#include "tests/report/report_fixture.h"
#include "tests/report/temporary_folder.h"

namespace iat {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Figure2CaptionTest, NamesEveryNumberThatMatters) {
  const std::string caption = Figure2Caption(MadeUpFigure2());
  EXPECT_THAT(
      caption,
      AllOf(HasSubstr("all units of one other animal predict each of 10 target animals"),
            HasSubstr("drawn from 9 other animals pooled into one, 8,000 fit stimuli, 10 "
                      "target animals"),
            HasSubstr("5 subsamples a size, 1 split, 256 target units (ridge); 2 "
                      "subsamples a size, 1 split, 64 target units (LogisticRidge (hard "
                      "gate))"),
            HasSubstr("95 % intervals over target animals"), HasSubstr("animals − 1"),
            HasSubstr("trained: SimCLR, 6 epochs of 10,000 images. Stimuli held-out, "
                      "2,000 to test.")));
  EXPECT_THAT(caption, AllOf(Not(HasSubstr("SIMULATED")), Not(HasSubstr("Triangles")),
                             Not(HasSubstr("not drawn"))));
}

TEST(Figure2CaptionTest, SaysWhatIsSimulatedCutAndWithoutInterval) {
  Figure2Data data = MadeUpFigure2();
  data.simulated = true;
  for (Figure2Curve& curve : data.curves) {
    for (Figure2Point& point : curve.points) point.low = point.high = NAN;
  }
  data.curves[0].points[0].mean = -0.7;
  EXPECT_THAT(
      Figure2Caption(data),
      AllOf(HasSubstr("SIMULATED DATA. "), HasSubstr("Too few animals"),
            HasSubstr("Values below −0.2 are not drawn."), Not(HasSubstr("Bands"))));
}

TEST(Figure2ValidateTest, NamesWhatIsWrong) {
  const auto message = [](const Figure2Data& data) {
    const absl::Status status = ValidateFigure2(data);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_TRUE(ValidateFigure2(MadeUpFigure2()).ok());
  EXPECT_THAT(message({}), HasSubstr("there are no curves to draw"));
  Figure2Data data = MadeUpFigure2();
  data.curves.push_back(data.curves[0]);
  EXPECT_EQ(message(data),
            "figure 2: stimuli, conv1, post_relu, logistic_ridge: two curves; expected "
            "one");
  data = MadeUpFigure2();
  data.curves[0].axis = "neurons";
  EXPECT_EQ(message(data), "figure 2: an axis is \"neurons\"; expected stimuli or units");
  data = MadeUpFigure2();
  data.curves[0].points[1].size = data.curves[0].points[0].size;
  EXPECT_EQ(message(data),
            "figure-2: stimuli post_relu, conv1 logistic_ridge: x is 8 after 8; expected "
            "rising values above 0");
  data = MadeUpFigure2();
  data.curves[0].points[1].low = 2;
  EXPECT_THAT(message(data), HasSubstr("expected low <= value <= high"));
  data = MadeUpFigure2();
  for (Figure2Curve& curve : data.curves) curve.points.clear();
  EXPECT_EQ(message(data),
            "figure-2: there is nothing to draw; expected a curve with a finite value");
}

class Figure2DrawTest : public ::testing::Test {
 protected:
  void Draw(const Figure2Data& data, const FigureOptions& options = {}) {
    const absl::Status status = DrawFigure2(data, folder_.path(), options);
    ASSERT_TRUE(status.ok()) << status;
  }
  std::string Read(const std::string& name) {
    const auto text = ReadFile(folder_.path() / name);
    EXPECT_TRUE(text.ok()) << text.status();
    return text.value_or("");
  }
  // A copy to look at, where KEEP_FIGURES names a folder.
  void Keep(const std::string& name) {
    if (const char* keep = std::getenv("KEEP_FIGURES")) {
      for (const char* extension : {".svg", ".pdf", ".png", ".gp", ".csv"}) {
        ASSERT_TRUE(WriteFileAtomically(std::filesystem::path(keep) / (name + extension),
                                        Read(absl::StrCat("figure-2", extension)))
                        .ok());
      }
    }
  }
  TemporaryFolder folder_;
};

TEST_F(Figure2DrawTest, LeavesFiveWholeFilesWithEveryNumberAndLabel) {
  const Figure2Data data = MadeUpFigure2();
  Draw(data);
  Keep("whole");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_.path()), {}), 5)
      << "something temporary was left";
  EXPECT_EQ(Read("figure-2.pdf").substr(0, 5), "%PDF-");
  const std::string svg = Read("figure-2.svg");
  EXPECT_EQ(MarkupProblem(svg), "");
  for (const char* label : {"conv1", "conv5", "ridge", "LogisticRidge (hard gate)",
                            "95 % interval", "before the ReLU", "after the ReLU",
                            "fit stimuli", "source units", "median R²"}) {
    EXPECT_THAT(svg, HasSubstr(absl::StrCat(">", label, "<")));
  }
  EXPECT_THAT(svg, Not(HasSubstr("SIMULATED")));
  const auto table = ParseCsv(Read("figure-2.csv"), "figure-2.csv");
  ASSERT_TRUE(table.ok()) << table.status();
  size_t num_points = 0;
  for (const Figure2Curve& curve : data.curves) {
    for (const Figure2Point& point : curve.points) {
      const std::vector<std::string> row = {absl::StrCat(curve.axis, " ", curve.stage),
                                            absl::StrCat(curve.layer, " ", curve.mapping),
                                            "curve",
                                            absl::StrCat(point.size),
                                            FormatNumber(point.mean),
                                            FormatNumber(point.low),
                                            FormatNumber(point.high)};
      EXPECT_EQ(std::count(table->rows.begin(), table->rows.end(), row), 1);
      ++num_points;
    }
  }
  EXPECT_EQ(table->rows.size(), num_points);
}

TEST_F(Figure2DrawTest, SameDataSameBytesAndTheScriptMakesThemAgain) {
  Draw(MadeUpFigure2());
  const std::string svg = Read("figure-2.svg");
  std::filesystem::remove(folder_.path() / "figure-2.svg");
  ASSERT_TRUE(RunGnuplot("gnuplot", folder_.path(), "figure-2.gp").ok());
  EXPECT_EQ(Read("figure-2.svg"), svg);
}

// Places of all points of one shape and colour, in the order of drawing.
std::vector<std::pair<double, double>> Places(const std::string& svg,
                                              const std::string& shape,
                                              const std::string& colour) {
  std::vector<std::pair<double, double>> places;
  for (const absl::string_view line : absl::StrSplit(svg, '\n')) {
    if (!absl::StrContains(line, "<use xlink:href='#" + shape + "'") ||
        !absl::StrContains(line, "color='" + colour + "'")) {
      continue;
    }
    const size_t start = line.find("translate(") + 10, comma = line.find(',', start);
    places.emplace_back(std::strtod(line.data() + start, nullptr),
                        std::strtod(line.data() + comma + 1, nullptr));
  }
  return places;
}

TEST_F(Figure2DrawTest, PointsStandWhereTheLogAxisPutsThem) {
  Figure2Data data;
  data.curves.push_back({.axis = "stimuli",
                         .layer = "conv1",
                         .stage = "pre_relu",
                         .mapping = "ridge",
                         .points = {{10, 0.2}, {100, 0.6}, {10000, 0.8}}});
  data.family = "trained";
  Draw(data);
  // The last is the legend's.
  const auto places = Places(Read("figure-2.svg"), "gpPt6", "rgb(  0, 114, 178)");
  ASSERT_EQ(places.size(), 4u);
  constexpr double kPixels = 0.15;  // gnuplot rounds to 0.1
  const double decade = places[1].first - places[0].first;
  EXPECT_GT(decade, 50);
  EXPECT_NEAR(places[2].first - places[1].first, 2 * decade, 3 * kPixels);
  const double per_unit = (places[0].second - places[2].second) / 0.6;
  EXPECT_GT(per_unit, 50);
  EXPECT_NEAR(places[0].second - places[1].second, 0.4 * per_unit, kPixels);
}

TEST_F(Figure2DrawTest, SaturationIsMarkedOnTheAxis) {
  Figure2Data data = MadeUpFigure2();
  for (Figure2Curve& curve : data.curves) {
    if (curve.mapping == "ridge") curve.saturation = {500, 300, 900};
  }
  data.saturation_rule = "95 % of the R² at the largest size";
  FigureOptions options;
  options.width_mm = 85;
  Draw(data, options);
  Keep("narrow");
  EXPECT_THAT(Read("figure-2.svg"), HasSubstr(">saturation<"));
  EXPECT_THAT(Read("figure-2.csv"),
              HasSubstr("stimuli post_relu,conv1 ridge,mark,500,nan,300,900"));
  EXPECT_THAT(Figure2Caption(data),
              HasSubstr("Triangles on the axis: 95 % of the R² at the largest size."));
  // One in each of the four panels.
  EXPECT_EQ(Places(Read("figure-2.svg"), "gpPt8", "rgb(  0, 114, 178)").size(), 4u);
}

TEST_F(Figure2DrawTest, SimulatedDataSayIt) {
  Figure2Data data = MadeUpFigure2();
  data.simulated = true;
  Draw(data);
  EXPECT_THAT(Read("figure-2.svg"), HasSubstr(">SIMULATED DATA<"));
}

TEST_F(Figure2DrawTest, FewPointsGapsAndOneAxisStillDraw) {
  Figure2Data data = MadeUpFigure2();
  data.curves.resize(3);
  data.curves[0].points.resize(1);
  data.curves[1].points.clear();
  for (Figure2Point& point : data.curves[2].points) point.low = point.high = NAN;
  data.curves[2].points[4].mean = NAN;
  data.curves[2].layer = "V1's 50% `touch stolen`";
  Draw(data);
  EXPECT_THAT(Read("figure-2.svg"), HasSubstr("V1's 50% `touch stolen`"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "stolen"));
}

TEST_F(Figure2DrawTest, TheReportHoldsItWithItsNumbers) {
  const Figure2Data data = MadeUpFigure2();
  Draw(data);
  ReportData report = MadeUpReport();
  report.figures.push_back(Figure2ForReport(data, Read("figure-2.svg")));
  const auto html = ReportHtml(report);
  ASSERT_TRUE(html.ok()) << html.status();
  EXPECT_EQ(MarkupProblem(*html), "");
  EXPECT_THAT(*html,
              AllOf(HasSubstr("id=\"figure-2\""), HasSubstr("figure-2-gpPt6"),
                    HasSubstr("<th scope=\"row\">conv5</th><td>before the "
                              "ReLU</td><td>units</td><td>ridge</td><td>2,304</td>")));
}

}  // namespace
}  // namespace iat
