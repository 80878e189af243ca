// Stimuli that need no files: gratings, noise, uniform greys.
//
// Grating     I(x, y) = (1 + c sin(2 pi f (x cos o + y sin o) / size - p)) / 2, x to the
//             right and y down from the picture's centre, f in cycles per picture, o
//             the direction in which intensity varies, so bars stand at right angles
//             to it: o = 0 has upright bars, o = 90 level ones.
//   static    o = i 180 / num_orientations, p = j 360 / num_phases
//   drifting  o = i 360 / num_orientations, the direction of movement; the phases are
//             the frames of one period, in order
// White noise independent pixels, pink noise: amplitudes fall as 1/f; both Gaussian
//             with mean 1/2 and deviation 0.2, cut at black and white
// Grey        count levels from black to white, evenly spaced (one: the middle)
//
// All are grey pictures (three equal channels), functions of their parameters or of
// (seed, index) alone.
//
// Ids  "grating-o022.5-f4-p090-c1", "white-noise-7-000012", "grey-128"

#ifndef IAT_IMAGES_PARAMETRIC_H_
#define IAT_IMAGES_PARAMETRIC_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/options.h"
#include "images/image.h"

namespace iat {

// Config table [stimuli.NAME.gratings].
struct GratingOptions {
  std::string motion = "static";
  int64_t num_orientations = 8;
  std::vector<double> spatial_frequencies = {1, 2, 4, 8, 16};
  int64_t num_phases = 4;
  std::vector<double> contrasts = {1.0};

  void Describe(OptionVisitor& visitor);
  // InvalidArgument: no frequency or contrast, or one twice.
  absl::Status Validate() const;
};

struct Grating {
  double orientation = 0.0;  // degrees
  double spatial_frequency = 1.0;
  double phase = 0.0;  // degrees
  double contrast = 1.0;

  std::string Id() const;
  bool operator==(const Grating&) const = default;
};

// Orientation changes slowest, contrast fastest but for phase.
std::vector<Grating> Gratings(const GratingOptions& options);

Image RenderGrating(const Grating& grating, int size);
Image RenderWhiteNoise(uint64_t seed, int64_t index, int size);
Image RenderPinkNoise(uint64_t seed, int64_t index, int size);
Image RenderGrey(uint8_t level, int size);

}  // namespace iat

#endif  // IAT_IMAGES_PARAMETRIC_H_
