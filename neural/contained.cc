#include "neural/contained.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace iat {
namespace {

// What the child writes: the status code as one byte, then the text or the message.
// Without it the child has not got to its end.
void WriteAll(int descriptor, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

[[noreturn]] void RunChild(int descriptor, pid_t parent,
                           const std::function<absl::StatusOr<std::string>()>& work) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  // A crash that is expected leaves no core file.
  const struct rlimit none = {0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  const absl::StatusOr<std::string> result = work();
  std::string answer(1, static_cast<char>(result.status().code()));
  absl::StrAppend(&answer,
                  result.ok() ? absl::string_view(*result) : result.status().message());
  WriteAll(descriptor, answer);
  ::close(descriptor);
  std::fflush(nullptr);
  ::_exit(0);
}

}  // namespace

absl::StatusOr<std::string> RunContained(
    absl::string_view what, const std::function<absl::StatusOr<std::string>()>& work) {
  int ends[2];
  if (::pipe(ends) != 0) return ErrnoStatus(errno, "cannot make a pipe");
  // What is buffered would be written twice.
  std::fflush(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) {
    const int error = errno;
    ::close(ends[0]);
    ::close(ends[1]);
    return ErrnoStatus(error, "cannot start a process");
  }
  if (child == 0) {
    ::close(ends[0]);
    RunChild(ends[1], parent, work);
  }
  ::close(ends[1]);
  std::string answer;
  char buffer[1 << 16];
  while (true) {
    const ssize_t count = ::read(ends[0], buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    answer.append(buffer, static_cast<size_t>(count));
  }
  ::close(ends[0]);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    const std::string words = absl::StrCat(what, ": reading it ended with signal ",
                                           signal, " (", ::strsignal(signal), "); ");
    if (signal == SIGKILL) {
      return absl::ResourceExhaustedError(
          absl::StrCat(words, "was there enough memory?"));
    }
    if (signal == SIGINT || signal == SIGTERM) {
      return absl::CancelledError(absl::StrCat(words, "stopped"));
    }
    return absl::DataLossError(absl::StrCat(
        words, "the file is damaged in a way that the HDF5 library does not survive"));
  }
  if (answer.empty()) {
    return absl::DataLossError(absl::StrCat(what, ": reading it ended with exit code ",
                                            WEXITSTATUS(status), " and no answer"));
  }
  const auto code = static_cast<absl::StatusCode>(static_cast<unsigned char>(answer[0]));
  answer.erase(0, 1);
  if (code == absl::StatusCode::kOk) return answer;
  return absl::Status(code, answer);
}

}  // namespace iat
