#include "app/filter_figure.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "similarity/summary.h"

namespace iat {

std::optional<RunFigure<FilterSheet>> MakeFilterFigure(std::vector<FilterRow> shown,
                                                       const std::string& layer,
                                                       size_t num_left_out,
                                                       const FigureFamily& family) {
  RunFigure<FilterSheet> figure;
  std::vector<FilterRow>& rows = figure.chart.rows;
  size_t num_untrained = 0;
  for (FilterRow& row : shown) {
    const bool fits =
        !row.pictures.empty() &&
        (rows.empty() || (row.pictures.size() == rows.front().pictures.size() &&
                          row.pictures.front().side == rows.front().pictures[0].side));
    if (!fits) {
      ++num_left_out;
      continue;
    }
    num_untrained += FamilyOf(row.name) == "untrained";
    rows.push_back(std::move(row));
  }
  if (rows.empty()) return std::nullopt;
  const size_t num_trained = rows.size() - num_untrained;
  const size_t num_filters = rows.front().pictures.size();
  const int side = rows.front().pictures.front().side;
  ReportFigure& report = figure.report;
  figure.chart.name = report.id = "conv1-filters";
  report.title = absl::StrCat("Filters of ", layer);
  figure.chart.caption = report.caption = absl::StrCat(
      "All ", num_filters, " filters of ", layer, " (", side, " × ", side, ", RGB) of ",
      num_trained, " ", family.name, num_trained == 1 ? " network" : " networks",
      num_untrained == 0 ? "" : absl::StrCat(" and ", num_untrained, " untrained below"),
      ". Batch norm is folded in; each filter has a scale of its own on which grey is "
      "zero. Filters of different networks are in no common order. ",
      num_left_out == 0 ? "" : absl::StrCat("Not shown: ", num_left_out, " more. "),
      FamilyWords(family));
  report.alt = absl::StrCat("A row of small pictures for each network: its ", num_filters,
                            " filters of ", layer, ".");
  return figure;
}

}  // namespace iat
