#include "images/packed_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "images/contact_sheet.h"
#include "images/dead_leaves.h"
#include "images/pixel_pages.h"
#include "test_images.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Slurp(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string((std::istreambuf_iterator<char>(file)), {});
}

// Six images of two classes, one of them not 64 x 64.
void WriteSmallFolder(const fs::path& folder) {
  for (int i = 0; i < 3; ++i) {
    WriteBytes(folder / absl::StrCat("cat/", i, ".png"), RandomPng(64, 64, i));
    WriteBytes(folder / absl::StrCat("dog/", i, ".png"),
               RandomPng(i == 2 ? 80 : 64, i == 2 ? 100 : 64, 10 + i));
  }
}

ImageOptions Paths(std::vector<std::string> paths) {
  ImageOptions options;
  options.paths = std::move(paths);
  return options;
}

PackReport MustPack(const ImageOptions& options, const std::string& folder,
                    int jobs = 2) {
  auto report = PackImages(options, folder, jobs);
  EXPECT_TRUE(report.ok()) << report.status();
  return report.value_or(PackReport{});
}

std::string PackError(const ImageOptions& options, const std::string& folder) {
  return std::string(PackImages(options, folder, 1).status().message());
}

std::string OpenError(const std::string& folder) {
  return std::string(PackedSet::Open(folder).status().message());
}

TEST(PackedSetTest, GivesBackPixelsIdsAndLabels) {
  const ScratchFolder scratch;
  WriteSmallFolder(scratch / "in");
  const PackReport report = MustPack(Paths({scratch / "in"}), scratch / "out");
  EXPECT_EQ(report.num_images, 6);
  EXPECT_EQ(report.num_labels, 2);
  EXPECT_THAT(report.skipped, IsEmpty());
  const auto set = PackedSet::Open(scratch / "out");
  ASSERT_TRUE(set.ok()) << set.status();
  ASSERT_EQ(set->size(), 6);
  EXPECT_EQ(set->height(), 64);
  EXPECT_EQ(set->width(), 64);
  EXPECT_THAT(set->ids(), ElementsAre("cat/0.png", "cat/1.png", "cat/2.png", "dog/0.png",
                                      "dog/1.png", "dog/2.png"));
  EXPECT_THAT(set->labels(), ElementsAre(0, 0, 0, 1, 1, 1));
  EXPECT_THAT(set->label_names(), ElementsAre("cat", "dog"));
  EXPECT_EQ(set->Fingerprint(), report.fingerprint);
  EXPECT_EQ(set->sources()[0], scratch / "in");
  EXPECT_THAT(set->original_sizes(),
              ElementsAre(std::make_pair("64x64", 5), std::make_pair("100x80", 1)));
  const auto pixels = [&](int64_t i) {
    return std::vector<uint8_t>(set->pixels(i), set->pixels(i) + 64 * 64 * 3);
  };
  EXPECT_EQ(pixels(1), RandomImage(64, 64, 1).pixels);
  EXPECT_EQ(pixels(4), RandomImage(64, 64, 11).pixels);
  EXPECT_EQ(pixels(5), Preprocess(RandomImage(80, 100, 12), 64).pixels);
  // Forgotten pixels are read again.
  ForgetPixels(*set, 0, set->size());
  EXPECT_EQ(pixels(1), RandomImage(64, 64, 1).pixels);
}

// Kilobytes of the mapped file that are in memory for this process, as Linux counts them.
int64_t ResidentKilobytes(const std::string& path) {
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  bool is_inside = false;
  int64_t kilobytes = 0, found = 0;
  while (std::getline(maps, line)) {
    const bool is_heading = line.find('-') < line.find(':');  // an address range
    if (is_heading) is_inside = absl::EndsWith(line, path);
    if (is_inside && std::sscanf(line.c_str(), "Rss: %ld kB", &found) == 1) {
      kilobytes += found;
    }
  }
  return kilobytes;
}

TEST(PackedSetTest, NothingOfForgottenPixelsStaysInMemory) {
  const ScratchFolder scratch;
  ImageOptions options;
  options.source = "white-noise";
  options.count = 300;
  MustPack(options, scratch / "set", 1);
  const auto set = PackedSet::Open(scratch / "set");
  ASSERT_TRUE(set.ok()) << set.status();
  const std::string file = fs::canonical(scratch / "set") / "images.npy";
  int64_t sum = 0;
  // As extraction reads: one stretch after the other, the system mapping pages around.
  for (const int64_t begin : {0, 100, 200}) {
    for (int64_t i = begin; i < begin + 100; ++i) sum += *set->pixels(i);
    EXPECT_GT(ResidentKilobytes(file), 0);
    ForgetPixels(*set, begin, begin + 100);
    EXPECT_EQ(ResidentKilobytes(file), 0) << "after images from " << begin;
  }
  EXPECT_GT(sum, 0);
}

