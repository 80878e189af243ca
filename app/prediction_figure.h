// Prediction against truth for one unit of each layer: what a mapping knows before the
// ReLU, and what the ReLU hides from ridge after it.

#ifndef IAT_APP_PREDICTION_FIGURE_H_
#define IAT_APP_PREDICTION_FIGURE_H_

#include <optional>
#include <vector>

#include "app/run_figure.h"
#include "report/scatter_chart.h"
#include "similarity/predictions.h"

namespace iat {

// Figure predictions, a row of panels a layer: ridge before the ReLU, ridge after it,
// LogisticRidge (hard gate) after it. Stimuli on which the unit is silent after the ReLU
// have a colour of their own. At most `most_points` stimuli a panel are drawn, the first
// of the split's shuffled order; R2 is over all. Nothing where there is no prediction.
std::optional<RunFigure<ScatterChart>> MakePredictionFigure(
    const std::vector<UnitPrediction>& predictions, const FigureFamily& family,
    size_t most_points = 300);

}  // namespace iat

#endif  // IAT_APP_PREDICTION_FIGURE_H_
