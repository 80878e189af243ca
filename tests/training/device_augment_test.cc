#include "training/device_augment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/random.h"
#include "images/augment.h"
#include "images/image.h"
#include "models/torch.h"
#include "tests/training/small_world.h"
#include "training/augment_numbers.h"

namespace iat {
namespace {

// The kernel, for a block of one thread.
namespace kernel {
#include "training/augment.cu"
}  // namespace kernel

template <typename To, typename From>
To As(const From& from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(to));
  return to;
}

struct Chain {
  const char* name;
  AugmentOptions options;
};

std::vector<Chain> Chains() {
  AugmentOptions everything = TwinAugmentation();
  everything.blur_probability = everything.solarize_probability = 0.5;
  everything.jitter_probability = 0.7;
  AugmentOptions large = MocoAugmentation();
  large.work_size = kReferenceWorkSize;
  AugmentOptions nothing = CropAugmentation();
  nothing.min_crop_area = 1.0;
  nothing.min_crop_aspect = nothing.max_crop_aspect = 1.0;
  return {{"instance recognition", InstanceRecognitionAugmentation()},
          {"simclr", SimClrAugmentation()},
          {"twin", everything},
          {"moco at 224", large},
          {"crop", CropAugmentation()},
          {"nothing", nothing}};
}

// The second road is the CPU's own, one view after the other, checked against Pillow.
TEST(AugmentKernelTest, ViewsAreTheBytesOfTheProcessor) {
  TemporaryFolder folder;
  const PackedSet square = PackDeadLeaves(folder.path() / "packed", 12);
  const PackedSet large = WriteTwoColours(folder.path() / "large", 6, 100, /*shade=*/60);
  for (const PackedSet* set : {&square, &large}) {
    for (const Chain& chain : Chains()) {
      const ChainNumbers numbers = NumbersOf(chain.options, set->height(), set->width());
      std::vector<uint8_t> scratch(numbers.scratch_bytes);
      for (int64_t i = 0; i < 3 * set->size(); ++i) {
        const int64_t image = i % set->size();
        const RandomStream stream(9, "augment", i);
        RandomStream of_draw = stream, of_pixels = stream;
        const ViewNumbers view = NumbersOf(
            DrawView(chain.options, set->height(), set->width(), of_draw), image);
        std::vector<float> expected(kViewFloats), found(kViewFloats);
        AugmentInto(chain.options, set->pixels(image), set->height(), set->width(),
                    of_pixels, expected.data());
        kernel::AugmentView(set->pixels(0), As<kernel::ViewNumbers>(view),
                            As<kernel::ChainNumbers>(numbers), scratch.data(),
                            found.data());
        // The kernel's channels are last.
        const auto planes = torch::from_blob(found.data(), {kInputSide, kInputSide, 3})
                                .permute({2, 0, 1});
        ASSERT_TRUE(torch::equal(
            planes, torch::from_blob(expected.data(), {3, kInputSide, kInputSide})))
            << chain.name << ", view " << i;
      }
    }
  }
}

TEST(AugmentKernelTest, AViewKeepsWithinItsScratch) {
  TemporaryFolder folder;
  const PackedSet set = WriteTwoColours(folder.path() / "large", 2, 100);
  for (const Chain& chain : Chains()) {
    const ChainNumbers numbers = NumbersOf(chain.options, set.height(), set.width());
    constexpr size_t kBeyond = 4096;
    std::vector<uint8_t> scratch(numbers.scratch_bytes + kBeyond, 171);
    AugmentOptions whole = chain.options;
    whole.min_crop_area = whole.max_crop_area = 1.0;
    whole.min_crop_aspect = whole.max_crop_aspect = 1.0;
    RandomStream stream(9, "augment");
    const ViewNumbers view =
        NumbersOf(DrawView(whole, set.height(), set.width(), stream), 0);
    std::vector<float> out(kViewFloats);
    kernel::AugmentView(set.pixels(0), As<kernel::ViewNumbers>(view),
                        As<kernel::ChainNumbers>(numbers), scratch.data(), out.data());
    EXPECT_EQ(std::count(scratch.end() - kBeyond, scratch.end(), 171), kBeyond)
        << chain.name;
  }
}

TEST(DeviceAugmenterTest, NoGpuNoKernel) {
  TemporaryFolder folder;
  const PackedSet set = PackDeadLeaves(folder.path() / "packed", 6);
  const auto augmenter = DeviceAugmenter::Create(set, {0, 1}, torch::kCPU);
  EXPECT_EQ(augmenter.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(augmenter.status().message(), "cpu is no CUDA device");
}

}  // namespace
}  // namespace iat
