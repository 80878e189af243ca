// When which image was shown, as both Allen data sets record it, and the test for
// running that both use.
//
// Rows need not be in time order, and blank screens (image -1) lie between the images.

#ifndef IAT_NEURAL_PRESENTATIONS_H_
#define IAT_NEURAL_PRESENTATIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "neural/selection.h"

namespace iat {

struct Presentation {
  double start = 0.0, stop = 0.0;  // seconds, or acquisition frames
  int64_t image = 0;
  int64_t trial = 0;  // how many times the image was shown before
};

// Sorted by start, blanks left out (and noted in `record`), trials counted. `where` is
// what errors call the table. InvalidArgument naming the row: a start that is not finite
// or not before its stop, an image that is neither -1 nor in [0, num_images); no image
// at all; one image more than 10000 times.
absl::StatusOr<std::vector<Presentation>> OrderPresentations(
    const std::vector<double>& starts, const std::vector<double>& stops,
    const std::vector<int64_t>& images, int64_t num_images, const std::string& where,
    SelectionRecord& record);

// The largest number of trials of any image.
int64_t NumTrials(const std::vector<Presentation>& presentations);

// Mean of the samples with start <= time < stop (NaN samples left out; none: NaN).
// `times` need not be sorted.
std::vector<double> MeansDuring(const std::vector<double>& times,
                                const std::vector<double>& values,
                                const std::vector<double>& starts,
                                const std::vector<double>& stops);

// p of Welch's test between a neuron's responses to its preferred image (largest mean;
// the first of equal ones) while the animal ran (speed >= threshold) and while it did
// not. NaN with fewer than `min_trials` on a side. Presentations without a response or a
// speed are left out.
double RunningP(const std::vector<Presentation>& presentations,
                const std::vector<double>& responses, const std::vector<double>& speeds,
                int64_t num_images, double threshold, int64_t min_trials);

}  // namespace iat

#endif  // IAT_NEURAL_PRESENTATIONS_H_
