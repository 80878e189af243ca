// One-to-one mappings: every target unit is a line of one source unit, the strictest
// class here. If two animals differ only in how their units are numbered, both reach 1.
//
//   y_hat_j = y_mean_j + slope_ij (x_i - x_mean_i),   slope by least squares
//
//   one_to_one           i is the source unit of the highest Pearson correlation with j;
//                        several targets may share one.
//   one_to_one_assigned  no two targets share a source unit: the pairing with the largest
//                        sum of correlations (similarity/assignment.h). With more targets
//                        than source units some targets stay without and are predicted by
//                        their mean.
//
// Shapes   X: stimuli x source units.  Y: stimuli x target units.
// Sign     A unit that mirrors another (correlation -1) is not the same unit; `absolute`
//          ranks by |r| instead.
// Chosen   source_unit: position of i among the source units, NaN where there is none
//          (a constant target, constant sources, or left over); correlation: r_ij.
// Cost     One product of n x p by n x t, shared with percentile and soft_matching; the
//          assignment adds O(min(p, t)^2 max(p, t)).
// Source   Neuron-to-neuron of Brain-Score; Li et al., "Convergent learning" (2016) for
//          matching units of two networks, greedily and by assignment.

#ifndef IAT_SIMILARITY_ONE_TO_ONE_H_
#define IAT_SIMILARITY_ONE_TO_ONE_H_

#include <memory>
#include <vector>

#include "similarity/mapping.h"
#include "similarity/unit_correlation.h"

namespace iat {

// The source unit of every target unit, -1 for none.
std::vector<Eigen::Index> BestCorrelatedUnits(const UnitCorrelation& correlation,
                                              const OneToOneOptions& options);
std::vector<Eigen::Index> AssignedUnits(const UnitCorrelation& correlation,
                                        const OneToOneOptions& options);

// Makers for the registry.
std::unique_ptr<Mapping> MakeOneToOneMapping(const MappingOptions& options);
std::unique_ptr<Mapping> MakeOneToOneAssignedMapping(const MappingOptions& options);

}  // namespace iat

#endif  // IAT_SIMILARITY_ONE_TO_ONE_H_
