// Instance Recognition: every training image is its own class, told from m random
// others by noise-contrastive estimation against a memory bank.
//
//   v          L2-normalised embedding of one view (linear head, with bias)
//   P(j | v)   exp(v . bank_j / temperature) / Z,  Z = 2876934.2 / 1281167 * N
//   loss       -1/n sum_i [ log( P(i|v_i) / (P(i|v_i) + m/N + eps) )
//                         + sum_{j in noise_i} log( (m/N) / (P(j|v_i) + m/N + eps) ) ]
//   bank_i     <- normalise(g * bank_i + (1 - g) * v_i), after the step;
//              g = momentum^min(1, (N / n) / bank_steps)
//
// N training images, m noise indices a sample, uniform with replacement over all
// N; eps = 1e-7. Z is the constant of the published code, scaled by N. No
// gradient flows into the bank.
//
// Why g. An entry moves once an epoch: on ImageNet every 5,004 steps of 256 images, in
// which the network learns against a bank that is still random and loses the direction
// that all its embeddings share at first. On a few hundred images the bank takes that
// direction over within a few steps; inner products with it are then near 1, where
// exp(1 / 0.07) makes the repulsion thousands of times the attraction, and the
// embeddings are thrown to and fro along one line. So an entry keeps at least
// `momentum` of itself over bank_steps steps. Epochs of more steps than that, as the
// published ones, are as published; bank_steps = 0 is so for every size.
//
// Source   Wu et al., CVPR 2018; constants from the published mouse-vision code.

#ifndef IAT_TRAINING_INSTANCE_RECOGNITION_H_
#define IAT_TRAINING_INSTANCE_RECOGNITION_H_

#include <torch/nn/modules/linear.h>

#include "training/objective.h"

namespace iat {

// Config table [training.instance_recognition].
struct InstanceRecognitionOptions {
  double temperature = 0.07;
  int64_t num_noise = 4096;
  double bank_momentum = 0.5;
  int64_t bank_steps = 500;
  int64_t embedding_size = 128;
  void Describe(OptionVisitor& visitor);
};

// The loss alone. embeddings: n x d, normalised; bank: N x d; indices: n int64;
// noise: n x m int64. Memory: n x N floats when N <= 16 m, else n x m x d.
torch::Tensor InstanceRecognitionLoss(const torch::Tensor& embeddings,
                                      const torch::Tensor& bank,
                                      const torch::Tensor& indices,
                                      const torch::Tensor& noise, double temperature);

class InstanceRecognition : public Objective {
 public:
  using Options = InstanceRecognitionOptions;
  static constexpr char kName[] = "instance_recognition";
  static constexpr char kTitle[] = "Instance Recognition";
  static constexpr char kLossName[] = "noise-contrastive loss";
  static constexpr char kSummary[] = "noise-contrastive memory bank";
  static TrainingRecipe Recipe();
  static absl::StatusOr<std::shared_ptr<Objective>> Create(
      const InstanceRecognitionOptions& options, const ObjectiveSetup& setup);

  InstanceRecognition(const InstanceRecognitionOptions& options, int64_t num_features,
                      int64_t num_training_images, int64_t init_seed, int64_t data_seed);

  int num_views() const override { return 1; }
  Result Loss(VisionModel& model, const TrainingBatch& batch,
              const TapContext& context) override;
  void AfterStep(VisionModel& model, const TrainingBatch& batch,
                 const Result& result) override;
  std::string CollapseAdvice() const override;

  // g for batches of n images.
  double BankMomentum(int64_t batch_size) const;

  const torch::Tensor& bank() const { return bank_; }

 private:
  InstanceRecognitionOptions options_;
  int64_t data_seed_;
  torch::nn::Linear head_;
  torch::Tensor bank_;  // N x embedding_size, rows normalised
};

}  // namespace iat

#endif  // IAT_TRAINING_INSTANCE_RECOGNITION_H_
