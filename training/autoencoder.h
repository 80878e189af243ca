// Sparse autoencoder: the image again, from an fc7 that says little.
//
//   loss      1/2 mean (decoder(h) - image)^2 + sparsity_weight * mean |h|
//   h         fc7 after its ReLU; the image as the network gets it, normalised
//   decoder   linear - batch norm - ReLU to c x 4 x 4, then three times transposed
//             convolution 4/2/1 - batch norm - ReLU (c/2, c/4, c/8 channels; 8, 16,
//             32 pixels), and a last one to 3 x 64 x 64
//
// Source   loss and recipe of the published mouse-vision code, whose networks of this
//          kind are not AlexNets: the decoder is ours.

#ifndef IAT_TRAINING_AUTOENCODER_H_
#define IAT_TRAINING_AUTOENCODER_H_

#include <torch/nn/modules/container/sequential.h>

#include "training/objective.h"

namespace iat {

// Config table [training.autoencoder].
struct AutoencoderOptions {
  double sparsity_weight = 5e-4;
  int64_t decoder_channels = 256;
  void Describe(OptionVisitor& visitor);
};

// hidden: n x d; output, images: n x 3 x 64 x 64.
torch::Tensor AutoencoderLoss(const torch::Tensor& hidden, const torch::Tensor& output,
                              const torch::Tensor& images, double sparsity_weight);

class Autoencoder : public Objective {
 public:
  using Options = AutoencoderOptions;
  static constexpr char kName[] = "autoencoder";
  static constexpr char kTitle[] = "Autoencoder";
  static constexpr char kLossName[] = "reconstruction loss";
  static constexpr char kSummary[] = "sparse autoencoder";
  static TrainingRecipe Recipe();
  static absl::StatusOr<std::shared_ptr<Objective>> Create(
      const AutoencoderOptions& options, const ObjectiveSetup& setup);

  Autoencoder(const AutoencoderOptions& options, const ObjectiveSetup& setup);

  int num_views() const override { return 1; }
  Result Loss(VisionModel& model, const TrainingBatch& batch,
              const TapContext& context) override;
  std::string CollapseAdvice() const override;

 private:
  AutoencoderOptions options_;
  torch::nn::Sequential decoder_{nullptr};
};

}  // namespace iat

#endif  // IAT_TRAINING_AUTOENCODER_H_
