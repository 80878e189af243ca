// One optimiser step over the 57 million parameters of a full-width network, on one
// thread: ours, torch's own, and what keeping gradients at zero between steps would
// add. `bytes_per_second` counts every value that has to be read or written once.
//
//   cmake --preset release -DIAT_BENCHMARKS=ON
//   cmake --build build/release --target optimizer_benchmark
//   build/release/benchmarks/training/optimizer_benchmark

#include <benchmark/benchmark.h>
#include <torch/optim.h>

#include <string>
#include <utility>
#include <vector>

#include "models/torch.h"
#include "training/optimizer.h"

namespace iat {
namespace {

// fc6, fc7 and, together, everything else.
const std::vector<std::vector<int64_t>> kShapes = {
    {4096, 9216}, {4096, 4096}, {2496, 1000}};

struct World {
  World() {
    torch::set_num_threads(1);
    for (const auto& shape : kShapes) {
      parameters.push_back({"model." + std::to_string(parameters.size()),
                            (0.01 * torch::randn(shape)).requires_grad_()});
      gradients.push_back(1e-3 * torch::randn(shape));
      num_values += gradients.back().numel();
    }
  }
  void GiveGradients() {
    for (size_t i = 0; i < gradients.size(); ++i) {
      parameters[i].value.mutable_grad() = gradients[i];
    }
  }

  std::vector<OptimizedParameter> parameters;
  std::vector<torch::Tensor> gradients;
  int64_t num_values = 0;
};

// Values read and written for each parameter: weight, gradient and the state.
constexpr int64_t kSgdTraffic = 5, kAdamTraffic = 7;

void Step(benchmark::State& state, OptimizerOptions options, int64_t traffic) {
  World world;
  Optimizer optimizer(options, world.parameters);
  for (auto _ : state) {
    world.GiveGradients();
    optimizer.Step(1e-6);
  }
  state.SetBytesProcessed(state.iterations() * traffic * 4 * world.num_values);
}
BENCHMARK_CAPTURE(Step, sgd, OptimizerOptions{}, kSgdTraffic)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Step, nesterov, OptimizerOptions{.nesterov = true}, kSgdTraffic)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(Step, adam, OptimizerOptions{.optimizer = "adam"}, kAdamTraffic)
    ->Unit(benchmark::kMillisecond);
// Two values more: the norms have to be known before anything moves.
BENCHMARK_CAPTURE(Step, lars, OptimizerOptions{.optimizer = "lars"}, kSgdTraffic + 2)
    ->Unit(benchmark::kMillisecond);

template <typename TorchOptimizer, typename TorchOptions>
void TorchStep(benchmark::State& state, TorchOptions options, int64_t traffic) {
  World world;
  std::vector<torch::Tensor> parameters;
  for (const OptimizedParameter& parameter : world.parameters) {
    parameters.push_back(parameter.value);
  }
  TorchOptimizer optimizer(parameters, options);
  world.GiveGradients();
  for (auto _ : state) optimizer.step();
  state.SetBytesProcessed(state.iterations() * traffic * 4 * world.num_values);
}
void TorchSgd(benchmark::State& state) {
  TorchStep<torch::optim::SGD>(
      state, torch::optim::SGDOptions(1e-6).momentum(0.9).weight_decay(5e-4),
      kSgdTraffic);
}
BENCHMARK(TorchSgd)->Unit(benchmark::kMillisecond);
void TorchAdam(benchmark::State& state) {
  TorchStep<torch::optim::Adam>(state, torch::optim::AdamOptions(1e-6).weight_decay(5e-4),
                                kAdamTraffic);
}
BENCHMARK(TorchAdam)->Unit(benchmark::kMillisecond);

// A backward pass that finds a gradient adds to it; zeroing it is one pass more.
void AccumulateIntoZeros(benchmark::State& state) {
  World world;
  std::vector<torch::Tensor> kept;
  for (const auto& gradient : world.gradients)
    kept.push_back(torch::zeros_like(gradient));
  for (auto _ : state) {
    for (size_t i = 0; i < kept.size(); ++i) {
      kept[i].add_(world.gradients[i]);
      kept[i].zero_();
    }
  }
  state.SetBytesProcessed(state.iterations() * 4 * 4 * world.num_values);
}
BENCHMARK(AccumulateIntoZeros)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace iat