TEST(PackedSetTest, BytesDoNotDependOnJobsOrFolder) {
  const ScratchFolder scratch;
  ImageOptions options;
  options.source = "dead-leaves";
  options.count = 300;  // more than one chunk
  MustPack(options, scratch / "a", 1);
  MustPack(options, scratch / "b", 4);
  for (const char* name : {"images.npy", "index.csv", "skipped.csv", "set.json"}) {
    EXPECT_EQ(Slurp(scratch.path() / "a" / name), Slurp(scratch.path() / "b" / name))
        << name;
  }
  const auto set = PackedSet::Open(scratch / "a");
  ASSERT_TRUE(set.ok()) << set.status();
  const Image last = DeadLeaves(0).Render(299);
  EXPECT_TRUE(std::equal(last.pixels.begin(), last.pixels.end(), set->pixels(299)));
}

TEST(PackedSetTest, FingerprintFollowsPixelsAndIds) {
  const ScratchFolder scratch;
  WriteBytes(scratch / "one/a.png", RandomPng(64, 64, 1));
  WriteBytes(scratch / "same/a.png", RandomPng(64, 64, 1));
  WriteBytes(scratch / "renamed/b.png", RandomPng(64, 64, 1));
  WriteBytes(scratch / "changed/a.png", RandomPng(64, 64, 2));
  const auto fingerprint = [&](const std::string& name) {
    return MustPack(Paths({scratch / name}), scratch / (name + "-packed")).fingerprint;
  };
  const std::string one = fingerprint("one");
  EXPECT_EQ(one.size(), 64u);
  EXPECT_EQ(fingerprint("same"), one);
  EXPECT_NE(fingerprint("renamed"), one);
  EXPECT_NE(fingerprint("changed"), one);
  // Second road: the header's recipe.
  const std::vector<uint8_t> pixels = RandomImage(64, 64, 1).pixels;
  const std::string bytes(pixels.begin(), pixels.end());
  EXPECT_EQ(one, Sha256(Sha256(bytes) + "\na.png"));
}

TEST(PackedSetTest, NumpyOpensIt) {
  if (std::system("python3 -c 'import numpy' 2>/dev/null") != 0 &&
      std::system("/usr/bin/python3 -c 'import numpy' 2>/dev/null") != 0) {
    GTEST_SKIP() << "needs python3 with numpy";
  }
  const std::string python = std::system("python3 -c 'import numpy' 2>/dev/null") == 0
                                 ? "python3"
                                 : "/usr/bin/python3";
  const ScratchFolder scratch;
  WriteSmallFolder(scratch / "in");
  MustPack(Paths({scratch / "in"}), scratch / "out");
  const Image image = RandomImage(64, 64, 1);
  const std::string code =
      absl::StrCat("import numpy as n; a = n.load('", scratch / "out",
                   "/images.npy', mmap_mode='r'); ",
                   "assert a.shape == (6, 64, 64, 3) and a.dtype == n.uint8; ",
                   "assert a.flags['C_CONTIGUOUS'] and isinstance(a, n.memmap); ",
                   "assert a[1, 63, 62, 2] == ", image.pixels[(63 * 64 + 62) * 3 + 2]);
  EXPECT_EQ(std::system((python + " -c \"" + code + "\"").c_str()), 0) << code;
}

TEST(PackedSetTest, UnreadableImagesAreNamedSkippedAndCounted) {
  const ScratchFolder scratch;
  WriteSmallFolder(scratch / "in");
  const std::string whole = RandomPng(64, 64, 1);
  WriteBytes(scratch / "in/cat/1.png", whole.substr(0, whole.size() / 2));
  WriteBytes(scratch / "in/dog/0.png", "no image at all");
  ImageOptions options = Paths({scratch / "in"});
  options.max_unreadable_fraction = 0.4;
  const PackReport report = MustPack(options, scratch / "out");
  EXPECT_EQ(report.num_images, 4);
  ASSERT_EQ(report.skipped.size(), 2u);
  const auto set = PackedSet::Open(scratch / "out");
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_THAT(set->ids(),
              ElementsAre("cat/0.png", "cat/2.png", "dog/1.png", "dog/2.png"));
  ASSERT_EQ(set->skipped().size(), 2u);
  EXPECT_EQ(set->skipped()[0].id, "cat/1.png");
  EXPECT_THAT(set->skipped()[0].reason, HasSubstr("truncated image: only "));
  EXPECT_EQ(set->skipped()[1].id, "dog/0.png");
  EXPECT_THAT(set->skipped()[1].reason, HasSubstr("not an image"));

  options.max_unreadable_fraction = 0.3;
  const absl::Status status = PackImages(options, scratch / "out", 2).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(
      std::string(status.message()),
      HasSubstr("more than max_unreadable_fraction = 0.3 of 6 images are unreadable, "
                "at least 2; first: "));
  EXPECT_THAT(std::string(status.message()), HasSubstr("cat/1.png"));
  // The failed attempt leaves no set behind, and no temporary file.
  EXPECT_FALSE(PackedSet::IsPacked(scratch / "out"));
  for (const auto& item : fs::directory_iterator(scratch / "out")) {
    EXPECT_FALSE(absl::StrContains(item.path().string(), std::string(kTemporaryMark)));
  }
}

