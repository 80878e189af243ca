#include "images/image_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "test_images.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Members = std::vector<std::pair<std::string, std::string>>;

ImageOptions Paths(std::vector<std::string> paths) {
  ImageOptions options;
  options.paths = std::move(paths);
  return options;
}

std::unique_ptr<ImageSource> MustOpen(const ImageOptions& options) {
  auto source = ImageSource::Open(options);
  EXPECT_TRUE(source.ok()) << source.status();
  return source.ok() ? *std::move(source) : nullptr;
}

std::string OpenError(const ImageOptions& options) {
  return std::string(ImageSource::Open(options).status().message());
}

std::vector<std::string> Ids(const ImageSource& source) {
  std::vector<std::string> ids;
  for (const ImageEntry& entry : source.entries()) ids.push_back(entry.id);
  return ids;
}

// Every pixel by id; fails the test on an unreadable image.
std::map<std::string, Image> ReadAll(const ImageSource& source, int jobs) {
  std::map<std::string, Image> images;
  int64_t next = 0;
  const absl::Status status =
      source.Read(jobs, [&](int64_t row, absl::StatusOr<LoadedImage> loaded) {
        EXPECT_EQ(row, next++);
        EXPECT_TRUE(loaded.ok()) << loaded.status();
        if (loaded.ok()) images[source.entries()[row].id] = loaded->image;
        return absl::OkStatus();
      });
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(next, static_cast<int64_t>(source.entries().size()));
  return images;
}

// Two classes, two images each.
Members SmallSet() {
  return {{"cat/a.png", RandomPng(64, 64, 1)},
          {"cat/b.png", RandomPng(64, 64, 2)},
          {"dog/a.png", RandomPng(64, 64, 3)},
          {"dog/b.png", RandomPng(64, 64, 4)}};
}

void WriteFolder(const fs::path& folder, const Members& members) {
  for (const auto& [name, bytes] : members) WriteBytes(folder / name, bytes);
}

Members WithPrefix(const std::string& prefix, const Members& members) {
  Members result;
  for (const auto& [name, bytes] : members) result.emplace_back(prefix + name, bytes);
  return result;
}

TEST(ImageSourceTest, FolderTarAndZipAreTheSameSet) {
  const ScratchFolder scratch;
  WriteFolder(scratch / "folder", SmallSet());
  WriteArchive(scratch / "a.tar", "pax", "none", WithPrefix("set/", SmallSet()));
  WriteArchive(scratch / "a.tar.gz", "gnutar", "gzip", WithPrefix("./set/", SmallSet()));
  WriteArchive(scratch / "a.zip", "zip", "none", SmallSet());
  const auto folder = MustOpen(Paths({scratch / "folder"}));
  EXPECT_THAT(Ids(*folder),
              ElementsAre("cat/a.png", "cat/b.png", "dog/a.png", "dog/b.png"));
  EXPECT_THAT(folder->label_names(), ElementsAre("cat", "dog"));
  const auto pixels = ReadAll(*folder, 2);
  EXPECT_EQ(pixels.at("dog/a.png"), RandomImage(64, 64, 3));
  for (const char* name : {"a.tar", "a.tar.gz", "a.zip"}) {
    SCOPED_TRACE(name);
    const auto archive = MustOpen(Paths({scratch / name}));
    EXPECT_EQ(Ids(*archive), Ids(*folder));
    for (size_t i = 0; i < archive->entries().size(); ++i) {
      EXPECT_EQ(archive->entries()[i].label, folder->entries()[i].label);
    }
    EXPECT_EQ(ReadAll(*archive, 1), pixels);
    EXPECT_EQ(ReadAll(*archive, 4), pixels);
  }
}

TEST(ImageSourceTest, FlatFoldersHaveNoLabels) {
  const ScratchFolder scratch;
  WriteFolder(scratch / "flat",
              {{"b.png", RandomPng(8, 8, 1)}, {"a.png", RandomPng(8, 8, 2)}});
  WriteArchive(
      scratch / "flat.tar", "pax", "none",
      {{"pictures/a.png", RandomPng(8, 8, 1)}, {"pictures/b.png", RandomPng(8, 8, 2)}});
  for (const char* name : {"flat", "flat.tar"}) {
    const auto source = MustOpen(Paths({scratch / name}));
    EXPECT_THAT(Ids(*source), ElementsAre("a.png", "b.png"));
    EXPECT_EQ(source->entries()[0].label, -1);
    EXPECT_TRUE(source->label_names().empty());
  }
}

