// CUDA C compiled at run time, by the NVRTC that a LibTorch for CUDA brings with it: no
// CUDA headers or compiler are needed to build this program, and one binary runs with
// either LibTorch.
//
// Example:
//   static auto* const program = new CudaProgram("noise.cu", kText);
//   int64_t n = out.numel();
//   void* values = out.data_ptr();
//   IAT_RETURN_IF_ERROR(
//       program->Launch("Fill", out.device(), (n + 255) / 256, 256, {&n, &values}));

#ifndef IAT_MODELS_CUDA_PROGRAM_H_
#define IAT_MODELS_CUDA_PROGRAM_H_

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace iat {

class CudaProgram {
 public:
  // `name` stands in messages. Nothing is compiled before the first launch on a device.
  CudaProgram(std::string name, std::string source);
  ~CudaProgram();

  // Compiles the program for a device, once; about a second. Unavailable: this machine
  // or LibTorch has no NVRTC or no CUDA driver. Internal: what CUDA says.
  absl::Status Prepare(torch::Device device);

  // Runs an extern "C" __global__ function after everything that LibTorch has been asked
  // for on the device so far. `arguments` point at the values. Prepares first; errors as
  // there.
  absl::Status Launch(const char* function, torch::Device device, int64_t blocks,
                      int threads, std::vector<void*> arguments);

 private:
  struct Loaded;
  absl::StatusOr<Loaded*> Load(torch::Device device);

  const std::string name_, source_;
  std::mutex mutex_;
  std::map<int, absl::StatusOr<std::unique_ptr<Loaded>>> loaded_;  // by device
};

}  // namespace iat

#endif  // IAT_MODELS_CUDA_PROGRAM_H_
