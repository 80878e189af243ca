// Made-up scores in the shape of figure 1: four animals, twelve ordered pairs.

#ifndef IAT_TESTS_REPORT_FIGURE1_FIXTURE_H_
#define IAT_TESTS_REPORT_FIGURE1_FIXTURE_H_

#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "report/figure1.h"

namespace iat {

inline Figure1Mark MadeUpMark(const std::string& layer, const std::string& stage,
                              const std::string& mapping, double mean, double spread) {
  Figure1Mark mark;
  mark.layer = layer;
  mark.stage = stage;
  mark.mapping = mapping;
  mark.mean = mean;
  mark.low = mean - spread;
  mark.high = mean + 0.8 * spread;
  mark.num_splits = mapping.rfind("logistic", 0) == 0 ? 2 : 10;
  mark.num_target_units = 256;
  mark.min_scored_units = 250;
  mark.max_scored_units = 256;
  for (int source = 0; source < 4; ++source) {
    for (int target = 0; target < 4; ++target) {
      if (source == target) continue;
      mark.pairs.push_back({absl::StrCat("seed-00", source),
                            absl::StrCat("seed-00", target),
                            mean + spread * std::sin(7.0 * source + 3.0 * target)});
    }
  }
  return mark;
}

inline Figure1Panel MadeUpFamily(const std::string& name, double lift, double spread) {
  Figure1Panel panel;
  panel.name = name;
  panel.num_animals = 4;
  panel.num_pairs = 6;
  const std::vector<double> post = {0.948, 0.803, 0.871, 0.912, 0.904};
  const std::vector<double> pre = {0.991, 0.970, 0.963, 0.964, 0.961};
  for (int i = 0; i < 5; ++i) {
    const std::string layer = absl::StrCat("conv", i + 1);
    const auto add = [&](const std::string& stage, const std::string& mapping,
                         double mean) {
      panel.marks.push_back(MadeUpMark(layer, stage, mapping, mean - lift * (1 + 0.2 * i),
                                       spread * (1 + 0.1 * i)));
    };
    add("pre_relu", "ridge", pre[i]);
    add("post_relu", "ridge", post[i]);
    add("post_relu", "ridge_clamped", post[i] + 0.008);
    add("post_relu", "logistic_ridge", post[i] + 0.02);
    add("post_relu", "logistic_ridge_soft", post[i] + 0.026);
    add("post_relu", "logistic_ridge_tuned", post[i] + 0.023);
  }
  return panel;
}

inline Figure1Data MadeUpFigure1() {
  Figure1Data data;
  data.family = MadeUpFamily("trained", 0.0, 0.008);
  data.family.training = "SimCLR, 6 epochs of 10,000 images";
  data.companion = MadeUpFamily("untrained", 0.32, 0.03);
  for (int i = 0; i < 5; ++i) {
    const std::string layer = absl::StrCat("conv", i + 1);
    data.permuted.push_back(
        MadeUpMark(layer, "pre_relu", "ridge_permuted", -0.004 + 0.001 * i, 0.002));
    data.permuted.push_back(
        MadeUpMark(layer, "post_relu", "ridge_permuted", -0.006 + 0.001 * i, 0.002));
  }
  data.stimuli = "held-out";
  data.num_fit_stimuli = 8000;
  data.num_test_stimuli = 2000;
  return data;
}

}  // namespace iat

#endif  // IAT_TESTS_REPORT_FIGURE1_FIXTURE_H_