TEST(ImageSourceTest, HiddenFilesAndOtherFilesAreLeftOut) {
  const ScratchFolder scratch;
  Members members = SmallSet();
  members.emplace_back("cat/._a.png", "resource fork");
  members.emplace_back("__MACOSX/cat/a.png", "more of it");
  members.emplace_back("README.txt", "words");
  WriteFolder(scratch / "folder", members);
  WriteArchive(scratch / "a.zip", "zip", "none", members);
  EXPECT_EQ(MustOpen(Paths({scratch / "folder"}))->entries().size(), 4u);
  EXPECT_EQ(MustOpen(Paths({scratch / "a.zip"}))->entries().size(), 4u);
}

TEST(ImageSourceTest, PathsAreJoinedAndLabelsNumberTheUnion) {
  const ScratchFolder scratch;
  WriteFolder(scratch / "one",
              {{"dog/1.png", RandomPng(64, 64, 1)}, {"emu/1.png", RandomPng(64, 64, 2)}});
  WriteArchive(
      scratch / "two.tar.gz", "pax", "gzip",
      {{"two/cat/2.png", RandomPng(64, 64, 3)}, {"two/dog/2.png", RandomPng(64, 64, 4)}});
  const auto source = MustOpen(Paths({scratch / "one", scratch / "two.tar.gz"}));
  EXPECT_THAT(Ids(*source),
              ElementsAre("dog/1.png", "emu/1.png", "cat/2.png", "dog/2.png"));
  EXPECT_THAT(source->label_names(), ElementsAre("cat", "dog", "emu"));
  EXPECT_EQ(source->entries()[0].label, 1);
  EXPECT_EQ(source->entries()[2].label, 0);
  EXPECT_EQ(source->entries()[3].label, 1);
  EXPECT_EQ(ReadAll(*source, 2).at("dog/2.png"), RandomImage(64, 64, 4));
}

TEST(ImageSourceTest, ARepeatedIdIsAnError) {
  const ScratchFolder scratch;
  WriteFolder(scratch / "one", SmallSet());
  WriteFolder(scratch / "two", SmallSet());
  const std::string message = OpenError(Paths({scratch / "one", scratch / "two"}));
  EXPECT_THAT(message, HasSubstr("image id \"cat/a.png\" occurs twice: in "));
  EXPECT_THAT(message, HasSubstr("/one and in "));
  EXPECT_THAT(message, HasSubstr("/two"));
}

TEST(ImageSourceTest, ASubsetIsSeededExactAndInOrder) {
  const ScratchFolder scratch;
  Members members;
  for (int i = 0; i < 40; ++i) {
    members.emplace_back(absl::StrCat("c/", 100 + i, ".png"), RandomPng(8, 8, i));
    members.emplace_back(absl::StrCat("d/", 100 + i, ".png"), RandomPng(8, 8, 50 + i));
  }
  WriteArchive(scratch / "a.tar", "pax", "none", members);
  ImageOptions options = Paths({scratch / "a.tar"});
  options.size = 8;
  const auto all = MustOpen(options);
  options.count = 30;
  const auto chosen = MustOpen(options);
  EXPECT_EQ(chosen->entries().size(), 30u);
  EXPECT_EQ(chosen->num_available(), 80);
  EXPECT_EQ(Ids(*MustOpen(options)), Ids(*chosen));
  std::vector<std::string> in_order;
  const std::vector<std::string> ids = Ids(*chosen);
  const std::set<std::string> kept(ids.begin(), ids.end());
  for (const std::string& id : Ids(*all)) {
    if (kept.count(id) > 0) in_order.push_back(id);
  }
  EXPECT_EQ(in_order, ids);
  const auto everything = ReadAll(*all, 2);
  for (const auto& [id, image] : ReadAll(*chosen, 2)) EXPECT_EQ(image, everything.at(id));
  options.subset_seed = 1;
  EXPECT_NE(Ids(*MustOpen(options)), ids);
  options.count = 81;
  EXPECT_THAT(OpenError(options),
              HasSubstr("count is 81, but there are only 80 images in "));
}

