// The sources of stimuli beyond folders of images: lists, arrays, videos, pictures made
// from parameters, and the scenes preprocessing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <opencv2/videoio.hpp>

#include "absl/strings/str_format.h"
#include "base/csv.h"
#include "base/npy.h"
#include "images/image_source.h"
#include "images/packed_set.h"
#include "images/parametric.h"
#include "tests/images/test_images.h"

namespace iat {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Ids(const ImageSource& source) {
  std::vector<std::string> ids;
  for (const ImageEntry& entry : source.entries()) ids.push_back(entry.id);
  return ids;
}

absl::StatusOr<std::vector<Image>> ReadAll(const ImageOptions& options) {
  auto source = ImageSource::Open(options);
  if (!source.ok()) return source.status();
  std::vector<Image> images;
  const absl::Status status = (*source)->Read(
      2, [&](int64_t, absl::StatusOr<LoadedImage> loaded) -> absl::Status {
        if (!loaded.ok()) return loaded.status();
        images.push_back(loaded->image);
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return images;
}

ImageOptions From(const std::string& path) {
  ImageOptions options;
  options.paths = {path};
  return options;
}

std::string OpenError(const ImageOptions& options) {
  return std::string(ImageSource::Open(options).status().message());
}

const std::vector<std::pair<std::string, std::string>>& Members() {
  static const auto* const members = new std::vector<std::pair<std::string, std::string>>{
      {"set/a/one.png", RandomPng(64, 64, 1)},
      {"set/a/two.png", RandomPng(70, 90, 2)},
      {"set/b/three.png", RandomPng(64, 64, 3)}};
  return *members;
}

TEST(StimuliTest, FolderTarZipListAndPackedAreTheSameSet) {
  ScratchFolder scratch;
  for (const auto& [name, bytes] : Members()) WriteBytes(scratch / name, bytes);
  WriteArchive(scratch / "set.tar", "ustar", "none", Members());
  WriteArchive(scratch / "set.tar.gz", "ustar", "gzip", Members());
  WriteArchive(scratch / "set.zip", "zip", "none", Members());
  WriteBytes(scratch / "list.csv",
             "path,id,label_name\nset/a/one.png,a/one.png,a\nset/a/two.png,a/two.png,a\n"
             "set/b/three.png,b/three.png,b\n");
  ASSERT_TRUE(PackImages(From(scratch / "set"), scratch / "packed", 2).ok());
  const auto expected = PackedSet::Open(scratch / "packed");
  ASSERT_TRUE(expected.ok()) << expected.status();
  for (const char* name : {"set.tar", "set.tar.gz", "set.zip", "list.csv", "packed"}) {
    const std::string out = scratch / (std::string("out-") + name);
    const auto report = PackImages(From(scratch / name), out, 2);
    ASSERT_TRUE(report.ok()) << report.status();
    const auto set = PackedSet::Open(out);
    EXPECT_EQ(set->Fingerprint(), expected->Fingerprint()) << name;
    EXPECT_EQ(set->ids(), expected->ids()) << name;
    EXPECT_EQ(set->labels(), expected->labels()) << name;
    EXPECT_EQ(set->label_names(), expected->label_names()) << name;
    EXPECT_EQ(set->preprocessing(), expected->preprocessing()) << name;
  }
}

TEST(ListTest, MembersOfArchivesComeInTheListsOrder) {
  ScratchFolder scratch;
  WriteArchive(scratch / "set.tar", "ustar", "none", Members());
  WriteBytes(scratch / "plain.png", Members()[1].second);
  WriteBytes(scratch / "list.csv",
             "path,member,id\nset.tar,set/b/three.png,c\nplain.png,,\n"
             "set.tar,set/a/one.png,\n");
  const auto source = ImageSource::Open(From(scratch / "list.csv"));
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_THAT(Ids(**source), ElementsAre("c", "plain.png", "set/a/one.png"));
  const auto images = ReadAll(From(scratch / "list.csv"));
  ASSERT_TRUE(images.ok()) << images.status();
  EXPECT_EQ((*images)[0], RandomImage(64, 64, 3));
  EXPECT_EQ((*images)[1], Preprocess(RandomImage(70, 90, 2), 64));
  EXPECT_EQ((*images)[2], RandomImage(64, 64, 1));
}

TEST(ListTest, ALineIsAPath) {
  ScratchFolder scratch;
  WriteBytes(scratch / "b.png", Members()[0].second);
  WriteBytes(scratch / "a.png", Members()[2].second);
  WriteBytes(scratch / "list.txt", "b.png\r\n\na.png\n");
  EXPECT_THAT(Ids(**ImageSource::Open(From(scratch / "list.txt"))),
              ElementsAre("b.png", "a.png"));
}

TEST(ListTest, WhatIsNotThereIsNamed) {
  ScratchFolder scratch;
  WriteArchive(scratch / "set.tar", "ustar", "none", Members());
  WriteBytes(scratch / "a.txt", "gone.png\n");
  EXPECT_THAT(OpenError(From(scratch / "a.txt")),
              HasSubstr("a.txt: image 1: no file " + (scratch / "gone.png")));
  WriteBytes(scratch / "b.csv", "path,member\nset.tar,set/none.png\n");
  EXPECT_THAT(OpenError(From(scratch / "b.csv")),
              HasSubstr("set.tar has no image \"set/none.png\""));
  WriteBytes(scratch / "c.csv", "file\nset.tar\n");
  EXPECT_THAT(OpenError(From(scratch / "c.csv")), HasSubstr("no column \"path\""));
  WriteBytes(scratch / "d.txt", "\n");
  EXPECT_THAT(OpenError(From(scratch / "d.txt")), HasSubstr("d.txt: an empty list"));
}

TEST(NpyTest, ArraysAreImages) {
  ScratchFolder scratch;
  const Image a = RandomImage(64, 64, 1), b = RandomImage(64, 64, 2);
  std::string bytes = NpyHeaderText("|u1", {2, 64, 64, 3});
  for (const Image* image : {&a, &b}) {
    bytes.append(image->pixels.begin(), image->pixels.end());
  }
  WriteBytes(scratch / "set.npy", bytes);
  EXPECT_THAT(Ids(**ImageSource::Open(From(scratch / "set.npy"))),
              ElementsAre("set-000000", "set-000001"));
  EXPECT_THAT(*ReadAll(From(scratch / "set.npy")), ElementsAre(a, b));
  WriteBytes(scratch / "grey.npy",
             NpyHeaderText("|u1", {1, 64, 64, 1}) + std::string(4096, '\x80'));
  EXPECT_THAT(*ReadAll(From(scratch / "grey.npy")), ElementsAre(RenderGrey(128, 64)));

  WriteBytes(scratch / "short.npy", bytes.substr(0, bytes.size() - 1));
  EXPECT_THAT(OpenError(From(scratch / "short.npy")),
              HasSubstr("short.npy: 24703 bytes; expected 24704 for 2 images"));
  WriteBytes(scratch / "float.npy", NpyHeaderText("<f4", {0, 64, 64, 3}));
  EXPECT_THAT(OpenError(From(scratch / "float.npy")),
              HasSubstr("<f4 of shape (0, 64, 64, 3); expected |u1"));
}

// Fuzzing's way in, by hand.
TEST(NpyTest, HostileHeadersAreRefused) {
  const auto error = [](const std::string& dictionary) {
    std::string bytes("\x93NUMPY\x01\x00", 8);
    bytes += static_cast<char>(dictionary.size() & 255);
    bytes += static_cast<char>(dictionary.size() >> 8);
    return std::string(ParseNpyHeader(bytes + dictionary, "x.npy").status().message());
  };
  EXPECT_THAT(error("{'descr': '|u1', 'fortran_order': False, 'shape': (4294967296, "
                    "4294967296, 4), }"),
              HasSubstr("x.npy: shape (4294967296, 4294967296, 4); expected whole"));
  EXPECT_THAT(
      error("{'descr': '|u1', 'fortran_order': False, 'shape': (0, 9223372036854775"
            "807, 9223372036854775807), }"),
      HasSubstr("expected whole numbers"));
  EXPECT_THAT(error("{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }"),
              HasSubstr("expected whole numbers"));
  EXPECT_THAT(error("{'descr': '|u1', 'fortran_order': False, 'shape': 3, }"),
              HasSubstr("shape"));
  EXPECT_THAT(error("{'descr': '|u1', 'fortran_order': True, 'shape': (3,), }"),
              HasSubstr("not in C order"));
  EXPECT_THAT(error("{'descr': [('a', 'u1')], 'fortran_order': False, 'shape': (3,), }"),
              HasSubstr("a type that is not plain"));
  EXPECT_THAT(error(""), HasSubstr("a type that is not plain"));
}

TEST(VideoTest, EveryKthFrameHasItsNumber) {
  ScratchFolder scratch;
  const std::string path = scratch / "clip.avi";
  {
    // OpenCV's own Motion JPEG, which needs no codec library.
    cv::VideoWriter writer(path, cv::CAP_OPENCV_MJPEG,
                           cv::VideoWriter::fourcc('M', 'J', 'P', 'G'), 25.0, {96, 96});
    ASSERT_TRUE(writer.isOpened());
    for (int frame = 0; frame < 11; ++frame) {
      writer.write(
          cv::Mat(96, 96, CV_8UC3, cv::Scalar(200 - 10 * frame, 60, 20 * frame)));
    }
  }
  ImageOptions options = From(path);
  options.every = 4;
  EXPECT_THAT(Ids(**ImageSource::Open(options)),
              ElementsAre("clip.avi#000000", "clip.avi#000004", "clip.avi#000008"));
  const auto images = ReadAll(options);
  ASSERT_TRUE(images.ok()) << images.status();
  for (int i = 0; i < 3; ++i) {
    const Image& image = (*images)[i];
    ASSERT_EQ(image.height, 64);
    // Red, green, blue; JPEG rounds.
    EXPECT_NEAR(image.pixels[0], 80 * i, 6) << i;
    EXPECT_NEAR(image.pixels[1], 60, 6) << i;
    EXPECT_NEAR(image.pixels[2], 200 - 40 * i, 6) << i;
  }
  WriteBytes(scratch / "bad.mp4", "no video");
  EXPECT_THAT(OpenError(From(scratch / "bad.mp4")),
              HasSubstr("bad.mp4: not a video that OpenCV can read here"));
}

TEST(GratingTest, IntensityIsTheFormulas) {
  const Grating grating{
      .orientation = 30, .spatial_frequency = 3, .phase = 90, .contrast = 0.5};
  EXPECT_EQ(grating.Id(), "grating-o30-f3-p90-c0.5");
  const Image image = RenderGrating(grating, 64);
  for (const auto& [x, y] : {std::pair{0, 0}, {63, 0}, {10, 50}, {31, 32}}) {
    const double along = (x - 31.5) * std::cos(std::numbers::pi / 6) +
                         (y - 31.5) * std::sin(std::numbers::pi / 6);
    const double expected =
        127.5 *
        (1 - 0.5 * std::cos(2 * std::numbers::pi * 3 * along / 64));  // sin(a - 90)
    for (int c = 0; c < 3; ++c) {
      EXPECT_NEAR(image.pixels[3 * (64 * y + x) + c], expected, 0.51);
    }
  }
}

TEST(GratingTest, StaticOnesCoverHalfATurnDriftingOnesAWholeOne) {
  GratingOptions options;
  options.num_orientations = 4;
  options.spatial_frequencies = {2, 8};
  options.num_phases = 2;
  options.contrasts = {0.5, 1};
  const auto still = Gratings(options);
  ASSERT_EQ(still.size(), 4u * 2 * 2 * 2);
  EXPECT_EQ(still.back(), (Grating{135, 8, 180, 1}));
  options.motion = "drifting";
  EXPECT_EQ(Gratings(options).back(), (Grating{270, 8, 180, 1}));
  // Movement: the next frame is the same picture a quarter period further along o.
  const Image first = RenderGrating({0, 4, 0, 1}, 64),
              next = RenderGrating({0, 4, 90, 1}, 64);
  for (int x = 4; x < 64; ++x) {
    EXPECT_NEAR(next.pixels[3 * x], first.pixels[3 * (x - 4)], 1) << x;
  }
}

TEST(ParametricTest, SetsArePackedWithTheirIds) {
  ImageOptions options;
  options.source = "gratings";
  options.gratings.num_orientations = 2;
  options.gratings.spatial_frequencies = {4};
  options.gratings.num_phases = 1;
  auto source = ImageSource::Open(options);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_THAT(Ids(**source), ElementsAre("grating-o0-f4-p0-c1", "grating-o90-f4-p0-c1"));
  EXPECT_EQ((*source)->PreprocessingInWords(), "generated at 64 x 64");
  options.source = "grey";
  options.count = 3;
  EXPECT_THAT(Ids(**ImageSource::Open(options)),
              ElementsAre("grey-000", "grey-128", "grey-255"));
  EXPECT_THAT(*ReadAll(options),
              ElementsAre(RenderGrey(0, 64), RenderGrey(128, 64), RenderGrey(255, 64)));
  options.source = "pink-noise";
  options.seed = 7;
  EXPECT_THAT(
      Ids(**ImageSource::Open(options)),
      ElementsAre("pink-noise-7-000000", "pink-noise-7-000001", "pink-noise-7-000002"));
  EXPECT_EQ((*ReadAll(options))[1], RenderPinkNoise(7, 1, 64));
  options.count = 0;
  EXPECT_EQ(OpenError(options),
            "source = \"pink-noise\" needs count, the number of images to make");
  options.source = "grey";
  options.count = 257;
  EXPECT_THAT(OpenError(options), HasSubstr("256 different levels, but count is 257"));
  options.source = "gratings";
  options.gratings.contrasts = {1, 1};
  EXPECT_EQ(OpenError(options),
            "gratings.contrasts has a value twice; expected different numbers");
}

// Mean squared amplitude at `frequency` cycles along each row, over rows and pictures.
double RowPower(Image (*render)(uint64_t, int64_t, int), int frequency) {
  double power = 0;
  for (int index = 0; index < 8; ++index) {
    const Image image = render(1, index, 64);
    for (int y = 0; y < 64; ++y) {
      double re = 0, im = 0;
      for (int x = 0; x < 64; ++x) {
        const double angle = 2 * std::numbers::pi * frequency * x / 64;
        re += image.pixels[3 * (64 * y + x)] * std::cos(angle);
        im += image.pixels[3 * (64 * y + x)] * std::sin(angle);
      }
      power += (re * re + im * im) / (8 * 64);
    }
  }
  return power;
}

TEST(NoiseTest, WhiteIsFlatAndPinkFalls) {
  // A row of a 1/f picture sums f^-2 over the other direction, which leaves f^-1.
  const double white = RowPower(RenderWhiteNoise, 2) / RowPower(RenderWhiteNoise, 16);
  const double pink = RowPower(RenderPinkNoise, 2) / RowPower(RenderPinkNoise, 16);
  EXPECT_NEAR(white, 1.0, 0.35);
  EXPECT_NEAR(pink, 8.0, 4.0);
  for (auto* render : {RenderWhiteNoise, RenderPinkNoise}) {
    double sum = 0, squares = 0;
    for (int index = 0; index < 8; ++index) {
      const Image image = render(3, index, 64);
      for (size_t i = 0; i < image.pixels.size(); i += 3) {
        EXPECT_EQ(image.pixels[i], image.pixels[i + 2]);
        sum += image.pixels[i];
        squares += image.pixels[i] * static_cast<double>(image.pixels[i]);
      }
    }
    const double n = 8 * 4096, mean = sum / n;
    EXPECT_NEAR(mean, 127.5, 2.0);
    EXPECT_NEAR(std::sqrt(squares / n - mean * mean), 51.0, 2.5);
  }
}

TEST(ScenesTest, AreGreyAndGoTheWholeWay) {
  ScratchFolder scratch;
  WriteBytes(scratch / "set/a.png", RandomPng(64, 64, 1));
  WriteBytes(scratch / "set/b.png", RandomPng(300, 400, 2));
  ImageOptions options = From(scratch / "set");
  options.preprocessing = "scenes";
  const auto images = ReadAll(options);
  ASSERT_TRUE(images.ok()) << images.status();
  for (int i = 0; i < 2; ++i) {
    Image grey = i == 0 ? RandomImage(64, 64, 1) : RandomImage(300, 400, 2);
    for (size_t p = 0; p < grey.pixels.size(); p += 3) {
      // Pillow: (19595 R + 38470 G + 7471 B + 32768) >> 16.
      const int l = (19595 * grey.pixels[p] + 38470 * grey.pixels[p + 1] +
                     7471 * grey.pixels[p + 2] + 32768) >>
                    16;
      for (int c = 0; c < 3; ++c) grey.pixels[p + c] = static_cast<uint8_t>(l);
    }
    // Step by step: shorter side 256, central 224, 64.
    const int height = 256, width = i == 0 ? 256 : 341;
    const Image large = Resize(grey, height, width);
    Image crop{224, 224, {}};
    const int top = 16, left = i == 0 ? 16 : 58;  // 58.5 rounds to the even 58
    for (int y = 0; y < 224; ++y) {
      const auto row = large.pixels.begin() + 3 * ((top + y) * width + left);
      crop.pixels.insert(crop.pixels.end(), row, row + 3 * 224);
    }
    EXPECT_EQ((*images)[i], Resize(crop, 64, 64)) << i;
  }
  EXPECT_THAT((*ImageSource::Open(options))->PreprocessingInWords(), HasSubstr("grey"));
}

TEST(OnErrorTest, StopNamesTheImageAndSkipListsIt) {
  ScratchFolder scratch;
  WriteBytes(scratch / "set/good.png", RandomPng(64, 64, 1));
  const std::string png = RandomPng(64, 64, 2);
  WriteBytes(scratch / "set/cut.png", png.substr(0, png.size() / 2));
  ImageOptions options = From(scratch / "set");
  options.on_error = "stop";
  options.max_unreadable_fraction = 1.0;
  const auto stopped = PackImages(options, scratch / "packed", 1);
  EXPECT_TRUE(absl::IsDataLoss(stopped.status()));
  EXPECT_THAT(std::string(stopped.status().message()),
              ::testing::AllOf(HasSubstr("cut.png"), HasSubstr("on_error = \"skip\"")));
  EXPECT_FALSE(PackedSet::IsPacked(scratch / "packed"));
  options.on_error = "skip";
  const auto skipped = PackImages(options, scratch / "packed", 1);
  ASSERT_TRUE(skipped.ok()) << skipped.status();
  EXPECT_EQ(skipped->num_images, 1);
  EXPECT_EQ(skipped->skipped[0].id, "cut.png");
}

}  // namespace
}  // namespace iat
