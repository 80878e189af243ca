// Barlow Twins: over a batch, each dimension of one view's embedding should correlate
// with the same dimension of the other view's, and with no other.
//
//   c_ij   correlation over the batch of dimension i of z_1 with dimension j of z_2
//   loss   sum_i (1 - c_ii)^2 + lambda * sum_{i != j} c_ij^2
//   head   linear - batch norm - ReLU, twice, then linear; no biases
//
// Dimensions are standardised by batch norm without scale and shift (biased deviation,
// eps 1e-5), so a dimension that is constant over the batch correlates with nothing.
// All d dimensions the same costs lambda * d * (d - 1), against d for embeddings that
// say nothing: lambda must be well above 1 / d, as 0.0051 is at 8192.
//
// Source   Zbontar et al., ICML 2021, and its published code. mouse-vision released the
//          class only (8192-8192-8192, lambda 0.0051): optimiser, rate and epochs here
//          are the paper's.

#ifndef IAT_TRAINING_BARLOW_TWINS_H_
#define IAT_TRAINING_BARLOW_TWINS_H_

#include <torch/nn/modules/container/sequential.h>

#include "training/objective.h"

namespace iat {

// Config table [training.barlow_twins].
struct BarlowTwinsOptions {
  double redundancy_weight = 0.0051;  // lambda
  int64_t projection_size = 8192;
  void Describe(OptionVisitor& visitor);
};

// d x d. z1, z2: n x d.
torch::Tensor CrossCorrelation(const torch::Tensor& z1, const torch::Tensor& z2);
torch::Tensor BarlowTwinsLoss(const torch::Tensor& z1, const torch::Tensor& z2,
                              double redundancy_weight);

class BarlowTwins : public Objective {
 public:
  using Options = BarlowTwinsOptions;
  static constexpr char kName[] = "barlow_twins";
  static constexpr char kTitle[] = "Barlow Twins";
  static constexpr char kLossName[] = "correlation loss";
  static constexpr char kSummary[] =
      "dimensions that agree between views and differ "
      "from each other";
  static TrainingRecipe Recipe();
  static absl::StatusOr<std::shared_ptr<Objective>> Create(
      const BarlowTwinsOptions& options, const ObjectiveSetup& setup);

  BarlowTwins(const BarlowTwinsOptions& options, const ObjectiveSetup& setup);

  int num_views() const override { return 2; }
  Result Loss(VisionModel& model, const TrainingBatch& batch,
              const TapContext& context) override;
  std::string CollapseAdvice() const override;

 private:
  BarlowTwinsOptions options_;
  torch::nn::Sequential projector_{nullptr};
};

}  // namespace iat

#endif  // IAT_TRAINING_BARLOW_TWINS_H_
