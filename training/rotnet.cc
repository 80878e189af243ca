#include "training/rotnet.h"

#include "models/torch.h"

namespace iat {
namespace {

constexpr int64_t kTurns = 4;

}  // namespace

torch::Tensor QuarterTurns(const torch::Tensor& images) {
  std::vector<torch::Tensor> turned;
  for (int64_t turns = 0; turns < kTurns; ++turns) {
    turned.push_back(torch::rot90(images, turns, {2, 3}));
  }
  return torch::cat(turned);
}

TrainingRecipe RotNet::Recipe() {
  return {.epochs = 50,
          .batch_size = 192,
          .optimizer = {.nesterov = true},
          .schedule = {.learning_rate = 0.01, .step_epochs = {15, 30, 45}},
          .augmentation = CropAugmentation()};
}

absl::StatusOr<std::shared_ptr<Objective>> RotNet::Create(const Options& /*options*/,
                                                          const ObjectiveSetup& setup) {
  return std::make_shared<RotNet>(setup);
}

RotNet::RotNet(const ObjectiveSetup& setup)
    : head_(register_module("head",
                            torch::nn::Linear(setup.model.num_features(), kTurns))) {
  InitializeParameters(*this, setup.init_seed, "objective.");
}

Objective::Result RotNet::Loss(VisionModel& model, const TrainingBatch& batch,
                               const TapContext& context) {
  const int64_t n = batch.images.size(0);
  const auto features = model.Forward(QuarterTurns(batch.images), context);
  const auto turns = torch::arange(kTurns, batch.indices.options()).repeat_interleave(n);
  return {
      .loss = torch::nn::functional::cross_entropy(head_(features), turns),
      .embeddings = torch::nn::functional::normalize(features.slice(0, 0, n).detach())};
}

}  // namespace iat
