#include "images/augment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/parallel.h"
#include "golden.h"
#include "images/resample.h"
#include "images/view_draw.h"
#include "test_images.h"

namespace iat {
namespace {

using ::testing::HasSubstr;

std::vector<uint8_t> ToPlanes(const std::vector<uint8_t>& interleaved) {
  const size_t area = interleaved.size() / 3;
  std::vector<uint8_t> planes(interleaved.size());
  for (size_t i = 0; i < interleaved.size(); ++i) {
    planes[(i % 3) * area + i / 3] = interleaved[i];
  }
  return planes;
}

std::vector<float> View(const AugmentOptions& options, const Image& image,
                        RandomStream stream) {
  std::vector<float> view(kViewFloats);
  AugmentInto(options, image.pixels.data(), image.height, image.width, stream,
              view.data());
  return view;
}

// Nothing random: the whole image, no colour change, no flip.
AugmentOptions Identity() {
  AugmentOptions options;
  options.min_crop_area = options.max_crop_area = 1.0;
  options.min_crop_aspect = options.max_crop_aspect = 1.0;
  options.flip_probability = options.grayscale_probability = 0.0;
  options.jitter_probability = options.blur_probability = 0.0;
  return options;
}

std::vector<float> Normalized(const Image& image) {
  std::vector<float> out(image.pixels.size());
  NormalizeInto(image.pixels.data(), image.height, image.width, out.data());
  return out;
}

TEST(AugmentOperationsTest, EqualPillow) {
  const nlohmann::json golden = ReadPillowGolden();
  const int side = golden.at("side").get<int>();
  const int area = side * side;
  const std::vector<uint8_t> input = ToPlanes(FromHex(golden.at("input")));
  ASSERT_EQ(FromHex(golden.at("input")), GoldenPattern(side, side).pixels);
  std::vector<uint8_t> scratch(area);
  int num_checked = 0;
  for (const auto& [name, expected] : golden.at("operations").items()) {
    SCOPED_TRACE(name);
    const std::vector<std::string> words = absl::StrSplit(name, ' ');
    float value = 0;
    ASSERT_TRUE(words.size() < 2 || absl::SimpleAtof(words[1], &value));
    std::vector<uint8_t> planes = input;
    if (words[0] == "grayscale") augment::Grayscale(planes.data(), area);
    if (words[0] == "brightness") augment::Brightness(planes.data(), area, value);
    if (words[0] == "contrast") augment::Contrast(planes.data(), area, value);
    if (words[0] == "saturation") augment::Saturation(planes.data(), area, value);
    if (words[0] == "hue") augment::Hue(planes.data(), area, value);
    if (words[0] == "solarize") augment::Solarize(planes.data(), area);
    if (words[0] == "blur") {
      augment::GaussianBlur(planes.data(), side, value, scratch.data());
    }
    const Difference difference = Compare(planes, ToPlanes(FromHex(expected)));
    EXPECT_EQ(difference.count, 0) << "largest difference " << difference.largest;
    ++num_checked;
  }
  EXPECT_EQ(num_checked, 28);
}

TEST(AugmentOperationsTest, BicubicCropsEqualPillows) {
  const nlohmann::json golden = ReadPillowGolden();
  const int side = golden.at("side").get<int>();
  const auto expect_pillows = [&](const Image& image, augment::CropBox box,
                                  const nlohmann::json& expected) {
    std::vector<uint8_t> out(static_cast<size_t>(3) * side * side);
    ResampleScratch scratch;
    ResampleBox(image.pixels.data(), image.width, box.top, box.left, box.height,
                box.width, side, side, scratch, out.data(), ResampleFilter::kBicubic);
    const Difference difference = Compare(out, FromHex(expected));
    EXPECT_EQ(difference.count, 0) << box.height << " x " << box.width
                                   << ", largest difference " << difference.largest;
  };
  ASSERT_EQ(golden.at("crops").size(), 3u);
  for (const auto& crop : golden.at("crops")) {
    expect_pillows(GoldenPattern(side, side),
                   {crop.at("top").get<int>(), crop.at("left").get<int>(),
                    crop.at("height").get<int>(), crop.at("width").get<int>()},
                   crop.at("bicubic"));
  }
  const auto& shrunk = golden.at("bicubic_shrunk");
  const int height = shrunk.at("height").get<int>(),
            width = shrunk.at("width").get<int>();
  expect_pillows(GoldenPattern(height, width), {0, 0, height, width},
                 shrunk.at("pixels"));
}

TEST(AugmentOperationsTest, HandWorkedPixel) {
  // (200, 100, 50): L = (19595*200 + 38470*100 + 7471*50 + 32768) >> 16 = 124.
  std::vector<uint8_t> pixel = {200, 100, 50};
  augment::Grayscale(pixel.data(), 1);
  EXPECT_EQ(pixel, (std::vector<uint8_t>{124, 124, 124}));
  // 124 + 1.5 * (200 - 124) = 238; 124 + 1.5 * -24 = 88; 124 + 1.5 * -74 = 13.
  pixel = {200, 100, 50};
  augment::Saturation(pixel.data(), 1, 1.5f);
  EXPECT_EQ(pixel, (std::vector<uint8_t>{238, 88, 13}));
  pixel = {200, 100, 50};
  augment::Brightness(pixel.data(), 1, 1.5f);
  EXPECT_EQ(pixel, (std::vector<uint8_t>{255, 150, 75}));
  // A third of the circle takes pure red to pure green.
  pixel = {255, 0, 0};
  augment::Hue(pixel.data(), 1, 1.0f / 3.0f);
  EXPECT_EQ(pixel, (std::vector<uint8_t>{0, 255, 0}));
}

TEST(AugmentTest, TheSecondViewHasItsOwnProbabilities) {
  const AugmentOptions twin = TwinAugmentation();
  const AugmentOptions first = twin.ForView(0), second = twin.ForView(1);
  EXPECT_EQ(first.blur_probability, 1.0);
  EXPECT_EQ(first.solarize_probability, 0.0);
  EXPECT_EQ(second.blur_probability, 0.1);
  EXPECT_EQ(second.solarize_probability, 0.2);
  // Where none are given, the first view's.
  EXPECT_EQ(MocoAugmentation().ForView(1).blur_probability, 0.5);
}

TEST(AugmentTest, SolarizeAndBicubicReachTheView) {
  const Image image = RandomImage(64, 64, 5);
  AugmentOptions options = Identity();
  options.solarize_probability = 1.0;
  Image solarized = image;
  for (uint8_t& value : solarized.pixels) {
    if (value >= 128) value = static_cast<uint8_t>(255 - value);
  }
  EXPECT_EQ(View(options, image, RandomStream(1, "test")), Normalized(solarized));
  // The same crop of the same stream, filtered otherwise.
  AugmentOptions bicubic = Identity();
  bicubic.min_crop_area = bicubic.max_crop_area = 0.3;
  const auto linear = View(bicubic, image, RandomStream(1, "test"));
  bicubic.crop_filter = "bicubic";
  EXPECT_NE(View(bicubic, image, RandomStream(1, "test")), linear);
}

TEST(AugmentTest, WithNothingRandomIsTheNormalizedImage) {
  const Image image = RandomImage(64, 64, 1);
  EXPECT_EQ(View(Identity(), image, RandomStream(1, "test")), Normalized(image));
}

TEST(AugmentTest, FlipMirrorsRows) {
  const Image image = RandomImage(64, 64, 2);
  AugmentOptions options = Identity();
  options.flip_probability = 1.0;
  const std::vector<float> view = View(options, image, RandomStream(1, "test"));
  const std::vector<float> plain = Normalized(image);
  for (int row = 0; row < 3 * 64; ++row) {
    for (int x = 0; x < 64; ++x) {
      ASSERT_EQ(view[row * 64 + x], plain[row * 64 + 63 - x]);
    }
  }
}

TEST(AugmentTest, NormalizesWithImageNetConstants) {
  Image image{1, 1, {255, 0, 128}};
  const std::vector<float> out = Normalized(image);
  // float32 against doubles worked by hand.
  constexpr double kFloat = 1e-6;
  EXPECT_NEAR(out[0], (1.0 - 0.485) / 0.229, kFloat);
  EXPECT_NEAR(out[1], -0.456 / 0.224, kFloat);
  EXPECT_NEAR(out[2], (128 / 255.0 - 0.406) / 0.225, kFloat);
}

TEST(AugmentTest, ViewsDependOnTheStreamAlone) {
  const Image image = RandomImage(64, 64, 3);
  for (const int64_t work_size : {64, 224}) {
    AugmentOptions options = SimClrAugmentation();
    options.work_size = work_size;
    const std::vector<float> a = View(options, image, RandomStream(1, "augment", 5, 0));
    EXPECT_EQ(View(options, image, RandomStream(1, "augment", 5, 0)), a);
    EXPECT_NE(View(options, image, RandomStream(1, "augment", 5, 1)), a);
    EXPECT_NE(View(options, image, RandomStream(1, "augment", 6, 0)), a);
  }
}

TEST(AugmentTest, ThreadsAndOrderChangeNothing) {
  const Image image = RandomImage(64, 64, 4);
  constexpr int kViews = 24;
  const auto make = [&](int jobs) {
    std::vector<std::vector<float>> views(kViews);
    const absl::Status status = ParallelFor(jobs, kViews, [&](int64_t i) {
      // Work sizes alternate, so that a thread's scratch memory is reused.
      AugmentOptions options = SimClrAugmentation();
      options.work_size = i % 2 == 0 ? 64 : 224;
      views[i] = View(options, image, RandomStream(9, "augment", i));
      return absl::OkStatus();
    });
    EXPECT_TRUE(status.ok());
    return views;
  };
  EXPECT_EQ(make(1), make(4));
}

TEST(AugmentTest, Work224IsSixtyFourWithoutRandomness) {
  // Enlarged to 224 and back, a smooth picture is itself within rounding.
  Image image{64, 64, std::vector<uint8_t>(3 * 64 * 64)};
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      for (int c = 0; c < 3; ++c) {
        image.pixels[(y * 64 + x) * 3 + c] =
            static_cast<uint8_t>(128 + 60 * std::sin(0.1 * x + c) * std::cos(0.08 * y));
      }
    }
  }
  AugmentOptions options = Identity();
  options.work_size = 224;
  const std::vector<float> view = View(options, image, RandomStream(1, "test"));
  const std::vector<float> plain = Normalized(image);
  double sum = 0;
  for (size_t i = 0; i < view.size(); ++i) sum += std::abs(view[i] - plain[i]);
  // Mean absolute difference in normalised units; one grey level is 0.0175.
  EXPECT_LT(sum / static_cast<double>(view.size()), 0.0175);
}

