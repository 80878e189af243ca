// Which source units the percentile mapping uses; similarity/percentile.h says what it
// is.

#ifndef IAT_SIMILARITY_PERCENTILE_OPTIONS_H_
#define IAT_SIMILARITY_PERCENTILE_OPTIONS_H_

#include "base/options.h"

namespace iat {

struct PercentileOptions {
  double percentile = 90.0;
  bool absolute = false;

  void Describe(OptionVisitor& visitor);
};

}  // namespace iat

#endif  // IAT_SIMILARITY_PERCENTILE_OPTIONS_H_
