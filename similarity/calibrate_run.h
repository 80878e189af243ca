// From activation files to scores/calibrate.csv and scores/calibrate.json: subsampling
// networks and recorded animals on the same stimuli, and the ratio of neurons to units.
//
// Recorded animals   Activation files with taps at stage "recorded"; their layers are
//                    areas. For every target animal its pool is all other animals that
//                    have the area; an area that fewer than two animals have is left out
//                    and named.
// Networks           One family; pools of num_pooled_sources, the others' hypercolumns.
// Layers             similarity/area_match.h.
// Stimuli            Every file must hold the same stimuli, so that split seeds mean the
//                    same splits.
// noise_correction   "none", or "target": the recorded animals' R2 divided by the target
//                    area's reliability, the median over its neurons of the by-unit
//                    variable "reliability" (docs/sampling.md has the formula).
// Files              calibrate.csv: all rows that curves are fitted to (of recorded
//                    animals after noise correction). calibrate/networks.csv and
//                    calibrate/recorded-AREA.csv: the rows as measured, with the parts
//                    that an interrupted run takes up.
//
// Example:
//   auto report = RunCalibrate(options, input, "runs/a/scores", {.jobs = 2});
//   if (report.ok() && report->has_value()) std::cout << CalibrationText(**report);

#ifndef IAT_SIMILARITY_CALIBRATE_RUN_H_
#define IAT_SIMILARITY_CALIBRATE_RUN_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/options.h"
#include "similarity/calibration_text.h"
#include "similarity/compare.h"
#include "similarity/mapping.h"

namespace iat {

// Config table [calibrate].
struct CalibrateOptions {
  std::string stimuli;
  std::string mapping = "ridge";
  std::string model_stage = "post_relu";
  std::string matches;
  int64_t num_fit_stimuli = 59, num_test_stimuli = 59;
  std::vector<int64_t> split_seeds = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  std::vector<int64_t> unit_sizes, neuron_sizes;
  int64_t num_samples = 5;
  int64_t num_pooled_sources = 9;
  std::string noise_correction = "none";
  CalibrationOptions fit;
  MappingOptions mapping_options;

  void Describe(OptionVisitor& visitor);
  absl::Status Validate() const;
};

struct CalibrateInput {
  std::string stimuli;                         // name of the stimulus set
  std::vector<std::filesystem::path> models;   // of one family
  std::vector<std::filesystem::path> animals;  // with taps at stage "recorded"
};

// Files of `folder` that have a tap at stage "recorded", sorted. Errors as of the files.
absl::StatusOr<std::vector<std::filesystem::path>> RecordedAnimals(
    const std::filesystem::path& folder);

// Writes both files. None while other ranks have still to finish. FailedPrecondition with
// fewer than two networks or recorded animals of every area; InvalidArgument naming files
// whose stimuli differ, or of which some are simulated and some are not.
absl::StatusOr<std::optional<CalibrationReport>> RunCalibrate(
    const CalibrateOptions& options, const CalibrateInput& input,
    const std::filesystem::path& scores_folder, const CompareControl& control);

// What a finished run wrote, fitted again. Errors naming the file that is missing or
// damaged.
absl::StatusOr<CalibrationReport> ReadCalibration(
    const CalibrateOptions& options, const std::filesystem::path& scores_folder);

}  // namespace iat

#endif  // IAT_SIMILARITY_CALIBRATE_RUN_H_
