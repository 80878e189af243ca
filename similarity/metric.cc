#include "similarity/metric.h"

#include <functional>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "similarity/cca.h"
#include "similarity/cka.h"
#include "similarity/rsa.h"
#include "similarity/shape.h"
#include "similarity/soft_matching_distance.h"

namespace iat {
namespace {

using Maker = std::function<std::unique_ptr<Metric>(const MetricOptions&)>;
using Direction = MetricInfo::Direction;

struct Registered {
  MetricInfo info;
  Maker make;
};

const std::vector<Registered>& Registry() {
  static const auto* const registry = new std::vector<Registered>{
      {{"cca", "mean canonical correlation", Direction::kSimilarity, true},
       MakeCcaMetric},
      {{"cka", "linear centred kernel alignment", Direction::kSimilarity, true},
       MakeCkaMetric},
      {{"cka_debiased", "linear centred kernel alignment without the bias of few stimuli",
        Direction::kSimilarity, true},
       MakeCkaDebiasedMetric},
      {{"procrustes_distance", "smallest distance over all rotations of the units",
        Direction::kDistance, true},
       MakeProcrustesDistanceMetric},
      {{"pwcca", "canonical correlations weighted by how much of the activity each holds",
        Direction::kSimilarity, false},
       MakePwccaMetric},
      {{"rsa", "Pearson correlation of the representational dissimilarities",
        Direction::kSimilarity, true},
       MakeRsaMetric},
      {{"rsa_spearman", "rank correlation of the representational dissimilarities",
        Direction::kSimilarity, true},
       MakeRsaSpearmanMetric},
      {{"shape_angular", "angle between shapes, from rotations to all linear maps",
        Direction::kDistance, true},
       MakeShapeAngularMetric},
      {{"soft_matching_correlation", "correlation of units under the best soft matching",
        Direction::kSimilarity, true},
       MakeSoftMatchingCorrelationMetric},
      {{"soft_matching_distance", "distance of units under the best soft matching",
        Direction::kDistance, true},
       MakeSoftMatchingDistanceMetric},
      {{"svcca", "mean canonical correlation of the leading principal axes",
        Direction::kSimilarity, true},
       MakeSvccaMetric},
  };
  return *registry;
}

}  // namespace

std::string DirectionName(MetricInfo::Direction direction) {
  return direction == Direction::kSimilarity ? "similarity" : "distance";
}

absl::StatusOr<MetricResult> Metric::Compare(MetricData& source,
                                             MetricData& target) const {
  if (source.num_stimuli() != target.num_stimuli()) {
    return absl::InvalidArgumentError(absl::StrCat(
        source.name(), " has ", source.num_stimuli(), " stimuli, ", target.name(),
        " has ", target.num_stimuli(), "; expected responses to the same stimuli"));
  }
  IAT_RETURN_IF_ERROR(source.CheckVaries());
  IAT_RETURN_IF_ERROR(target.CheckVaries());
  return Measure(source, target);
}

void MetricOptions::Describe(OptionVisitor& visitor) {
  visitor.Number("shape_alpha", shape_alpha, {.min = 0.0, .max = 1.0},
                 "what shape_angular is blind to: 1, rotations alone; 0, every "
                 "invertible linear map");
  visitor.Number("svcca_variance", svcca_variance,
                 {.min = 0.0, .max = 1.0, .min_excluded = true},
                 "share of the variance that svcca's principal axes keep");
  visitor.Choice("distance_scale", distance_scale, {"unit", "raw"},
                 "procrustes_distance and soft_matching_distance: responses scaled to "
                 "norm 1, or in activation units");
}

absl::Status MetricOptions::Validate() const {
  if (!(shape_alpha >= 0.0 && shape_alpha <= 1.0)) {
    return absl::InvalidArgumentError(absl::StrCat("shape_alpha is ", shape_alpha,
                                                   "; expected a number >= 0 and <= 1"));
  }
  if (!(svcca_variance > 0.0 && svcca_variance <= 1.0)) {
    return absl::InvalidArgumentError(absl::StrCat("svcca_variance is ", svcca_variance,
                                                   "; expected a number > 0 and <= 1"));
  }
  if (distance_scale != "unit" && distance_scale != "raw") {
    return absl::InvalidArgumentError(absl::StrCat("distance_scale is \"", distance_scale,
                                                   "\"; expected \"unit\" or \"raw\""));
  }
  return absl::OkStatus();
}

const std::vector<MetricInfo>& RegisteredMetrics() {
  static const auto* const infos = [] {
    auto* const all = new std::vector<MetricInfo>;
    for (const Registered& entry : Registry()) all->push_back(entry.info);
    return all;
  }();
  return *infos;
}

std::vector<std::string> MetricNames() {
  std::vector<std::string> names;
  for (const MetricInfo& info : RegisteredMetrics()) names.push_back(info.name);
  return names;
}

absl::StatusOr<std::unique_ptr<Metric>> MakeMetric(absl::string_view name,
                                                   const MetricOptions& options) {
  IAT_RETURN_IF_ERROR(options.Validate());
  for (const Registered& entry : Registry()) {
    if (entry.info.name == name) return entry.make(options);
  }
  const std::string nearest = NearestName(name, MetricNames());
  return absl::NotFoundError(absl::StrCat(
      "no metric \"", name, "\"",
      nearest.empty() ? "" : absl::StrCat("; did you mean \"", nearest, "\"?")));
}

}  // namespace iat
