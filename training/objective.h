// What a network is trained to do: a head on top of fc7, a loss over a batch of
// augmented views, and whatever state the loss keeps between steps.
//
// Adding one is one file (docs/objectives.md shows how; rotnet.cc is the shortest) and
// one line in the registry in objective.cc. A class in the registry has
//
//   using Options = ...;                       a struct with Describe(): the config
//                                              table [training.NAME]; empty: no table
//   static constexpr char kName[];             what the config calls it
//   static constexpr char kTitle[], kLossName[], kSummary[];   for people
//   static TrainingRecipe Recipe();            defaults of everything else
//   static absl::StatusOr<std::shared_ptr<Objective>> Create(const Options&,
//                                                            const ObjectiveSetup&);
//
// State that a resumed run needs is a parameter or a buffer of the module (a key
// encoder, a queue, its position): checkpoints hold exactly those. Parameters that the
// optimiser must not touch have requires_grad off. Random numbers are functions of a
// seed and batch.step.

#ifndef IAT_TRAINING_OBJECTIVE_H_
#define IAT_TRAINING_OBJECTIVE_H_

#include <torch/nn/module.h>
#include <torch/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "models/vision_model.h"
#include "training/objective_options.h"
#include "training/recipe.h"

namespace iat {

struct TrainingBatch {
  // (views * n) x 3 x 64 x 64 float32, normalised: first all first views, then
  // all second views.
  torch::Tensor images;
  // Position of each image in the training set, n int64.
  torch::Tensor indices;
  // Class of each image, n int64; -1 where it has none.
  torch::Tensor labels = {};
  int64_t step = 0;
};

class Objective : public torch::nn::Module {
 public:
  struct Result {
    torch::Tensor loss;  // scalar, differentiable
    // What collapse is looked for in, rows x d, L2-normalised, detached: the head's
    // output for every view, or fc7 where the head answers a question.
    torch::Tensor embeddings;
  };

  virtual int num_views() const = 0;
  virtual Result Loss(VisionModel& model, const TrainingBatch& batch,
                      const TapContext& context) = 0;
  // After the optimiser's step: banks, queues, momentum encoders.
  virtual void AfterStep(VisionModel& /*model*/, const TrainingBatch& /*batch*/,
                         const Result& /*result*/) {}
  // What the learning rate is multiplied by for one of the objective's own parameters.
  virtual double RateOf(const std::string& /*parameter*/) const { return 1.0; }
  // What to change when the embedding has collapsed, for the message that says so.
  virtual std::string CollapseAdvice() const {
    return "try a smaller training.learning_rate or more training.warmup_epochs";
  }
};

// What an objective is made for.
struct ObjectiveSetup {
  const VisionModel& model;  // with the weights that training starts from
  ModelOptions model_options;
  int64_t num_training_images = 0;
  // Classes among the training images; 0 when any of them has none.
  int64_t num_labels = 0;
  int64_t init_seed = 0;  // the head's weights
  int64_t data_seed = 0;  // banks, queues, noise
};

// NotFound naming the objectives there are; InvalidArgument when the setup does not
// allow this one.
absl::StatusOr<std::shared_ptr<Objective>> CreateObjective(
    const ObjectiveOptions& options, const ObjectiveSetup& setup);

}  // namespace iat

#endif  // IAT_TRAINING_OBJECTIVE_H_
