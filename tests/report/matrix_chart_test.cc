#include "report/matrix_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "absl/strings/str_cat.h"
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

// Two matrices of three layers; a value without an interval, one that is not there.
MatrixChart SmallMatrix() {
  MatrixChart chart{.name = "layer-matrix", .caption = "Every layer onto every layer."};
  for (const char* id : {"ridge pre_relu", "ridge post_relu"}) {
    MatrixPanel& panel = chart.panels.emplace_back();
    panel.id = panel.heading = id;
    panel.subheading = "separability 0.123 [0.100, 0.146]";
    panel.rows = panel.columns = {"conv1", "conv2", "conv3"};
    for (size_t row = 0; row < 3; ++row) {
      for (size_t column = 0; column < 3; ++column) {
        const double value = 0.9 - 0.3 * std::fabs(double(row) - double(column));
        panel.cells.push_back({row, column, value, value - 0.02, value + 0.02});
      }
    }
  }
  chart.panels[0].cells[1].low = chart.panels[0].cells[1].high = NAN;
  chart.panels[0].cells[2] = {0, 2, NAN, NAN, NAN};
  chart.panels[0].cells[3].value = -0.031;
  chart.panels[0].cells[3].low = -0.05;
  chart.panels[0].cells[3].high = -0.01;
  return chart;
}

TEST(MatrixChartTest, TheDataHoldEveryCellAndWhatIsWrittenInIt) {
  const auto table = ParseCsv(MatrixChartCsv(SmallMatrix()), "csv");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(table->columns, ElementsAre("panel", "row", "column", "x", "y", "value",
                                          "low", "high", "text", "spread", "ink"));
  ASSERT_THAT(table->rows, SizeIs(18));
  EXPECT_THAT(table->rows[0],
              ElementsAre("ridge pre_relu", "conv1", "conv1", "1", "1", "0.9", "0.88",
                          "0.92", "0.90", "±0.02", "16777215"));
  EXPECT_THAT(table->rows[1], ElementsAre("ridge pre_relu", "conv1", "conv2", "2", "1",
                                          "0.6", "nan", "nan", "0.60", "", "0"));
  EXPECT_THAT(table->rows[2], ElementsAre("ridge pre_relu", "conv1", "conv3", "3", "1",
                                          "nan", "nan", "nan", "–", "", "0"));
  EXPECT_THAT(table->rows[3],
              ElementsAre("ridge pre_relu", "conv2", "conv1", "1", "2", "-0.031", "-0.05",
                          "-0.01", "−0.03", "±0.02", "0"));
}

TEST(MatrixChartTest, IsDrawnInThreeFormatsWithItsWords) {
  const TemporaryFolder folder;
  MatrixChart chart = SmallMatrix();
  const absl::Status status = DrawMatrixChart(chart, folder.path(), {});
  ASSERT_TRUE(status.ok()) << status;
  const std::string svg = *ReadFile(folder.path() / "layer-matrix.svg");
  EXPECT_EQ(MarkupProblem(svg), "");
  EXPECT_THAT(
      svg, AllOf(HasSubstr("separability 0.123 [0.100, 0.146]"),
                 HasSubstr("source layer"), HasSubstr("target layer"), HasSubstr("−0.03"),
                 HasSubstr("±0.02"), Not(HasSubstr("SIMULATED"))));
  EXPECT_THAT(*ReadFile(folder.path() / "layer-matrix.pdf"), HasSubstr("%PDF"));
  EXPECT_THAT(*ReadFile(folder.path() / "layer-matrix.png"), HasSubstr("PNG"));
  EXPECT_THAT(*ReadFile(folder.path() / "layer-matrix.gp"),
              HasSubstr("# Every layer onto every layer."));
  chart.simulated = true;
  ASSERT_TRUE(DrawMatrixChart(chart, folder.path(), {}).ok());
  EXPECT_THAT(*ReadFile(folder.path() / "layer-matrix.svg"), HasSubstr("SIMULATED DATA"));
}

// As many panels stand side by side as leave room for the text of their cells.
TEST(MatrixChartTest, PanelsWrapOnANarrowPage) {
  const auto lefts = [](double width_mm) {
    FigureOptions options;
    options.width_mm = width_mm;
    MatrixChart chart = SmallMatrix();
    for (MatrixPanel& panel : chart.panels) {
      panel.rows = panel.columns = {"conv1", "conv2", "conv3", "conv4", "conv5"};
    }
    const std::string script = MatrixChartScript(chart, options);
    const std::string second = script.substr(script.find("# b: "));
    return script.substr(script.find("set lmargin"), 27) ==
           second.substr(second.find("set lmargin"), 27);
  };
  EXPECT_FALSE(lefts(180));
  EXPECT_TRUE(lefts(85));
}

TEST(MatrixChartTest, WhatDoesNotFitIsNamed) {
  const auto message = [](const std::function<void(MatrixChart&)>& change) {
    MatrixChart chart = SmallMatrix();
    change(chart);
    return std::string(ValidateMatrixChart(chart).message());
  };
  EXPECT_EQ(message([](auto&) {}), "");
  EXPECT_EQ(
      message([](auto& chart) { chart.panels.clear(); }),
      "layer-matrix: there is nothing to draw; expected a cell with a finite value");
  EXPECT_EQ(message([](auto& chart) { chart.panels[1].id = "ridge pre_relu"; }),
            "layer-matrix: two panels are named \"ridge pre_relu\"");
  EXPECT_EQ(message([](auto& chart) { chart.panels[0].cells[4].row = 3; }),
            "layer-matrix: ridge pre_relu: cell (3, 1) is given twice or lies outside 3 "
            "x 3");
  EXPECT_EQ(message([](auto& chart) { chart.panels[0].cells[4].row = 0; }),
            "layer-matrix: ridge pre_relu: cell (0, 1) is given twice or lies outside 3 "
            "x 3");
  EXPECT_EQ(message([](auto& chart) { chart.panels[0].darkest = 0; }),
            "layer-matrix: ridge pre_relu: colours from 0 to 0; expected two numbers, "
            "the lower one first");
  EXPECT_THAT(message([](auto& chart) { chart.panels[0].cells[4].low = NAN; }),
              HasSubstr("ridge pre_relu, conv2 to conv2: interval [nan, 0.92] of 0.9"));
  EXPECT_THAT(message([](auto& chart) { chart.panels[0].rows[0] = "a,b"; }),
              HasSubstr("layer-matrix: a row is \"a,b\"; expected a name"));
}

}  // namespace
}  // namespace iat
