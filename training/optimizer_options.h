// What the config says of optimisers (training/optimizer.h has their equations) and of
// the learning rates they follow.

#ifndef IAT_TRAINING_OPTIMIZER_OPTIONS_H_
#define IAT_TRAINING_OPTIMIZER_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/options.h"

namespace iat {

// Keys of config table [training].
struct OptimizerOptions {
  std::string optimizer = "sgd";
  double momentum = 0.9;
  bool nesterov = false;
  double weight_decay = 5e-4;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_epsilon = 1e-8;
  double lars_trust = 0.001;
  // "none"; "one_dimensional": every bias and batch norm; "mouse_vision": every
  // bias, and of the batch norms those of the head only (the published pattern
  // asked for "bn" in the name, and the network's are called features.1.weight).
  std::string lars_exclude = "one_dimensional";
  double lars_excluded_rate = 1.0;

  void Describe(OptionVisitor& visitor);
  // Sets the keys that `optimizer` does not read to their defaults.
  void ForgetUnused();
};

// Keys of config table [training].
struct ScheduleOptions {
  double learning_rate = 0.003;
  std::string schedule = "step";
  std::vector<int64_t> step_epochs = {120, 160};
  double step_factor = 0.1;
  double warmup_epochs = 0.0;
  double cosine_end = 0.0;
  void Describe(OptionVisitor& visitor);
};

// Learning rate of step `step` (from 0) out of epochs * steps_per_epoch.
//   step      learning_rate * step_factor^(number of step_epochs reached)
//   cosine    learning_rate * (e + (1 - e) * (1 + cos(pi * progress)) / 2), progress
//             after warm-up, e = cosine_end
//   constant  learning_rate
// During warm-up it rises linearly: learning_rate * (step + 1) / (warm-up steps).
double LearningRate(const ScheduleOptions& options, int64_t step, int64_t steps_per_epoch,
                    int64_t epochs);

}  // namespace iat

#endif  // IAT_TRAINING_OPTIMIZER_OPTIONS_H_
