// Responses of recorded (or simulated) animals, trial by trial, in memory and as
// neural/NAME.nc.
//
// Dimensions  trial; stimulus; neuron (all animals and areas, one after another)
// Variables   response(trial, stimulus, neuron) float32, checksummed; NaN where there was
//             no such trial
// Coordinates stimulus_id(stimulus); animal, area, neuron_id (neuron) strings
// By neuron   further float64 variables: reliability, ...
// Attributes  format_version, iat_version, name, unit, source, simulated ("yes"/"no"),
//             selection (what was kept and dropped, in words), fingerprint

#ifndef IAT_NEURAL_RECORDING_H_
#define IAT_NEURAL_RECORDING_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace iat {

struct RecordedNeuron {
  std::string animal;  // "region1", "specimen-716813540", "simulated-000"
  std::string area;    // "VISp", "V1"; of a simulated neuron its layer
  std::string id;      // unique within the animal
};

struct Recording {
  std::string name;
  std::string unit;       // "spikes/s", "dF/F %"
  std::string source;     // in words: where the data come from
  std::string selection;  // in words: what was kept and dropped
  bool simulated = false;
  std::string fingerprint;

  std::vector<std::string> stimulus_ids;
  std::vector<RecordedNeuron> neurons;
  int64_t num_trials = 0;
  std::vector<float> responses;  // trial x stimulus x neuron, C order, NaN: no such trial
  std::map<std::string, std::vector<double>> by_neuron;  // "reliability", ...

  float& at(int64_t trial, int64_t stimulus, int64_t neuron) {
    return responses[(trial * static_cast<int64_t>(stimulus_ids.size()) + stimulus) *
                         static_cast<int64_t>(neurons.size()) +
                     neuron];
  }
  float at(int64_t trial, int64_t stimulus, int64_t neuron) const {
    return const_cast<Recording*>(this)->at(trial, stimulus, neuron);
  }
  // In order of first appearance.
  std::vector<std::string> animals() const;
  std::vector<std::string> areas() const;

  // InvalidArgument naming what does not fit: sizes, ids empty or twice, infinities.
  absl::Status Validate() const;
};

// Whole or not at all.
absl::Status WriteRecording(const std::filesystem::path& path,
                            const Recording& recording);
// InvalidArgument or DataLoss naming the file and what is wrong.
absl::StatusOr<Recording> ReadRecording(const std::filesystem::path& path);

// Means over trials as activation files FOLDER/ANIMAL.nc (base/activation_file.h): layers
// are areas, stage "recorded", scope "recorded", so that everything that compares animals
// compares these too. Stimuli of which an animal has no trial are left out of its file;
// neurons without a trial at any of the remaining stimuli are an error.
absl::StatusOr<std::vector<std::filesystem::path>> WriteTrialMeans(
    const Recording& recording, const std::filesystem::path& folder);

}  // namespace iat

#endif  // IAT_NEURAL_RECORDING_H_
