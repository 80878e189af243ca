#include "app/filter_figure.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "similarity/summary.h"

namespace iat {

std::optional<RunFigure<FilterSheet>> MakeFilterFigure(std::vector<FilterRow> shown,
                                                       const std::string& layer,
                                                       size_t num_left_out,
                                                       const FigureFamily& family) {
  RunFigure<FilterSheet> figure;
  std::vector<FilterRow>& rows = figure.chart.rows;
  std::map<std::string, size_t> num_of_family;
  for (FilterRow& row : shown) {
    const bool fits =
        !row.pictures.empty() &&
        (rows.empty() || (row.pictures.size() == rows.front().pictures.size() &&
                          row.pictures.front().side == rows.front().pictures[0].side));
    if (!fits) {
      ++num_left_out;
      continue;
    }
    ++num_of_family[FamilyOf(row.name)];
    rows.push_back(std::move(row));
  }
  if (rows.empty()) return std::nullopt;
  std::vector<std::string> counts;
  for (const auto& [prefix, name] :
       {std::pair("seed", "trained"), std::pair("imported", "imported"),
        std::pair("untrained", "untrained")}) {
    if (const size_t num = num_of_family[prefix]; num > 0) {
      counts.push_back(absl::StrCat(num, " ", name));
    }
  }
  const size_t num_filters = rows.front().pictures.size();
  const int side = rows.front().pictures.front().side;
  ReportFigure& report = figure.report;
  figure.chart.name = report.id = "conv1-filters";
  report.title = absl::StrCat("Filters of ", layer);
  figure.chart.caption = report.caption = absl::StrCat(
      "All ", num_filters, " filters of ", layer, " (", side, " × ", side, ", RGB) of ",
      absl::StrJoin(counts, ", "), rows.size() == 1 ? " network" : " networks",
      ". Batch norm is folded in; each filter has a scale of its own on which grey is "
      "zero. Filters of different networks are in no common order. ",
      num_left_out == 0 ? "" : absl::StrCat("Not shown: ", num_left_out, " more. "),
      FamilyWords(family));
  report.alt = absl::StrCat("A row of small pictures for each network: its ", num_filters,
                            " filters of ", layer, ".");
  return figure;
}

}  // namespace iat
