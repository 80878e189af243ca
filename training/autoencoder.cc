#include "training/autoencoder.h"

#include <algorithm>

#include "models/torch.h"

namespace iat {
namespace {

constexpr int64_t kSeedSide = 4;  // of the map that the decoder starts from
constexpr int kDoublings = 4;     // 4 -> 64 pixels

}  // namespace

void AutoencoderOptions::Describe(OptionVisitor& visitor) {
  visitor.Number("sparsity_weight", sparsity_weight, {.min = 0.0},
                 "weight of the mean absolute fc7");
  visitor.Integer("decoder_channels", decoder_channels, {.min = 8, .max = 1 << 14},
                  "channels of the decoder's first map; halved at every doubling of the "
                  "side");
}

torch::Tensor AutoencoderLoss(const torch::Tensor& hidden, const torch::Tensor& output,
                              const torch::Tensor& images, double sparsity_weight) {
  return 0.5 * (output - images).square().mean() + sparsity_weight * hidden.abs().mean();
}

TrainingRecipe Autoencoder::Recipe() {
  return {.epochs = 100,
          .schedule = {.learning_rate = 0.01, .step_epochs = {30, 60, 90}},
          .augmentation = CropAugmentation()};
}

absl::StatusOr<std::shared_ptr<Objective>> Autoencoder::Create(
    const AutoencoderOptions& options, const ObjectiveSetup& setup) {
  return std::make_shared<Autoencoder>(options, setup);
}

Autoencoder::Autoencoder(const AutoencoderOptions& options, const ObjectiveSetup& setup)
    : options_(options) {
  using namespace torch::nn;  // NOLINT: ten names of layers
  int64_t channels = options.decoder_channels;
  const int64_t seed_values = channels * kSeedSide * kSeedSide;
  Sequential decoder(Linear(setup.model.num_features(), seed_values),
                     BatchNorm1d(seed_values), ReLU(ReLUOptions(true)),
                     Unflatten(UnflattenOptions(1, {channels, kSeedSide, kSeedSide})));
  for (int i = 0; i < kDoublings; ++i) {
    const bool last = i + 1 == kDoublings;
    const int64_t outputs = last ? 3 : channels / 2;
    decoder->push_back(ConvTranspose2d(
        ConvTranspose2dOptions(channels, outputs, 4).stride(2).padding(1)));
    if (!last) {
      decoder->push_back(BatchNorm2d(outputs));
      decoder->push_back(ReLU(ReLUOptions(true)));
    }
    channels = outputs;
  }
  decoder_ = register_module("decoder", decoder);
  InitializeParameters(*this, setup.init_seed, "objective.");
}

Objective::Result Autoencoder::Loss(VisionModel& model, const TrainingBatch& batch,
                                    const TapContext& context) {
  const auto hidden = model.Forward(batch.images, context);
  return {.loss = AutoencoderLoss(hidden, decoder_->forward(hidden), batch.images,
                                  options_.sparsity_weight),
          .embeddings = torch::nn::functional::normalize(hidden.detach())};
}

std::string Autoencoder::CollapseAdvice() const {
  return "try a smaller training.autoencoder.sparsity_weight or a smaller "
         "training.learning_rate";
}

}  // namespace iat
