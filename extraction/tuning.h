// What a unit prefers among gratings.
//
//   R(o, f)      mean over phases of the response after the ReLU, at the highest contrast
//   preference   the grid's (o, f) with the largest R
//   orientation  arg(sum_o R(o, f*) e^(2io)) / 2 in [0, 180): between the grid's
//                orientations (for drifting gratings directions are folded)
//   selectivity  |sum_o R e^(2io)| / sum_o R, 0 for a unit that does not care, 1 for one
//                that answers to a single orientation
//
// Orientation is the direction in which intensity varies (images/parametric.h).
// Source  Ringach et al., J. Neurosci. 22 (2002) (circular variance).

#ifndef IAT_EXTRACTION_TUNING_H_
#define IAT_EXTRACTION_TUNING_H_

#include <Eigen/Core>
#include <utility>
#include <vector>

#include "images/parametric.h"

namespace iat {

struct Tuning {
  double best_orientation = 0.0, best_frequency = 0.0;
  double orientation = 0.0;
  double selectivity = 0.0;  // NaN for a unit that no grating drives
  // R along the grid through the preference.
  std::vector<std::pair<double, double>> by_orientation, by_frequency;
};

// `responses`: one a grating, after the ReLU, in their order.
Tuning TuningOf(const std::vector<Grating>& gratings, const Eigen::ArrayXf& responses);

}  // namespace iat

#endif  // IAT_EXTRACTION_TUNING_H_