TEST(PackedSetTest, ASetOfUnreadableImagesIsAnErrorAtAnyThreshold) {
  const ScratchFolder scratch;
  WriteBytes(scratch / "in/a.png", "x");
  ImageOptions options = Paths({scratch / "in"});
  options.max_unreadable_fraction = 1.0;
  EXPECT_THAT(PackError(options, scratch / "out"), HasSubstr("unreadable"));
}

TEST(PackedSetTest, APackedSetIsASourceToo) {
  const ScratchFolder scratch;
  WriteSmallFolder(scratch / "in");
  const PackReport first = MustPack(Paths({scratch / "in"}), scratch / "once");
  const PackReport second = MustPack(Paths({scratch / "once"}), scratch / "twice");
  EXPECT_EQ(first.fingerprint, second.fingerprint);
  EXPECT_EQ(PackedSet::Open(scratch / "twice")->label_names(),
            PackedSet::Open(scratch / "once")->label_names());
  EXPECT_THAT(PackError(Paths({scratch / "once"}), scratch / "once"),
              HasSubstr("can't pack a folder into itself"));
}

TEST(PackedSetTest, TruncatedPixelsAreNamedWithBothSizes) {
  const ScratchFolder scratch;
  WriteSmallFolder(scratch / "in");
  MustPack(Paths({scratch / "in"}), scratch / "out");
  const fs::path npy = scratch / "out/images.npy";
  const uintmax_t whole = 128 + 6 * 64 * 64 * 3;
  ASSERT_EQ(fs::file_size(npy), whole);
  fs::resize_file(npy, whole - 1000);
  EXPECT_EQ(PackedSet::Open(scratch / "out").status().code(),
            absl::StatusCode::kDataLoss);
  EXPECT_THAT(
      OpenError(scratch / "out"),
      HasSubstr("images.npy: truncated: 72856 bytes; expected 73856 for 6 images of "
                "64 x 64 x 3"));
  fs::resize_file(npy, 50);
  EXPECT_THAT(OpenError(scratch / "out"), HasSubstr("truncated inside its header"));
  fs::resize_file(npy, 4);
  EXPECT_THAT(OpenError(scratch / "out"), HasSubstr("truncated: 4 bytes, too few"));
}

TEST(PackedSetTest, WithoutItsIndexASetIsIncomplete) {
  const ScratchFolder scratch;
  WriteSmallFolder(scratch / "in");
  MustPack(Paths({scratch / "in"}), scratch / "out");
  fs::remove(scratch / "out/index.csv");
  EXPECT_FALSE(PackedSet::IsPacked(scratch / "out"));
  EXPECT_EQ(PackedSet::Open(scratch / "out").status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_THAT(OpenError(scratch / "out"), HasSubstr("no complete packed image set"));
}

// A set as numpy and a text editor make it.
void WriteByHand(const std::string& folder, std::string dict, const std::string& index) {
  dict.resize(117, ' ');
  WriteBytes(folder + "/images.npy", std::string("\x93NUMPY\x01\x00\x76\x00", 10) + dict +
                                         '\n' + std::string(2 * 4 * 5 * 3, '\x07'));
  WriteBytes(folder + "/index.csv", index);
}

TEST(PackedSetTest, OpensASetMadeByHand) {
  const ScratchFolder scratch;
  WriteByHand(scratch / "set",
              "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 4, 5, 3), }",
              "row,id,label,source\n0,a,1,x\n1,b,-1,x\n");
  const auto set = PackedSet::Open(scratch / "set");
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->size(), 2);
  EXPECT_EQ(set->height(), 4);
  EXPECT_EQ(set->width(), 5);
  EXPECT_EQ(set->num_labels(), 2);
  EXPECT_EQ(set->label_names()[1], "0001");
  EXPECT_EQ(set->Fingerprint(), Sha256(Sha256(std::string(120, '\x07')) + "\na\nb"));
}

