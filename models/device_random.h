// Many numbers of a random stream (base/random.h) at once, on the device that uses them.
// On a GPU every number is made by a thread of its own (models/random.cu), where the
// processor would take longer over them than the GPU over the whole step.
//
// Example:
//   const RandomStream stream(data_seed, "noise", step);
//   torch::Tensor noise = RandomIntegers(stream, bank_size, {batch, num_noise}, device);

#ifndef IAT_MODELS_DEVICE_RANDOM_H_
#define IAT_MODELS_DEVICE_RANDOM_H_

#include <torch/types.h>

#include <cstdint>

#include "base/random.h"

namespace iat {

// What UniformInt(limit) gives one after the other, row by row: int64 in [0, limit),
// 0 < limit < 2^32. The stream must be new. A GPU leaves out UniformInt's rejections,
// which happen to one number in 2^64 / limit.
torch::Tensor RandomIntegers(const RandomStream& stream, int64_t limit,
                             torch::IntArrayRef shape, torch::Device device);

// Twice the bits of the stream's words, the lowest first: 0 or 2, of a floating point
// type. The stream must be new.
torch::Tensor DropoutMask(const RandomStream& stream, torch::IntArrayRef shape,
                          torch::Device device, torch::ScalarType type);

}  // namespace iat

#endif  // IAT_MODELS_DEVICE_RANDOM_H_
