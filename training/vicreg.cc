#include "training/vicreg.h"

#include "models/torch.h"
#include "training/heads.h"

namespace iat {
namespace {

constexpr double kVarianceEpsilon = 1e-4;

struct Spread {
  torch::Tensor deviation, covariance;
};

Spread MeasureView(const torch::Tensor& z) {
  const auto centred = z - z.mean(0, /*keepdim=*/true);
  const auto covariance = centred.t().mm(centred) / static_cast<double>(z.size(0) - 1);
  const auto variance = covariance.diagonal();
  const auto deviation = (variance + kVarianceEpsilon).sqrt();
  return {.deviation = torch::relu(1.0 - deviation).mean(),
          .covariance = (covariance.square().sum() - variance.square().sum()) /
                        static_cast<double>(z.size(1))};
}

}  // namespace

void VicRegOptions::Describe(OptionVisitor& visitor) {
  visitor.Number("similarity_weight", similarity_weight, {.min = 0.0},
                 "weight of the squared difference between views");
  visitor.Number("deviation_weight", deviation_weight, {.min = 0.0},
                 "weight of deviations below 1");
  visitor.Number("covariance_weight", covariance_weight, {.min = 0.0},
                 "weight of covariances between dimensions");
  visitor.Integer("projection_size", projection_size, {.min = 2, .max = 1 << 16},
                  "width of the projector's three layers");
}

VicRegTerms MeasureVicReg(const torch::Tensor& z1, const torch::Tensor& z2) {
  const Spread first = MeasureView(z1), second = MeasureView(z2);
  return {.similarity = (z1 - z2).square().mean(),
          .deviation = 0.5 * (first.deviation + second.deviation),
          .covariance = first.covariance + second.covariance};
}

TrainingRecipe VicReg::Recipe() {
  return {.epochs = 1000,
          .batch_size = 2048,
          .rate_follows_batch = true,
          .optimizer = {.optimizer = "lars",
                        .weight_decay = 1e-6,
                        .lars_exclude = "one_dimensional"},
          .schedule = {.learning_rate = 1.6,  // 0.2 for each 256 images
                       .schedule = "cosine",
                       .step_epochs = {},
                       .warmup_epochs = 10.0,
                       .cosine_end = 0.001},
          .augmentation = TwinAugmentation()};
}

absl::StatusOr<std::shared_ptr<Objective>> VicReg::Create(const VicRegOptions& options,
                                                          const ObjectiveSetup& setup) {
  return std::make_shared<VicReg>(options, setup);
}

VicReg::VicReg(const VicRegOptions& options, const ObjectiveSetup& setup)
    : options_(options) {
  const int64_t d = options.projection_size;
  projector_ = register_module(
      "projector", MakeProjector({.sizes = {setup.model.num_features(), d, d, d},
                                  .output_bias = false}));
  InitializeParameters(*this, setup.init_seed, "objective.");
}

Objective::Result VicReg::Loss(VisionModel& model, const TrainingBatch& batch,
                               const TapContext& context) {
  const auto features = ForwardViews(model, batch, 2, context);
  const auto z1 = projector_->forward(features[0]);
  const auto z2 = projector_->forward(features[1]);
  const VicRegTerms terms = MeasureVicReg(z1, z2);
  return {.loss = options_.similarity_weight * terms.similarity +
                  options_.deviation_weight * terms.deviation +
                  options_.covariance_weight * terms.covariance,
          .embeddings = torch::nn::functional::normalize(torch::cat({z1, z2}).detach())};
}

std::string VicReg::CollapseAdvice() const {
  return "try more training.vicreg.deviation_weight, a smaller training.learning_rate "
         "or more training.warmup_epochs";
}

}  // namespace iat
