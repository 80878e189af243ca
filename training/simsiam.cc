#include "training/simsiam.h"

#include "absl/strings/match.h"
#include "models/torch.h"
#include "training/heads.h"

namespace iat {

using torch::nn::functional::normalize;

void SimSiamOptions::Describe(OptionVisitor& visitor) {
  visitor.Integer("projection_size", projection_size, {.min = 2, .max = 1 << 16},
                  "width of the projector's three layers");
  visitor.Integer("prediction_hidden_size", prediction_hidden_size,
                  {.min = 2, .max = 1 << 16}, "width of the predictor's hidden layer");
  visitor.Number(
      "predictor_rate", predictor_rate, {.min = 0.0, .min_excluded = true},
      "the predictor's learning rate, as a multiple of training.learning_rate");
}

torch::Tensor SimSiamLoss(const torch::Tensor& p1, const torch::Tensor& p2,
                          const torch::Tensor& z1, const torch::Tensor& z2) {
  const auto cosine = [](const torch::Tensor& p, const torch::Tensor& z) {
    return (normalize(p) * normalize(z.detach())).sum(1).mean();
  };
  return -0.5 * (cosine(p1, z2) + cosine(p2, z1));
}

TrainingRecipe SimSiam::Recipe() {
  return {.epochs = 100,
          .batch_size = 512,
          .rate_follows_batch = true,
          .optimizer = {.weight_decay = 1e-4},
          .schedule = {.learning_rate = 0.1, .schedule = "cosine", .step_epochs = {}},
          .augmentation = MocoAugmentation()};
}

absl::StatusOr<std::shared_ptr<Objective>> SimSiam::Create(const SimSiamOptions& options,
                                                           const ObjectiveSetup& setup) {
  return std::make_shared<SimSiam>(options, setup);
}

SimSiam::SimSiam(const SimSiamOptions& options, const ObjectiveSetup& setup)
    : predictor_rate_(options.predictor_rate) {
  const int64_t d = options.projection_size;
  projector_ = register_module(
      "projector", MakeProjector({.sizes = {setup.model.num_features(), d, d, d},
                                  .output_batch_norm = true}));
  predictor_ = register_module(
      "predictor", MakeProjector({.sizes = {d, options.prediction_hidden_size, d}}));
  InitializeParameters(*this, setup.init_seed, "objective.");
}

Objective::Result SimSiam::Loss(VisionModel& model, const TrainingBatch& batch,
                                const TapContext& context) {
  const auto features = ForwardViews(model, batch, 2, context);
  const auto z1 = projector_->forward(features[0]);
  const auto z2 = projector_->forward(features[1]);
  const auto p1 = predictor_->forward(z1);
  const auto p2 = predictor_->forward(z2);
  return {.loss = SimSiamLoss(p1, p2, z1, z2),
          .embeddings = normalize(torch::cat({z1, z2}).detach())};
}

double SimSiam::RateOf(const std::string& parameter) const {
  return absl::StartsWith(parameter, "predictor.") ? predictor_rate_ : 1.0;
}

std::string SimSiam::CollapseAdvice() const {
  return "SimSiam has no negatives to hold it apart: try a smaller "
         "training.learning_rate or larger batches";
}

}  // namespace iat
