#include "training/barlow_twins.h"

#include "absl/strings/str_cat.h"
#include "models/torch.h"
#include "training/heads.h"

namespace iat {
namespace {

constexpr double kNormEpsilon = 1e-5;  // batch norm's

torch::Tensor Standardised(const torch::Tensor& z) {
  const auto centred = z - z.mean(0, /*keepdim=*/true);
  const auto variance = centred.square().mean(0, /*keepdim=*/true);
  return centred * (variance + kNormEpsilon).rsqrt();
}

}  // namespace

void BarlowTwinsOptions::Describe(OptionVisitor& visitor) {
  visitor.Number("redundancy_weight", redundancy_weight, {.min = 0.0},
                 "weight of the correlations between different dimensions (the paper's "
                 "lambda)");
  visitor.Integer("projection_size", projection_size, {.min = 2, .max = 1 << 16},
                  "width of the projector's three layers");
}

torch::Tensor CrossCorrelation(const torch::Tensor& z1, const torch::Tensor& z2) {
  return Standardised(z1).t().mm(Standardised(z2)) / static_cast<double>(z1.size(0));
}

torch::Tensor BarlowTwinsLoss(const torch::Tensor& z1, const torch::Tensor& z2,
                              double redundancy_weight) {
  const auto c = CrossCorrelation(z1, z2);
  const auto diagonal = c.diagonal();
  const auto on = (1.0 - diagonal).square().sum();
  const auto off = c.square().sum() - diagonal.square().sum();
  return on + redundancy_weight * off;
}

TrainingRecipe BarlowTwins::Recipe() {
  return {.epochs = 1000,
          .batch_size = 2048,
          .rate_follows_batch = true,
          .optimizer = {.optimizer = "lars",
                        .weight_decay = 1e-6,
                        .lars_exclude = "one_dimensional",
                        // The paper's 0.0048 for biases beside 0.2 for weights.
                        .lars_excluded_rate = 0.024},
          .schedule = {.learning_rate = 1.6,  // 0.2 for each 256 images
                       .schedule = "cosine",
                       .step_epochs = {},
                       .warmup_epochs = 10.0,
                       .cosine_end = 0.001},
          .augmentation = TwinAugmentation()};
}

absl::StatusOr<std::shared_ptr<Objective>> BarlowTwins::Create(
    const BarlowTwinsOptions& options, const ObjectiveSetup& setup) {
  return std::make_shared<BarlowTwins>(options, setup);
}

BarlowTwins::BarlowTwins(const BarlowTwinsOptions& options, const ObjectiveSetup& setup)
    : options_(options) {
  const int64_t d = options.projection_size;
  projector_ = register_module(
      "projector", MakeProjector({.sizes = {setup.model.num_features(), d, d, d},
                                  .bias = false,
                                  .output_bias = false}));
  InitializeParameters(*this, setup.init_seed, "objective.");
}

Objective::Result BarlowTwins::Loss(VisionModel& model, const TrainingBatch& batch,
                                    const TapContext& context) {
  const auto features = ForwardViews(model, batch, 2, context);
  const auto z1 = projector_->forward(features[0]);
  const auto z2 = projector_->forward(features[1]);
  return {.loss = BarlowTwinsLoss(z1, z2, options_.redundancy_weight),
          .embeddings = torch::nn::functional::normalize(torch::cat({z1, z2}).detach())};
}

std::string BarlowTwins::CollapseAdvice() const {
  return absl::StrCat("try more training.barlow_twins.redundancy_weight (it is ",
                      options_.redundancy_weight, "; ", options_.projection_size,
                      " dimensions need well above ",
                      1.0 / static_cast<double>(options_.projection_size),
                      ") or a smaller training.learning_rate");
}

}  // namespace iat
