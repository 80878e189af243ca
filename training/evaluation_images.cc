#include "training/evaluation_images.h"

#include <algorithm>

#include "images/image.h"
#include "models/torch.h"

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
