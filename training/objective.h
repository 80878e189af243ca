// What a network is trained to do: a head on top of fc7, a loss over a batch of
// augmented views, and whatever state the loss keeps between steps.
//
// Adding one is one file (see instance_recognition.cc) and one line in the
// registry in objective.cc.

#ifndef IAT_TRAINING_OBJECTIVE_H_
#define IAT_TRAINING_OBJECTIVE_H_

#include <torch/nn/module.h>
#include <torch/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/options.h"
#include "models/vision_model.h"

namespace iat {

struct TrainingBatch {
  // (views * n) x 3 x 64 x 64 float32, normalised: first all first views, then
  // all second views.
  torch::Tensor images;
  // Position of each image in the training set, n int64.
  torch::Tensor indices;
  int64_t step = 0;
};

class Objective : public torch::nn::Module {
 public:
  struct Result {
    torch::Tensor loss;        // scalar, differentiable
    torch::Tensor embeddings;  // (views * n) x d, L2-normalised, detached
  };

  virtual int num_views() const = 0;
  virtual Result Loss(VisionModel& model, const TrainingBatch& batch,
                      const TapContext& context) = 0;
  // After the optimiser's step: banks, queues, momentum encoders.
  virtual void AfterStep(const TrainingBatch& /*batch*/, const Result& /*result*/) {}
};

// Config table [training.instance_recognition].
struct InstanceRecognitionOptions {
  double temperature = 0.07;
  int64_t num_noise = 4096;
  double bank_momentum = 0.5;
  int64_t embedding_size = 128;
  void Describe(OptionVisitor& visitor);
};

// Config table [training.simclr].
struct SimClrOptions {
  double temperature = 0.1;
  int64_t hidden_size = 2048;
  int64_t embedding_size = 128;
  void Describe(OptionVisitor& visitor);
};

struct ObjectiveOptions {
  std::string name = "instance_recognition";
  InstanceRecognitionOptions instance_recognition;
  SimClrOptions simclr;
};

// "instance_recognition", "simclr".
std::vector<std::string> ObjectiveNames();

// Head weights come from init_seed, banks and noise from data_seed.
absl::StatusOr<std::shared_ptr<Objective>> CreateObjective(
    const ObjectiveOptions& options, int64_t num_features, int64_t num_training_images,
    int64_t init_seed, int64_t data_seed);

}  // namespace iat

#endif  // IAT_TRAINING_OBJECTIVE_H_
