#include "training/simclr.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "models/torch.h"

namespace iat {
namespace {

constexpr double kHeadDeviation = 0.01;

torch::nn::Linear NoBias(int64_t inputs, int64_t outputs) {
  return torch::nn::Linear(torch::nn::LinearOptions(inputs, outputs).bias(false));
}

}  // namespace

void SimClrOptions::Describe(OptionVisitor& visitor) {
  visitor.Number("temperature", temperature, {.min = 0.0, .min_excluded = true},
                 "divides inner products before the softmax");
  visitor.Integer("hidden_size", hidden_size, {.min = 2, .max = 1 << 16},
                  "width of the head's hidden layer");
  visitor.Integer("embedding_size", embedding_size, {.min = 2, .max = 1 << 16},
                  "dimensions of the embedding");
}

torch::Tensor NtXentLoss(const torch::Tensor& embeddings, double temperature) {
  const int64_t num_views = embeddings.size(0);
  const auto self = torch::eye(
      num_views, torch::TensorOptions().dtype(torch::kBool).device(embeddings.device()));
  const auto similarities =
      (embeddings.mm(embeddings.t()) / temperature)
          .masked_fill(self, -std::numeric_limits<float>::infinity());
  const auto partner =
      (torch::arange(num_views, embeddings.options().dtype(torch::kInt64)) +
       num_views / 2)
          .remainder(num_views);
  return torch::nn::functional::cross_entropy(similarities, partner);
}

TrainingRecipe SimClr::Recipe() {
  return {.batch_size = 4096,
          .rate_follows_batch = true,
          .optimizer = {.optimizer = "lars",
                        .weight_decay = 1e-6,
                        .lars_exclude = "mouse_vision"},
          .schedule = {.learning_rate = 4.8,
                       .schedule = "cosine",
                       .step_epochs = {},
                       .warmup_epochs = 10.0},
          .augmentation = SimClrAugmentation()};
}

absl::StatusOr<std::shared_ptr<Objective>> SimClr::Create(const SimClrOptions& options,
                                                          const ObjectiveSetup& setup) {
  return std::make_shared<SimClr>(options, setup.model.num_features(), setup.init_seed);
}

SimClr::SimClr(const SimClrOptions& options, int64_t num_features, int64_t init_seed)
    : options_(options) {
  hidden_ = register_module("hidden", NoBias(num_features, options.hidden_size));
  hidden_norm_ =
      register_module("hidden_norm", torch::nn::BatchNorm1d(options.hidden_size));
  output_ =
      register_module("output", NoBias(options.hidden_size, options.embedding_size));
  output_norm_ =
      register_module("output_norm", torch::nn::BatchNorm1d(options.embedding_size));
  const torch::NoGradGuard no_grad;
  for (const auto& [name, layer] : {std::pair{"hidden", hidden_}, {"output", output_}}) {
    RandomStream stream(init_seed, absl::StrCat("init objective.", name));
    torch::Tensor draws = torch::empty(layer->weight.sizes());
    float* values = draws.data_ptr<float>();
    for (int64_t i = 0; i < draws.numel(); ++i) {
      values[i] = static_cast<float>(kHeadDeviation * stream.Normal());
    }
    layer->weight.copy_(draws);
  }
}

Objective::Result SimClr::Loss(VisionModel& model, const TrainingBatch& batch,
                               const TapContext& context) {
  auto x = model.Forward(batch.images, context);
  x = torch::relu(hidden_norm_(hidden_(x)));
  const auto embeddings = torch::nn::functional::normalize(output_norm_(output_(x)));
  return {.loss = NtXentLoss(embeddings, options_.temperature),
          .embeddings = embeddings.detach()};
}

}  // namespace iat
