// Layer x layer matrices: how well every layer of an animal predicts, or is like, every
// layer of another.

#ifndef IAT_APP_LAYER_MATRIX_FIGURE_H_
#define IAT_APP_LAYER_MATRIX_FIGURE_H_

#include <optional>
#include <vector>

#include "app/run_figure.h"
#include "report/matrix_chart.h"
#include "similarity/metric_compare.h"
#include "similarity/summary.h"

namespace iat {

// Figure layer-matrix-mappings: R2 of ridge and of LogisticRidge with the hard gate, a
// panel a mapping and stage, with the mapping's separability. Of the first stimulus set;
// where a pair of layers was scored on several numbers of target units, on the most.
// Nothing where no layer was mapped onto another.
std::optional<RunFigure<MatrixChart>> MakeMappingMatrixFigure(const Summary& summary,
                                                              const FigureFamily& family);

// Figure layer-matrix-metrics: a panel a metric and stage. Nothing where no layer was
// compared with another.
std::optional<RunFigure<MatrixChart>> MakeMetricMatrixFigure(
    const std::vector<MetricLine>& lines, const FigureFamily& family);

}  // namespace iat

#endif  // IAT_APP_LAYER_MATRIX_FIGURE_H_
