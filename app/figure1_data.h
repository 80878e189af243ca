// From a summary of scores to what figure 1 draws and the report says.

#ifndef IAT_APP_FIGURE1_DATA_H_
#define IAT_APP_FIGURE1_DATA_H_

#include <string>
#include <vector>

#include "base/score_table.h"
#include "report/figure1.h"
#include "report/report.h"
#include "similarity/metric_compare.h"
#include "similarity/scope_compare.h"
#include "similarity/summary.h"

namespace iat {

// Marks of the trained family, of the untrained (or else the imported) one beside it,
// and of the shuffled control; of the imported family in a run without seeds. Where some
// mappings were scored on fewer target units than others, the marks of that layer and
// stage are those of the set of units that most mappings share, so that what stands side
// by side is scored on the same units. Several stimulus sets: the first by name.
Figure1Data MakeFigure1Data(const std::vector<ScoreRow>& rows, const Summary& summary,
                            const std::string& training, const std::string& no_training);

// The summary's differences, grouped into the report's sentences.
std::vector<Contrast> MakeContrasts(const Summary& summary);

// Of the report: hypercolumns against whole layers, and the metrics.
ReportTable ScopesTable(const std::vector<ScopeLine>& lines);
ReportTable MetricsTable(const std::vector<MetricLine>& lines);

}  // namespace iat

#endif  // IAT_APP_FIGURE1_DATA_H_
