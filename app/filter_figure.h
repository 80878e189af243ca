// The first layer's filters of a family side by side.

#ifndef IAT_APP_FILTER_FIGURE_H_
#define IAT_APP_FILTER_FIGURE_H_

#include <optional>
#include <string>
#include <vector>

#include "app/run_figure.h"
#include "report/filter_sheet.h"

namespace iat {

// Figure conv1-filters: `shown` networks, trained ones first; `num_left_out` more were
// not drawn. Networks whose filters are fewer, more or of another size than the first
// one's are left out too. Nothing where no network has filters.
std::optional<RunFigure<FilterSheet>> MakeFilterFigure(std::vector<FilterRow> shown,
                                                       const std::string& layer,
                                                       size_t num_left_out,
                                                       const FigureFamily& family);

}  // namespace iat

#endif  // IAT_APP_FILTER_FIGURE_H_
