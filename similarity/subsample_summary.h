// From rows of subsample.csv to the curves of figure 2.
//
//   median over units (in the row) -> mean over subsamples and splits -> mean over target
//   animals
//
// Intervals  95 %, jackknife leaving one target animal out at a time, t quantile on
//            (animals - 1) degrees of freedom; none below 4 animals
//            (similarity/summary.h). Every animal is target once, so this is the spread
//            over targets; the others are in its source or its pool.
// Units      Where a mapping was scored on several sets of a target's units, the rows on
//            the most of them.
// NaN        A row without a scored unit is left out and counted.

#ifndef IAT_SIMILARITY_SUBSAMPLE_SUMMARY_H_
#define IAT_SIMILARITY_SUBSAMPLE_SUMMARY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/sampling_table.h"
#include "similarity/summary.h"

namespace iat {

struct SamplingPoint {
  int64_t size = 0;
  Interval r2;
  int64_t num_animals = 0;  // targets with a value
};

struct SamplingCurve {
  std::string stimuli, family;  // of the targets
  std::string axis, layer, stage, scope, mapping;
  std::vector<SamplingPoint> points;  // by size
  int64_t num_animals = 0;            // largest of the points
  int64_t num_splits = 0, num_samples = 0, num_pooled_sources = 0;
  int64_t num_fit_stimuli = 0, num_test_stimuli = 0;  // the most, over the points
  int64_t min_target_units = 0, max_target_units = 0;
  int64_t num_empty = 0;  // rows without a scored unit
};

// By stimuli, family, axis, layer, stage and mapping.
std::vector<SamplingCurve> SummariseSampling(const std::vector<SamplingRow>& rows);

// The table for stdout, a line a point. Fixed width.
std::string SamplingSummaryText(const std::vector<SamplingCurve>& curves);
// {"curves": [...]}, keys as the members above; NaN is null.
std::string SamplingSummaryJson(const std::vector<SamplingCurve>& curves);

}  // namespace iat

#endif  // IAT_SIMILARITY_SUBSAMPLE_SUMMARY_H_
