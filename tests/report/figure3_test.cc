#include "report/figure3.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "report/curve_chart.h"
#include "report/verdict_section.h"
#include "tests/report/temporary_folder.h"

namespace iat {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

double F(double m) { return 0.3 * std::atan(0.02 * m) - 0.05; }

// An area whose fits hold, and one whose animals were refused.
Figure3Data MadeUpFigure3() {
  Figure3Data data;
  data.stimuli = "scenes";
  data.mapping = "ridge";
  data.num_fit_stimuli = data.num_test_stimuli = 59;
  data.formula = "a ln n + c";
  for (const char* area : {"VISp", "VISam"}) {
    Figure3Panel panel;
    panel.area = area;
    panel.layer = "conv3";
    panel.stage = "post_relu";
    panel.num_models = 10;
    panel.num_animals = 6;
    for (double m = 4; m < 2500; m *= 1.6) {
      panel.models.push_back({m, F(m), 0.006});
      panel.f.push_back({m, F(m), 0});
      panel.calibrated.push_back({2 * m, F(m), 0});
    }
    for (double n = 6; n < 500; n *= 1.7) {
      panel.animals.push_back({n, F(n / 2) + 0.01 * std::sin(n), 0.015});
      panel.g.push_back({n, 0.08 * std::log(n) - 0.15, 0});
    }
    panel.ratio = 2.1;
    panel.ratio_low = 1.7;
    panel.ratio_high = 2.6;
    panel.needed = "640 [520, 800]";
    data.panels.push_back(panel);
  }
  Figure3Panel& refused = data.panels[1];
  refused.g.clear();
  refused.calibrated.clear();
  refused.ratio = refused.ratio_low = refused.ratio_high = NAN;
  refused.needed = "";
  refused.g_refused =
      "nothing is predicted: R2 at the largest size is -0.0150 (spread 0.0040), not "
      "above "
      "0";
  return data;
}

std::string ReadText(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(Figure3Test, DrawsEveryCurveItHasAndTheWordsOfARefusal) {
  const TemporaryFolder folder;
  const absl::Status status = DrawFigure3(MadeUpFigure3(), folder.path(), {});
  ASSERT_TRUE(status.ok()) << status;
  const std::string svg = ReadText(folder.path() / "figure-3.svg");
  EXPECT_THAT(svg, AllOf(HasSubstr("VISp, conv3, post-ReLU: 2.1 neurons per unit"),
                         HasSubstr("VISam, conv3, post-ReLU, animals: nothing is"),
                         HasSubstr("animals: a ln n + c"), Not(HasSubstr("SIMULATED"))));
  EXPECT_THAT(Figure3Caption(MadeUpFigure3()),
              HasSubstr("Not fitted: VISam, conv3, post-ReLU, animals: nothing is "
                        "predicted: R2 at the largest size is -0.0150"));
  EXPECT_THAT(ReadText(folder.path() / "figure-3.pdf"), HasSubstr("%PDF"));
}

TEST(Figure3Test, SimulatedAnimalsAreCalledSoInFigureCaptionAndData) {
  Figure3Data data = MadeUpFigure3();
  data.simulated = true;
  const TemporaryFolder folder;
  ASSERT_TRUE(DrawFigure3(data, folder.path(), {}).ok());
  EXPECT_THAT(ReadText(folder.path() / "figure-3.svg"), HasSubstr("SIMULATED"));
  EXPECT_THAT(Figure3Caption(data), HasSubstr("SIMULATED: the recorded animals are"));
  const ReportFigure figure = MakeReportFigure3(data, "<svg></svg>");
  EXPECT_THAT(figure.title, HasSubstr("SIMULATED"));
  EXPECT_THAT(figure.findings[0], HasSubstr("Simulated animals, VISp"));
}

TEST(Figure3Test, TheChartHoldsEveryPointWithItsStandardError) {
  const Figure3Data data = MadeUpFigure3();
  const CurveChart chart = Figure3Chart(data);
  ASSERT_THAT(chart.panels, SizeIs(2));
  EXPECT_THAT(chart.panels[0].curves, SizeIs(5));
  EXPECT_THAT(chart.panels[1].curves, SizeIs(3));
  EXPECT_THAT(chart.legend, SizeIs(5));
  const ChartCurve& models = chart.panels[0].curves[3];
  EXPECT_EQ(models.name, "models");
  ASSERT_EQ(models.points.size(), data.panels[0].models.size());
  EXPECT_NEAR(models.points[2].y, data.panels[0].models[2].r2, 1e-12);
  EXPECT_NEAR(models.points[2].high - models.points[2].low, 2 * 0.006, 1e-12);
  EXPECT_TRUE(std::isnan(chart.panels[0].curves[0].points[0].low));
}

TEST(Figure3Test, TheReportsTableHasRatiosNeedsAndRemarks) {
  const ReportFigure figure = MakeReportFigure3(MadeUpFigure3(), "<svg></svg>");
  ASSERT_THAT(figure.rows, SizeIs(2));
  EXPECT_EQ(figure.rows[0].size(), figure.columns.size());
  EXPECT_EQ(figure.rows[0][3], "2.1 neurons per unit [1.7, 2.6]");
  EXPECT_EQ(figure.rows[0][4], "640 [520, 800]");
  EXPECT_EQ(figure.rows[1][3], "no ratio");
  EXPECT_THAT(figure.rows[1][5], HasSubstr("animals not fitted: nothing is predicted"));
}

TEST(Figure3Test, BadDataAreNamed) {
  const auto message = [](const std::function<void(Figure3Data&)>& change) {
    Figure3Data data = MadeUpFigure3();
    change(data);
    return std::string(ValidateFigure3(data).message());
  };
  EXPECT_EQ(message([](auto& data) { data.panels.clear(); }),
            "figure 3: there is no area and layer to draw");
  EXPECT_EQ(message([](auto& data) { data.panels[1].area = "VISp"; }),
            "figure 3: VISp, conv3, post-ReLU: two panels; expected one");
  EXPECT_EQ(message([](auto& data) { data.panels[0].animals.clear(); }),
            "figure 3: VISp, conv3, post-ReLU: no points of animals");
  EXPECT_THAT(message([](auto& data) { data.panels[0].area = "a,b"; }),
              HasSubstr("an area, layer or stage is \"a,b\"; expected a name"));
  EXPECT_THAT(message([](auto& data) { data.panels[0].f[2].r2 = NAN; }),
              HasSubstr("VISp, conv3, post-ReLU, f: a point of size 10.24, R2 nan"));
}

TEST(VerdictSectionTest, NamesClaimVerdictReasonRuleAndCasesEscaped) {
  const std::string html = VerdictsHtml(
      {{"ridge before > after",
        "supported",
        "5 of 5 for it, 0 against",
        "interval above 0",
        {{"conv1", "supported", "0.05 [0.04, 0.06]"}}},
       {"300 neurons", "not measured", "iat calibrate measures it", "rule", {}}});
  EXPECT_THAT(html, AllOf(HasSubstr("ridge before &gt; after"), HasSubstr("not measured"),
                          HasSubstr("5 of 5 for it"), HasSubstr("interval above 0"),
                          HasSubstr("0.05 [0.04, 0.06]")));
  EXPECT_EQ(VerdictsHtml({}), "");
}

}  // namespace
}  // namespace iat
