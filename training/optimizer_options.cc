#include "training/optimizer_options.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace iat {

void OptimizerOptions::Describe(OptionVisitor& visitor) {
  visitor.Choice("optimizer", optimizer, {"sgd", "adam", "adamw", "lars"},
                 "what turns gradients into steps");
  visitor.Number("momentum", momentum, {.min = 0.0, .max = 1.0, .max_excluded = true},
                 "of sgd and lars");
  visitor.Flag("nesterov", nesterov, "sgd: look ahead along the momentum");
  visitor.Number("weight_decay", weight_decay, {.min = 0.0},
                 "L2 penalty on every parameter, added to the gradient (adamw: taken "
                 "off the weights)");
  const NumberRange beta = {.min = 0.0, .max = 1.0, .max_excluded = true};
  visitor.Number("adam_beta1", adam_beta1, beta, "decay of adam's mean gradient");
  visitor.Number("adam_beta2", adam_beta2, beta, "decay of adam's mean square");
  visitor.Number("adam_epsilon", adam_epsilon, {.min = 0.0, .min_excluded = true},
                 "added to the root of adam's mean square");
  visitor.Number("lars_trust", lars_trust, {.min = 0.0, .min_excluded = true},
                 "step of a parameter relative to its norm");
  visitor.Choice("lars_exclude", lars_exclude,
                 {"none", "one_dimensional", "mouse_vision"},
                 "parameters that lars neither decays nor adapts: none, biases and "
                 "batch norms, or all biases and the head's batch norms");
  visitor.Number("lars_excluded_rate", lars_excluded_rate, {.min = 0.0},
                 "learning rate of those, as a share of the others'");
}

void OptimizerOptions::ForgetUnused() {
  const OptimizerOptions defaults;
  const bool adam = optimizer == "adam" || optimizer == "adamw";
  if (adam) {
    momentum = defaults.momentum;
  } else {
    adam_beta1 = defaults.adam_beta1;
    adam_beta2 = defaults.adam_beta2;
    adam_epsilon = defaults.adam_epsilon;
  }
  if (optimizer != "sgd") nesterov = defaults.nesterov;
  if (optimizer != "lars") {
    lars_trust = defaults.lars_trust;
    lars_exclude = defaults.lars_exclude;
    lars_excluded_rate = defaults.lars_excluded_rate;
  }
}

void ScheduleOptions::Describe(OptionVisitor& visitor) {
  visitor.Number("learning_rate", learning_rate, {.min = 0.0, .min_excluded = true},
                 "highest learning rate");
  visitor.Choice("schedule", schedule, {"step", "cosine", "constant"},
                 "how the learning rate falls");
  visitor.Integers("step_epochs", step_epochs, {.min = 1},
                   "epochs at which the step schedule multiplies by step_factor");
  visitor.Number("step_factor", step_factor,
                 {.min = 0.0, .max = 1.0, .min_excluded = true},
                 "factor of the step schedule");
  visitor.Number("warmup_epochs", warmup_epochs, {.min = 0.0},
                 "epochs over which the learning rate rises from 0");
  visitor.Number("cosine_end", cosine_end, {.min = 0.0, .max = 1.0},
                 "where the cosine schedule ends, as a share of learning_rate");
}

double LearningRate(const ScheduleOptions& options, int64_t step, int64_t steps_per_epoch,
                    int64_t epochs) {
  const double warmup_steps =
      options.warmup_epochs * static_cast<double>(steps_per_epoch);
  const double position = static_cast<double>(step);
  if (position < warmup_steps) {
    return options.learning_rate * std::min(1.0, (position + 1.0) / warmup_steps);
  }
  if (options.schedule == "cosine") {
    const double total = static_cast<double>(epochs * steps_per_epoch) - warmup_steps;
    const double progress = total > 0.0 ? (position - warmup_steps) / total : 1.0;
    const double fall = 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
    return options.learning_rate *
           (options.cosine_end + (1.0 - options.cosine_end) * fall);
  }
  double rate = options.learning_rate;
  if (options.schedule == "step") {
    for (const int64_t epoch : options.step_epochs) {
      if (step >= epoch * steps_per_epoch) rate *= options.step_factor;
    }
  }
  return rate;
}

}  // namespace iat
