// Percentile mapping: a ridge of each target unit on the source units most correlated
// with it. Between one-to-one (100: the best-correlated unit alone) and ridge (0: all
// units) it asks how many source units it takes.
//
//   S_j     = { i : r_ij >= the percentile-th percentile of r_1j ... r_pj }
//   y_hat_j = ridge of y_j on the units in S_j, penalty as in similarity/ridge.h
//
// Percentile NumPy's, linear between order statistics. `absolute` ranks by |r_ij|.
// Penalty    The grid scales with trace / units of the selected units; the options are
//            those of the table `ridge`. The units are selected on all fit stimuli,
//            including those that the penalty's errors are measured on.
// Chosen     ridge_penalty; num_selected_units: the size of S_j.
// Cost       One small eigendecomposition a set S_j: targets with the same set share it,
//            so percentile 0 costs one ridge.
// Source     The percentile mapper of neuroailab's brainmodel_utils.

#ifndef IAT_SIMILARITY_PERCENTILE_H_
#define IAT_SIMILARITY_PERCENTILE_H_

#include <memory>
#include <vector>

#include "similarity/mapping.h"
#include "similarity/unit_correlation.h"

namespace iat {

// S_j, ascending. Never empty.
std::vector<Eigen::Index> SelectUnits(const UnitCorrelation& correlation,
                                      Eigen::Index target,
                                      const PercentileOptions& options);

// Maker for the registry.
std::unique_ptr<Mapping> MakePercentileMapping(const MappingOptions& options);

}  // namespace iat

#endif  // IAT_SIMILARITY_PERCENTILE_H_
