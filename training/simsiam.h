// SimSiam: each view predicts the other view's projection, which counts as given.
//
//   z      projector(fc7) of a view, p = predictor(z)
//   loss   -1/2 mean cos(p_1, stop(z_2)) - 1/2 mean cos(p_2, stop(z_1))
//   head   projector: three linear layers, each with batch norm, ReLU after the first
//          two; predictor: linear - batch norm - ReLU - linear
//
// No gradient flows through stop(z). Without it everything collapses at once.
//
// A predictor that learns faster than what it predicts keeps close to its optimum, which
// is what holds the projections apart; short runs need it more than long ones.
//
// Source   Chen & He, CVPR 2021; layers as in the published mouse-vision code, which
//          keeps scale and shift in the projector's last batch norm. The predictor's
//          relative rate: Tian, Chen & Ganguli, ICML 2021.

#ifndef IAT_TRAINING_SIMSIAM_H_
#define IAT_TRAINING_SIMSIAM_H_

#include <torch/nn/modules/container/sequential.h>

#include "training/objective.h"

namespace iat {

// Config table [training.simsiam].
struct SimSiamOptions {
  int64_t projection_size = 2048;
  int64_t prediction_hidden_size = 512;
  double predictor_rate = 1.0;
  void Describe(OptionVisitor& visitor);
};

// predictions and projections of the two views, n x d each.
torch::Tensor SimSiamLoss(const torch::Tensor& p1, const torch::Tensor& p2,
                          const torch::Tensor& z1, const torch::Tensor& z2);

class SimSiam : public Objective {
 public:
  using Options = SimSiamOptions;
  static constexpr char kName[] = "simsiam";
  static constexpr char kTitle[] = "SimSiam";
  static constexpr char kLossName[] = "negative cosine";
  static constexpr char kSummary[] = "one view predicts the other, without negatives";
  static TrainingRecipe Recipe();
  static absl::StatusOr<std::shared_ptr<Objective>> Create(const SimSiamOptions& options,
                                                           const ObjectiveSetup& setup);

  SimSiam(const SimSiamOptions& options, const ObjectiveSetup& setup);

  int num_views() const override { return 2; }
  Result Loss(VisionModel& model, const TrainingBatch& batch,
              const TapContext& context) override;
  double RateOf(const std::string& parameter) const override;
  std::string CollapseAdvice() const override;

 private:
  double predictor_rate_;
  torch::nn::Sequential projector_{nullptr}, predictor_{nullptr};
};

}  // namespace iat

#endif  // IAT_TRAINING_SIMSIAM_H_
