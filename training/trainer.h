// Training of one network (one animal), from initial weights to
// weights.safetensors, resumable bit for bit at every checkpoint.
//
//   folder/weights.safetensors     the finished network, PyTorch's names; its
//                                  metadata holds the fingerprint of what made it
//   folder/checkpoint.safetensors  weights, objective, optimiser, position and the
//                                  metrics so far; kept for training on, with those
//                                  before it (training/checkpoint.h)
//   folder/metrics.csv             step, epoch, loss, learning_rate,
//                                  images_per_second, knn_top1, knn_weighted_top1,
//                                  embedding_deviation, effective_rank
//   folder/events.out.tfevents.iat the same for TensorBoard
//
// Random numbers are functions of (data_seed, purpose, position), so a resumed run
// equals an uninterrupted one on the CPU with the same number of threads.
//
// On a GPU the training images stay there as bytes and are augmented there, weights and
// views lie channels last, the network's products take bfloat16, and no step waits for a
// number: a loss that is not finite is seen when its mean is read, every log_every steps.
// Sums are made in an order that changes from run to run, so bits are not repeated.

#ifndef IAT_TRAINING_TRAINER_H_
#define IAT_TRAINING_TRAINER_H_

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/options.h"
#include "images/augment.h"
#include "images/packed_set.h"
#include "models/model_options.h"
#include "training/metrics.h"
#include "training/objective_options.h"
#include "training/optimizer_options.h"

namespace iat {

// Config table [training].
struct TrainingOptions {
  // The published recipe of an objective (docs/method.md); the config changes it
  // key by key.
  static TrainingOptions DefaultsFor(const std::string& objective);

  ObjectiveOptions objective;
  int64_t epochs = 200;
  int64_t batch_size = 256;
  OptimizerOptions optimizer;
  ScheduleOptions schedule;
  AugmentOptions augmentation = InstanceRecognitionAugmentation();
  bool dropout = true;
  // "auto": bfloat16 on a GPU, float32 on the CPU. Weights, heads, losses and the
  // optimiser are float32 in any case.
  std::string precision = "auto";
  // Part of the config, never taken from the machine: another number of threads
  // rounds differently.
  int64_t threads_per_model = 1;
  int64_t checkpoint_every = 200;
  int64_t keep_last = 2;
  int64_t keep_every_epochs = 0;
  int64_t log_every = 20;
  int64_t knn_images = 500;
  int64_t knn_references = 5000;
  int64_t knn_k = 200;
  int64_t knn_every = 10;

  void Describe(OptionVisitor& visitor);
};

// One network of a family.
struct Animal {
  std::string name;  // "seed-003", "untrained-003", "imported-000"
  int64_t init_seed = 0;
  int64_t data_seed = 0;
  bool trained = true;
  // Weights of another program (models/weight_import.h) instead of training; seeds
  // are -1.
  std::filesystem::path imported = {};
};

struct TrainingJob {
  Animal animal;
  ModelOptions model;
  TrainingOptions options;
  const PackedSet* images = nullptr;  // not needed for an imported animal
  std::filesystem::path folder;
  std::string device = "cpu";
  std::function<void(const TrainingProgress&)> progress;
  std::function<void(absl::string_view)> message;  // resuming, starting afresh, ...
  // Set from a signal handler: finish the step, checkpoint, return Cancelled.
  const std::atomic<bool>* stop = nullptr;
};

// What the finished weights depend on.
std::string TrainingFingerprint(const TrainingJob& job);

// True when folder/weights.safetensors was made from exactly this job.
bool IsTrained(const TrainingJob& job);

// OK once weights.safetensors is in place. Cancelled after a stop.
// InvalidArgument: too few images for a batch; a loss that is not finite; imported
// weights that are not of job.model.
absl::Status Train(const TrainingJob& job);

}  // namespace iat

#endif  // IAT_TRAINING_TRAINER_H_
