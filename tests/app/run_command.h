// Runs the iat command as a user does, in a folder of its own.

#ifndef IAT_TESTS_APP_RUN_COMMAND_H_
#define IAT_TESTS_APP_RUN_COMMAND_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/file.h"

namespace iat {

struct CommandResult {
  int exit_code = -1;  // 128 + signal when killed
  std::string out, err;
};

inline std::string IatBinary() {
  const char* binary = std::getenv("IAT_BINARY");
  return binary == nullptr ? "iat" : binary;
}

// A started command; its process leads a group of its own.
struct RunningCommand {
  pid_t process = -1;
  std::filesystem::path out, err;

  CommandResult Wait() {
    int status = 0;
    ::waitpid(process, &status, 0);
    CommandResult result;
    result.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    result.out = ReadFile(out).value_or("");
    result.err = ReadFile(err).value_or("");
    std::filesystem::remove(out);
    std::filesystem::remove(err);
    return result;
  }
};

// The first word is looked for on the PATH.
inline RunningCommand StartProgram(std::vector<std::string> words) {
  static int counter = 0;
  const std::string stem =
      std::filesystem::path(::testing::TempDir()) /
      ("iat-command-" + std::to_string(::getpid()) + "-" + std::to_string(counter++));
  RunningCommand running{.process = -1, .out = stem + ".out", .err = stem + ".err"};
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  running.process = ::fork();
  if (running.process == 0) {
    ::setpgid(0, 0);
    const int out = ::open(running.out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int err = ::open(running.err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(err, STDERR_FILENO);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  return running;
}

inline RunningCommand StartCommand(const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {IatBinary()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return StartProgram(std::move(words));
}

inline CommandResult RunCommand(const std::vector<std::string>& arguments) {
  return StartCommand(arguments).Wait();
}

// A folder that is empty at the start and gone at the end.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& name)
      : path_(std::filesystem::path(::testing::TempDir()) /
              (name + "-" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

inline void WriteText(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

}  // namespace iat

#endif  // IAT_TESTS_APP_RUN_COMMAND_H_