TEST(ImageSourceTest, AnUnreadableImageIsReportedInItsPlace) {
  const ScratchFolder scratch;
  Members members = SmallSet();
  members[1].second = members[1].second.substr(0, 500);
  WriteFolder(scratch / "folder", members);
  const auto source = MustOpen(Paths({scratch / "folder"}));
  std::vector<int64_t> bad;
  ASSERT_TRUE(source
                  ->Read(2,
                         [&](int64_t row, absl::StatusOr<LoadedImage> loaded) {
                           if (!loaded.ok()) {
                             bad.push_back(row);
                             EXPECT_THAT(std::string(loaded.status().message()),
                                         HasSubstr("cat/b.png: truncated image: only "));
                           }
                           return absl::OkStatus();
                         })
                  .ok());
  EXPECT_THAT(bad, ElementsAre(1));
}

TEST(ImageSourceTest, ErrorsSayWhatIsWrongWithAPath) {
  const ScratchFolder scratch;
  EXPECT_EQ(ImageSource::Open(Paths({scratch / "absent"})).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_THAT(OpenError(Paths({scratch / "absent"})),
              HasSubstr("/absent: no such file or folder"));
  fs::create_directory(scratch / "empty");
  EXPECT_THAT(OpenError(Paths({scratch / "empty"})),
              HasSubstr("/empty: empty folder; expected images (.jpg, "));
  WriteFolder(scratch / "words", {{"a.txt", "x"}, {"b.csv", "y"}});
  EXPECT_THAT(OpenError(Paths({scratch / "words"})),
              HasSubstr("/words: no images (.jpg, .jpeg, .png, .bmp, .tif, .tiff, .webp) "
                        "among 2 files"));
  WriteBytes(scratch / "note.dat", "these are words, no archive");
  EXPECT_THAT(OpenError(Paths({scratch / "note.dat"})),
              HasSubstr("/note.dat: not an archive (tar, zip or 7z)"));
  WriteArchive(scratch / "words.tar", "pax", "none", {{"data_batch_1.bin", "x"}});
  EXPECT_THAT(OpenError(Paths({scratch / "words.tar"})),
              HasSubstr("among 1 members; unpack CIFAR's .bin files"));
  fs::create_directory(scratch / "half");
  WriteBytes(scratch / "half/images.npy", "x");
  EXPECT_THAT(OpenError(Paths({scratch / "half"})), HasSubstr("packing was interrupted"));
}

TEST(ImageSourceTest, ATruncatedArchiveIsDataLoss) {
  const ScratchFolder scratch;
  WriteArchive(scratch / "whole.tar", "pax", "none", SmallSet());
  std::ifstream file(scratch / "whole.tar", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  // In the middle of the third image.
  WriteBytes(scratch / "cut.tar", bytes.substr(0, 35000));
  const absl::Status status = ImageSource::Open(Paths({scratch / "cut.tar"})).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("/cut.tar: truncated or damaged archive after dog/a.png"));
}

TEST(ImageSourceTest, DeadLeavesNeedACountAndTakeNoPaths) {
  ImageOptions options;
  EXPECT_THAT(OpenError(options), HasSubstr("no paths; name image folders or archives"));
  options.source = "dead-leaves";
  EXPECT_THAT(OpenError(options), HasSubstr("needs count"));
  options.count = 3;
  options.seed = 5;
  EXPECT_THAT(Ids(*MustOpen(options)),
              ElementsAre("dead-leaves-5-000000", "dead-leaves-5-000001",
                          "dead-leaves-5-000002"));
  options.paths = {"x"};
  EXPECT_THAT(OpenError(options), HasSubstr("takes no paths, but there is x"));
}

// A CIFAR file whose pixel (y, x, c) of record i is i + 10 c + y + x, mod 256.
std::string CifarFile(int num_records, bool is_100) {
  std::string bytes;
  for (int i = 0; i < num_records; ++i) {
    if (is_100) bytes += static_cast<char>(i % 20);
    bytes += static_cast<char>(i % (is_100 ? 100 : 10));
    for (int c = 0; c < 3; ++c) {
      for (int y = 0; y < 32; ++y) {
        for (int x = 0; x < 32; ++x) bytes += static_cast<char>(i + 10 * c + y + x);
      }
    }
  }
  return bytes;
}

void ExpectCifarPixels(const Image& image, int record) {
  for (int y = 0; y < 32; ++y) {
    for (int x = 0; x < 32; ++x) {
      for (int c = 0; c < 3; ++c) {
        ASSERT_EQ(image.pixels[(y * 32 + x) * 3 + c],
                  static_cast<uint8_t>(record + 10 * c + y + x));
      }
    }
  }
}

TEST(CifarTest, TenAndHundredClasses) {
  const ScratchFolder scratch;
  WriteBytes(scratch / "ten/data_batch_1.bin", CifarFile(12, false));
  WriteBytes(scratch / "ten/data_batch_2.bin", CifarFile(5, false));
  WriteBytes(scratch / "ten/test_batch.bin", CifarFile(3, false));
  WriteBytes(scratch / "ten/batches.meta.txt",
             "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n");
  WriteBytes(scratch / "hundred/train.bin", CifarFile(101, true));
  ImageOptions options = Paths({scratch / "ten"});
  options.size = 32;
  const auto ten = MustOpen(options);
  ASSERT_EQ(ten->entries().size(), 17u);  // the test batch has to be named itself
  EXPECT_EQ(ten->entries()[3].id, "data_batch_1-00003");
  EXPECT_EQ(ten->entries()[3].label_name, "cat");
  EXPECT_EQ(ten->entries()[3].label, 3);
  EXPECT_EQ(ten->entries()[12].id, "data_batch_2-00000");
  const auto pixels = ReadAll(*ten, 2);
  ExpectCifarPixels(pixels.at("data_batch_1-00011"), 11);
  ExpectCifarPixels(pixels.at("data_batch_2-00004"), 4);

  options.paths = {scratch / "ten/test_batch.bin"};
  EXPECT_EQ(MustOpen(options)->entries().size(), 3u);

  options.paths = {scratch / "hundred"};
  const auto hundred = MustOpen(options);
  ASSERT_EQ(hundred->entries().size(), 101u);
  EXPECT_EQ(hundred->label_names().size(), 100u);
  EXPECT_EQ(hundred->entries()[57].label, 57);
  EXPECT_EQ(hundred->entries()[57].label_name, "57");
  ExpectCifarPixels(ReadAll(*hundred, 1).at("train-00100"), 100);
}

TEST(CifarTest, ATruncatedFileIsNamed) {
  const ScratchFolder scratch;
  WriteBytes(scratch / "data_batch_1.bin", CifarFile(3, false).substr(0, 9000));
  EXPECT_THAT(OpenError(Paths({scratch / "data_batch_1.bin"})),
              HasSubstr("data_batch_1.bin: 9000 bytes are no whole number of CIFAR-10 "
                        "records of 3073 bytes"));
  std::string bytes = CifarFile(2, false);
  bytes[3073] = 10;
  WriteBytes(scratch / "data_batch_1.bin", bytes);
  EXPECT_THAT(OpenError(Paths({scratch / "data_batch_1.bin"})),
              HasSubstr("record 1 has label 10; expected 0 to 9"));
}

TEST(RealImagesTest, ArchiveOfASampleHasTheFoldersPixels) {
  IAT_SKIP_WITHOUT_REAL_DATA();
  const ScratchFolder scratch;
  const fs::path sample = RealData() + "/sample/train";
  Members members;
  for (const auto& item : fs::recursive_directory_iterator(sample)) {
    if (!item.is_regular_file()) continue;
    std::ifstream file(item.path(), std::ios::binary);
    members.emplace_back("train/" + item.path().lexically_relative(sample).string(),
                         std::string((std::istreambuf_iterator<char>(file)), {}));
  }
  WriteArchive(scratch / "train.tar.gz", "pax", "gzip", members);
  const auto folder = MustOpen(Paths({sample.string()}));
  const auto archive = MustOpen(Paths({scratch / "train.tar.gz"}));
  EXPECT_EQ(folder->entries().size(), 200u);
  EXPECT_EQ(folder->label_names().size(), 10u);
  EXPECT_EQ(folder->label_names(), archive->label_names());
  EXPECT_EQ(ReadAll(*folder, 2), ReadAll(*archive, 2));
}

}  // namespace
}  // namespace iat
