// What LibTorch runs on here, for those that compute nothing with it themselves: readable
// without its headers.

#ifndef IAT_MODELS_TORCH_DEVICE_H_
#define IAT_MODELS_TORCH_DEVICE_H_

#include <string>

namespace iat {

// Of the LibTorch this was built with: "1.13.0".
std::string TorchVersion();

// CUDA devices that LibTorch sees.
int NumCudaDevices();

// From now on float32 products on a GPU keep all bits of float32, which convolutions
// there do not unless told to; and a convolution of a size seen for the first time is
// tried in several ways, the fastest of which is kept.
void UseFullFloat32();

// Threads inside LibTorch's operations, from now on.
void SetTorchThreads(int threads);

// Speed of LibTorch's own float32 matrix product, what training runs on. Takes a quarter
// of a second; threads are as set before.
double TorchGigaflopsPerSecond();

}  // namespace iat

#endif  // IAT_MODELS_TORCH_DEVICE_H_
