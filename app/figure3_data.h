// From a calibration to what figure 3 draws, and from verdicts to the report's section.

#ifndef IAT_APP_FIGURE3_DATA_H_
#define IAT_APP_FIGURE3_DATA_H_

#include <vector>

#include "report/figure3.h"
#include "report/verdict_section.h"
#include "similarity/calibration_text.h"
#include "similarity/verdict.h"

namespace iat {

// Fitted curves are drawn over the sizes that were measured; the calibrated one over as
// many neurons as the networks' sizes stand for.
Figure3Data MakeFigure3Data(const CalibrationReport& report);

std::vector<ReportVerdict> MakeReportVerdicts(const std::vector<VerdictLine>& lines);

}  // namespace iat

#endif  // IAT_APP_FIGURE3_DATA_H_
