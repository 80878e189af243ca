#include "models/torch_device.h"

#include <ATen/Context.h>
#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/version.h>

#include <chrono>

namespace iat {

std::string TorchVersion() { return TORCH_VERSION; }

int NumCudaDevices() {
  return torch::cuda::is_available() ? static_cast<int>(torch::cuda::device_count()) : 0;
}

void UseFullFloat32() {
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setBenchmarkCuDNN(true);
}

void SetTorchThreads(int threads) { torch::set_num_threads(threads); }

double TorchGigaflopsPerSecond() {
  constexpr int64_t kSize = 768;
  const auto a = torch::ones({kSize, kSize});
  auto product = torch::mm(a, a);  // warms up
  const auto start = std::chrono::steady_clock::now();
  double seconds = 0.0;
  int count = 0;
  while (seconds < 0.25) {
    torch::mm_out(product, a, a);
    ++count;
    seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  return 2e-9 * kSize * kSize * kSize * count / seconds;
}

}  // namespace iat
