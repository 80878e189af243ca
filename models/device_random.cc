#include "models/device_random.h"

#include <algorithm>

#include "base/status.h"
#include "models/cuda_program.h"
#include "models/torch.h"
#include "models/upload.h"

namespace iat {
namespace {

constexpr int kThreads = 256;

// As models/random.cu has it.
struct StreamNumbers {
  uint32_t key[2];
  uint32_t counter[4];
};

StreamNumbers NumbersOf(const RandomStream& stream) {
  IAT_CHECK(stream.at_block(), "a stream that has given words already");
  StreamNumbers numbers;
  std::copy_n(stream.key().begin(), 2, numbers.key);
  std::copy_n(stream.counter().begin(), 4, numbers.counter);
  return numbers;
}

CudaProgram& Program() {
  static auto* const program = new CudaProgram("random.cu",
#include "models/random_cu.inc"
  );
  return *program;
}

int64_t Blocks(int64_t threads) { return (threads + kThreads - 1) / kThreads; }

bool IntegersThere(const RandomStream& stream, int64_t limit, const torch::Tensor& out) {
  StreamNumbers numbers = NumbersOf(stream);
  auto limit_word = static_cast<uint32_t>(limit);
  int64_t n = out.numel();
  void* values = out.data_ptr();
  return Program()
      .Launch("Integers", out.device(), Blocks(n), kThreads,
              {&numbers, &limit_word, &n, &values})
      .ok();
}

bool TwosThere(const RandomStream& stream, const torch::Tensor& out) {
  const bool is_short = out.scalar_type() == torch::kBFloat16;
  if (!is_short && out.scalar_type() != torch::kFloat32) return false;
  StreamNumbers numbers = NumbersOf(stream);
  int64_t n = out.numel();
  void* values = out.data_ptr();
  return Program()
      .Launch(is_short ? "Bfloat16Twos" : "FloatTwos", out.device(),
              Blocks((n + 31) / 32), kThreads, {&numbers, &n, &values})
      .ok();
}

}  // namespace

torch::Tensor RandomIntegers(const RandomStream& stream, int64_t limit,
                             torch::IntArrayRef shape, torch::Device device) {
  IAT_CHECK(limit > 0 && limit >> 32 == 0, "a limit of 32 bits");
  if (device.is_cuda()) {
    const auto out =
        torch::empty(shape, torch::TensorOptions(torch::kInt64).device(device));
    if (IntegersThere(stream, limit, out)) return out;
  }
  RandomStream numbers = stream;
  const auto out = torch::empty(shape, torch::kInt64);
  int64_t* values = out.data_ptr<int64_t>();
  for (int64_t i = 0; i < out.numel(); ++i) {
    values[i] = static_cast<int64_t>(numbers.UniformInt(limit));
  }
  return Upload(out, device);
}

torch::Tensor DropoutMask(const RandomStream& stream, torch::IntArrayRef shape,
                          torch::Device device, torch::ScalarType type) {
  if (device.is_cuda()) {
    const auto out = torch::empty(shape, torch::TensorOptions(type).device(device));
    if (TwosThere(stream, out)) return out;
  }
  RandomStream words = stream;
  const auto out = torch::empty(shape, torch::kFloat32);
  float* values = out.data_ptr<float>();
  const int64_t n = out.numel();
  for (int64_t i = 0; i < n; i += 32) {
    uint32_t word = words.NextU32();
    const int64_t end = std::min<int64_t>(n, i + 32);
    for (int64_t j = i; j < end; ++j, word >>= 1) {
      values[j] = static_cast<float>((word & 1u) << 1);
    }
  }
  return Upload(out.to(type), device);
}

}  // namespace iat
