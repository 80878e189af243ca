// The order of training images and their augmented views, made ahead of time on a
// second thread while the network computes.

#ifndef IAT_TRAINING_BATCHES_H_
#define IAT_TRAINING_BATCHES_H_

#include <cstdint>
#include <future>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "base/random.h"
#include "images/augment.h"
#include "images/packed_set.h"
#include "training/device_augment.h"
#include "training/objective.h"

namespace iat {

// One more than the largest label of these rows; 0 when one of them has none.
int64_t NumLabels(const PackedSet& images, const std::vector<int64_t>& rows);

// Epochs are permutations of the training images keyed by (data_seed, epoch);
// images beyond the last whole batch of an epoch wait for the next one. View v of
// image i in epoch e draws from (data_seed, "augment", e * N + i, v), by the chain
// of its view (AugmentOptions::ForView).
class BatchMaker {
 public:
  struct Options {
    AugmentOptions augmentation;
    int64_t data_seed = 0;
    int64_t batch_size = 1;
    int num_views = 1;
    // Where batches are wanted. Other than the CPU, the pixels' work is done there
    // (training/device_augment.h), or here when the images do not fit there.
    torch::Device device = torch::kCPU;
  };

  // `rows`: the rows of `images` that are trained on.
  BatchMaker(const PackedSet& images, std::vector<int64_t> rows, const Options& options);

  int64_t steps_per_epoch() const { return steps_per_epoch_; }
  int64_t num_training_images() const { return static_cast<int64_t>(rows_.size()); }
  // Why views are made here for a device that is no CPU; OK where they are not.
  const absl::Status& device_status() const { return device_status_; }

  // The batch of a step, on the device; starts making the one after it. Fast when steps
  // are asked for in order, right in any order. Internal: what CUDA says.
  absl::StatusOr<TrainingBatch> Get(int64_t step);

 private:
  absl::StatusOr<TrainingBatch> Make(int64_t step);
  torch::Tensor ViewsHere(int64_t epoch, const std::vector<int64_t>& places) const;
  absl::StatusOr<torch::Tensor> ViewsThere(int64_t epoch,
                                           const std::vector<int64_t>& places) const;
  RandomStream StreamOf(int64_t epoch, int64_t place, int view) const;

  const PackedSet& images_;
  std::vector<int64_t> rows_;
  Options options_;
  std::vector<AugmentOptions> augmentation_;  // by view
  int64_t steps_per_epoch_;
  std::optional<DeviceAugmenter> augmenter_;
  absl::Status device_status_;
  std::vector<int64_t> order_;  // of the epoch below
  int64_t order_epoch_ = -1;
  int64_t next_step_ = -1;
  // Last, so that it is waited for before anything that it uses goes.
  std::future<absl::StatusOr<TrainingBatch>> next_;
};

}  // namespace iat

#endif  // IAT_TRAINING_BATCHES_H_
