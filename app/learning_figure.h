// Learning curves of a family: loss and nearest-neighbour accuracy, epoch by epoch.
//
// Loss      A network's mean over the steps of an epoch (its rows of metrics.csv,
//           weighted by the steps that they stand for).
// Accuracy  As measured at the end of an epoch.
// Interval  Over networks, as in similarity/summary.h.

#ifndef IAT_APP_LEARNING_FIGURE_H_
#define IAT_APP_LEARNING_FIGURE_H_

#include <optional>

#include "app/run_figure.h"
#include "report/curve_chart.h"
#include "report/report.h"

namespace iat {

// Figure learning-curves: every trained network, the mean and its interval over those
// epochs that all have, and the untrained networks' accuracy as a level. Nothing where no
// trained network has a value.
std::optional<RunFigure<CurveChart>> MakeLearningFigure(const TrainingQuality& training,
                                                        const FigureFamily& family);

}  // namespace iat

#endif  // IAT_APP_LEARNING_FIGURE_H_
