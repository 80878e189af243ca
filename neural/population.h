// Populations of neurons or units as scores read them: trial by trial, on the same
// stimuli in the same order.
//
// A recording's populations are its animals' areas, a model's its layers at a stage. A
// model has one noiseless "trial". Stimuli are matched by id.

#ifndef IAT_NEURAL_POPULATION_H_
#define IAT_NEURAL_POPULATION_H_

#include <Eigen/Core>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/activation_file.h"
#include "neural/noise_correction.h"
#include "neural/recording.h"

namespace iat {

struct Population {
  std::string animal;  // "region1", "seed-003"; of a pool "mouse-1+mouse-2"
  std::string area;    // or layer
  Stage stage = Stage::kRecorded;
  std::vector<std::string> unit_ids;
  Trials trials;  // one matrix of a model's: no noise

  bool is_model() const { return stage != Stage::kRecorded; }
  Eigen::Index num_units() const { return trials[0].cols(); }
};

// What to take of a recording; none: all.
struct PopulationSelection {
  std::vector<std::string> animals, areas;
  int64_t min_neurons = 1;  // smaller populations are left out
};

struct Populations {
  // The stimuli at which every neuron of every population has at least 2 trials, in the
  // recording's order.
  std::vector<std::string> stimulus_ids;
  std::vector<Population> populations;  // by animal, then area, as the recording has them
  std::vector<std::string> notes;       // what was left out, in words
};

// NotFound naming an animal or area that is not there. InvalidArgument when fewer than 4
// stimuli are left, naming the population that lacks most, or no population is left.
absl::StatusOr<Populations> PopulationsOf(const Recording& recording,
                                          const PopulationSelection& selection);

// A model's tap on these stimuli. NotFound naming the first stimulus that is missing.
absl::StatusOr<Population> PopulationOf(const ActivationFile& file, const Tap& tap,
                                        const std::vector<std::string>& stimulus_ids);

}  // namespace iat

#endif  // IAT_NEURAL_POPULATION_H_
