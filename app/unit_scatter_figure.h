// R2 of every target unit by ridge against that by LogisticRidge (hard gate), layer by
// layer after the ReLU.
//
// Point     A target animal's unit: mean over the sources that predict it and over
//           splits, of cells that both mappings scored on the same units.
// Share     Of the units of an ordered pair of animals (mean over splits) that
//           LogisticRidge predicts better; mean over pairs and interval over animals, as
//           in similarity/summary.h.

#ifndef IAT_APP_UNIT_SCATTER_FIGURE_H_
#define IAT_APP_UNIT_SCATTER_FIGURE_H_

#include <optional>
#include <vector>

#include "app/run_figure.h"
#include "report/scatter_chart.h"
#include "similarity/unit_table.h"

namespace iat {

// A row of compare_units.nc that the figure is made of.
bool IsOfUnitScatter(const UnitR2Row& row, const FigureFamily& family);

// Figure unit-scatter, of the first stimulus set. At most `most_points` units a panel are
// drawn, evenly over all of them; shares are of all. Nothing where no cell has both
// mappings.
std::optional<RunFigure<ScatterChart>> MakeUnitScatterFigure(
    const std::vector<UnitR2Row>& rows, const FigureFamily& family,
    size_t most_points = 600);

}  // namespace iat

#endif  // IAT_APP_UNIT_SCATTER_FIGURE_H_
