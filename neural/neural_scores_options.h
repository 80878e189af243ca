// What is scored on a recording; neural/neural_scores.h says how.
// Config table [neural.NAME.scores].

#ifndef IAT_NEURAL_NEURAL_SCORES_OPTIONS_H_
#define IAT_NEURAL_NEURAL_SCORES_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/options.h"
#include "similarity/mapping.h"

namespace iat {

struct NeuralScoresOptions {
  std::vector<std::string> directions = {"animals->animals", "others->animals"};
  std::vector<std::string> animals, areas;  // none: all
  std::string area_pairs = "all";
  int64_t min_neurons = 5;
  std::string activations;          // [stimuli.NAME] whose activations stand for models
  std::vector<std::string> layers;  // none: all that the files hold
  std::vector<std::string> stages = {"pre_relu", "post_relu"};
  std::vector<std::string> mappings = {"ridge"};
  int64_t block_size = 1;
  int64_t num_fit_stimuli = 0;
  std::vector<int64_t> split_seeds = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  int64_t num_bootstraps = 100;
  int64_t trial_seed = 0;
  double min_reliability = 0.5;
  std::vector<int64_t> pool_sizes;
  int64_t num_pool_samples = 5;
  int64_t sample_seed = 0;
  MappingOptions mapping;

  void Describe(OptionVisitor& visitor);
  absl::Status Validate() const;

  bool Wants(const std::string& direction) const;
  bool WantsModels() const;
};

}  // namespace iat

#endif  // IAT_NEURAL_NEURAL_SCORES_OPTIONS_H_
