#include "base/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "base/status.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class FileTest : public ::testing::Test {
 protected:
  FileTest() {
    folder_ = fs::path(::testing::TempDir()) /
              (std::string("file_test-") + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  ~FileTest() override { fs::remove_all(folder_); }
  fs::path folder_;
};

TEST_F(FileTest, WritesWholeFilesAndLeavesNoTemporary) {
  const fs::path path = folder_ / "deep" / "a.txt";
  ASSERT_TRUE(WriteFileAtomically(path, "hello").ok());
  EXPECT_EQ(ReadFile(path).value(), "hello");
  EXPECT_EQ(std::distance(fs::directory_iterator(path.parent_path()), {}), 1);
}

TEST_F(FileTest, AFailedWriteKeepsTheOldFile) {
  const fs::path path = folder_ / "a.txt";
  ASSERT_TRUE(WriteFileAtomically(path, "old").ok());
  const absl::Status status = WriteAtomically(path, [](const fs::path& temporary) {
    std::ofstream(temporary) << "half";
    return absl::InternalError(temporary.string() + ": broke off");
  });
  EXPECT_EQ(status.message(), path.string() + ": broke off");
  EXPECT_EQ(ReadFile(path).value(), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(FileTest, MissingFilesAreNamed) {
  const auto contents = ReadFile(folder_ / "absent");
  EXPECT_EQ(contents.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(contents.status().message()),
              HasSubstr("absent: No such file or directory"));
}

TEST_F(FileTest, RemovesTemporariesOnly) {
  std::ofstream(folder_ / ".weights.iat-tmp-12-0.safetensors") << "x";
  std::ofstream(folder_ / "weights.safetensors") << "x";
  ASSERT_TRUE(RemoveTemporaries(folder_).ok());
  EXPECT_TRUE(fs::exists(folder_ / "weights.safetensors"));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(FileTest, ASecondProcessIsRefusedAndTheHolderNamed) {
  const fs::path path = folder_ / "lock";
  auto lock = FileLock::TryAcquire(path, FileLock::Mode::kExclusive);
  ASSERT_TRUE(lock.ok()) << lock.status();
  // flock belongs to the open file, so a second open in this process conflicts
  // exactly as another process would.
  const auto second = FileLock::TryAcquire(path, FileLock::Mode::kShared);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr("is in use by process " + std::to_string(::getpid())));
}

TEST_F(FileTest, LocksDieWithTheirProcess) {
  const fs::path path = folder_ / "lock";
  const pid_t child = ::fork();
  if (child == 0) {
    auto lock = FileLock::TryAcquire(path, FileLock::Mode::kExclusive);
    ::_exit(lock.ok() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  EXPECT_TRUE(FileLock::TryAcquire(path, FileLock::Mode::kExclusive).ok());
}

TEST_F(FileTest, Sha256MatchesTheStandardsExample) {
  // FIPS 180-2, appendix B.1.
  EXPECT_EQ(Sha256("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  ASSERT_TRUE(WriteFileAtomically(folder_ / "abc", "abc").ok());
  EXPECT_EQ(Sha256OfFile(folder_ / "abc").value(), Sha256("abc"));
}

TEST(NearestNameTest, FindsMisspellingsAndRefusesStrangers) {
  const std::vector<std::string> names = {"ridge_penalty", "min_active", "mappings"};
  EXPECT_EQ(NearestName("ridge_penality", names), "ridge_penalty");
  EXPECT_EQ(NearestName("mni_active", names), "min_active");
  EXPECT_EQ(NearestName("colour", names), "");
}

}  // namespace
}  // namespace iat
