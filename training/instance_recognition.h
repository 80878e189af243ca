// Instance Recognition: every training image is its own class, told from m random
// others by noise-contrastive estimation against a memory bank.
//
//   v          L2-normalised embedding of one view (linear head, with bias)
//   P(j | v)   exp(v . bank_j / temperature) / Z,  Z = 2876934.2 / 1281167 * N
//   loss       -1/n sum_i [ log( P(i|v_i) / (P(i|v_i) + m/N + eps) )
//                         + sum_{j in noise_i} log( (m/N) / (P(j|v_i) + m/N + eps) ) ]
//   bank_i     <- normalise(momentum * bank_i + (1 - momentum) * v_i), after the step
//
// N training images, m noise indices a sample, uniform with replacement over all
// N; eps = 1e-7. Z is the constant of the published code, scaled by N. No
// gradient flows into the bank.
//
// Source   Wu et al., CVPR 2018; constants from the published mouse-vision code.

#ifndef IAT_TRAINING_INSTANCE_RECOGNITION_H_
#define IAT_TRAINING_INSTANCE_RECOGNITION_H_

#include <torch/nn/modules/linear.h>

#include "training/objective.h"

namespace iat {

// The loss alone. embeddings: n x d, normalised; bank: N x d; indices: n int64;
// noise: n x m int64. Memory: n x N floats when N <= 16 m, else n x m x d.
torch::Tensor InstanceRecognitionLoss(const torch::Tensor& embeddings,
                                      const torch::Tensor& bank,
                                      const torch::Tensor& indices,
                                      const torch::Tensor& noise, double temperature);

class InstanceRecognition : public Objective {
 public:
  InstanceRecognition(const InstanceRecognitionOptions& options, int64_t num_features,
                      int64_t num_training_images, int64_t init_seed, int64_t data_seed);

  int num_views() const override { return 1; }
  Result Loss(VisionModel& model, const TrainingBatch& batch,
              const TapContext& context) override;
  void AfterStep(const TrainingBatch& batch, const Result& result) override;

  const torch::Tensor& bank() const { return bank_; }

 private:
  InstanceRecognitionOptions options_;
  int64_t data_seed_;
  torch::nn::Linear head_;
  torch::Tensor bank_;  // N x embedding_size, rows normalised
};

}  // namespace iat

#endif  // IAT_TRAINING_INSTANCE_RECOGNITION_H_
