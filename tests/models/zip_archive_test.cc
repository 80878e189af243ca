#include "models/zip_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/crc.h"

namespace iat {
namespace {

using ::testing::HasSubstr;

std::string Archive(const std::vector<std::pair<std::string, std::string>>& entries) {
  ZipWriter writer;
  for (const auto& [name, contents] : entries) {
    EXPECT_TRUE(writer.Add(name, contents).ok());
  }
  const auto pieces = writer.Finish();
  EXPECT_TRUE(pieces.ok()) << pieces.status();
  return absl::StrJoin(*pieces, "");
}

std::string MessageOf(const std::string& bytes) {
  const auto reader = ZipReader::Open(bytes, "a.pt");
  EXPECT_FALSE(reader.ok());
  return std::string(reader.status().message());
}

// `value` in `size` bytes, lowest first.
std::string Little(uint64_t value, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i)
    bytes.push_back(static_cast<char>(value >> 8 * i & 0xff));
  return bytes;
}

TEST(ZipArchiveTest, GivesBackWhatWasPutInAtMultiplesOf64) {
  const std::string long_text(1000, 'x');
  const std::string bytes =
      Archive({{"a/data.pkl", "pickle"}, {"a/data/0", long_text}, {"a/empty", ""}});
  const auto reader = ZipReader::Open(bytes, "a.pt");
  ASSERT_TRUE(reader.ok()) << reader.status();
  ASSERT_EQ(reader->entries().size(), 3u);
  EXPECT_EQ(*reader->Read("a/data.pkl"), "pickle");
  EXPECT_EQ(*reader->Read("a/data/0"), long_text);
  EXPECT_EQ(*reader->Read("a/empty"), "");
  for (const auto& entry : reader->entries()) {
    EXPECT_EQ((entry.contents.data() - bytes.data()) % 64, 0) << entry.name;
  }
  EXPECT_EQ(reader->Read("b").status().message(), "a.pt: the ZIP archive has no \"b\"");
}

TEST(ZipArchiveTest, DamagedContentsFailTheirChecksum) {
  std::string bytes = Archive({{"a", "some contents"}});
  bytes[bytes.find("some")] = 'S';
  const auto reader = ZipReader::Open(bytes, "a.pt");
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(reader->Read("a").status().message(),
            "a.pt: \"a\" does not match its checksum; the file is damaged");
}

TEST(ZipArchiveTest, EveryTruncationIsRefused) {
  const std::string bytes = Archive({{"a", "contents"}, {"b", "more"}});
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(ZipReader::Open(bytes.substr(0, size), "a.pt").ok()) << size;
  }
  EXPECT_THAT(MessageOf(bytes.substr(0, bytes.size() - 1)),
              HasSubstr("the ZIP archive has no end; the file is truncated"));
}

TEST(ZipArchiveTest, CompressedAndDoubleEntriesAreRefused) {
  std::string bytes = Archive({{"a", "contents"}});
  const size_t directory = bytes.find(Little(0x02014b50, 4));
  bytes[directory + 10] = 8;
  EXPECT_THAT(MessageOf(bytes), HasSubstr("\"a\" is compressed; torch.save stores"));
  EXPECT_THAT(MessageOf(Archive({{"a", "1"}, {"a", "2"}})),
              HasSubstr("entry 1 of the ZIP archive is \"a\" for the second time"));
}

// As PyTorch writes files above 4 GB: 32-bit fields full, the numbers in the extra
// field and in the ZIP64 end.
TEST(ZipArchiveTest, Zip64IsRead) {
  const std::string contents = "big";
  const std::string local = Little(0x04034b50, 4) + Little(45, 2) + Little(0, 8) +
                            Little(Crc32(contents), 4) + Little(0xffffffff, 4) +
                            Little(0xffffffff, 4) + Little(1, 2) + Little(0, 2) + "a";
  const std::string extra = Little(1, 2) + Little(24, 2) + Little(contents.size(), 8) +
                            Little(contents.size(), 8) + Little(0, 8);
  const std::string directory =
      Little(0x02014b50, 4) + Little(45, 2) + Little(45, 2) + Little(0, 8) +
      Little(Crc32(contents), 4) + Little(0xffffffff, 4) + Little(0xffffffff, 4) +
      Little(1, 2) + Little(extra.size(), 2) + Little(0, 2) + Little(0, 2) +
      Little(0, 2) + Little(0, 4) + Little(0xffffffff, 4) + "a" + extra;
  const uint64_t directory_at = local.size() + contents.size();
  const uint64_t end64_at = directory_at + directory.size();
  const std::string end64 = Little(0x06064b50, 4) + Little(44, 8) + Little(45, 2) +
                            Little(45, 2) + Little(0, 8) + Little(1, 8) + Little(1, 8) +
                            Little(directory.size(), 8) + Little(directory_at, 8);
  const std::string locator =
      Little(0x07064b50, 4) + Little(0, 4) + Little(end64_at, 8) + Little(1, 4);
  const std::string end = Little(0x06054b50, 4) + Little(0, 4) + Little(0xffff, 2) +
                          Little(0xffff, 2) + Little(0xffffffff, 4) +
                          Little(0xffffffff, 4) + Little(0, 2);
  const std::string bytes = local + contents + directory + end64 + locator + end;
  const auto reader = ZipReader::Open(bytes, "a.pt");
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(*reader->Read("a"), contents);
  EXPECT_THAT(MessageOf(local + contents + directory + end64 + end),
              HasSubstr("lacks its ZIP64 locator"));
  // An end that would lie far outside of a file too short to have one.
  EXPECT_THAT(MessageOf(Little(0x07064b50, 4) + Little(0, 4) +
                        Little(uint64_t{1} << 62, 8) + Little(1, 4) + end),
              HasSubstr("lacks its ZIP64 end"));
}

TEST(ZipArchiveTest, MoreThanFourGigabytesAreNotWritten) {
  // A view of so many bytes, of which none is looked at.
  const absl::string_view huge("", 0xffffffffu);
  ZipWriter writer;
  EXPECT_THAT(std::string(writer.Add("a", huge).message()), HasSubstr("4 GB"));
}

}  // namespace
}  // namespace iat
