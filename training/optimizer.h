// Stochastic gradient descent with momentum and weight decay, and the learning
// rates it follows.
//
//   g <- gradient + weight_decay * w
//   v <- momentum * v + g        (v = g at the first step)
//   w <- w - learning_rate * v
//
// as torch.optim.SGD does without Nesterov and dampening, in one pass over memory.
// Weight decay acts on every parameter, biases and batch norm included.

#ifndef IAT_TRAINING_OPTIMIZER_H_
#define IAT_TRAINING_OPTIMIZER_H_

#include <torch/types.h>

#include <map>
#include <string>
#include <vector>

#include "base/options.h"

namespace iat {

// Keys of config table [training].
struct SgdOptions {
  double momentum = 0.9;
  double weight_decay = 5e-4;
  void Describe(OptionVisitor& visitor);
};

class Sgd {
 public:
  Sgd(const SgdOptions& options,
      std::vector<std::pair<std::string, torch::Tensor>> parameters);

  // Uses and then zeroes the gradients.
  void Step(double learning_rate);

  // Velocities by parameter name; zero before the first step, which gives v = g.
  const std::map<std::string, torch::Tensor>& velocities() const { return velocities_; }

 private:
  SgdOptions options_;
  std::vector<std::pair<std::string, torch::Tensor>> parameters_;
  std::map<std::string, torch::Tensor> velocities_;
};

// Keys of config table [training].
struct ScheduleOptions {
  double learning_rate = 0.003;
  std::string schedule = "step";
  std::vector<int64_t> step_epochs = {120, 160};
  double step_factor = 0.1;
  double warmup_epochs = 0.0;
  void Describe(OptionVisitor& visitor);
};

// Learning rate of step `step` (from 0) out of epochs * steps_per_epoch.
//   step      learning_rate * step_factor^(number of step_epochs reached)
//   cosine    learning_rate * (1 + cos(pi * progress)) / 2, progress after warm-up
//   constant  learning_rate
// During warm-up it rises linearly: learning_rate * (step + 1) / (warm-up steps).
double LearningRate(const ScheduleOptions& options, int64_t step, int64_t steps_per_epoch,
                    int64_t epochs);

}  // namespace iat

#endif  // IAT_TRAINING_OPTIMIZER_H_
