// Optimisers and the learning rates they follow. One pass over memory a step: a
// network of 57 million parameters is bound by it, not by arithmetic.
//
//   sgd     g <- gradient + weight_decay * w
//           v <- momentum * v + g                       (v = g at the first step)
//           w <- w - rate * v,  or  w - rate * (g + momentum * v)  with Nesterov
//   adam    g <- gradient + weight_decay * w
//           m <- beta1 m + (1 - beta1) g;  s <- beta2 s + (1 - beta2) g^2
//           w <- w - rate * (m / (1 - beta1^t)) / (sqrt(s / (1 - beta2^t)) + epsilon)
//   adamw   as adam, but g <- gradient, and first w <- w - rate * weight_decay * w
//   lars    q <- trust * |w| / (|gradient| + weight_decay * |w|)    per parameter;
//                1 where |w| or |gradient| is 0
//           v <- momentum * v + rate * q * (gradient + weight_decay * w)
//           w <- w - v
//
// sgd, adam and adamw are torch.optim's (no dampening), weight decay acts on every
// parameter, biases and batch norm included. Parameters that lars_exclude names have
// no weight decay, q = 1 and rate * lars_excluded_rate.
//
// Source   LARS: You, Gitman & Ginsburg, arXiv:1708.03888; Adam: Kingma & Ba, ICLR
//          2015; AdamW: Loshchilov & Hutter, ICLR 2019.

#ifndef IAT_TRAINING_OPTIMIZER_H_
#define IAT_TRAINING_OPTIMIZER_H_

#include <torch/types.h>

#include <map>
#include <string>
#include <utility>
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

class Optimizer {
 public:
  // Parameters that want no gradient are left alone.
  Optimizer(const OptimizerOptions& options,
            std::vector<std::pair<std::string, torch::Tensor>> parameters);

  // Uses the gradients and lets go of them: the next backward pass then hands its
  // own memory over instead of adding to zeros.
  void Step(double learning_rate);

  // Everything kept between steps, by name: "velocity.NAME", or "moment1.NAME",
  // "moment2.NAME" and "steps" (Adam). The tensors themselves, not copies: a resumed
  // run copies the stored values into them. Zero before the first step.
  std::map<std::string, torch::Tensor> state() const;

 private:
  struct Slot {
    std::string name;
    torch::Tensor parameter;
    torch::Tensor first;   // velocity or first moment
    torch::Tensor second;  // second moment, Adam only
    bool excluded = false;
  };

  void SgdStep(Slot& slot, const torch::Tensor& gradient, double learning_rate);
  void LarsStep(Slot& slot, const torch::Tensor& gradient, double learning_rate);
  void AdamStep(Slot& slot, const torch::Tensor& gradient, double learning_rate,
                int64_t steps);

  OptimizerOptions options_;
  std::vector<Slot> slots_;
  torch::Tensor steps_;  // one int64, Adam only
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

#endif  // IAT_TRAINING_OPTIMIZER_H_
