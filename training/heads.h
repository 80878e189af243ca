// What heads are made of, and the two forward passes of objectives that compare two
// views.

#ifndef IAT_TRAINING_HEADS_H_
#define IAT_TRAINING_HEADS_H_

#include <torch/nn/modules/container/sequential.h>
#include <torch/types.h>

#include <memory>
#include <utility>
#include <vector>

#include "base/random.h"
#include "models/vision_model.h"
#include "training/objective.h"

namespace iat {

struct ProjectorLayout {
  // Inputs, hidden layers, outputs: sizes.size() - 1 linear layers.
  std::vector<int64_t> sizes;
  bool batch_norm = true;   // after every hidden layer, before its ReLU
  bool bias = true;         // of the hidden layers
  bool output_bias = true;  // of the last layer
  bool output_batch_norm = false;
};

// linear - [batch norm] - ReLU - ... - linear - [batch norm], under the names that
// PyTorch's nn.Sequential gives them ("0.weight", "1.running_mean", ...).
torch::nn::Sequential MakeProjector(const ProjectorLayout& layout);

// The dropout stream of pass `pass` over the network in one step; pass 0 is the
// step's own, later ones draw other masks.
RandomStream PassDropout(const RandomStream& step, uint32_t pass);

// For a batch that passes a network in `num_parts` parts: while this lives, a part
// enters the running statistics of the network's batch norms with that fraction of
// their momentum, so that they average over as many batches as usual.
class PartialStatistics {
 public:
  PartialStatistics(const torch::nn::Module& network, int64_t num_parts);
  ~PartialStatistics();
  PartialStatistics(const PartialStatistics&) = delete;
  PartialStatistics& operator=(const PartialStatistics&) = delete;

 private:
  std::vector<std::pair<std::shared_ptr<torch::nn::Module>, double>> norms_;
};

// fc7 of each view, by one forward pass a view: batch norm sees one view at a time, as
// in the published two-view codes.
std::vector<torch::Tensor> ForwardViews(VisionModel& model, const TrainingBatch& batch,
                                        int num_views, const TapContext& context);

}  // namespace iat

#endif  // IAT_TRAINING_HEADS_H_
