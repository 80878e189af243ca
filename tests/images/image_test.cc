#include "images/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <opencv2/imgcodecs.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "golden.h"
#include "images/resample.h"
#include "test_images.h"

namespace iat {
namespace {

using ::testing::HasSubstr;

cv::Mat ToBgr(const Image& image) {
  cv::Mat bgr(image.height, image.width, CV_8UC3);
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    bgr.data[i - i % 3 + 2 - i % 3] = image.pixels[i];
  }
  return bgr;
}

std::string Encode(const Image& image, const char* extension) {
  std::vector<uint8_t> bytes;
  EXPECT_TRUE(cv::imencode(extension, ToBgr(image), bytes));
  return std::string(bytes.begin(), bytes.end());
}

TEST(DecodeImageTest, LosslessFormatsGiveThePixelsBack) {
  const Image image = RandomImage(21, 34, 1);
  for (const char* extension : {".png", ".bmp", ".tiff"}) {
    const auto decoded = DecodeImage(Encode(image, extension), extension);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, image) << extension;
  }
  const auto png = EncodePng(image);
  ASSERT_TRUE(png.ok()) << png.status();
  const auto decoded = DecodeImage(*png, "png");
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(*decoded, image);
}

TEST(DecodeImageTest, JpegAgreesWithOpenCv) {
  const std::string bytes = Encode(GoldenPattern(45, 50), ".jpg");
  const auto decoded = DecodeImage(bytes, "pattern.jpg");
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  const cv::Mat reference =
      cv::imdecode(std::vector<uint8_t>(bytes.begin(), bytes.end()), cv::IMREAD_COLOR);
  ASSERT_EQ(reference.rows, decoded->height);
  ASSERT_EQ(reference.cols, decoded->width);
  EXPECT_EQ(cv::norm(ToBgr(*decoded), reference, cv::NORM_INF), 0);
}

TEST(DecodeImageTest, GreyJpegHasThreeEqualChannels) {
  cv::Mat grey(10, 12, CV_8UC1);
  for (int i = 0; i < 120; ++i) grey.data[i] = static_cast<uint8_t>(2 * i);
  std::vector<uint8_t> bytes;
  ASSERT_TRUE(cv::imencode(".jpg", grey, bytes));
  const auto decoded = DecodeImage(std::string(bytes.begin(), bytes.end()), "grey.jpg");
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  for (size_t i = 0; i < decoded->pixels.size(); i += 3) {
    ASSERT_EQ(decoded->pixels[i], decoded->pixels[i + 1]);
    ASSERT_EQ(decoded->pixels[i], decoded->pixels[i + 2]);
  }
  // A ramp within the coding error of quality 95.
  EXPECT_NEAR(decoded->pixels[3 * 60], 120, 6);
}

// Every length of a small file, so that no cut point is lucky: inside the header,
// in the middle of the data, and between the last row and the end marker.
TEST(DecodeImageTest, EveryTruncatedFileIsRefused) {
  const Image image = GoldenPattern(24, 24);
  for (const char* extension : {".jpg", ".png", ".bmp", ".webp"}) {
    const std::string bytes = Encode(image, extension);
    ASSERT_TRUE(DecodeImage(bytes, extension).ok());
    for (size_t length = 0; length < bytes.size(); ++length) {
      ASSERT_FALSE(DecodeImage(bytes.substr(0, length), extension).ok())
          << extension << " cut to " << length << " of " << bytes.size();
    }
  }
}

TEST(DecodeImageTest, ErrorsNameTheImageAndWhatIsWrong) {
  const std::string jpeg = Encode(GoldenPattern(24, 24), ".jpg");
  absl::Status status =
      DecodeImage(jpeg.substr(0, jpeg.size() / 2), "cats/tom.jpg").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("cats/tom.jpg: truncated or damaged JPEG of "));
  EXPECT_EQ(DecodeImage("hello, world", "note.jpg").status().message(),
            "note.jpg: not an image; expected JPEG, PNG, BMP, TIFF or WebP data");
  EXPECT_EQ(DecodeImage("", "a.png").status().message(), "a.png: empty file");
}

