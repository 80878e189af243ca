// From which size on does a score stop rising?
//
//   share   the size from which R2 stays at or above 95 % of R2 at the largest size
//   within  the size from which R2 stays within 0.02 of R2 at the largest size
//
// Sizes between two measured ones are interpolated linearly in log size. "Stays": a
// curve with a bump at small sizes counts from its last rise.
//
// States     "undefined"      R2 at the largest size is below 0.05, or there is no
//                             measurement at half the largest size or less
//            "not saturated"  R2 still gains more than 0.01 from half the largest size to
//                             the largest
//            "saturated"      otherwise; only then do the two sizes say anything
// Intervals  Jackknife over target animals on log size, t quantile (similarity/
//            jackknife.h). None below 4 animals, or where the curve without one of them
//            is not saturated. A curve that is there from its smallest size on has that
//            size for an upper bound only: `at_smallest`, and the interval starts at 0.
//
// Example:
//   for (const Saturation& line : FindSaturations(MakeTargetCurves(*rows), {})) ...

#ifndef IAT_SIMILARITY_SATURATION_H_
#define IAT_SIMILARITY_SATURATION_H_

#include <Eigen/Core>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "similarity/target_curves.h"

namespace iat {

struct SaturationRules {
  double share = 0.95;      // of R2 at the largest size
  double within = 0.02;     // of it, in R2
  double last_gain = 0.01;  // a last doubling that gains more is no saturation
  double least_r2 = 0.05;   // below it there is nothing that could saturate
  double confidence = 0.95;
};

enum class SaturationState { kSaturated, kNotSaturated, kUndefined };
// "saturated", "not saturated", "undefined".
std::string SaturationStateName(SaturationState state);

struct SaturationSize {
  double size = std::numeric_limits<double>::quiet_NaN();
  double low = std::numeric_limits<double>::quiet_NaN();  // NaN: no interval
  double high = std::numeric_limits<double>::quiet_NaN();
  bool at_smallest = false;  // the size is the smallest measured, an upper bound
};

// Of one curve.
struct SaturationPoint {
  SaturationState state = SaturationState::kUndefined;
  SaturationSize share, within;  // without intervals
  double largest_size = 0, largest_r2 = 0;
  double last_gain = std::numeric_limits<double>::quiet_NaN();  // in R2
};
// `sizes` ascending and positive, as many as r2, at least one.
SaturationPoint FindSaturation(const std::vector<double>& sizes,
                               const Eigen::VectorXd& r2, const SaturationRules& rules);

struct Saturation {
  TargetCurvesKey key;
  SaturationPoint point;        // of the mean over animals, sizes with their intervals
  std::string without_because;  // why there is no interval, in words; "" where there is
  int64_t num_animals = 0;
  std::optional<double> paper;  // what the paper says of this axis and stage
};

std::vector<Saturation> FindSaturations(const std::vector<TargetCurves>& curves,
                                        const SaturationRules& rules);

// Where ridge "begins to saturate", by eye, in figure 2 and its caption: about 500 and
// 200 training stimuli, 500 and 100 units, after and before the ReLU. Sagastuy-Brena et
// al., CCN 2022. None for other stages and mappings.
std::optional<double> PaperSaturation(const std::string& axis, const std::string& stage,
                                      const std::string& mapping);

// "500 [430, 590]", "<= 25 [0, 25]", or the state where it isn't saturated.
std::string SaturationSizeText(const SaturationPoint& point, const SaturationSize& size);

// The table for stdout, fixed width; and the same as a JSON array, NaN as null.
std::string SaturationText(const std::vector<Saturation>& lines,
                           const SaturationRules& rules = {});
std::string SaturationJson(const std::vector<Saturation>& lines);

}  // namespace iat

#endif  // IAT_SIMILARITY_SATURATION_H_
