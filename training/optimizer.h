// Optimisers. One pass over memory a step: a network of 57 million parameters is bound
// by it, not by arithmetic.
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
#include <vector>

#include "training/optimizer_options.h"

namespace iat {

struct OptimizedParameter {
  std::string name;
  torch::Tensor value;
  double rate = 1.0;  // times the learning rate
};

class Optimizer {
 public:
  // Parameters that want no gradient are left alone.
  Optimizer(const OptimizerOptions& options,
            const std::vector<OptimizedParameter>& parameters);

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
    double rate = 1.0;
    bool excluded = false;
  };

  // SGD for all parameters of one rate in one kernel. False, and nothing done: on the
  // CPU, whose own pass is as short, and with a LibTorch before 2.4.
  bool FusedSgdStep(double learning_rate);
  void SgdStep(Slot& slot, const torch::Tensor& gradient, double learning_rate);
  void LarsStep(Slot& slot, const torch::Tensor& gradient, double learning_rate);
  void AdamStep(Slot& slot, const torch::Tensor& gradient, double learning_rate,
                int64_t steps);

  OptimizerOptions options_;
  std::vector<Slot> slots_;
  torch::Tensor steps_;  // one int64, Adam only
};

}  // namespace iat

#endif  // IAT_TRAINING_OPTIMIZER_H_
