// Figure 1 of the paper: how well each mapping predicts one animal's units from
// another's, layer by layer, before and after the ReLU.
//
//   figure-1.csv   every point, mean and interval end that is drawn
//   figure-1.gp    the gnuplot script (5.4 or newer) that draws them:
//                  `gnuplot figure-1.gp` in that folder makes the pictures again
//   figure-1.svg, figure-1.pdf, figure-1.png
//
// Nothing is estimated here: means and intervals come in ready-made. One column a
// mapping and stage, small points for ordered pairs of animals, a large mark for
// the mean, a bar for its interval. Colours are Okabe & Ito's, each with a shape
// of its own, so that the figure also reads in grey. A mean that has no value is
// drawn as a cross at the foot of its column and named in the caption.
//
// Units    R² has none; 1 is a perfect prediction, 0 is predicting the mean of
//          the test stimuli.
//
// Example:
//   Figure1Data data = ...;
//   IAT_RETURN_IF_ERROR(DrawFigure1(data, run_folder / "figures", options));
//   std::cout << Figure1Caption(data) << "\n";

#ifndef IAT_REPORT_FIGURE1_H_
#define IAT_REPORT_FIGURE1_H_

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/options.h"

namespace iat {

struct Figure1Pair {
  std::string source_animal, target_animal;
  double r2 = 0;  // median over units, mean over splits; NaN when there is none
};

struct Figure1Mark {
  std::string layer;    // "conv3"
  std::string stage;    // "pre_relu", "post_relu", "recorded"
  std::string mapping;  // "ridge", "logistic_ridge", ...
  std::string label;    // in legend and tables; empty: MappingLabel(mapping, stage)

  double mean = std::numeric_limits<double>::quiet_NaN();  // NaN: no value
  // Both NaN when there is no interval.
  double low = std::numeric_limits<double>::quiet_NaN();
  double high = std::numeric_limits<double>::quiet_NaN();
  std::vector<Figure1Pair> pairs;  // both directions

  int64_t num_splits = 0;
  int64_t num_target_units = 0;
  // Smallest and largest over pairs and splits.
  int64_t min_scored_units = 0, max_scored_units = 0;
};

// One family of animals.
struct Figure1Panel {
  std::string name;      // "trained": in the data file and as the panel's heading
  std::string training;  // "SimCLR, 6 epochs of 6,400 dead-leaves images", or empty
  int64_t num_animals = 0;
  int64_t num_pairs = 0;  // unordered pairs, over which the means are taken
  std::vector<Figure1Mark> marks;
};

struct Figure1Data {
  // Layers are drawn in the order in which its marks first name them.
  Figure1Panel family;
  // Drawn in lighter colours below, usually an untrained family.
  std::optional<Figure1Panel> companion;
  // Targets' stimuli shuffled, of the family: a strip at the bottom, near zero
  // if nothing leaks.
  std::vector<Figure1Mark> permuted;

  std::string stimuli;  // name of the stimulus set
  int64_t num_fit_stimuli = 0, num_test_stimuli = 0;
  double confidence = 0.95;  // of the intervals
  bool simulated = false;    // says so in large letters in the figure itself
};

struct FigureOptions {
  std::string gnuplot = "gnuplot";
  double width_mm = 180;

  void Describe(OptionVisitor& visitor) {
    visitor.Text("gnuplot", gnuplot, "name or path of the gnuplot program");
    visitor.Number("width_mm", width_mm, {.min = 80, .max = 400},
                   "width of the figures in millimetres");
  }
};

// "ridge, pre-ReLU", "LogisticRidge (soft gate), post-ReLU"; a name it doesn't
// know is shown as it is.
std::string MappingLabel(const std::string& mapping, const std::string& stage);

// InvalidArgument: no marks at all; a name that is empty or holds a quote, comma
// or control character; a second mark for the same layer, stage and mapping; an
// interval with one end only or not around its mean; two panels of one name.
absl::Status ValidateFigure1(const Figure1Data& data);

// The parts, for valid data.
std::string Figure1Csv(const Figure1Data& data);
std::string Figure1Script(const Figure1Data& data, const FigureOptions& options);
// One paragraph, without "Figure 1".
std::string Figure1Caption(const Figure1Data& data);

// Writes the five files, each whole or not at all, the script and data first.
// Same data, same bytes; but cairo from 1.18 on keeps the time of drawing in a
// compressed part of the PDF, out of reach, and there the PDF alone differs.
absl::Status DrawFigure1(const Figure1Data& data, const std::filesystem::path& folder,
                         const FigureOptions& options);

}  // namespace iat

#endif  // IAT_REPORT_FIGURE1_H_
