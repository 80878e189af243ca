// Made-up curves in the shape of figure 2: five layers, both axes and stages.

#ifndef IAT_TESTS_REPORT_FIGURE2_FIXTURE_H_
#define IAT_TESTS_REPORT_FIGURE2_FIXTURE_H_

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "report/figure2.h"

namespace iat {

inline Figure2Curve MadeUpCurve(const std::string& axis, int layer,
                                const std::string& stage, const std::string& mapping) {
  Figure2Curve curve;
  curve.axis = axis;
  curve.layer = absl::StrCat("conv", layer + 1);
  curve.stage = stage;
  curve.mapping = mapping;
  curve.num_animals = 10;
  curve.num_splits = 1;
  curve.num_samples = mapping == "ridge" ? 5 : 2;
  curve.num_fit_stimuli = 8000;
  curve.num_pooled_sources = axis == "units" ? 9 : 1;
  curve.min_target_units = curve.max_target_units = mapping == "ridge" ? 256 : 64;
  const double top = stage == "pre_relu" ? 0.97 - 0.01 * layer : 0.9 - 0.03 * layer;
  const double half = (axis == "stimuli" ? 60.0 : 12.0) * (1 + 0.4 * layer);
  const double most = axis == "stimuli" ? 8000 : 2304;
  const int num_sizes = mapping == "ridge" ? 12 : 6;
  for (int i = 0; i < num_sizes; ++i) {
    const double size = std::round(8 * std::pow(most / 8, i / (num_sizes - 1.0)));
    const double mean = (mapping == "ridge" ? 0.0 : 0.015) +
                        top * (size - 8 + 0.02 * half) / (size + half) - 0.02;
    const double spread = 0.05 / std::sqrt(1 + size / 50);
    curve.points.push_back(
        {static_cast<int64_t>(size), mean, mean - spread, mean + 0.8 * spread});
  }
  return curve;
}

inline Figure2Data MadeUpFigure2() {
  Figure2Data data;
  for (const char* axis : {"stimuli", "units"}) {
    for (int layer = 0; layer < 5; ++layer) {
      data.curves.push_back(MadeUpCurve(axis, layer, "post_relu", "logistic_ridge"));
      data.curves.push_back(MadeUpCurve(axis, layer, "post_relu", "ridge"));
      data.curves.push_back(MadeUpCurve(axis, layer, "pre_relu", "ridge"));
    }
  }
  data.family = "trained";
  data.training = "SimCLR, 6 epochs of 10,000 images";
  data.stimuli = "held-out";
  data.num_test_stimuli = 2000;
  return data;
}

}  // namespace iat

#endif  // IAT_TESTS_REPORT_FIGURE2_FIXTURE_H_
