// MoCo v2: an image's two views attract, and repel the keys of past batches, which a
// slowly following copy of the network made.
//
//   q      L2-normalised head output of view 1
//   k      the same of view 2 through the key network and key head, no gradient
//   loss   -1/n sum_i log( exp(q_i . k_i / t) / (exp(q_i . k_i / t)
//                                               + sum_j exp(q_i . queue_j / t)) )
//   then   key weights <- momentum * key weights + (1 - momentum) * weights, after the
//          optimiser's step; the n keys replace the n oldest of the queue
//   head   linear - ReLU - linear, both with bias; weights N(0, 2 / fan-in), biases 0
//
// The key network trains along: its batch norm works on the batch and has running
// statistics of its own, its dropout masks differ from the query's.
//
// Batch norm over a whole batch would give the positive away: a query and its key share
// the statistics of the same images, queued keys do not. So batch norm sees a group of
// images at a time, queries in the batch's order, keys in an order drawn from data_seed
// and the step: what the published code gets from a batch spread over devices whose
// keys are shuffled between them. A group has at least two images.
//
// Source   He et al., CVPR 2020 (section 3.3: shuffling batch norm, 8 devices); Chen et
//          al., arXiv:2003.04297; constants and head as in the published mouse-vision
//          code.

#ifndef IAT_TRAINING_MOCO_H_
#define IAT_TRAINING_MOCO_H_

#include <torch/nn/modules/container/sequential.h>

#include "training/objective.h"

namespace iat {

// Config table [training.moco_v2].
struct MocoOptions {
  double temperature = 0.2;
  double key_momentum = 0.999;
  int64_t queue_size = 65536;
  int64_t hidden_size = 2048;
  int64_t embedding_size = 128;
  int64_t batch_norm_groups = 8;
  void Describe(OptionVisitor& visitor);
};

// queries, keys: n x d, queue: m x d, all normalised.
torch::Tensor MocoLoss(const torch::Tensor& queries, const torch::Tensor& keys,
                       const torch::Tensor& queue, double temperature);

// The order in which the second views of a step's images go through the key network.
std::vector<int64_t> MocoKeyOrder(int64_t data_seed, int64_t step, int64_t num_images);

class MomentumContrast : public Objective {
 public:
  using Options = MocoOptions;
  static constexpr char kName[] = "moco_v2";
  static constexpr char kTitle[] = "MoCo v2";
  static constexpr char kLossName[] = "InfoNCE loss";
  static constexpr char kSummary[] = "momentum encoder and queue of keys";
  static TrainingRecipe Recipe();
  static absl::StatusOr<std::shared_ptr<Objective>> Create(const MocoOptions& options,
                                                           const ObjectiveSetup& setup);

  MomentumContrast(const MocoOptions& options, const ObjectiveSetup& setup,
                   std::shared_ptr<VisionModel> key_model);

  int num_views() const override { return 2; }
  Result Loss(VisionModel& model, const TrainingBatch& batch,
              const TapContext& context) override;
  void AfterStep(VisionModel& model, const TrainingBatch& batch,
                 const Result& result) override;
  std::string CollapseAdvice() const override;

  const torch::Tensor& queue() const { return queue_; }

 private:
  MocoOptions options_;
  int64_t data_seed_ = 0;
  torch::nn::Sequential head_{nullptr}, key_head_{nullptr};
  std::shared_ptr<VisionModel> key_model_;
  torch::Tensor queue_;     // queue_size x embedding_size, rows normalised
  torch::Tensor position_;  // one int64: the row that the next key replaces
  torch::Tensor keys_;      // of the step under way
};

}  // namespace iat

#endif  // IAT_TRAINING_MOCO_H_
