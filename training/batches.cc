#include "training/batches.h"

#include <algorithm>

#include "base/random.h"
#include "models/torch.h"

namespace iat {

int64_t NumLabels(const PackedSet& images, const std::vector<int64_t>& rows) {
  int64_t num_labels = 0;
  for (const int64_t row : rows) {
    const int64_t label = images.labels()[row];
    if (label < 0) return 0;
    num_labels = std::max(num_labels, label + 1);
  }
  return num_labels;
}

BatchMaker::BatchMaker(const PackedSet& images, std::vector<int64_t> rows,
                       const AugmentOptions& augmentation, int64_t data_seed,
                       int64_t batch_size, int num_views)
    : images_(images),
      rows_(std::move(rows)),
      data_seed_(data_seed),
      batch_size_(batch_size),
      steps_per_epoch_(static_cast<int64_t>(rows_.size()) / batch_size),
      num_views_(num_views) {
  for (int view = 0; view < num_views; ++view) {
    augmentation_.push_back(augmentation.ForView(view));
  }
}

TrainingBatch BatchMaker::Make(int64_t step) const {
  const int64_t epoch = step / steps_per_epoch_;
  const int64_t first = (step % steps_per_epoch_) * batch_size_;
  const auto order =
      RandomStream(data_seed_, "order", epoch).Permutation(num_training_images());
  TrainingBatch batch;
  batch.step = step;
  batch.images = torch::empty({num_views_ * batch_size_, 3, kInputSide, kInputSide});
  batch.indices = torch::empty({batch_size_}, torch::kInt64);
  batch.labels = torch::empty({batch_size_}, torch::kInt64);
  float* out = batch.images.data_ptr<float>();
  const int64_t image_values = batch.images.stride(0);
  for (int64_t i = 0; i < batch_size_; ++i) {
    const int64_t index = order[first + i];
    batch.indices.data_ptr<int64_t>()[i] = index;
    batch.labels.data_ptr<int64_t>()[i] = images_.labels()[rows_[index]];
    for (int view = 0; view < num_views_; ++view) {
      RandomStream stream(data_seed_, "augment", epoch * num_training_images() + index,
                          view);
      AugmentInto(augmentation_[view], images_.pixels(rows_[index]), images_.height(),
                  images_.width(), stream, out + (view * batch_size_ + i) * image_values);
    }
  }
  return batch;
}

TrainingBatch BatchMaker::Get(int64_t step) {
  TrainingBatch batch = next_step_ == step ? next_.get() : Make(step);
  next_step_ = step + 1;
  next_ = std::async(std::launch::async, [this, step] { return Make(step + 1); });
  return batch;
}

}  // namespace iat
