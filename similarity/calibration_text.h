// A calibration as a table for stdout and as scores/calibrate.json.
//
// calibrate.json
//   measure       what f and g both are: r2 in words, stimuli, mapping, numbers of fit
//   and
//                 test stimuli, split_seeds, noise_correction, axis
//   simulated     whether the recorded animals are simulated
//   confidence    of every interval in the file
//   matches       one entry an area and layer: area, layer, model_stage; f and g, each
//                 with form, formula, parameters (value, low, high), intervals
//                 ("jackknife" or "linearised"), rms_residual and points (size, r2,
//                 spread), or with the words of its refusal; neuron_to_unit_ratio (value,
//                 low, high), rms_distance, at_edge; needed_neurons (state, share,
//                 within, largest_size, largest_r2); no_interval_because; warnings
//   left_out      pairs of area and layer that have no curve, in words
//   area_match    R2 of every layer's map onto every area, where layers were chosen by it
// Numbers that are not there are null.

#ifndef IAT_SIMILARITY_CALIBRATION_TEXT_H_
#define IAT_SIMILARITY_CALIBRATION_TEXT_H_

#include <string>
#include <vector>

#include "similarity/calibrate.h"

namespace iat {

// Mean R2 of the maps from a layer of the networks onto a recorded area.
struct AreaMatch {
  std::string area, layer;
  double r2 = 0;
  bool chosen = false;
};

struct CalibrationReport {
  std::vector<Calibration> calibrations;
  std::vector<std::string> left_out;  // pairs of area and layer without a curve, in words
  std::vector<AreaMatch> matches;     // none where layers were given
  CalibrationOptions options;
  std::string noise_correction = "none";
  bool simulated = false;
};

std::string CalibrationText(const CalibrationReport& report);
std::string CalibrationJson(const CalibrationReport& report);

// "L arctan(k m) + b", "a ln n + c", ...: of f ("arctan") and of every form of g.
std::string CurveFormula(const std::string& form);

}  // namespace iat

#endif  // IAT_SIMILARITY_CALIBRATION_TEXT_H_
