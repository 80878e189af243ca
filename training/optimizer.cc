#include "training/optimizer.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "models/torch.h"
#include "models/torch_version.h"

namespace iat {
namespace {

// Values a thread takes at a time. The loops work on each value alone, so that
// neither this nor the number of threads changes a result.
constexpr int64_t kGrain = 1 << 15;

// Calls loop(begin, end) over [0, n).
template <typename Loop>
void InParallel(int64_t n, const Loop& loop) {
  at::parallel_for(0, n, kGrain, loop);
}

// One pass needs the tensors laid out alike on the CPU; other devices and layouts
// take the long road to the same numbers.
bool FitForOnePass(std::initializer_list<torch::Tensor> tensors) {
  return std::all_of(tensors.begin(), tensors.end(), [](const torch::Tensor& t) {
    return t.device().is_cpu() && t.is_contiguous() && t.scalar_type() == torch::kFloat32;
  });
}

template <bool nesterov>
void SgdLoop(float* __restrict weights, float* __restrict velocities,
             const float* __restrict gradients, int64_t n, float learning_rate,
             float momentum, float weight_decay) {
  for (int64_t i = 0; i < n; ++i) {
    const float gradient = gradients[i] + weight_decay * weights[i];
    const float velocity = momentum * velocities[i] + gradient;
    velocities[i] = velocity;
    weights[i] -= learning_rate * (nesterov ? gradient + momentum * velocity : velocity);
  }
}

void LarsLoop(float* __restrict weights, float* __restrict velocities,
              const float* __restrict gradients, int64_t n, float local_rate,
              float momentum, float weight_decay) {
  for (int64_t i = 0; i < n; ++i) {
    const float gradient = gradients[i] + weight_decay * weights[i];
    const float velocity = momentum * velocities[i] + local_rate * gradient;
    velocities[i] = velocity;
    weights[i] -= velocity;
  }
}

// |x|, the same for any number of threads. Lanes of floats are short enough not to
// lose small squares beside a large sum.
double Norm(const torch::Tensor& x) {
  constexpr int64_t kLanes = 16, kRun = 1024;
  const float* values = x.data_ptr<float>();
  const int64_t n = x.numel();
  std::vector<double> sums((n + kRun - 1) / kRun);
  at::parallel_for(0, static_cast<int64_t>(sums.size()), kGrain / kRun,
                   [&](int64_t begin, int64_t end) {
                     for (int64_t run = begin; run < end; ++run) {
                       const float* in = values + run * kRun;
                       const int64_t count = std::min(kRun, n - run * kRun);
                       float lanes[kLanes] = {};
                       int64_t i = 0;
                       for (; i + kLanes <= count; i += kLanes) {
                         for (int64_t lane = 0; lane < kLanes; ++lane) {
                           lanes[lane] += in[i + lane] * in[i + lane];
                         }
                       }
                       double sum = 0.0;
                       for (; i < count; ++i) sum += double{in[i]} * in[i];
                       for (const float lane : lanes) sum += lane;
                       sums[run] = sum;
                     }
                   });
  return std::sqrt(std::accumulate(sums.begin(), sums.end(), 0.0));
}

struct AdamNumbers {
  float beta1, rest1;  // beta1, 1 - beta1
  float beta2, rest2;
  float step_size;   // rate / (1 - beta1^t)
  float root_scale;  // 1 / sqrt(1 - beta2^t)
  float epsilon;
  float l2;    // weight decay in the gradient
  float kept;  // 1 - rate * decoupled weight decay
};

void AdamLoop(float* __restrict weights, float* __restrict first,
              float* __restrict second, const float* __restrict gradients, int64_t n,
              const AdamNumbers& c) {
  for (int64_t i = 0; i < n; ++i) {
    const float gradient = gradients[i] + c.l2 * weights[i];
    const float m = c.beta1 * first[i] + c.rest1 * gradient;
    const float s = c.beta2 * second[i] + c.rest2 * gradient * gradient;
    first[i] = m;
    second[i] = s;
    weights[i] =
        c.kept * weights[i] - c.step_size * m / (std::sqrt(s) * c.root_scale + c.epsilon);
  }
}

}  // namespace

Optimizer::Optimizer(const OptimizerOptions& options,
                     const std::vector<OptimizedParameter>& parameters)
    : options_(options) {
  const bool adam = options.optimizer == "adam" || options.optimizer == "adamw";
  for (const auto& [name, parameter, rate] : parameters) {
    if (!parameter.requires_grad()) continue;
    Slot slot;
    slot.name = name;
    slot.parameter = parameter;
    slot.rate = rate;
    const auto zeros = [&] {
      return torch::zeros_like(parameter, torch::TensorOptions().requires_grad(false),
                               torch::MemoryFormat::Preserve);
    };
    slot.first = zeros();
    if (adam) slot.second = zeros();
    if (options.optimizer == "lars") {
      const bool of_the_head = absl::StartsWith(name, "objective.");
      const bool is_bias = absl::EndsWith(name, "bias");
      slot.excluded =
          (options.lars_exclude == "one_dimensional" && parameter.dim() < 2) ||
          (options.lars_exclude == "mouse_vision" &&
           (is_bias || (of_the_head && parameter.dim() < 2)));
    }
    slots_.push_back(std::move(slot));
  }
  if (adam) steps_ = torch::zeros({1}, torch::kInt64);
}

std::map<std::string, torch::Tensor> Optimizer::state() const {
  std::map<std::string, torch::Tensor> state;
  const bool adam = steps_.defined();
  for (const Slot& slot : slots_) {
    state[absl::StrCat(adam ? "moment1." : "velocity.", slot.name)] = slot.first;
    if (adam) state[absl::StrCat("moment2.", slot.name)] = slot.second;
  }
  if (adam) state["steps"] = steps_;
  return state;
}

void Optimizer::Step(double learning_rate) {
  const torch::NoGradGuard no_grad;
  if (options_.optimizer == "sgd" && FusedSgdStep(learning_rate)) return;
  int64_t steps = 0;
  if (steps_.defined()) steps = ++*steps_.data_ptr<int64_t>();
  for (Slot& slot : slots_) {
    const torch::Tensor gradient = slot.parameter.grad();
    if (!gradient.defined()) continue;
    const double rate = slot.rate * learning_rate;
    if (options_.optimizer == "sgd") {
      SgdStep(slot, gradient, rate);
    } else if (options_.optimizer == "lars") {
      LarsStep(slot, gradient, rate);
    } else {
      AdamStep(slot, gradient, rate, steps);
    }
    slot.parameter.mutable_grad().reset();
  }
}

bool Optimizer::FusedSgdStep([[maybe_unused]] double learning_rate) {
#if IAT_TORCH_AT_LEAST(2, 4)
  if (slots_.empty() || slots_.front().parameter.device().is_cpu()) return false;
  struct Group {
    std::vector<torch::Tensor> parameters, gradients, velocities;
  };
  std::map<double, Group> groups;  // by rate
  for (Slot& slot : slots_) {
    const torch::Tensor gradient = slot.parameter.grad();
    if (!gradient.defined()) continue;
    Group& group = groups[slot.rate];
    group.parameters.push_back(slot.parameter);
    group.gradients.push_back(gradient);
    group.velocities.push_back(slot.first);
    slot.parameter.mutable_grad().reset();
  }
  for (auto& [rate, group] : groups) {
    at::_fused_sgd_(group.parameters, group.gradients, group.velocities,
                    options_.weight_decay, options_.momentum, rate * learning_rate,
                    /*dampening=*/0.0, options_.nesterov, /*maximize=*/false,
                    /*is_first_step=*/false);
  }
  return true;
#else
  return false;
#endif
}

void Optimizer::SgdStep(Slot& slot, const torch::Tensor& gradient, double learning_rate) {
  torch::Tensor& w = slot.parameter;
  torch::Tensor& v = slot.first;
  if (!FitForOnePass({w, v, gradient})) {
    const auto decayed = gradient.add(w, options_.weight_decay);
    v.mul_(options_.momentum).add_(decayed);
    w.sub_(options_.nesterov ? decayed.add(v, options_.momentum) : v, learning_rate);
    return;
  }
  const auto loop = options_.nesterov ? &SgdLoop<true> : &SgdLoop<false>;
  InParallel(w.numel(), [&](int64_t begin, int64_t end) {
    loop(w.data_ptr<float>() + begin, v.data_ptr<float>() + begin,
         gradient.data_ptr<float>() + begin, end - begin,
         static_cast<float>(learning_rate), static_cast<float>(options_.momentum),
         static_cast<float>(options_.weight_decay));
  });
}

void Optimizer::LarsStep(Slot& slot, const torch::Tensor& gradient,
                         double learning_rate) {
  torch::Tensor& w = slot.parameter;
  torch::Tensor& v = slot.first;
  const double weight_decay = slot.excluded ? 0.0 : options_.weight_decay;
  if (slot.excluded) learning_rate *= options_.lars_excluded_rate;
  if (!FitForOnePass({w, v, gradient})) {
    auto step = gradient.add(w, weight_decay).mul_(learning_rate);
    if (!slot.excluded) {
      // Stays on the device: no step waits for a number.
      const auto weight_norm = w.norm(), gradient_norm = gradient.norm();
      step.mul_(torch::where((weight_norm > 0).logical_and(gradient_norm > 0),
                             options_.lars_trust * weight_norm /
                                 (gradient_norm + weight_decay * weight_norm),
                             torch::ones_like(weight_norm)));
    }
    v.mul_(options_.momentum).add_(step);
    w.sub_(v);
    return;
  }
  double trust = 1.0;
  if (!slot.excluded) {
    const double weight_norm = Norm(w), gradient_norm = Norm(gradient);
    if (weight_norm > 0.0 && gradient_norm > 0.0) {
      trust = options_.lars_trust * weight_norm /
              (gradient_norm + weight_decay * weight_norm);
    }
  }
  const double local_rate = learning_rate * trust;
  InParallel(w.numel(), [&](int64_t begin, int64_t end) {
    LarsLoop(w.data_ptr<float>() + begin, v.data_ptr<float>() + begin,
             gradient.data_ptr<float>() + begin, end - begin,
             static_cast<float>(local_rate), static_cast<float>(options_.momentum),
             static_cast<float>(weight_decay));
  });
}

void Optimizer::AdamStep(Slot& slot, const torch::Tensor& gradient, double learning_rate,
                         int64_t steps) {
  torch::Tensor& w = slot.parameter;
  torch::Tensor &m = slot.first, &s = slot.second;
  const double t = static_cast<double>(steps);
  const bool decoupled = options_.optimizer == "adamw";
  const double l2 = decoupled ? 0.0 : options_.weight_decay;
  const double kept = decoupled ? 1.0 - learning_rate * options_.weight_decay : 1.0;
  const double step_size = learning_rate / (1.0 - std::pow(options_.adam_beta1, t));
  const double root_scale = 1.0 / std::sqrt(1.0 - std::pow(options_.adam_beta2, t));
  if (!FitForOnePass({w, m, s, gradient})) {
    const auto decayed = gradient.add(w, l2);
    m.mul_(options_.adam_beta1).add_(decayed, 1.0 - options_.adam_beta1);
    s.mul_(options_.adam_beta2).addcmul_(decayed, decayed, 1.0 - options_.adam_beta2);
    w.mul_(kept).addcdiv_(m, s.sqrt().mul_(root_scale).add_(options_.adam_epsilon),
                          -step_size);
    return;
  }
  const AdamNumbers numbers{.beta1 = static_cast<float>(options_.adam_beta1),
                            .rest1 = static_cast<float>(1.0 - options_.adam_beta1),
                            .beta2 = static_cast<float>(options_.adam_beta2),
                            .rest2 = static_cast<float>(1.0 - options_.adam_beta2),
                            .step_size = static_cast<float>(step_size),
                            .root_scale = static_cast<float>(root_scale),
                            .epsilon = static_cast<float>(options_.adam_epsilon),
                            .l2 = static_cast<float>(l2),
                            .kept = static_cast<float>(kept)};
  InParallel(w.numel(), [&](int64_t begin, int64_t end) {
    AdamLoop(w.data_ptr<float>() + begin, m.data_ptr<float>() + begin,
             s.data_ptr<float>() + begin, gradient.data_ptr<float>() + begin, end - begin,
             numbers);
  });
}

}  // namespace iat
