// RotNet: by how many quarter turns has this image been turned?
//
//   every image of the batch four times: as it is and turned by 90, 180 and 270 degrees
//   counter-clockwise; a linear head of 4 outputs, cross-entropy
//
// Source   Gidaris, Singh & Komodakis, ICLR 2018; recipe of the published mouse-vision
//          code (192 images, four times each, a step).

#ifndef IAT_TRAINING_ROTNET_H_
#define IAT_TRAINING_ROTNET_H_

#include <torch/nn/modules/linear.h>

#include "training/objective.h"

namespace iat {

// Four times n images: all unturned, all turned by 90 degrees, by 180, by 270.
torch::Tensor QuarterTurns(const torch::Tensor& images);

class RotNet : public Objective {
 public:
  struct Options {};
  static constexpr char kName[] = "rotnet";
  static constexpr char kTitle[] = "RotNet";
  static constexpr char kLossName[] = "cross-entropy";
  static constexpr char kSummary[] = "which of four rotations";
  static TrainingRecipe Recipe();
  static absl::StatusOr<std::shared_ptr<Objective>> Create(const Options& options,
                                                           const ObjectiveSetup& setup);

  explicit RotNet(const ObjectiveSetup& setup);

  int num_views() const override { return 1; }
  Result Loss(VisionModel& model, const TrainingBatch& batch,
              const TapContext& context) override;

 private:
  torch::nn::Linear head_;
};

}  // namespace iat

#endif  // IAT_TRAINING_ROTNET_H_
