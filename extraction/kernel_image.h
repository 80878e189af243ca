// The first layer's filters as pictures.

#ifndef IAT_EXTRACTION_KERNEL_IMAGE_H_
#define IAT_EXTRACTION_KERNEL_IMAGE_H_

#include <vector>

#include "images/image.h"
#include "models/inference.h"

namespace iat {

struct KernelImage {
  Image image;  // kernel x kernel, RGB
  float largest_weight = 0.0f;
};

// One picture an output channel of a chain that starts with a convolution of RGB, batch
// norm folded in, each on a scale of its own: grey is zero, the largest weight (by size)
// black or white. No pictures for any other chain.
std::vector<KernelImage> KernelImages(const InferenceChain& chain);

}  // namespace iat

#endif  // IAT_EXTRACTION_KERNEL_IMAGE_H_
