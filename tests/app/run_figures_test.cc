#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/str_cat.h"
#include "app/filter_figure.h"
#include "app/layer_matrix_figure.h"
#include "app/learning_figure.h"
#include "app/prediction_figure.h"
#include "app/unit_scatter_figure.h"

namespace iat {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr double kTolerance = 1e-12;

const FigureFamily kTrained = {.training = "SimCLR, 2 epochs of 100 images"};

// Two epochs of 10 steps, the second logged twice; kNN at the end of each.
TrainingCurve MadeUpCurve(int seed) {
  TrainingCurve curve;
  curve.animal = absl::StrCat("seed-00", seed);
  curve.points = {{.step = 10, .epoch = 1, .loss = 5.0 + seed, .knn_top1 = 0.1},
                  {.step = 12, .epoch = 2, .loss = 4.0 + seed},
                  {.step = 20, .epoch = 2, .loss = 3.0 + seed, .knn_top1 = 0.2}};
  return curve;
}

TrainingQuality MadeUpTraining(int num_networks) {
  TrainingQuality training;
  for (int seed = 0; seed < num_networks; ++seed) {
    training.curves.push_back(MadeUpCurve(seed));
  }
  for (int i = 0; i < 2; ++i) {
    training.curves.push_back(
        {.animal = absl::StrCat("untrained-00", i),
         .points = {{.step = 0, .epoch = 0, .loss = NAN, .knn_top1 = 0.04 + 0.02 * i}}});
  }
  training.loss_name = "NT-Xent loss";
  training.knn_chance = 0.01;
  training.num_knn_images = 1500;
  return training;
}

const ChartCurve& CurveNamed(const CurvePanel& panel, const std::string& name) {
  for (const ChartCurve& curve : panel.curves) {
    if (curve.name == name) return curve;
  }
  ADD_FAILURE() << panel.id << " has no curve " << name;
  return panel.curves.front();
}

TEST(LearningFigureTest, LossIsTheMeanOverAnEpochsStepsAndThenOverNetworks) {
  const auto figure = MakeLearningFigure(MadeUpTraining(4), kTrained);
  ASSERT_TRUE(figure.has_value());
  EXPECT_TRUE(ValidateCurveChart(figure->chart).ok());
  ASSERT_THAT(figure->chart.panels, SizeIs(2));
  const CurvePanel& loss = figure->chart.panels[0];
  ASSERT_THAT(loss.curves, SizeIs(5));
  const ChartCurve seed = CurveNamed(loss, "seed-001");
  ASSERT_THAT(seed.points, SizeIs(2));
  EXPECT_NEAR(seed.points[0].y, 6.0, kTolerance);
  // 2 steps of 5 and 8 of 4.
  EXPECT_NEAR(seed.points[1].y, 4.2, kTolerance);
  const CurveChartPoint mean = CurveNamed(loss, "mean").points[1];
  EXPECT_NEAR(mean.y, (3.2 + 4.2 + 5.2 + 6.2) / 4, kTolerance);
  // For a mean the jackknife is s / sqrt(n): t(3) = 3.18245, s = 1.29099.
  EXPECT_NEAR(mean.high - mean.y, 3.18245 * 1.29099 / 2, 1e-4);
  EXPECT_NEAR(mean.y - mean.low, mean.high - mean.y, kTolerance);
}

TEST(LearningFigureTest, UntrainedNetworksAndChanceAreLevels) {
  const auto figure = MakeLearningFigure(MadeUpTraining(4), kTrained);
  ASSERT_TRUE(figure.has_value());
  const CurvePanel& knn = figure->chart.panels[1];
  const ChartCurve untrained = CurveNamed(knn, "untrained");
  ASSERT_THAT(untrained.points, SizeIs(2));
  EXPECT_EQ(untrained.points[0].x, 0);
  EXPECT_EQ(untrained.points[1].x, 2);
  EXPECT_NEAR(untrained.points[0].y, 5.0, kTolerance);
  EXPECT_NEAR(CurveNamed(knn, "chance").points[1].y, 1.0, kTolerance);
  EXPECT_THAT(
      figure->chart.caption,
      AllOf(HasSubstr("Learning curves of 4 trained networks (SimCLR, 2 epochs of 100 "
                      "images): NT-Xent loss, mean over each epoch's steps; "),
            HasSubstr("accuracy on 1,500 labelled images held out of training"),
            HasSubstr("95 % intervals over networks"),
            HasSubstr("Dashed: 2 untrained networks, 5 %."),
            HasSubstr("Grey: chance, 1 %."), Not(HasSubstr("SIMULATED"))));
  EXPECT_THAT(figure->report.rows[0],
              ElementsAre("NT-Xent loss", "1", HasSubstr("6.5 [")));
}

TEST(LearningFigureTest, WhatThereIsNotIsNotDrawn) {
  TrainingQuality training = MadeUpTraining(3);
  auto figure = MakeLearningFigure(training, kTrained);
  ASSERT_TRUE(figure.has_value());
  EXPECT_THAT(figure->chart.caption, HasSubstr("Too few networks for intervals."));
  training.knn_chance = NAN;
  for (TrainingCurve& curve : training.curves) {
    for (TrainingPoint& point : curve.points) point.knn_top1 = NAN;
  }
  figure = MakeLearningFigure(training, kTrained);
  ASSERT_TRUE(figure.has_value());
  EXPECT_THAT(figure->chart.panels, SizeIs(1));
  EXPECT_THAT(figure->chart.caption,
              AllOf(Not(HasSubstr("accuracy")), Not(HasSubstr("Dashed"))));
  figure = MakeLearningFigure(MadeUpTraining(1), kTrained);
  EXPECT_THAT(figure->chart.panels[0].curves, SizeIs(1));
  EXPECT_FALSE(MakeLearningFigure(MadeUpTraining(0), kTrained).has_value());
}

// Rows of compare.csv: two animals, two layers, every layer onto every layer.
std::vector<ScoreRow> EveryLayerPair() {
  std::vector<ScoreRow> rows;
  for (const char* stage : {"pre_relu", "post_relu"}) {
    for (const char* mapping : {"ridge", "logistic_ridge", "ridge_clamped"}) {
      if (std::string(stage) == "pre_relu" && std::string(mapping) != "ridge") continue;
      for (const char* source : {"conv1", "conv2"}) {
        for (const char* target : {"conv1", "conv2"}) {
          ScoreRow row;
          row.stimuli = "scenes";
          row.source_animal = "seed-000";
          row.target_animal = "seed-001";
          row.source_layer = source;
          row.target_layer = target;
          row.source_stage = row.target_stage = stage;
          row.source_scope = row.target_scope = "hypercolumn";
          row.mapping = mapping;
          row.num_fit_stimuli = 1500;
          row.num_test_stimuli = 500;
          row.num_source_units = row.num_target_units = row.num_scored_units = 16;
          row.median_r2 = row.source_layer == row.target_layer ? 0.9 : 0.4;
          rows.push_back(row);
        }
      }
    }
  }
  return rows;
}

TEST(LayerMatrixFigureTest, EveryMappingAndStageIsAPanelWithItsSeparability) {
  const auto figure = MakeMappingMatrixFigure(Summarise(EveryLayerPair()), kTrained);
  ASSERT_TRUE(figure.has_value());
  EXPECT_TRUE(ValidateMatrixChart(figure->chart).ok());
  ASSERT_THAT(figure->chart.panels, SizeIs(3));
  const MatrixPanel& panel = figure->chart.panels[2];
  EXPECT_EQ(panel.id, "logistic_ridge post_relu");
  EXPECT_EQ(panel.heading, "LogisticRidge (hard gate), post-ReLU");
  EXPECT_EQ(panel.subheading, "separability 0.500");
  EXPECT_THAT(panel.rows, ElementsAre("conv1", "conv2"));
  ASSERT_THAT(panel.cells, SizeIs(4));
  EXPECT_EQ(panel.cells[1].row, 1u);  // conv1 onto conv2
  EXPECT_EQ(panel.cells[1].column, 0u);
  EXPECT_NEAR(panel.cells[1].value, 0.4, kTolerance);
  EXPECT_THAT(figure->chart.caption,
              AllOf(HasSubstr("Too few animals for intervals."),
                    HasSubstr("2 animals, 1 pair, 1 split, 16 target units a layer; "
                              "stimuli scenes, 1,500 to fit and 500 to test."),
                    HasSubstr("trained: SimCLR, 2 epochs of 100 images.")));
  EXPECT_THAT(figure->report.findings[0],
              HasSubstr("ridge, pre-ReLU: 2 of 2 layers are predicted best by their "
                        "counterpart; separability by target 0.500"));
}

TEST(LayerMatrixFigureTest, ValuesOnTheMostUnitsAreDrawn) {
  std::vector<ScoreRow> rows = EveryLayerPair();
  for (ScoreRow row : EveryLayerPair()) {
    row.num_target_units = 4;
    row.median_r2 = 0.1;
    rows.push_back(row);
  }
  const auto figure = MakeMappingMatrixFigure(Summarise(rows), kTrained);
  ASSERT_TRUE(figure.has_value());
  for (const MatrixPanel& panel : figure->chart.panels) {
    for (const MatrixCell& cell : panel.cells) EXPECT_GT(cell.value, 0.3);
  }
}

TEST(LayerMatrixFigureTest, LayersOntoThemselvesAreNoMatrix) {
  std::vector<ScoreRow> rows;
  for (const ScoreRow& row : EveryLayerPair()) {
    if (row.source_layer == row.target_layer) rows.push_back(row);
  }
  EXPECT_FALSE(MakeMappingMatrixFigure(Summarise(rows), kTrained).has_value());
  EXPECT_FALSE(MakeMappingMatrixFigure({}, kTrained).has_value());
  EXPECT_FALSE(MakeMetricMatrixFigure({}, kTrained).has_value());
}

TEST(LayerMatrixFigureTest, MetricsHaveAPanelAStageAndADistancesColoursReachItsLargest) {
  std::vector<MetricLine> lines;
  for (const char* metric : {"cka_debiased", "procrustes_distance"}) {
    for (const char* stage : {"post_relu", "pre_relu"}) {
      for (const char* source : {"conv1", "conv2"}) {
        for (const char* target : {"conv1", "conv2"}) {
          lines.push_back({.stimuli = "scenes",
                           .family = "seed",
                           .source_layer = source,
                           .target_layer = target,
                           .stage = stage,
                           .metric = metric,
                           .value = {metric[0] == 'p' ? 7.0 : 0.5, NAN, NAN},
                           .num_animals = 3,
                           .num_pairs = 3,
                           .num_stimuli = 1000});
        }
      }
    }
  }
  lines.push_back(lines.back());
  lines.back().family = "untrained";
  lines.back().value.mean = 99;
  const auto figure = MakeMetricMatrixFigure(lines, kTrained);
  ASSERT_TRUE(figure.has_value());
  EXPECT_TRUE(ValidateMatrixChart(figure->chart).ok());
  ASSERT_THAT(figure->chart.panels, SizeIs(4));
  EXPECT_EQ(figure->chart.panels[0].heading, "cka_debiased, pre-ReLU");
  EXPECT_EQ(figure->chart.panels[0].darkest, 1.0);
  EXPECT_EQ(figure->chart.panels[3].darkest, 7.0);
  EXPECT_THAT(figure->chart.caption,
              AllOf(HasSubstr("cka_debiased, linear centred kernel alignment"),
                    HasSubstr("(a distance)"), HasSubstr("for a distance less alike"),
                    HasSubstr("3 animals, 3 pairs; 1,000 stimuli of scenes.")));
}

// Four animals, one layer, four units; the fourth is not scored.
std::vector<UnitR2Row> UnitRows() {
  std::vector<UnitR2Row> rows;
  for (int source = 0; source < 4; ++source) {
    for (int target = 0; target < 4; ++target) {
      if (source == target) continue;
      for (const char* mapping : {"ridge", "logistic_ridge"}) {
        UnitR2Row row;
        row.stimuli = "scenes";
        row.source_animal = absl::StrCat("seed-00", source);
        row.target_animal = absl::StrCat("seed-00", target);
        row.source_layer = row.target_layer = "conv3";
        row.source_stage = row.target_stage = "post_relu";
        row.mapping = mapping;
        row.num_fit_stimuli = 80;
        row.num_test_stimuli = 20;
        row.num_target_units = 4;
        row.r2 = mapping[0] == 'r' ? std::vector<double>{0.5, 0.5, 0.5, NAN}
                                   : std::vector<double>{0.6, 0.7, 0.4, NAN};
        rows.push_back(row);
      }
    }
  }
  return rows;
}

TEST(UnitScatterFigureTest, APointIsAUnitsMeanOverSourcesAndTheShareThatOfTheUnits) {
  std::vector<UnitR2Row> rows = UnitRows();
  rows[1].r2[0] = 0.9;  // seed-000 onto seed-001, LogisticRidge
  const auto figure = MakeUnitScatterFigure(rows, kTrained);
  ASSERT_TRUE(figure.has_value());
  EXPECT_TRUE(ValidateScatterChart(figure->chart).ok());
  ASSERT_THAT(figure->chart.panels, SizeIs(1));
  const ScatterPanel& panel = figure->chart.panels[0];
  EXPECT_EQ(panel.subheading, "above: 0.67 [0.67, 0.67]");
  ASSERT_THAT(panel.series, SizeIs(1));
  ASSERT_THAT(panel.series[0].points, SizeIs(12));
  const ScatterPoint& point = panel.series[0].points[3];
  EXPECT_EQ(point.name, "seed-001 0");
  EXPECT_NEAR(point.x, 0.5, kTolerance);
  EXPECT_NEAR(point.y, (0.9 + 0.6 + 0.6) / 3, kTolerance);
  EXPECT_THAT(figure->chart.caption,
              AllOf(HasSubstr("4 animals, 1 split, 12 target units a layer; stimuli "
                              "scenes, 80 to fit and 20 to test."),
                    HasSubstr("95 % interval over animals"), Not(HasSubstr("edge"))));
  EXPECT_THAT(figure->report.rows,
              ElementsAre(ElementsAre("conv3", "12", "0.67 [0.67, 0.67]")));
}

TEST(UnitScatterFigureTest, ManyUnitsAreThinnedEvenlyAndSharesAreOfAll) {
  const auto figure = MakeUnitScatterFigure(UnitRows(), kTrained, /*most_points=*/4);
  ASSERT_TRUE(figure.has_value());
  const ScatterPanel& panel = figure->chart.panels[0];
  ASSERT_THAT(panel.series[0].points, SizeIs(4));
  EXPECT_EQ(panel.series[0].points[0].name, "seed-000 2");
  EXPECT_EQ(panel.series[0].points[3].name, "seed-003 2");
  EXPECT_EQ(panel.subheading, "above: 0.67 [0.67, 0.67]");
  EXPECT_THAT(figure->chart.caption, HasSubstr("Drawn: 4 units a panel, evenly chosen."));
}

TEST(UnitScatterFigureTest, FarBelowZeroLiesOnTheEdge) {
  std::vector<UnitR2Row> rows = UnitRows();
  for (UnitR2Row& row : rows) row.r2[0] = -3;
  const auto figure = MakeUnitScatterFigure(rows, kTrained);
  ASSERT_TRUE(figure.has_value());
  EXPECT_EQ(figure->chart.panels[0].low, -0.2);
  EXPECT_THAT(figure->chart.caption, HasSubstr("Units below −0.2 lie on the edge."));
}

TEST(UnitScatterFigureTest, CellsWithoutBothMappingsAreNoFigure) {
  std::vector<UnitR2Row> rows = UnitRows();
  std::vector<UnitR2Row> ridge_alone;
  for (const UnitR2Row& row : rows) {
    if (row.mapping == "ridge") ridge_alone.push_back(row);
  }
  EXPECT_FALSE(MakeUnitScatterFigure(ridge_alone, kTrained).has_value());
  EXPECT_FALSE(MakeUnitScatterFigure({}, kTrained).has_value());
  for (UnitR2Row& row : rows) {
    if (row.mapping == "ridge") row.num_target_units = 9;  // on other units
  }
  EXPECT_FALSE(MakeUnitScatterFigure(rows, kTrained).has_value());
}

std::vector<UnitPrediction> TwoStages() {
  std::vector<UnitPrediction> predictions;
  for (const char* stage : {"pre_relu", "post_relu"}) {
    const bool before = std::string(stage) == "pre_relu";
    UnitPrediction unit;
    unit.stimuli = "scenes";
    unit.source_animal = "seed-000";
    unit.target_animal = "seed-001";
    unit.layer = "conv1";
    unit.stage = stage;
    unit.target_unit = 7;
    unit.stimulus_ids = {"a", "b", "c"};
    unit.truth = before ? std::vector<double>{-1, 1, 2} : std::vector<double>{0, 1, 2};
    unit.ridge = before ? unit.truth : std::vector<double>{-1, 1, 2};
    unit.logistic_ridge =
        before ? std::vector<double>{NAN, NAN, NAN} : std::vector<double>{0, 1, 2};
    predictions.push_back(unit);
  }
  return predictions;
}

TEST(PredictionFigureTest, SilentStimuliAreASeriesAndR2IsInTheHeading) {
  const auto figure = MakePredictionFigure(TwoStages(), kTrained);
  ASSERT_TRUE(figure.has_value());
  EXPECT_TRUE(ValidateScatterChart(figure->chart).ok());
  ASSERT_THAT(figure->chart.panels, SizeIs(3));
  EXPECT_EQ(figure->chart.panels[0].subheading, "R² 1.000");
  EXPECT_EQ(figure->chart.panels[0].y_title, "conv1 unit 7");
  // SSE 1 about a mean of 1 with SST 2.
  EXPECT_EQ(figure->chart.panels[1].subheading, "R² 0.500");
  EXPECT_EQ(figure->chart.panels[2].heading, "LogisticRidge");
  const std::vector<ScatterSeries>& series = figure->chart.panels[1].series;
  ASSERT_THAT(series, SizeIs(2));
  ASSERT_THAT(series[0].points, SizeIs(2));
  ASSERT_THAT(series[1].points, SizeIs(1));
  EXPECT_EQ(series[1].name, "silent");
  EXPECT_EQ(series[1].points[0].name, "a");
  EXPECT_EQ(series[1].points[0].x, -1);
  EXPECT_EQ(series[1].points[0].y, 0);
  EXPECT_THAT(figure->chart.caption,
              AllOf(HasSubstr("one unit of seed-001 a layer"),
                    HasSubstr("all units of seed-000 on held-out stimuli of split 0"),
                    HasSubstr("no interval"), HasSubstr("scenes, 3 to test")));
}

TEST(PredictionFigureTest, DrawsTheFirstStimuliAndScoresAll) {
  const auto figure = MakePredictionFigure(TwoStages(), kTrained, /*most_points=*/2);
  ASSERT_TRUE(figure.has_value());
  const std::vector<ScatterSeries>& series = figure->chart.panels[1].series;
  EXPECT_EQ(series[0].points.size() + series[1].points.size(), 2u);
  EXPECT_EQ(figure->chart.panels[1].subheading, "R² 0.500");
  EXPECT_THAT(figure->chart.caption,
              HasSubstr("2 drawn, the first of the shuffled order"));
  EXPECT_FALSE(MakePredictionFigure({}, kTrained).has_value());
  FigureFamily imported = kTrained;
  imported.prefix = "imported";
  EXPECT_FALSE(MakePredictionFigure(TwoStages(), imported).has_value())
      << "predictions of another family under this one's caption";
}

TEST(FilterFigureTest, NetworksThatDoNotFitAreCounted) {
  const FilterPicture picture{1, {1, 2, 3}};
  const auto figure = MakeFilterFigure({{"seed-000", {picture, picture}},
                                        {"seed-001", {picture}},
                                        {"untrained-000", {picture, picture}}},
                                       "conv1", 5, kTrained);
  ASSERT_TRUE(figure.has_value());
  EXPECT_TRUE(ValidateFilterSheet(figure->chart).ok());
  EXPECT_THAT(figure->chart.rows, SizeIs(2));
  EXPECT_THAT(figure->chart.caption,
              AllOf(HasSubstr("All 2 filters of conv1 (1 × 1, RGB) of 1 trained, "
                              "1 untrained networks."),
                    HasSubstr("Not shown: 6 more.")));
  EXPECT_FALSE(MakeFilterFigure({}, "conv1", 0, kTrained).has_value());
}

TEST(RunFigureTest, SimulatedDataAreCalledSoInChartAndCaption) {
  FigureFamily simulated = kTrained;
  simulated.simulated = true;
  const auto units = MakeUnitScatterFigure(UnitRows(), simulated);
  const auto predictions = MakePredictionFigure(TwoStages(), simulated);
  const auto matrix = MakeMappingMatrixFigure(Summarise(EveryLayerPair()), simulated);
  ASSERT_TRUE(units && predictions && matrix);
  EXPECT_TRUE(units->chart.simulated && predictions->chart.simulated &&
              matrix->chart.simulated);
  for (const std::string& caption :
       {units->chart.caption, predictions->chart.caption, matrix->chart.caption}) {
    EXPECT_THAT(caption, HasSubstr("SIMULATED DATA. "));
  }
}

TEST(RunFigureTest, LayersGoFromInputToOutput) {
  std::vector<std::string> layers = {"fc6", "conv2", "fc7", "conv1", "conv2"};
  SortLayers(layers);
  EXPECT_THAT(layers, ElementsAre("conv1", "conv2", "fc6", "fc7"));
}

}  // namespace
}  // namespace iat