TEST(PackedSetTest, ErrorsNameWhatDoesNotFit) {
  const ScratchFolder scratch;
  const std::string good_index = "row,id,label\n0,a,0\n1,b,0\n";
  const std::string good =
      "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 4, 5, 3), }";
  const auto error = [&](const std::string& dict, const std::string& index) {
    WriteByHand(scratch / "set", dict, index);
    return OpenError(scratch / "set");
  };
  EXPECT_EQ(error(good, good_index), "");
  EXPECT_THAT(error("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4, 5, 3), }",
                    good_index),
              HasSubstr("numbers of type '<f4'; expected '|u1' (uint8)"));
  EXPECT_THAT(error("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 4, 5, 3), }",
                    good_index),
              HasSubstr("not in C order"));
  EXPECT_THAT(
      error("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 60), }", good_index),
      HasSubstr("shape (2, 60); expected (images, height, width, 3)"));
  EXPECT_THAT(error(good, "row,id,label\n0,a,0\n"),
              HasSubstr("index.csv: 1 rows; images.npy has 2 images"));
  EXPECT_THAT(error(good, "row,id,label\n0,a,0\n5,b,0\n"),
              HasSubstr("index.csv:3: row is \"5\"; expected 1"));
  EXPECT_THAT(error(good, "row,id,label\n0,a,0\n1,a,0\n"),
              HasSubstr("index.csv:3: id \"a\" is empty or a repeat"));
  EXPECT_THAT(error(good, "row,id,label\n0,a,cat\n1,b,0\n"),
              HasSubstr("index.csv:2: label is \"cat\"; expected a number"));
  EXPECT_THAT(error(good, "row,name\n0,a\n1,b\n"), HasSubstr("expected row, id, label"));
}

TEST(PackedSetTest, ProgressRisesToTheTotal) {
  const ScratchFolder scratch;
  WriteSmallFolder(scratch / "in");
  int64_t last = -1;
  const auto report = PackImages(Paths({scratch / "in"}), scratch / "out", 2,
                                 [&](int64_t done, int64_t total) {
                                   EXPECT_GE(done, last);
                                   EXPECT_EQ(total, 6);
                                   last = done;
                                 });
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(last, 6);
}

TEST(ContactSheetTest, PlacesImagesInAGrid) {
  const ScratchFolder scratch;
  WriteSmallFolder(scratch / "in");
  MustPack(Paths({scratch / "in"}), scratch / "out");
  const auto set = PackedSet::Open(scratch / "out");
  ASSERT_TRUE(set.ok()) << set.status();
  ContactSheetOptions options;
  options.max_images = 4;
  options.columns = 2;
  ASSERT_TRUE(WriteContactSheet(*set, scratch / "sheet.png", options).ok());
  const auto sheet = DecodeImage(Slurp(scratch / "sheet.png"), "sheet.png");
  ASSERT_TRUE(sheet.ok()) << sheet.status();
  EXPECT_EQ(sheet->height, 2 + 2 * 66);
  EXPECT_EQ(sheet->width, 2 + 2 * 66);
  EXPECT_EQ(sheet->pixels[0], 255);
  // Images 0, 1, 3, 4 of 6; the last one starts at row and column 68.
  for (int y = 0; y < 64; ++y) {
    for (int i = 0; i < 64 * 3; ++i) {
      ASSERT_EQ(sheet->pixels[((68 + y) * sheet->width + 68) * 3 + i],
                set->pixels(4)[y * 64 * 3 + i]);
    }
  }
  options.max_images = 0;
  EXPECT_THAT(std::string(WriteContactSheet(*set, scratch / "x.png", options).message()),
              HasSubstr("contact sheet of 0 images"));
}

TEST(DescribeImagesTest, TellsCountsSizesLabelsAndUnreadableFiles) {
  const ScratchFolder scratch;
  WriteSmallFolder(scratch / "in");
  WriteBytes(scratch / "in/dog/0.png", "no image at all");
  ImageOptions options = Paths({scratch / "in"});
  options.max_unreadable_fraction = 0.5;
  MustPack(options, scratch / "out");
  const auto set = PackedSet::Open(scratch / "out");
  ASSERT_TRUE(set.ok()) << set.status();
  const std::string text = DescribeImages(*set);
  EXPECT_THAT(text, HasSubstr("images       5 of 64x64 RGB"));
  EXPECT_THAT(text, HasSubstr("original     64x64 (4), 100x80 (1)"));
  EXPECT_THAT(text, HasSubstr("labels       2 (cat to dog), 2 to 3 images each"));
  EXPECT_THAT(text, HasSubstr("unreadable   1, skipped\n  dog/0.png: "));
  EXPECT_THAT(text, HasSubstr(set->Fingerprint()));
}

}  // namespace
}  // namespace iat
