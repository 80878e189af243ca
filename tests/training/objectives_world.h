// What the tests of the objectives share: a tiny network and random batches for it.

#ifndef IAT_TESTS_TRAINING_OBJECTIVES_WORLD_H_
#define IAT_TESTS_TRAINING_OBJECTIVES_WORLD_H_

#include <gtest/gtest.h>

#include <memory>

#include "models/torch.h"
#include "models/vision_model.h"
#include "training/objective.h"

namespace iat {

class ObjectiveTest : public ::testing::Test {
 protected:
  static constexpr int64_t kNumImages = 6;

  // `num_views` views of kNumImages images.
  static TrainingBatch Batch(int num_views, int64_t step = 0) {
    torch::manual_seed(step + 1);
    return {.images = torch::randn({num_views * kNumImages, 3, 64, 64}),
            .indices = torch::arange(kNumImages, torch::kInt64),
            .labels = torch::arange(kNumImages, torch::kInt64).remainder(3),
            .step = step};
  }

  ObjectiveSetup Setup(int64_t init_seed = 1, int64_t data_seed = 1) const {
    return {.model = *model_,
            .model_options = model_options_,
            .num_training_images = 50,
            .num_labels = 3,
            .init_seed = init_seed,
            .data_seed = data_seed};
  }

  // Every parameter that the optimiser moves gets a gradient.
  void ExpectGradientsEverywhere(Objective& objective, const TrainingBatch& batch) {
    objective.Loss(*model_, batch, {}).loss.backward();
    for (const torch::nn::Module* module :
         {static_cast<torch::nn::Module*>(model_.get()),
          static_cast<torch::nn::Module*>(&objective)}) {
      for (const auto& item : module->named_parameters()) {
        EXPECT_EQ(item.value().grad().defined(), item.value().requires_grad())
            << item.key();
      }
    }
  }

  const ModelOptions model_options_{.architecture = "alexnet_bn", .width = 1.0 / 32};
  const std::shared_ptr<VisionModel> model_ = *CreateModel(model_options_, 1);
};

}  // namespace iat

#endif  // IAT_TESTS_TRAINING_OBJECTIVES_WORLD_H_
