// SimCLR: two views of an image attract, all other views in the batch repel.
//
//   z        L2-normalised output of the head
//   head     linear (no bias) - batch norm - ReLU - linear (no bias) - batch norm
//   loss     -1/(2n) sum_i log( exp(z_i . z_i' / t) / sum_{j != i} exp(z_i . z_j / t) )
//
// i runs over all 2n views, i' is the other view of the same image (NT-Xent).
//
// Source   Chen et al., ICML 2020; head and its N(0, 0.01) weights as in the
//          published mouse-vision code.

#ifndef IAT_TRAINING_SIMCLR_H_
#define IAT_TRAINING_SIMCLR_H_

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/linear.h>

#include "training/objective.h"

namespace iat {

// Config table [training.simclr].
struct SimClrOptions {
  double temperature = 0.1;
  int64_t hidden_size = 2048;
  int64_t embedding_size = 128;
  void Describe(OptionVisitor& visitor);
};

// embeddings: 2n x d, normalised; rows i and i + n are views of one image.
torch::Tensor NtXentLoss(const torch::Tensor& embeddings, double temperature);

class SimClr : public Objective {
 public:
  using Options = SimClrOptions;
  static constexpr char kName[] = "simclr";
  static constexpr char kTitle[] = "SimCLR";
  static constexpr char kLossName[] = "NT-Xent loss";
  static constexpr char kSummary[] = "contrastive views";
  static TrainingRecipe Recipe();
  static absl::StatusOr<std::shared_ptr<Objective>> Create(const SimClrOptions& options,
                                                           const ObjectiveSetup& setup);

  SimClr(const SimClrOptions& options, int64_t num_features, int64_t init_seed);

  int num_views() const override { return 2; }
  Result Loss(VisionModel& model, const TrainingBatch& batch,
              const TapContext& context) override;

 private:
  SimClrOptions options_;
  torch::nn::Linear hidden_{nullptr}, output_{nullptr};
  torch::nn::BatchNorm1d hidden_norm_{nullptr}, output_norm_{nullptr};
};

}  // namespace iat

#endif  // IAT_TRAINING_SIMCLR_H_
