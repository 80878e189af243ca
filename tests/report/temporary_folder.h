// A folder for one test, removed with it. Its name holds what a careless command
// line would trip over.

#ifndef IAT_TESTS_REPORT_TEMPORARY_FOLDER_H_
#define IAT_TESTS_REPORT_TEMPORARY_FOLDER_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"

namespace iat {

class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_(std::filesystem::path(::testing::TempDir()) /
              absl::StrCat("it's a `folder` $HOME ", ::getpid())) {
    std::filesystem::create_directories(path_);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  const std::filesystem::path& path() const { return path_; }

  // An executable shell script, to play gnuplot.
  std::string Program(const std::string& name, const std::string& body) const {
    const std::filesystem::path program = path_ / name;
    std::ofstream(program) << "#!/bin/sh\n" << body << "\n";
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    return program.string();
  }

 private:
  std::filesystem::path path_;
};

}  // namespace iat

#endif  // IAT_TESTS_REPORT_TEMPORARY_FOLDER_H_
