// What a metric is: one number for how alike two animals' responses to the same stimuli
// are, with nothing fitted on one part of the stimuli and tested on another.
//
// Metrics are registered by name. To add one: derive from Metric, and name it in the
// table in metric.cc; its options go into MetricOptions.
//
// Shapes   source: stimuli x source units.  target: stimuli x target units.
// Sharing  A MetricData keeps what metrics need of one animal (its centred responses,
//          their singular vectors), so all metrics and all partners share it.
// Chance   Metrics are not held out. With few stimuli for many units cka, svcca, pwcca
//          and the distances report similarity where there is none; cka_debiased does
//          not.
//
// Example:
//   auto source = MetricData::Make(x, "source"), target = MetricData::Make(y, "target");
//   auto metric = MakeMetric("cka", {});
//   auto result = (*metric)->Compare(*source, *target);
//   if (result.ok()) std::cout << result->value;

#ifndef IAT_SIMILARITY_METRIC_H_
#define IAT_SIMILARITY_METRIC_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "similarity/metric_data.h"
#include "similarity/metric_options.h"

namespace iat {

struct MetricInfo {
  // A similarity grows with likeness, to 1 for a matrix and itself; a distance falls
  // to 0.
  enum class Direction { kSimilarity, kDistance };

  std::string name;
  std::string description;  // one line
  Direction direction = Direction::kSimilarity;
  // Whether source and target can change places.
  bool symmetric = true;
};

// "similarity" or "distance".
std::string DirectionName(MetricInfo::Direction direction);

struct MetricResult {
  double value = 0.0;
  // What the reader of the value should know ("3 source units never vary and are left
  // out"), or "".
  std::string note;
};

class Metric {
 public:
  virtual ~Metric() = default;
  // InvalidArgument: other numbers of stimuli, no unit that varies, or a value that these
  // data do not define.
  absl::StatusOr<MetricResult> Compare(MetricData& source, MetricData& target) const;

 protected:
  // Both have the same stimuli, and units that vary.
  virtual absl::StatusOr<MetricResult> Measure(MetricData& source,
                                               MetricData& target) const = 0;
};

// Sorted by name.
const std::vector<MetricInfo>& RegisteredMetrics();
std::vector<std::string> MetricNames();
// NotFound naming the nearest registered name.
absl::StatusOr<std::unique_ptr<Metric>> MakeMetric(absl::string_view name,
                                                   const MetricOptions& options);

}  // namespace iat

#endif  // IAT_SIMILARITY_METRIC_H_