TEST(AugmentTest, GreyBeforeJitterKeepsViewsGrey) {
  const Image image = RandomImage(64, 64, 6);
  for (const bool first : {true, false}) {
    AugmentOptions options = InstanceRecognitionAugmentation();
    options.grayscale_probability = 1.0;
    options.grayscale_first = first;
    const std::vector<float> view = View(options, image, RandomStream(2, "test"));
    for (int i = 0; i < 64 * 64; ++i) {
      const float red = view[i] * kChannelDeviation[0] + kChannelMean[0];
      const float blue = view[2 * 64 * 64 + i] * kChannelDeviation[2] + kChannelMean[2];
      ASSERT_NEAR(red, blue, 1e-5);  // float32 there and back
    }
  }
}

TEST(RandomCropTest, KeepsAreaAndAspectInsideTheImage) {
  const AugmentOptions options = SimClrAugmentation();
  constexpr int kHeight = 300, kWidth = 400, kDraws = 20000;
  double sum_area = 0, sum_log_aspect = 0;
  for (int i = 0; i < kDraws; ++i) {
    RandomStream stream(3, "crop", i);
    const augment::CropBox box = augment::RandomCrop(options, kHeight, kWidth, stream);
    ASSERT_GE(box.top, 0);
    ASSERT_GE(box.left, 0);
    ASSERT_LE(box.top + box.height, kHeight);
    ASSERT_LE(box.left + box.width, kWidth);
    const double area = box.height * box.width / static_cast<double>(kHeight * kWidth);
    const double aspect = box.width / static_cast<double>(box.height);
    // Sides are whole pixels: half a pixel in the smallest side of 70.
    constexpr double kRounding = 0.02;
    ASSERT_GT(area, 0.08 * (1 - kRounding));
    ASSERT_LT(area, 1.0 + 1e-12);
    ASSERT_GT(aspect, 0.75 * (1 - kRounding));
    ASSERT_LT(aspect, 4.0 / 3.0 * (1 + kRounding));
    sum_area += area;
    sum_log_aspect += std::log(aspect);
  }
  // Second road: torchvision's algorithm with Python's own random numbers, a
  // million draws: 0.4331 and 0.0308 (large crops that do not fit are drawn again,
  // which leaves smaller and wider ones). Three standard errors of 20,000 draws.
  EXPECT_NEAR(sum_area / kDraws, 0.4331, 0.0046);
  EXPECT_NEAR(sum_log_aspect / kDraws, 0.0308, 0.0035);
}

