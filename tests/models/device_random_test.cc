#include "models/device_random.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "base/random.h"
#include "models/cuda_program.h"
#include "models/torch.h"
#include "models/vision_model.h"

namespace iat {
namespace {

// The kernels' functions, for one thread.
namespace kernel {
#include "models/random.cu"
}  // namespace kernel

kernel::StreamNumbers NumbersOf(const RandomStream& stream) {
  return {{stream.key()[0], stream.key()[1]},
          {stream.counter()[0], stream.counter()[1], stream.counter()[2],
           stream.counter()[3]}};
}

// The second road is the stream itself, one number after the other.
TEST(RandomKernelTest, WordsAreThoseOfTheStream) {
  const RandomStream stream(12, "words", 0x123456789abcULL, 7);
  RandomStream one_by_one = stream;
  for (int i = 0; i < 4099; ++i) {
    ASSERT_EQ(kernel::WordAt(NumbersOf(stream), i), one_by_one.NextU32()) << i;
  }
}

TEST(RandomKernelTest, IntegersAreThoseOfTheStream) {
  for (const uint32_t limit : {1u, 1000u, (1u << 31) - 1, ~0u}) {
    const RandomStream stream(3, "integers", 5);
    RandomStream one_by_one = stream;
    for (int i = 0; i < 1000; ++i) {
      ASSERT_EQ(kernel::IntegerAt(NumbersOf(stream), limit, i),
                static_cast<int64_t>(one_by_one.UniformInt(limit)))
          << i << " below " << limit;
    }
  }
}

TEST(DeviceRandomTest, NumbersComeRowByRow) {
  const RandomStream stream(3, "integers", 5);
  RandomStream one_by_one = stream;
  const auto drawn = RandomIntegers(stream, 1000, {4, 5}, torch::kCPU);
  EXPECT_EQ(drawn.sizes(), (torch::IntArrayRef{4, 5}));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(drawn[i / 5][i % 5].item<int64_t>(),
              static_cast<int64_t>(one_by_one.UniformInt(1000)));
  }
}

TEST(DeviceRandomTest, MasksAreTwiceTheBitsLowestFirst) {
  const RandomStream stream(4, "bits");
  RandomStream one_by_one = stream;
  const auto mask = DropoutMask(stream, {4, 25}, torch::kCPU, torch::kBFloat16);
  EXPECT_EQ(mask.scalar_type(), torch::kBFloat16);
  const auto flat = mask.to(torch::kFloat32).flatten();
  for (int word = 0; word < 4; ++word) {
    const uint32_t bits = one_by_one.NextU32();
    for (int bit = 0; bit < 32 && 32 * word + bit < 100; ++bit) {
      EXPECT_EQ(flat[32 * word + bit].item<float>(), 2.0f * (bits >> bit & 1));
    }
  }
}

TEST(CudaProgramTest, ADeviceThatIsNoGpuIsRefused) {
  CudaProgram program("nothing.cu", "");
  const absl::Status status = program.Prepare(torch::kCPU);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "cpu is no CUDA device");
}

TEST(AutocastTest, FeaturesStayFloat32AndNearTheLongRoad) {
  auto model = *CreateModel({.architecture = "alexnet_bn", .width = 0.125}, 1);
  model->eval();
  const torch::NoGradGuard no_grad;
  torch::manual_seed(5);
  const auto images = torch::randn({8, 3, 64, 64});
  const auto exact = model->Forward(images, {});
  const auto shorter = model->Forward(images, {.autocast = torch::kBFloat16});
  EXPECT_EQ(shorter.scalar_type(), torch::kFloat32);
  const double error = ((shorter - exact).norm() / exact.norm()).item<double>();
  // bfloat16 keeps eight bits: clearly not float32, and not far from it.
  EXPECT_GT(error, 1e-5);
  EXPECT_LT(error, 0.05);
  // Nothing of it stays behind.
  EXPECT_TRUE(torch::equal(model->Forward(images, {}), exact));
}

}  // namespace
}  // namespace iat
