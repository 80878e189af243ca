#include "extraction/kernel_image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace iat {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

// Two filters of 2 x 2, weights in PyTorch's order: channel, row, column.
InferenceChain TwoFilters() {
  InferenceStep step{
      .kind = InferenceStep::Kind::kConvolution, .kernel = 2, .outputs = 2};
  step.weight = {1, 0,  0, 0, /**/ 0, -0.5f, 0, 0, /**/ 0, 0, 0, 1,
                 0, 20, 0, 0, /**/ 0, 0,     0, 0, /**/ 0, 0, 0, 0};
  step.bias = {0, 0};
  InferenceChain chain;
  chain.steps = {step, {.kind = InferenceStep::Kind::kRelu, .layer = "conv1"}};
  return chain;
}

TEST(KernelImageTest, EachFilterHasItsOwnScaleAboutGrey) {
  const std::vector<KernelImage> kernels = KernelImages(TwoFilters());
  ASSERT_THAT(kernels, SizeIs(2));
  EXPECT_EQ(kernels[0].image.width, 2);
  EXPECT_EQ(kernels[0].image.height, 2);
  EXPECT_EQ(kernels[0].largest_weight, 1.0f);
  EXPECT_THAT(kernels[0].image.pixels, ElementsAre(255, 128, 128, 128, 64, 128,  //
                                                   128, 128, 128, 128, 128, 255));
  EXPECT_EQ(kernels[1].largest_weight, 20.0f);
  EXPECT_THAT(kernels[1].image.pixels, ElementsAre(128, 128, 128, 255, 128, 128,  //
                                                   128, 128, 128, 128, 128, 128));
}

TEST(KernelImageTest, OnlyAConvolutionOfColoursHasPictures) {
  InferenceChain chain = TwoFilters();
  chain.channels = 1;
  EXPECT_THAT(KernelImages(chain), SizeIs(0));
  chain = TwoFilters();
  chain.steps.front().kind = InferenceStep::Kind::kFull;
  EXPECT_THAT(KernelImages(chain), SizeIs(0));
  EXPECT_THAT(KernelImages({}), SizeIs(0));
}

}  // namespace
}  // namespace iat