TEST(RandomCropTest, FallsBackToTheCentre) {
  // No crop of the whole area and aspect 3/4 to 4/3 fits into 10 x 100.
  AugmentOptions options;
  options.min_crop_area = options.max_crop_area = 1.0;
  RandomStream stream(1, "crop");
  const augment::CropBox wide = augment::RandomCrop(options, 10, 100, stream);
  // 10 high, round(10 * 4/3) = 13 wide, (100 - 13) / 2 = 43 from the left.
  EXPECT_EQ(wide.top, 0);
  EXPECT_EQ(wide.left, 43);
  EXPECT_EQ(wide.height, 10);
  EXPECT_EQ(wide.width, 13);
  const augment::CropBox high = augment::RandomCrop(options, 100, 10, stream);
  // round(10 / (3/4)) = 13 high.
  EXPECT_EQ(high.top, 43);
  EXPECT_EQ(high.height, 13);
  EXPECT_EQ(high.width, 10);
}

TEST(AugmentOptionsTest, NamedChainsHaveThePublishedConstants) {
  const AugmentOptions ir = InstanceRecognitionAugmentation();
  EXPECT_EQ(ir.min_crop_area, 0.2);
  EXPECT_TRUE(ir.grayscale_first);
  EXPECT_EQ(ir.jitter_probability, 1.0);
  EXPECT_EQ(ir.hue, 0.4);
  EXPECT_EQ(ir.blur_probability, 0.0);
  const AugmentOptions simclr = SimClrAugmentation();
  EXPECT_EQ(simclr.min_crop_area, 0.08);
  EXPECT_FALSE(simclr.grayscale_first);
  EXPECT_EQ(simclr.jitter_probability, 0.8);
  EXPECT_EQ(simclr.brightness, 0.8);
  EXPECT_EQ(simclr.hue, 0.2);
  EXPECT_EQ(simclr.blur_probability, 0.5);
  const AugmentOptions moco = MocoAugmentation();
  EXPECT_EQ(moco.min_crop_area, 0.2);
  EXPECT_FALSE(moco.grayscale_first);
  EXPECT_EQ(moco.jitter_probability, 0.8);
  EXPECT_EQ(moco.saturation, 0.4);
  EXPECT_EQ(moco.hue, 0.1);
  EXPECT_EQ(moco.blur_probability, 0.5);
  const AugmentOptions twin = TwinAugmentation();
  EXPECT_EQ(twin.min_crop_area, 0.08);
  EXPECT_EQ(twin.crop_filter, "bicubic");
  EXPECT_EQ(twin.contrast, 0.4);
  EXPECT_EQ(twin.saturation, 0.2);
  EXPECT_EQ(twin.hue, 0.1);
  const AugmentOptions crop = CropAugmentation();
  EXPECT_EQ(crop.min_crop_area, 0.08);
  EXPECT_EQ(crop.flip_probability, 0.5);
  EXPECT_EQ(crop.grayscale_probability, 0.0);
  EXPECT_EQ(crop.jitter_probability, 0.0);
  EXPECT_EQ(crop.blur_probability, 0.0);
  EXPECT_TRUE(ir.Validate().ok());
  EXPECT_TRUE(simclr.Validate().ok());
}

TEST(AugmentOptionsTest, ErrorsNameTheFieldAndItsValue) {
  AugmentOptions options;
  options.work_size = 100;
  EXPECT_EQ(options.Validate().message(), "work_size is 100; expected 64 or 224");
  options = {};
  options.min_crop_area = 0.9;
  options.max_crop_area = 0.5;
  EXPECT_EQ(options.Validate().message(),
            "min_crop_area is 0.9, above max_crop_area = 0.5");
}

}  // namespace
}  // namespace iat
