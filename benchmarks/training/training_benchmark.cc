// The bare training step: forward, loss, backward, update on one batch that stays in
// memory. No images are read or augmented.
//
//   training_benchmark '{"batch": 128, "steps": 8, "threads": 1, "width": 1.0}'
//
// prints one line of JSON: images_per_second and step_seconds (medians over steps after
// two that are not counted), matmul_gflops (a 2048-square float32 product on the same
// threads, measured in the same process), share_of_peak, peak_memory_mb.

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/random.h"
#include "models/torch.h"
#include "models/vision_model.h"
#include "training/objective.h"
#include "training/optimizer.h"

namespace iat {
namespace {

using Clock = std::chrono::steady_clock;

// Multiplications and additions of one image, forward and backward, at full width: twice
// the forward products again for the gradients, but conv1 has no input gradient.
constexpr double kFlopsPerImage = 557e6;

double Seconds(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double MatmulGflops() {
  const auto a = torch::rand({2048, 2048}), b = torch::rand({2048, 2048});
  auto c = torch::mm(a, b);
  std::vector<double> seconds;
  for (int i = 0; i < 5; ++i) {
    const auto start = Clock::now();
    torch::mm_out(c, a, b);
    seconds.push_back(Seconds(start));
  }
  return 2.0 * 2048 * 2048 * 2048 / Median(seconds) / 1e9;
}

int Run(const nlohmann::json& options) {
  const int64_t batch_size = options.value("batch", 128);
  const int64_t num_steps = options.value("steps", 8);
  const double width = options.value("width", 1.0);
  const int threads = options.value("threads", 1);
  KeepFreedMemory();
  torch::set_num_threads(threads);
  SetBlasThreads(threads);

  const ModelOptions model_options{.architecture = "alexnet_bn", .width = width};
  const auto model = *CreateModel(model_options, 0);
  const int64_t num_images = 10'000;
  const auto objective = *CreateObjective({}, {.model = *model,
                                               .model_options = model_options,
                                               .num_training_images = num_images});
  std::vector<OptimizedParameter> parameters;
  for (const auto& item : model->named_parameters())
    parameters.push_back({"model." + item.key(), item.value()});
  for (const auto& item : objective->named_parameters())
    parameters.push_back({"objective." + item.key(), item.value()});
  Optimizer optimizer({}, parameters);
  TrainingBatch batch;
  batch.images = torch::randn({batch_size, 3, 64, 64});
  batch.indices = torch::randint(num_images, {batch_size}, torch::kInt64);
  std::vector<double> seconds;
  for (int64_t step = 0; step < num_steps + 2; ++step) {
    const auto start = Clock::now();
    batch.step = step;
    const RandomStream dropout(0, "dropout", step);
    const auto result = objective->Loss(*model, batch, {.dropout = &dropout});
    result.loss.backward();
    optimizer.Step(0.003);
    objective->AfterStep(*model, batch, result);
    if (step >= 2) seconds.push_back(Seconds(start));
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const double images_per_second = static_cast<double>(batch_size) / Median(seconds);
  const double gflops = MatmulGflops();
  nlohmann::json line = {{"images_per_second", images_per_second},
                         {"step_seconds", Median(seconds)},
                         {"matmul_gflops", gflops},
                         {"peak_memory_mb", static_cast<double>(usage.ru_maxrss) / 1024}};
  if (width == 1.0) {
    line["share_of_peak"] = images_per_second * kFlopsPerImage / (gflops * 1e9);
  }
  std::printf("%s\n", line.dump().c_str());
  return 0;
}

}  // namespace
}  // namespace iat

int main(int argc, char** argv) {
  const auto options = nlohmann::json::parse(argc > 1 ? argv[1] : "{}", nullptr, false);
  if (!options.is_object()) {
    std::fprintf(stderr, "usage: training_benchmark '{\"batch\": 128, ...}'\n");
    return 2;
  }
  return iat::Run(options);
}
