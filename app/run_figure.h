// What the figures of a run that are not numbered share: whose they are, and the drawing
// together with its place in the report.

#ifndef IAT_APP_RUN_FIGURE_H_
#define IAT_APP_RUN_FIGURE_H_

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/match.h"
#include "report/report_figure.h"

namespace iat {

// The family that is drawn.
struct FigureFamily {
  std::string prefix = "seed";   // of its animals' names
  std::string name = "trained";  // in captions
  std::string training;          // "SimCLR, 6 epochs of 6,400 images", or empty
  bool simulated = false;
};

template <typename Chart>
struct RunFigure {
  Chart chart;
  ReportFigure report;  // its svg is empty until the chart is drawn
};

// "trained: SimCLR, 6 epochs of 6,400 images."
inline std::string FamilyWords(const FigureFamily& family) {
  return family.training.empty() ? family.name + "."
                                 : family.name + ": " + family.training + ".";
}

// From input to output: convolutions by name, then the rest.
inline void SortLayers(std::vector<std::string>& layers) {
  std::sort(layers.begin(), layers.end(), [](const auto& a, const auto& b) {
    const bool a_full = !absl::StartsWith(a, "conv"),
               b_full = !absl::StartsWith(b, "conv");
    return std::tie(a_full, a) < std::tie(b_full, b);
  });
  layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
}

}  // namespace iat

#endif  // IAT_APP_RUN_FIGURE_H_
