// Predictions of a few units on the test stimuli, to be looked at: what a mapping gets
// right before the ReLU and what it cannot know after it.
//
// Which     Of the comparison's first family the first pair of animals, its first split
//           (the first with a logistic mapping, where those have splits of their own),
//           every layer onto itself, and of the target's layer one unit.
// Unit      The one of median activity. Activity is the share of the fit stimuli on
//           which the unit is above 0 after the ReLU; units that are active on fewer than
//           min_active of them or constant on the test stimuli are left out, and of an
//           even number the less active of the middle two is taken. Units are those that
//           LogisticRidge is fitted on, where it is.
// Output    predictions.csv in the scores folder: stimuli, source_animal, target_animal,
//           layer, target_unit, stage, split_seed, stimulus_id, truth, ridge,
//           logistic_ridge. A row a layer, stage and test stimulus, layers from input to
//           output, before the ReLU first, stimuli in the split's (shuffled) order; NaN
//           where a mapping was not asked for or has no meaning. R2 from these rows is
//           that of compare_units.nc.
// Again     A file whose inputs and options are unchanged stays as it is: their
//           fingerprint lies in predictions.fingerprint beside it.
//
// Example:
//   IAT_RETURN_IF_ERROR(WritePredictions(options, input, "runs/x/scores", control));

#ifndef IAT_SIMILARITY_PREDICTIONS_H_
#define IAT_SIMILARITY_PREDICTIONS_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "similarity/compare.h"

namespace iat {

// Removes the file of other options where these ask for none: no ridge, no map from
// post-ReLU onto post-ReLU, a family of one. Errors as of RunCompare; Cancelled when
// control.stop was set.
absl::Status WritePredictions(const CompareOptions& options, const CompareInput& input,
                              const std::filesystem::path& scores_folder,
                              const CompareControl& control);

// The rows of a layer, stage and unit.
struct UnitPrediction {
  std::string stimuli, source_animal, target_animal, layer, stage;
  int64_t target_unit = 0, split_seed = 0;
  std::vector<std::string> stimulus_ids;
  std::vector<double> truth, ridge, logistic_ridge;  // by stimulus; NaN: no prediction
};

// In the order of the file. InvalidArgument naming file, line and column of what does not
// fit.
absl::StatusOr<std::vector<UnitPrediction>> ReadPredictions(
    const std::filesystem::path& path);

}  // namespace iat

#endif  // IAT_SIMILARITY_PREDICTIONS_H_
