// Options of the metrics; each metric's header says what they mean.

#ifndef IAT_SIMILARITY_METRIC_OPTIONS_H_
#define IAT_SIMILARITY_METRIC_OPTIONS_H_

#include <string>

#include "absl/status/status.h"
#include "base/options.h"

namespace iat {

struct MetricOptions {
  double shape_alpha = 1.0;
  double svcca_variance = 0.99;
  std::string distance_scale = "unit";

  void Describe(OptionVisitor& visitor);
  absl::Status Validate() const;
};

}  // namespace iat

#endif  // IAT_SIMILARITY_METRIC_OPTIONS_H_
