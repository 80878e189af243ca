#include "neural/neural_scores_options.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"

namespace iat {

void NeuralScoresOptions::Describe(OptionVisitor& visitor) {
  visitor.Choices(
      "directions", directions,
      {"animals->animals", "others->animals", "models->animals", "animals->models"},
      "which populations predict which: one recorded animal another, all other animals "
      "pooled an animal, models animals, animals models; none: the recording is not "
      "scored");
  // Lists of free text are read as paths are.
  visitor.Paths("animals", animals, "recorded animals that take part; empty: all");
  visitor.Paths("areas", areas, "recorded areas that take part; empty: all");
  visitor.Choice("area_pairs", area_pairs, {"all", "same"},
                 "every area onto every area, or each onto itself");
  visitor.Integer("min_neurons", min_neurons, {.min = 1},
                  "an animal's area with fewer neurons is left out");
  visitor.Text(
      "activations", activations,
      "the [stimuli.NAME] with the pictures that the animals saw, for directions "
      "with models");
  visitor.Choices("layers", layers,
                  {"conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"},
                  "the models' layers; empty: all that are extracted");
  visitor.Choices("stages", stages, {"pre_relu", "post_relu"}, "the models' stages");
  visitor.Choices("mappings", mappings, MappingNames(), "mappings to score");
  visitor.Integer("block_size", block_size, {.min = 1},
                  "stimuli of a block, consecutive in the recording; splits hold out "
                  "whole blocks");
  visitor.Integer("num_fit_stimuli", num_fit_stimuli, {.min = 0},
                  "stimuli to fit a mapping, a multiple of block_size; 0: half of the "
                  "blocks. All others test it");
  visitor.Integers("split_seeds", split_seeds, {.min = 0},
                   "one split of the stimuli each");
  visitor.Integer("num_bootstraps", num_bootstraps, {.min = 0},
                  "random halvings of the trials on every split; 0: no noise correction");
  visitor.Integer("trial_seed", trial_seed, {.min = 0}, "seed of the halvings");
  visitor.Number("min_reliability", min_reliability, {.min = -1.0, .max = 1.0},
                 "median_r_reliable and the corrected scores are over target neurons "
                 "with at least this internal consistency over all stimuli");
  visitor.Integers("pool_sizes", pool_sizes, {.min = 1},
                   "others->animals from so many neurons of the pool too");
  visitor.Integer("num_pool_samples", num_pool_samples, {.min = 1},
                  "random samples of each pool size, nested across sizes");
  visitor.Integer("sample_seed", sample_seed, {.min = 0},
                  "seed of the first such sample");
  mapping.Describe(visitor);
}

absl::Status NeuralScoresOptions::Validate() const {
  const auto need = [](bool ok, std::string message) {
    return ok ? absl::OkStatus() : absl::InvalidArgumentError(message);
  };
  for (const absl::Status& status : {
           need(!mappings.empty(), "mappings is []; expected at least one"),
           need(!stages.empty(), "stages is []; expected at least one"),
           need(!split_seeds.empty() &&
                    std::set<int64_t>(split_seeds.begin(), split_seeds.end()).size() ==
                        split_seeds.size(),
                "split_seeds: expected at least one seed, none twice"),
           need(num_fit_stimuli % block_size == 0,
                absl::StrCat("num_fit_stimuli is ", num_fit_stimuli,
                             "; expected a multiple of block_size, ", block_size)),
           need(!WantsModels() || !activations.empty(),
                "directions has models, but activations is empty; expected the name of "
                "the [stimuli.NAME] with the pictures that the animals saw"),
           mapping.Validate(),
       }) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

bool NeuralScoresOptions::Wants(const std::string& direction) const {
  return std::find(directions.begin(), directions.end(), direction) != directions.end();
}

bool NeuralScoresOptions::WantsModels() const {
  return Wants("models->animals") || Wants("animals->models");
}

}  // namespace iat
