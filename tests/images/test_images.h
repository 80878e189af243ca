// What the tests of images/ share: small pictures, scratch folders, archives
// written on the spot, and the place of the real data.

#ifndef IAT_TESTS_IMAGES_TEST_IMAGES_H_
#define IAT_TESTS_IMAGES_TEST_IMAGES_H_

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "images/image.h"

namespace iat {

// A folder that goes with the test.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name =
        (std::filesystem::temp_directory_path() / "iat-images-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no scratch folder " << name;
    path_ = name;
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

inline void WriteBytes(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
  ASSERT_EQ(std::filesystem::file_size(path), bytes.size()) << path;
}

inline Image RandomImage(int height, int width, uint64_t seed) {
  RandomStream stream(seed, "test_image");
  Image image{height, width,
              std::vector<uint8_t>(static_cast<size_t>(height) * width * 3)};
  for (uint8_t& value : image.pixels) value = static_cast<uint8_t>(stream.NextU32());
  return image;
}

inline std::string RandomPng(int height, int width, uint64_t seed) {
  return EncodePng(RandomImage(height, width, seed)).value();
}

// `format` and `filter` as in archive_write_set_format_by_name and
// archive_write_add_filter_by_name, or "none".
inline void WriteArchive(
    const std::string& path, const char* format, const char* filter,
    const std::vector<std::pair<std::string, std::string>>& members) {
  archive* out = archive_write_new();
  ASSERT_EQ(archive_write_set_format_by_name(out, format), ARCHIVE_OK);
  if (std::string(filter) != "none") {
    ASSERT_EQ(archive_write_add_filter_by_name(out, filter), ARCHIVE_OK);
  }
  ASSERT_EQ(archive_write_open_filename(out, path.c_str()), ARCHIVE_OK);
  for (const auto& [name, bytes] : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(bytes.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    ASSERT_EQ(archive_write_header(out, entry), ARCHIVE_OK) << archive_error_string(out);
    ASSERT_EQ(archive_write_data(out, bytes.data(), bytes.size()),
              static_cast<la_ssize_t>(bytes.size()));
    archive_entry_free(entry);
  }
  ASSERT_EQ(archive_write_close(out), ARCHIVE_OK);
  archive_write_free(out);
}

// The folder of the real images, or "" when IAT_DATA is not set.
inline std::string RealData() {
  const char* folder = std::getenv("IAT_DATA");
  return folder == nullptr ? "" : folder;
}

}  // namespace iat

#define IAT_SKIP_WITHOUT_REAL_DATA()                                                 \
  if (::iat::RealData().empty()) {                                                   \
    GTEST_SKIP() << "needs real images: set IAT_DATA to the folder that holds them"; \
  }

#endif  // IAT_TESTS_IMAGES_TEST_IMAGES_H_
