#include "training/training_rate.h"

#include <torch/types.h>

#include <chrono>
#include <exception>

#include "base/status.h"
#include "images/image.h"
#include "models/vision_model.h"
#include "training/objective.h"

namespace iat {
namespace {

constexpr int kTimedImages = 16;
constexpr double kTimedSeconds = 0.5;

}  // namespace

absl::StatusOr<TrainingRate> MeasureTrainingRate(const ModelOptions& model,
                                                 const TrainingOptions& options,
                                                 int64_t num_training_images,
                                                 const std::string& device) {
  IAT_ASSIGN_OR_RETURN(const auto network, CreateModel(model, /*init_seed=*/0));
  IAT_ASSIGN_OR_RETURN(
      const auto objective,
      CreateObjective(options.objective, {.model = *network,
                                          .model_options = model,
                                          .num_training_images = num_training_images,
                                          .num_labels = 2}));
  torch::set_num_threads(static_cast<int>(options.threads_per_model));
  try {
    const torch::Device at(device);
    network->to(at);
    objective->to(at);
    const int64_t rows = int64_t{kTimedImages} * objective->num_views();
    // Pictures that differ; which ones does not matter for the time.
    const auto images = torch::arange(rows * 3 * kInputSide * kInputSide, at)
                            .remainder(251)
                            .to(torch::kFloat32)
                            .div(125.0)
                            .sub(1.0)
                            .view({rows, 3, kInputSide, kInputSide});
    const auto kind = torch::TensorOptions(torch::kInt64).device(at);
    const TrainingBatch batch{.images = images,
                              .indices = torch::arange(kTimedImages, kind),
                              .labels = torch::arange(kTimedImages, kind).remainder(2)};
    const auto step = [&] {
      network->zero_grad(/*set_to_none=*/true);
      objective->zero_grad(/*set_to_none=*/true);
      const auto result = objective->Loss(*network, batch, TapContext{});
      result.loss.backward();
      // Waits for a GPU; reading the loss is what training does too.
      return result.loss.item<float>();
    };
    network->train();
    step();  // the first allocates
    const auto start = std::chrono::steady_clock::now();
    double seconds = 0.0;
    int count = 0;
    while (seconds < kTimedSeconds) {
      step();
      ++count;
      seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
    return TrainingRate{.images_per_second = count * kTimedImages / seconds,
                        .batch = kTimedImages};
  } catch (const std::exception& error) {
    return absl::InternalError(error.what());
  }
}

}  // namespace iat
