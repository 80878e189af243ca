#include "report/scatter_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/csv.h"
#include "base/file.h"
#include "tests/report/markup_check.h"
#include "tests/report/temporary_folder.h"

namespace iat {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

ScatterChart SmallScatter() {
  ScatterChart chart{.name = "unit-scatter", .caption = "Every unit."};
  for (const char* layer : {"conv1", "conv2"}) {
    ScatterPanel& panel = chart.panels.emplace_back();
    panel.id = panel.heading = layer;
    panel.subheading = "0.75 above";
    panel.x_title = "ridge R²";
    panel.y_title = "LogisticRidge R²";
    panel.series = {
        {.name = "above", .colour = 0x0072B2, .points = {{"seed-000 3", 0.5, 0.75}}},
        {.name = "below", .colour = 0xD55E00, .points = {{"seed-000 4", 0.5, -7}}}};
  }
  chart.legend = {{.label = "a unit", .style = {.line = false}}};
  return chart;
}

TEST(ScatterChartTest, TheDataHoldEveryPointWhereItIs) {
  const auto table = ParseCsv(ScatterChartCsv(SmallScatter()), "csv");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(table->columns, ElementsAre("panel", "series", "point", "x", "y"));
  ASSERT_THAT(table->rows, SizeIs(4));
  EXPECT_THAT(table->rows[0], ElementsAre("conv1", "above", "seed-000 3", "0.5", "0.75"));
  // What lies outside is moved to the edge in the drawing alone.
  EXPECT_THAT(table->rows[3], ElementsAre("conv2", "below", "seed-000 4", "0.5", "-7"));
}

TEST(ScatterChartTest, IsDrawnWithDiagonalLegendAndTitles) {
  const TemporaryFolder folder;
  ScatterChart chart = SmallScatter();
  const absl::Status status = DrawScatterChart(chart, folder.path(), {});
  ASSERT_TRUE(status.ok()) << status;
  const std::string svg = *ReadFile(folder.path() / "unit-scatter.svg");
  EXPECT_EQ(MarkupProblem(svg), "");
  EXPECT_THAT(svg, AllOf(HasSubstr("0.75 above"), HasSubstr("ridge R²"),
                         HasSubstr("LogisticRidge R²"), HasSubstr("a unit"),
                         Not(HasSubstr("SIMULATED"))));
  EXPECT_THAT(*ReadFile(folder.path() / "unit-scatter.gp"),
              HasSubstr("to graph 1, graph 1 nohead back"));
  EXPECT_THAT(*ReadFile(folder.path() / "unit-scatter.pdf"), HasSubstr("%PDF"));
  EXPECT_THAT(*ReadFile(folder.path() / "unit-scatter.png"), HasSubstr("PNG"));
  chart.simulated = true;
  ASSERT_TRUE(DrawScatterChart(chart, folder.path(), {}).ok());
  EXPECT_THAT(*ReadFile(folder.path() / "unit-scatter.svg"), HasSubstr("SIMULATED DATA"));
}

TEST(ScatterChartTest, PointsOutsideLieOnTheEdge) {
  const TemporaryFolder folder;
  ASSERT_TRUE(DrawScatterChart(SmallScatter(), folder.path(), {}).ok());
  // gnuplot itself is asked, by the functions of the script it drew from.
  const std::string script = *ReadFile(folder.path() / "unit-scatter.gp");
  EXPECT_THAT(script, HasSubstr("edge(v) = v < lowest ? lowest : v > highest ? highest"));
  EXPECT_THAT(script, HasSubstr("lowest = 0; highest = 1"));
  ScatterChart inside = SmallScatter();
  for (ScatterPanel& panel : inside.panels) panel.series[1].points[0].y = 0;
  const std::string drawn = *ReadFile(folder.path() / "unit-scatter.svg");
  ASSERT_TRUE(DrawScatterChart(inside, folder.path(), {}).ok());
  EXPECT_EQ(*ReadFile(folder.path() / "unit-scatter.svg"), drawn);
}

TEST(ScatterChartTest, WhatDoesNotFitIsNamed) {
  const auto message = [](const std::function<void(ScatterChart&)>& change) {
    ScatterChart chart = SmallScatter();
    change(chart);
    return std::string(ValidateScatterChart(chart).message());
  };
  EXPECT_EQ(message([](auto&) {}), "");
  EXPECT_EQ(message([](auto& chart) { chart.panels.clear(); }),
            "unit-scatter: there is nothing to draw; expected a point");
  EXPECT_EQ(message([](auto& chart) { chart.panels[1].id = "conv1"; }),
            "unit-scatter: two panels are named \"conv1\"");
  EXPECT_EQ(message([](auto& chart) { chart.panels[0].series[1].name = "above"; }),
            "unit-scatter: conv1 has two series named \"above\"");
  EXPECT_EQ(message([](auto& chart) { chart.panels[0].series[0].points[0].x = NAN; }),
            "unit-scatter: conv1, above: a point at (nan, 0.75); expected finite values");
  EXPECT_EQ(message([](auto& chart) { chart.panels[0].high = -1; }),
            "unit-scatter: conv1: axes from 0 to -1; expected two numbers, the lower one "
            "first");
}

}  // namespace
}  // namespace iat
