#include "app/figure2_data.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "absl/strings/match.h"

namespace iat {
namespace {

Figure2Curve MakeCurve(const SamplingCurve& curve) {
  Figure2Curve drawn;
  drawn.axis = curve.axis;
  drawn.layer = curve.layer;
  drawn.stage = curve.stage;
  drawn.mapping = curve.mapping;
  drawn.num_animals = curve.num_animals;
  drawn.num_splits = curve.num_splits;
  drawn.num_samples = curve.num_samples;
  drawn.num_fit_stimuli = curve.num_fit_stimuli;
  drawn.num_pooled_sources = curve.num_pooled_sources;
  drawn.min_target_units = curve.min_target_units;
  drawn.max_target_units = curve.max_target_units;
  for (const SamplingPoint& point : curve.points) {
    drawn.points.push_back({point.size, point.r2.mean, point.r2.low, point.r2.high});
  }
  return drawn;
}

bool HasValue(const SamplingCurve& curve) {
  return std::any_of(
      curve.points.begin(), curve.points.end(),
      [](const SamplingPoint& point) { return std::isfinite(point.r2.mean); });
}

}  // namespace

Figure2Data MakeFigure2Data(const std::vector<SamplingCurve>& curves,
                            const std::string& family, const std::string& name,
                            const std::string& training) {
  Figure2Data data;
  data.family = name;
  data.training = training;
  std::string logistic;  // the hard gate, whose name sorts first, where it was run
  for (const SamplingCurve& curve : curves) {
    if (curve.family != family) continue;
    if (data.stimuli.empty()) data.stimuli = curve.stimuli;
    if (absl::StartsWith(curve.mapping, "logistic_ridge") &&
        (logistic.empty() || curve.mapping < logistic)) {
      logistic = curve.mapping;
    }
  }
  for (const SamplingCurve& curve : curves) {
    if (curve.family != family || curve.stimuli != data.stimuli || !HasValue(curve) ||
        (curve.mapping != "ridge" && curve.mapping != logistic)) {
      continue;
    }
    data.num_test_stimuli = std::max(data.num_test_stimuli, curve.num_test_stimuli);
    data.curves.push_back(MakeCurve(curve));
  }
  std::stable_sort(data.curves.begin(), data.curves.end(),
                   [](const Figure2Curve& a, const Figure2Curve& b) {
                     const auto order = [](const Figure2Curve& curve) {
                       return std::make_tuple(curve.axis,
                                              !absl::StartsWith(curve.layer, "conv"),
                                              curve.layer, curve.stage != "pre_relu",
                                              curve.mapping != "ridge");
                     };
                     return order(a) < order(b);
                   });
  return data;
}

void MarkSaturation(const std::vector<Saturation>& lines, const std::string& family,
                    Figure2Data& figure) {
  figure.saturation_rule = "95 % of the R\u00b2 at the largest size";
  for (Figure2Curve& curve : figure.curves) {
    for (const Saturation& line : lines) {
      const TargetCurvesKey& key = line.key;
      if (key.stimuli != figure.stimuli || key.family != family ||
          key.axis != curve.axis || key.layer != curve.layer ||
          key.stage != curve.stage || key.mapping != curve.mapping ||
          key.num_target_units != curve.max_target_units ||
          line.point.state != SaturationState::kSaturated) {
        continue;
      }
      const SaturationSize& share = line.point.share;
      curve.saturation = {share.size, share.low, share.high};
    }
  }
}

}  // namespace iat
