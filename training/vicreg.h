// VICReg: views of an image agree (invariance), every dimension varies over the batch
// (variance), and no two dimensions say the same (covariance).
//
//   loss   similarity * mean (z_1 - z_2)^2
//          + deviation * 1/2 sum_views mean_j max(0, 1 - sqrt(var(z_j) + 1e-4))
//          + covariance * sum_views 1/d sum_{i != j} cov(z)_ij^2
//   head   linear - batch norm - ReLU, twice, then linear without bias
//
// var and cov divide by n - 1.
//
// Source   Bardes, Ponce & LeCun, ICLR 2022, and its published code. mouse-vision
//          released the class only (8192 x 3, weights 25, 25, 1): optimiser, rate and
//          epochs here are the paper's.

#ifndef IAT_TRAINING_VICREG_H_
#define IAT_TRAINING_VICREG_H_

#include <torch/nn/modules/container/sequential.h>

#include "training/objective.h"

namespace iat {

// Config table [training.vicreg].
struct VicRegOptions {
  double similarity_weight = 25.0;
  double deviation_weight = 25.0;
  double covariance_weight = 1.0;
  int64_t projection_size = 8192;
  void Describe(OptionVisitor& visitor);
};

struct VicRegTerms {
  torch::Tensor similarity, deviation, covariance;  // scalars, without their weights
};
// z1, z2: n x d.
VicRegTerms MeasureVicReg(const torch::Tensor& z1, const torch::Tensor& z2);

class VicReg : public Objective {
 public:
  using Options = VicRegOptions;
  static constexpr char kName[] = "vicreg";
  static constexpr char kTitle[] = "VICReg";
  static constexpr char kLossName[] = "VICReg loss";
  static constexpr char kSummary[] = "invariance, variance and covariance of two views";
  static TrainingRecipe Recipe();
  static absl::StatusOr<std::shared_ptr<Objective>> Create(const VicRegOptions& options,
                                                           const ObjectiveSetup& setup);

  VicReg(const VicRegOptions& options, const ObjectiveSetup& setup);

  int num_views() const override { return 2; }
  Result Loss(VisionModel& model, const TrainingBatch& batch,
              const TapContext& context) override;
  std::string CollapseAdvice() const override;

 private:
  VicRegOptions options_;
  torch::nn::Sequential projector_{nullptr};
};

}  // namespace iat

#endif  // IAT_TRAINING_VICREG_H_
