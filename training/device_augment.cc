#include "training/device_augment.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "images/image.h"
#include "models/cuda_program.h"
#include "models/torch.h"
#include "models/upload.h"
#include "training/augment_numbers.h"

namespace iat {
namespace {

constexpr int64_t kUploadImages = 4096;
constexpr int kThreads = 256;

CudaProgram& Program() {
  static auto* const program = new CudaProgram("augment.cu",
#include "training/augment_cu.inc"
  );
  return *program;
}

}  // namespace

absl::StatusOr<DeviceAugmenter> DeviceAugmenter::Create(const PackedSet& images,
                                                        const std::vector<int64_t>& rows,
                                                        torch::Device device) {
  IAT_RETURN_IF_ERROR(Program().Prepare(device));
  const int64_t n = static_cast<int64_t>(rows.size());
  const int64_t height = images.height(), width = images.width();
  const int64_t bytes = 3 * height * width;
  torch::Tensor all;
  try {
    all = torch::empty({n, height, width, 3},
                       torch::TensorOptions(torch::kUInt8).device(device));
  } catch (const c10::Error&) {
    return absl::ResourceExhaustedError(
        absl::StrCat(n, " images of ", height, " x ", width, " (", n * bytes,
                     " bytes) do not fit on ", device.str()));
  }
  for (int64_t first = 0; first < n; first += kUploadImages) {
    const int64_t count = std::min(kUploadImages, n - first);
    const torch::Tensor part = torch::empty({count, height, width, 3}, torch::kUInt8);
    for (int64_t i = 0; i < count; ++i) {
      std::memcpy(part.data_ptr<uint8_t>() + i * bytes, images.pixels(rows[first + i]),
                  bytes);
    }
    all.narrow(0, first, count).copy_(part);
  }
  return DeviceAugmenter(std::move(all));
}

absl::StatusOr<torch::Tensor> DeviceAugmenter::Views(
    const AugmentOptions& options, const std::vector<int64_t>& places,
    const std::vector<ViewDraw>& draws) const {
  IAT_CHECK(places.size() == draws.size(), "one draw a view");
  const int64_t n = static_cast<int64_t>(places.size());
  const torch::Device device = images_.device();
  ChainNumbers chain = NumbersOf(options, static_cast<int>(images_.size(1)),
                                 static_cast<int>(images_.size(2)));
  constexpr int64_t kViewBytes = sizeof(ViewNumbers);
  const torch::Tensor numbers = torch::empty({n * kViewBytes}, torch::kUInt8);
  for (int64_t i = 0; i < n; ++i) {
    const ViewNumbers view = NumbersOf(draws[i], places[i]);
    std::memcpy(numbers.data_ptr<uint8_t>() + i * kViewBytes, &view, kViewBytes);
  }
  const torch::Tensor views = Upload(numbers, device);
  const auto on_device = torch::TensorOptions().device(device);
  const torch::Tensor scratch =
      torch::empty({n * chain.scratch_bytes}, on_device.dtype(torch::kUInt8));
  const torch::Tensor out =
      torch::empty({n, 3, kInputSide, kInputSide}, on_device.dtype(torch::kFloat32),
                   torch::MemoryFormat::ChannelsLast);
  void* pointers[] = {images_.data_ptr(), views.data_ptr(), scratch.data_ptr(),
                      out.data_ptr()};
  IAT_RETURN_IF_ERROR(
      Program().Launch("AugmentViews", device, n, kThreads,
                       {&pointers[0], &pointers[1], &chain, &pointers[2], &pointers[3]}));
  return out;
}

}  // namespace iat
