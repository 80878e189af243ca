#include "training/supervised.h"

#include "models/torch.h"

namespace iat {

TrainingRecipe Supervised::Recipe() {
  return {.epochs = 100,
          .schedule = {.learning_rate = 0.01, .step_epochs = {30, 60, 90}},
          .augmentation = CropAugmentation()};
}

absl::StatusOr<std::shared_ptr<Objective>> Supervised::Create(
    const Options& /*options*/, const ObjectiveSetup& setup) {
  if (setup.num_labels < 2) {
    return absl::InvalidArgumentError(
        "training.objective = \"supervised\" needs a class for every training image and "
        "at least two classes (class folders, CIFAR, or a label column in index.csv); "
        "these images have none");
  }
  return std::make_shared<Supervised>(setup);
}

Supervised::Supervised(const ObjectiveSetup& setup)
    : head_(register_module(
          "head", torch::nn::Linear(setup.model.num_features(), setup.num_labels))) {
  InitializeParameters(*this, setup.init_seed, "objective.");
}

Objective::Result Supervised::Loss(VisionModel& model, const TrainingBatch& batch,
                                   const TapContext& context) {
  const auto features = model.Forward(batch.images, context);
  return {.loss = torch::nn::functional::cross_entropy(head_(features), batch.labels),
          .embeddings = torch::nn::functional::normalize(features.detach())};
}

}  // namespace iat
