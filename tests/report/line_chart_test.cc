#include "report/line_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/report/markup_check.h"

namespace iat {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(LineChartTest, DrawsLinesInDataCoordinates) {
  const LineChart chart{.title = "loss <of> \"a\" & b",
                        .x_title = "step",
                        .y_title = "loss",
                        .lines = {{"a", {{0, 1}, {50, 0.5}, {75, NAN}, {100, 0}}},
                                  {"b", {{0, 0}, {100, 1}}}}};
  const std::string svg = LineChartSvg(chart);
  EXPECT_EQ(MarkupProblem(svg), "");
  EXPECT_THAT(svg, HasSubstr("aria-label=\"loss &lt;of&gt; &quot;a&quot; &amp; b\""));
  // x from -6 to 106 on 54..408 pixels, y from -0.06 to 1.06 on 210..10; the NaN is
  // left out.
  EXPECT_THAT(svg, HasSubstr("<path class=\"line-0\" d=\"M73.0 20.7L231.0 110.0L389.0 "
                             "199.3\"/>"));
  EXPECT_THAT(svg, HasSubstr("<path class=\"line-1\" d=\"M73.0 199.3L389.0 20.7\"/>"));
  EXPECT_THAT(svg, AllOf(HasSubstr(">0.0<"), HasSubstr(">1.0<"), HasSubstr(">100<"),
                         HasSubstr(">a<"), HasSubstr(">b<")));
  EXPECT_THAT(svg, AllOf(Not(HasSubstr("nan")), Not(HasSubstr(">−0<")),
                         Not(HasSubstr("<circle"))));
}

TEST(LineChartTest, MarksPoints) {
  const std::string svg = LineChartSvg({.title = "kNN",
                                        .x_title = "step",
                                        .y_title = "kNN",
                                        .lines = {{"a", {{0, 0.1}, {10, 0.4}}}},
                                        .markers = true});
  EXPECT_THAT(svg, HasSubstr("<circle class=\"dot-0\""));
}

TEST(LineChartTest, TheSixthLineIsDashed) {
  LineChart chart{.title = "t", .x_title = "x", .y_title = "y", .lines = {}};
  for (int i = 0; i < 6; ++i)
    chart.lines.push_back({absl::StrCat("l", i), {{0, i}, {1, i}}});
  const std::string svg = LineChartSvg(chart);
  EXPECT_THAT(svg, HasSubstr("<path class=\"line-0\" d="));
  EXPECT_THAT(svg, HasSubstr("<path class=\"line-0\" stroke-dasharray=\"7 3\" d="));
}

TEST(LineChartTest, WithoutPointsItIsAnEmptyFrame) {
  const std::string svg = LineChartSvg(
      {.title = "t", .x_title = "x", .y_title = "y", .lines = {{"a", {{0, NAN}}}}});
  EXPECT_EQ(MarkupProblem(svg), "");
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

}  // namespace
}  // namespace iat
