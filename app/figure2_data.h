// From a summary of subsampling to what figure 2 draws.

#ifndef IAT_APP_FIGURE2_DATA_H_
#define IAT_APP_FIGURE2_DATA_H_

#include <string>
#include <vector>

#include "report/figure2.h"
#include "similarity/saturation.h"
#include "similarity/subsample_summary.h"

namespace iat {

// Curves of the first stimulus set by name and of one family ("seed"), which the figure
// calls `name` ("trained"): ridge, and of the other mappings the first logistic one.
// Layers from input to output. Shuffled controls are left out.
Figure2Data MakeFigure2Data(const std::vector<SamplingCurve>& curves,
                            const std::string& family, const std::string& name,
                            const std::string& training);

// Where the family's curves saturate by the 95 % rule; those that do not have no mark.
void MarkSaturation(const std::vector<Saturation>& lines, const std::string& family,
                    Figure2Data& figure);

}  // namespace iat

#endif  // IAT_APP_FIGURE2_DATA_H_