TEST(DecodeImageTest, DamageInTheMiddleOfAJpegIsNoticed) {
  std::string jpeg = Encode(RandomImage(64, 64, 3), ".jpg");
  // A marker where entropy-coded data should be.
  jpeg[jpeg.size() / 2] = '\xff';
  jpeg[jpeg.size() / 2 + 1] = '\xd9';
  EXPECT_EQ(DecodeImage(jpeg, "x.jpg").status().code(), absl::StatusCode::kDataLoss);
}

TEST(DecodeImageTest, RealJpegsAgreeWithOpenCv) {
  IAT_SKIP_WITHOUT_REAL_DATA();
  int num_images = 0, num_grey = 0;
  for (const auto& item :
       std::filesystem::recursive_directory_iterator(RealData() + "/sample")) {
    if (!item.is_regular_file()) continue;
    const auto bytes = ReadFile(item.path());
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    const auto decoded = DecodeImage(*bytes, item.path().string());
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    const cv::Mat reference = cv::imread(item.path().string(), cv::IMREAD_COLOR);
    ASSERT_EQ(cv::norm(ToBgr(*decoded), reference, cv::NORM_INF), 0) << item.path();
    num_grey += cv::imread(item.path().string(), cv::IMREAD_UNCHANGED).channels() == 1;
    ++num_images;
  }
  EXPECT_EQ(num_images, 300);
  EXPECT_GT(num_grey, 0);  // the sample holds single-channel files
}

TEST(ResizeTest, EqualsPillow) {
  const nlohmann::json golden = ReadPillowGolden();
  const int side = golden.at("side").get<int>();
  const Image image = GoldenPattern(side, side);
  for (const auto& resize : golden.at("resizes")) {
    const int height = resize.at("height"), width = resize.at("width");
    EXPECT_EQ(Resize(image, height, width).pixels, FromHex(resize.at("pixels")))
        << height << " x " << width;
  }
  ResampleScratch scratch;
  for (const auto& crop : golden.at("crops")) {
    std::vector<uint8_t> out(3 * side * side);
    ResampleBox(image.pixels.data(), side, crop.at("top"), crop.at("left"),
                crop.at("height"), crop.at("width"), side, side, scratch, out.data());
    EXPECT_EQ(out, FromHex(crop.at("pixels"))) << crop.at("top");
  }
}

TEST(ResizeTest, HandWorkedEnlargement) {
  // Two pixels to four, half-pixel centres: at -0.25, 0.25, 0.75, 1.25.
  const Image image{1, 2, {0, 0, 0, 100, 100, 100}};
  const Image out = Resize(image, 1, 4);
  EXPECT_EQ(out.pixels,
            (std::vector<uint8_t>{0, 0, 0, 25, 25, 25, 75, 75, 75, 100, 100, 100}));
}

TEST(PreprocessTest, EqualsTheReferencePipeline) {
  const nlohmann::json golden = ReadPillowGolden();
  for (const auto& reference : golden.at("preprocess")) {
    const int height = reference.at("height"), width = reference.at("width");
    const Image out = Preprocess(GoldenPattern(height, width), 64);
    std::vector<uint8_t> every_8th;
    for (int y = 0; y < 64; y += 8) {
      for (int x = 0; x < 64; x += 8) {
        const uint8_t* pixel = &out.pixels[3 * (y * 64 + x)];
        every_8th.insert(every_8th.end(), pixel, pixel + 3);
      }
    }
    EXPECT_EQ(every_8th, FromHex(reference.at("every_8th"))) << height << " x " << width;
  }
}

TEST(PreprocessTest, LeavesImagesOfTheRightSizeAlone) {
  const Image image = RandomImage(64, 64, 5);
  EXPECT_EQ(Preprocess(image, 64), image);
  const Image other = RandomImage(32, 32, 5);
  EXPECT_EQ(Preprocess(other, 32), other);
}

TEST(PreprocessTest, IsDescribedInWords) {
  EXPECT_THAT(PreprocessingInWords(64),
              HasSubstr("shorter side resized to 256, centre crop 224, resized to 64"));
}

TEST(ImageNameTest, ExtensionsInAnyCase) {
  for (const char* name : {"a.JPEG", "b.jpg", "c.Png", "d.tif", "e.webp", "f.bmp"}) {
    EXPECT_TRUE(HasImageExtension(name)) << name;
  }
  for (const char* name : {"a.txt", "jpg", "b.npy", "c.jpg.gz"}) {
    EXPECT_FALSE(HasImageExtension(name)) << name;
  }
}

}  // namespace
}  // namespace iat
