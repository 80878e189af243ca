// The report's figures that have no number: from a run's files to report.html. A figure
// whose file is not there is left out; one that cannot be read or drawn is a warning, for
// hours of scores deserve their report.

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "app/filter_figure.h"
#include "app/layer_matrix_figure.h"
#include "app/learning_figure.h"
#include "app/pipeline.h"
#include "app/prediction_figure.h"
#include "app/unit_scatter_figure.h"
#include "base/file.h"
#include "base/status.h"
#include "extraction/animal_runner.h"
#include "extraction/kernel_image.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

// More would fill pages; they are counted in the caption.
constexpr int kMostTrained = 10, kMostUntrained = 4;

absl::Status Draw(const CurveChart& chart, const fs::path& folder,
                  const FigureOptions& options) {
  return DrawCurveChart(chart, folder, options);
}
absl::Status Draw(const MatrixChart& chart, const fs::path& folder,
                  const FigureOptions& options) {
  return DrawMatrixChart(chart, folder, options);
}
absl::Status Draw(const ScatterChart& chart, const fs::path& folder,
                  const FigureOptions& options) {
  return DrawScatterChart(chart, folder, options);
}
absl::Status Draw(const FilterSheet& sheet, const fs::path& folder,
                  const FigureOptions& options) {
  return DrawFilterSheet(sheet, folder, options);
}

template <typename Chart>
absl::StatusOr<ReportFigure> Drawn(RunFigure<Chart> figure, const fs::path& folder,
                                   const FigureOptions& options) {
  IAT_RETURN_IF_ERROR(Draw(figure.chart, folder, options));
  IAT_ASSIGN_OR_RETURN(figure.report.svg, ReadFile(folder / (figure.report.id + ".svg")));
  return std::move(figure.report);
}

void Warn(const std::string& figure, const absl::Status& status, ReportData& data) {
  data.warnings.push_back(
      absl::StrCat("figure ", figure, " is missing: ", status.message()));
}

template <typename Chart>
void Add(std::optional<RunFigure<Chart>> figure, const fs::path& folder,
         const FigureOptions& options, std::vector<ReportFigure>& figures,
         ReportData& data) {
  if (!figure.has_value()) return;
  const std::string id = figure->report.id;
  absl::StatusOr<ReportFigure> drawn = Drawn(*std::move(figure), folder, options);
  if (drawn.ok()) {
    figures.push_back(*std::move(drawn));
  } else {
    Warn(id, drawn.status(), data);
  }
}

}  // namespace

FigureFamily Pipeline::DrawnFamily(bool simulated) const {
  const bool has_seeds = !config_.family.seeds.empty();
  return {has_seeds ? "seed" : "imported", has_seeds ? "trained" : "imported",
          TrainingInWords(true), simulated};
}

void Pipeline::AddScoreFigures(const Summary& summary,
                               const std::vector<MetricLine>& metrics,
                               ReportData& data) const {
  const FigureFamily family = DrawnFamily(data.figure1.simulated);
  const fs::path folder = folder_ / "figures";
  const fs::path scores = ScoresFolder(data.figure1.stimuli);
  if (const fs::path path = scores / "compare_units.nc"; fs::exists(path)) {
    const auto rows = ReadUnitR2(
        path, [&](const UnitR2Row& row) { return IsOfUnitScatter(row, family); });
    if (rows.ok()) {
      Add(MakeUnitScatterFigure(*rows, family), folder, config_.report, data.figures,
          data);
    } else {
      Warn("unit-scatter", rows.status(), data);
    }
  }
  if (const fs::path path = scores / "predictions.csv"; fs::exists(path)) {
    const auto predictions = ReadPredictions(path);
    if (predictions.ok()) {
      Add(MakePredictionFigure(*predictions, family), folder, config_.report,
          data.figures, data);
    } else {
      Warn("predictions", predictions.status(), data);
    }
  }
  Add(MakeMappingMatrixFigure(summary, family), folder, config_.report, data.figures,
      data);
  Add(MakeMetricMatrixFigure(metrics, family), folder, config_.report, data.figures,
      data);
}

void Pipeline::AddTrainingFigures(ReportData& data) const {
  const FigureFamily family = DrawnFamily(/*simulated=*/false);
  const fs::path folder = folder_ / "figures";
  Add(MakeLearningFigure(data.training, family), folder, config_.report,
      data.training_figures, data);
  std::vector<FilterRow> shown;
  std::string layer = "conv1";
  int num_trained = 0, num_untrained = 0;
  size_t num_left_out = 0;
  std::vector<Animal> trained_first = config_.family.Animals();
  std::stable_partition(
      trained_first.begin(), trained_first.end(),
      [](const Animal& animal) { return animal.trained || !animal.imported.empty(); });
  for (const Animal& animal : trained_first) {
    const fs::path weights = folder_ / "models" / animal.name / "weights.safetensors";
    if (!fs::exists(weights)) continue;
    const bool untrained = !animal.trained && animal.imported.empty();
    if ((untrained ? num_untrained : num_trained) >=
        (untrained ? kMostUntrained : kMostTrained)) {
      ++num_left_out;
      continue;
    }
    const auto chain = AnimalRunner::LoadChain(config_.model, weights);
    if (!chain.ok()) {
      Warn("conv1-filters", chain.status(), data);
      return;
    }
    if (!chain->has_value()) continue;
    FilterRow row{.name = animal.name, .pictures = {}};
    for (KernelImage& kernel : KernelImages(**chain)) {
      row.pictures.push_back({kernel.image.width, std::move(kernel.image.pixels)});
    }
    if (row.pictures.empty()) continue;
    layer = (*chain)->steps.back().layer;
    ++(untrained ? num_untrained : num_trained);
    shown.push_back(std::move(row));
  }
  Add(MakeFilterFigure(std::move(shown), layer, num_left_out, family), folder,
      config_.report, data.training_figures, data);
}

}  // namespace iat
