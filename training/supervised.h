// Supervised classification: a linear head on fc7, cross-entropy with the image's class.
//
// Source   Krizhevsky, arXiv:1404.5997; recipe of the published mouse-vision code.

#ifndef IAT_TRAINING_SUPERVISED_H_
#define IAT_TRAINING_SUPERVISED_H_

#include <torch/nn/modules/linear.h>

#include "training/objective.h"

namespace iat {

class Supervised : public Objective {
 public:
  struct Options {};
  static constexpr char kName[] = "supervised";
  static constexpr char kTitle[] = "Supervised";
  static constexpr char kLossName[] = "cross-entropy";
  static constexpr char kSummary[] = "which class";
  static TrainingRecipe Recipe();
  // InvalidArgument: fewer than two classes, or images without one.
  static absl::StatusOr<std::shared_ptr<Objective>> Create(const Options& options,
                                                           const ObjectiveSetup& setup);

  explicit Supervised(const ObjectiveSetup& setup);

  int num_views() const override { return 1; }
  Result Loss(VisionModel& model, const TrainingBatch& batch,
              const TapContext& context) override;

 private:
  torch::nn::Linear head_;
};

}  // namespace iat

#endif  // IAT_TRAINING_SUPERVISED_H_
