// The order of training images and their augmented views, made ahead of time on a
// second thread while the network computes.

#ifndef IAT_TRAINING_BATCHES_H_
#define IAT_TRAINING_BATCHES_H_

#include <cstdint>
#include <future>
#include <optional>
#include <vector>

#include "images/augment.h"
#include "images/packed_set.h"
#include "training/objective.h"

namespace iat {

// Epochs are permutations of the training images keyed by (data_seed, epoch);
// images beyond the last whole batch of an epoch wait for the next one. View v of
// image i in epoch e draws from (data_seed, "augment", e * N + i, v), by the chain
// of its view (AugmentOptions::ForView).
// One more than the largest label of these rows; 0 when one of them has none.
int64_t NumLabels(const PackedSet& images, const std::vector<int64_t>& rows);

class BatchMaker {
 public:
  // `rows`: the rows of `images` that are trained on.
  BatchMaker(const PackedSet& images, std::vector<int64_t> rows,
             const AugmentOptions& augmentation, int64_t data_seed, int64_t batch_size,
             int num_views);

  int64_t steps_per_epoch() const { return steps_per_epoch_; }
  int64_t num_training_images() const { return static_cast<int64_t>(rows_.size()); }

  // The batch of a step; starts making the one after it. Fast when steps are
  // asked for in order, right in any order.
  TrainingBatch Get(int64_t step);

 private:
  TrainingBatch Make(int64_t step) const;

  const PackedSet& images_;
  std::vector<int64_t> rows_;
  std::vector<AugmentOptions> augmentation_;  // by view
  int64_t data_seed_, batch_size_, steps_per_epoch_;
  int num_views_;
  std::future<TrainingBatch> next_;
  int64_t next_step_ = -1;
};

}  // namespace iat

#endif  // IAT_TRAINING_BATCHES_H_
