// A made-up report: four animals, one of which collapsed.

#ifndef IAT_TESTS_REPORT_REPORT_FIXTURE_H_
#define IAT_TESTS_REPORT_REPORT_FIXTURE_H_

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "report/report.h"
#include "tests/report/figure1_fixture.h"

namespace iat {

inline ReportData MadeUpReport() {
  ReportData data;
  data.title = "made-up";
  data.figure1 = MadeUpFigure1();
  data.figure1_svg =
      "<?xml version=\"1.0\"?>\n<svg \n width=\"680\" height=\"648\" viewBox=\"0 0 680 "
      "648\">"
      "<title>figure1</title><rect width=\"9\" height=\"9\"/></svg>\n";
  Contrast contrast{.family = "trained",
                    .first = "ridge, pre-ReLU",
                    .second = "ridge, post-ReLU",
                    .layers = {}};
  for (int i = 0; i < 5; ++i) {
    contrast.layers.push_back({.layer = absl::StrCat("conv", i + 1),
                               .mean = 0.043 + 0.01 * i,
                               .low = 0.031 + 0.01 * i,
                               .high = 0.052 + 0.01 * i});
  }
  data.contrasts.push_back(contrast);
  for (int seed = 0; seed < 4; ++seed) {
    TrainingCurve curve;
    curve.animal = absl::StrCat("seed-00", seed);
    curve.collapsed = seed == 3;
    for (int i = 0; i <= 40; ++i) {
      TrainingPoint point;
      point.step = 50 * i;
      point.loss = 5.2 - 0.3 * seed * 0.2 - 2.1 * (1 - std::exp(-i / 12.0));
      if (i % 10 == 0)
        point.knn_top1 = 0.1 + 0.2 * (1 - std::exp(-i / 15.0)) + 0.01 * seed;
      point.embedding_deviation = 0.8;
      point.effective_rank = 30.0 + seed;
      curve.points.push_back(point);
    }
    data.training.curves.push_back(curve);
  }
  data.training.loss_name = "NT-Xent loss";
  data.training.knn_chance = 0.1;
  data.config =
      "[run]\nname = \"made-up\"\n\n[compare]\nlayers = [\"conv1\", \"conv2\"]\n";
  data.provenance = {{"version", "0.1.0"}, {"revision", "0123456789ab"}};
  data.timings = {{"train seed-000", "", 93.4}, {"compare", "resumed", 4000}};
  return data;
}

}  // namespace iat

#endif  // IAT_TESTS_REPORT_REPORT_FIXTURE_H_
