// NaN as the value of a number that is not there: a score without an estimate, a bound
// without an interval, a trial that was not shown. Tables write it as an empty field,
// JSON as null (base/json_text.h).

#ifndef IAT_BASE_NAN_H_
#define IAT_BASE_NAN_H_

#include <limits>

namespace iat {

inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

}  // namespace iat

#endif  // IAT_BASE_NAN_H_
