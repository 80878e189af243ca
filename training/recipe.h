// How an objective is trained where nothing else is asked for: its published recipe,
// or, where none was published for this network, its paper's (docs/method.md says
// which). The config changes it key by key.

#ifndef IAT_TRAINING_RECIPE_H_
#define IAT_TRAINING_RECIPE_H_

#include <cstdint>

#include "images/augment.h"
#include "training/optimizer_options.h"

namespace iat {

struct TrainingRecipe {
  int64_t epochs = 200;
  int64_t batch_size = 256;
  // Whether schedule.learning_rate is meant for batch_size images a step and follows
  // it in proportion, as the papers of the two-view objectives have it.
  bool rate_follows_batch = false;
  OptimizerOptions optimizer = {};
  ScheduleOptions schedule = {};
  AugmentOptions augmentation = InstanceRecognitionAugmentation();
};

}  // namespace iat

#endif  // IAT_TRAINING_RECIPE_H_
