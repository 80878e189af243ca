#include "training/evaluation_images.h"

#include <torch/torch.h>

#include <algorithm>

#include "base/random.h"
#include "images/image.h"

namespace iat {
namespace {

constexpr int64_t kEvaluationBatch = 250;

// An image as the network takes it. Sets packed larger, for augmentation at a larger
// work_size, have their last resize still before them.
Image NetworkInput(const PackedSet& set, int64_t row) {
  Image image{set.height(), set.width(), {}};
  const uint8_t* pixels = set.pixels(row);
  image.pixels.assign(pixels, pixels + size_t{3} * image.height * image.width);
  if (image.height == kInputSide && image.width == kInputSide) return image;
  return Resize(image, kInputSide, kInputSide);
}

}  // namespace

HeldOut ChooseHeldOut(const PackedSet& images, int64_t num_test) {
  HeldOut rows;
  const int64_t n = images.size();
  num_test = images.num_labels() > 1 ? std::min(num_test, n / 5) : 0;
  const std::vector<int64_t> order = RandomStream(0, "held-out").Permutation(n);
  rows.test.assign(order.begin(), order.begin() + num_test);
  rows.training.assign(order.begin() + num_test, order.end());
  std::sort(rows.test.begin(), rows.test.end());
  std::sort(rows.training.begin(), rows.training.end());
  return rows;
}

std::vector<int> LabelsOf(const PackedSet& images, const std::vector<int64_t>& rows) {
  std::vector<int> labels;
  for (const int64_t row : rows) labels.push_back(images.labels()[row]);
  return labels;
}

torch::Tensor FeaturesOf(VisionModel& model, const PackedSet& images,
                         const std::vector<int64_t>& rows, torch::Device device,
                         const Tap* tap) {
  const torch::NoGradGuard no_grad;
  const bool was_training = model.is_training();
  model.eval();
  std::vector<torch::Tensor> features;
  const int64_t n = static_cast<int64_t>(rows.size());
  for (int64_t begin = 0; begin < n; begin += kEvaluationBatch) {
    const int64_t end = std::min(n, begin + kEvaluationBatch);
    auto batch = torch::empty({end - begin, 3, kInputSide, kInputSide});
    for (int64_t i = begin; i < end; ++i) {
      NormalizeInto(NetworkInput(images, rows[i]).pixels.data(), kInputSide, kInputSide,
                    batch[i - begin].data_ptr<float>());
    }
    torch::Tensor values;
    if (tap == nullptr) {
      values = model.Forward(batch.to(device), {});
    } else {
      TapRecorder recorder({*tap});
      model.Forward(batch.to(device), {.recorder = &recorder});
      values = recorder.Get(*tap).flatten(1);
    }
    features.push_back(values.to(torch::kCPU));
  }
  model.train(was_training);
  return torch::cat(features);
}

}  // namespace iat
