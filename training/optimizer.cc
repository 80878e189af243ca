#include "training/optimizer.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace iat {
namespace {

void FusedStep(float* __restrict weights, float* __restrict velocities,
               float* __restrict gradients, int64_t n, float learning_rate,
               float momentum, float weight_decay) {
  for (int64_t i = 0; i < n; ++i) {
    const float velocity =
        momentum * velocities[i] + (gradients[i] + weight_decay * weights[i]);
    velocities[i] = velocity;
    weights[i] -= learning_rate * velocity;
    gradients[i] = 0.0f;
  }
}

}  // namespace

void SgdOptions::Describe(OptionVisitor& visitor) {
  visitor.Number("momentum", momentum, {.min = 0.0, .max = 1.0, .max_excluded = true},
                 "of stochastic gradient descent");
  visitor.Number("weight_decay", weight_decay, {.min = 0.0},
                 "L2 penalty on every parameter, added to the gradient");
}

Sgd::Sgd(const SgdOptions& options,
         std::vector<std::pair<std::string, torch::Tensor>> parameters)
    : options_(options), parameters_(std::move(parameters)) {
  for (const auto& [name, parameter] : parameters_) {
    velocities_[name] = torch::zeros_like(parameter, torch::MemoryFormat::Preserve);
  }
}

void Sgd::Step(double learning_rate) {
  const torch::NoGradGuard no_grad;
  for (auto& [name, parameter] : parameters_) {
    torch::Tensor gradient = parameter.grad();
    if (!gradient.defined()) continue;
    torch::Tensor& velocity = velocities_.at(name);
    // One pass needs the three tensors laid out alike; other devices and layouts
    // take the long road to the same numbers.
    if (parameter.device().is_cpu() && parameter.is_contiguous() &&
        gradient.is_contiguous() && velocity.is_contiguous()) {
      FusedStep(parameter.data_ptr<float>(), velocity.data_ptr<float>(),
                gradient.data_ptr<float>(), parameter.numel(),
                static_cast<float>(learning_rate), static_cast<float>(options_.momentum),
                static_cast<float>(options_.weight_decay));
    } else {
      velocity.mul_(options_.momentum)
          .add_(gradient.add(parameter, options_.weight_decay));
      parameter.sub_(velocity, learning_rate);
      gradient.zero_();
    }
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
    return options.learning_rate * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
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
