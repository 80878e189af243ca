#include "training/batches.h"

#include <algorithm>

#include "base/random.h"
#include "base/status.h"
#include "models/torch.h"
#include "models/upload.h"

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
                       const Options& options)
    : images_(images),
      rows_(std::move(rows)),
      options_(options),
      steps_per_epoch_(static_cast<int64_t>(rows_.size()) / options.batch_size) {
  for (int view = 0; view < options.num_views; ++view) {
    augmentation_.push_back(options.augmentation.ForView(view));
  }
  if (options.device.is_cpu()) return;
  auto augmenter = DeviceAugmenter::Create(images, rows_, options.device);
  device_status_ = augmenter.status();
  if (augmenter.ok()) augmenter_ = *std::move(augmenter);
}

RandomStream BatchMaker::StreamOf(int64_t epoch, int64_t place, int view) const {
  return RandomStream(options_.data_seed, "augment",
                      epoch * num_training_images() + place, view);
}

torch::Tensor BatchMaker::ViewsHere(int64_t epoch,
                                    const std::vector<int64_t>& places) const {
  const int64_t n = static_cast<int64_t>(places.size());
  const auto views = torch::empty({options_.num_views * n, 3, kInputSide, kInputSide});
  float* out = views.data_ptr<float>();
  const int64_t image_values = views.stride(0);
  for (int64_t i = 0; i < n; ++i) {
    for (int view = 0; view < options_.num_views; ++view) {
      RandomStream stream = StreamOf(epoch, places[i], view);
      AugmentInto(augmentation_[view], images_.pixels(rows_[places[i]]), images_.height(),
                  images_.width(), stream, out + (view * n + i) * image_values);
    }
  }
  return Upload(views, options_.device);
}

absl::StatusOr<torch::Tensor> BatchMaker::ViewsThere(
    int64_t epoch, const std::vector<int64_t>& places) const {
  std::vector<torch::Tensor> views;
  for (int view = 0; view < options_.num_views; ++view) {
    std::vector<ViewDraw> draws;
    for (const int64_t place : places) {
      RandomStream stream = StreamOf(epoch, place, view);
      draws.push_back(
          DrawView(augmentation_[view], images_.height(), images_.width(), stream));
    }
    IAT_ASSIGN_OR_RETURN(views.emplace_back(),
                         augmenter_->Views(augmentation_[view], places, draws));
  }
  return views.size() == 1 ? views.front() : torch::cat(views);
}

absl::StatusOr<TrainingBatch> BatchMaker::Make(int64_t step) {
  const int64_t epoch = step / steps_per_epoch_;
  if (epoch != order_epoch_) {
    order_ = RandomStream(options_.data_seed, "order", epoch)
                 .Permutation(num_training_images());
    order_epoch_ = epoch;
  }
  const auto first = order_.begin() + (step % steps_per_epoch_) * options_.batch_size;
  const std::vector<int64_t> places(first, first + options_.batch_size);
  std::vector<int64_t> labels;
  for (const int64_t place : places) labels.push_back(images_.labels()[rows_[place]]);
  TrainingBatch batch;
  batch.indices = Upload(torch::tensor(places), options_.device);
  batch.labels = Upload(torch::tensor(labels), options_.device);
  batch.step = step;
  if (augmenter_.has_value()) {
    IAT_ASSIGN_OR_RETURN(batch.images, ViewsThere(epoch, places));
  } else {
    batch.images = ViewsHere(epoch, places);
  }
  return batch;
}

absl::StatusOr<TrainingBatch> BatchMaker::Get(int64_t step) {
  if (next_step_ != step && next_.valid()) next_.wait();
  absl::StatusOr<TrainingBatch> batch = next_step_ == step ? next_.get() : Make(step);
  next_step_ = step + 1;
  next_ = std::async(std::launch::async, [this, step] { return Make(step + 1); });
  return batch;
}

}  // namespace iat
