// Round numbers for the axes of figures.

#ifndef IAT_REPORT_AXIS_H_
#define IAT_REPORT_AXIS_H_

#include <vector>

namespace iat {

struct Axis {
  double low = 0, high = 1;
  double step = 0.2;  // 1, 2 or 5 times a power of ten

  // Decimals that tell one tick from the next.
  int Decimals() const;
  // Multiples of step from low to high.
  std::vector<double> Ticks() const;
};

// Around the finite ones of `values`, a little air at both ends, at most about
// `num_steps` ticks. Nearly equal values get an axis of `least_span`, so that
// rounding errors aren't blown up. No finite value: from 0 to 1.
Axis AxisAround(const std::vector<double>& values, int num_steps, double least_span);

}  // namespace iat

#endif  // IAT_REPORT_AXIS_H_
