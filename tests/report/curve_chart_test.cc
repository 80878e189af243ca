#include "report/curve_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_split.h"

namespace iat {
namespace {

using ::testing::HasSubstr;

CurveChart TwoMeasures() {
  CurveChart chart{.name = "two", .caption = "Two measures."};
  for (const auto& [id, top] : {std::pair("loss", 6.0), std::pair("accuracy", 0.5)}) {
    CurvePanel& panel = chart.panels.emplace_back();
    panel.id = panel.heading = panel.y_title = id;
    panel.x_title = "epoch";
    panel.log_x = false;
    panel.curves.push_back(
        {.name = "seed-000", .style = {}, .points = {{1, top}, {2, top / 2}}});
  }
  return chart;
}

int Count(const std::string& text, const std::string& part) {
  return static_cast<int>(std::vector<std::string>(absl::StrSplit(text, part)).size()) -
         1;
}

TEST(CurveChartTest, PanelsOfARowShareTheirYAxisUnlessEachHasItsOwn) {
  CurveChart chart = TwoMeasures();
  const std::string shared = CurveChartScript(chart, {});
  EXPECT_EQ(Count(shared, "set yrange [-0.0"), 2);
  EXPECT_EQ(Count(shared, " center rotate"), 1);
  chart.own_y = true;
  const std::string own = CurveChartScript(chart, {});
  EXPECT_EQ(Count(own, "set yrange [2.82:6.18]"), 1);
  EXPECT_EQ(Count(own, "set yrange [0.235:0.515]"), 1);
  EXPECT_EQ(Count(own, " center rotate"), 2);
}

TEST(CurveChartTest, WholeNumbersHaveTicksAtWholeNumbers) {
  CurveChart chart = TwoMeasures();
  EXPECT_EQ(Count(CurveChartScript(chart, {}), "set xtics 1 format '%g'"), 2);
  chart.panels[0].curves[0].points[0].x = 0.5;
  const std::string script = CurveChartScript(chart, {});
  EXPECT_EQ(Count(script, "set xtics 1 format '%g'"), 1);
  EXPECT_EQ(Count(script, "set xtics auto format '%g'"), 1);
}

TEST(CurveChartTest, LinesAreAsWideAsTheyAreToldToBe) {
  CurveChart chart = TwoMeasures();
  chart.panels[0].curves[0].style.width = 0.5;
  const std::string script = CurveChartScript(chart, {});
  EXPECT_THAT(script, HasSubstr("lines lw 0.5 dt solid"));
  EXPECT_THAT(script, HasSubstr("lines lw 1.4 dt solid"));
}

}  // namespace
}  // namespace iat
