#include "extraction/kernel_image.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace iat {

std::vector<KernelImage> KernelImages(const InferenceChain& chain) {
  std::vector<KernelImage> kernels;
  if (chain.steps.empty() || chain.channels != 3 ||
      chain.steps.front().kind != InferenceStep::Kind::kConvolution) {
    return kernels;
  }
  const InferenceStep& first = chain.steps.front();
  const int64_t k = first.kernel, area = k * k;
  for (int64_t o = 0; o < first.outputs; ++o) {
    const float* weight = first.weight.data() + o * 3 * area;
    float largest = 1e-12f;
    for (int64_t i = 0; i < 3 * area; ++i) {
      largest = std::max(largest, std::fabs(weight[i]));
    }
    Image image{static_cast<int>(k), static_cast<int>(k),
                std::vector<uint8_t>(static_cast<size_t>(3 * area))};
    for (int64_t i = 0; i < area; ++i) {
      for (int64_t c = 0; c < 3; ++c) {
        image.pixels[static_cast<size_t>(3 * i + c)] = static_cast<uint8_t>(
            std::lround(127.5f + 127.5f * weight[c * area + i] / largest));
      }
    }
    kernels.push_back({std::move(image), largest});
  }
  return kernels;
}

}  // namespace iat
