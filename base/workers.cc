#include "base/workers.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"

extern char** environ;

namespace iat {
namespace {

struct Worker {
  const WorkerTask* task = nullptr;
  pid_t process = -1;
  int output = -1;      // read end of its stdout
  std::string pending;  // an unfinished line
};

absl::StatusOr<Worker> Start(const WorkerTask& task) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "cannot create a pipe");
  // Everything that allocates happens before fork.
  std::vector<std::string> arguments = {"iat"};
  arguments.insert(arguments.end(), task.arguments.begin(), task.arguments.end());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::vector<std::string> variables = task.environment;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const absl::string_view text(*variable);
    const absl::string_view key = text.substr(0, text.find('=') + 1);
    bool replaced = false;
    for (const std::string& own : task.environment)
      replaced |= absl::StartsWith(own, key);
    if (!replaced) variables.emplace_back(text);
  }
  std::vector<char*> envp;
  for (std::string& variable : variables) envp.push_back(variable.data());
  envp.push_back(nullptr);

  const pid_t parent = ::getpid();
  const pid_t process = ::fork();
  if (process < 0) {
    const int error = errno;
    ::close(ends[0]);
    ::close(ends[1]);
    return ErrnoStatus(error, absl::StrCat("cannot start a worker for ", task.name));
  }
  if (process == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    // Die with the parent, however it dies: whoever starts again must not meet a
    // worker of the run before. What is complete is kept anyway.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    ::execve("/proc/self/exe", argv.data(), envp.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  return Worker{.task = &task, .process = process, .output = ends[0], .pending = ""};
}

void HandleLine(const Worker& worker, absl::string_view line,
                const WorkerEvents& events) {
  if (absl::ConsumePrefix(&line, "progress ")) {
    const std::vector<absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(' ', 2));
    double done = 0.0, total = 0.0;
    if (parts.size() == 3 && absl::SimpleAtod(parts[0], &done) &&
        absl::SimpleAtod(parts[1], &total)) {
      if (events.progress) events.progress(*worker.task, done, total, parts[2]);
      return;
    }
  }
  absl::ConsumePrefix(&line, "message ");
  if (events.message) events.message(*worker.task, line);
}

// False at the end of the worker's output.
bool ReadOutput(Worker& worker, const WorkerEvents& events) {
  char buffer[4096];
  const ssize_t count = ::read(worker.output, buffer, sizeof(buffer));
  if (count < 0) return errno == EINTR || errno == EAGAIN;
  if (count == 0) return false;
  worker.pending.append(buffer, count);
  size_t newline;
  while ((newline = worker.pending.find('\n')) != std::string::npos) {
    HandleLine(worker, absl::string_view(worker.pending).substr(0, newline), events);
    worker.pending.erase(0, newline + 1);
  }
  return true;
}

// "" when it went well.
std::string Reap(const Worker& worker) {
  int status = 0;
  while (::waitpid(worker.process, &status, 0) < 0 && errno == EINTR) {
  }
  ::close(worker.output);
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    return absl::StrCat(worker.task->name, " was killed by signal ", signal, " (",
                        ::strsignal(signal), ")",
                        signal == SIGKILL ? "; was there enough memory?" : "");
  }
  if (WEXITSTATUS(status) == 0) return "";
  return absl::StrCat(worker.task->name, " ended with exit code ", WEXITSTATUS(status));
}

extern "C" void HandleStop(int signal) {
  StopRequested().store(true);
  // The second time the default applies.
  ::signal(signal, SIG_DFL);
}

}  // namespace

absl::Status RunWorkers(const std::vector<WorkerTask>& tasks, int jobs,
                        const WorkerEvents& events, const std::atomic<bool>& stop) {
  std::deque<const WorkerTask*> waiting;
  for (const WorkerTask& task : tasks) waiting.push_back(&task);
  std::vector<Worker> running;
  std::vector<std::string> failures;
  bool stop_passed_on = false;
  while (!running.empty() || (!waiting.empty() && !stop)) {
    while (!waiting.empty() && static_cast<int>(running.size()) < jobs && !stop) {
      auto worker = Start(*waiting.front());
      if (!worker.ok()) {
        failures.push_back(std::string(worker.status().message()));
      } else {
        running.push_back(*std::move(worker));
      }
      waiting.pop_front();
    }
    if (stop && !stop_passed_on) {
      // A terminal's Ctrl-C reaches the workers by itself; a second SIGTERM would
      // end them at once, so it goes only to those that have not heard.
      for (const Worker& worker : running) ::kill(worker.process, SIGUSR1);
      stop_passed_on = true;
    }
    std::vector<pollfd> polls;
    for (const Worker& worker : running) polls.push_back({worker.output, POLLIN, 0});
    if (::poll(polls.data(), polls.size(), 100) <= 0) continue;
    for (size_t i = running.size(); i-- > 0;) {
      if (polls[i].revents == 0 || ReadOutput(running[i], events)) continue;
      const std::string failure = Reap(running[i]);
      if (!failure.empty()) failures.push_back(failure);
      running.erase(running.begin() + static_cast<ptrdiff_t>(i));
    }
  }
  if (stop) return absl::CancelledError("stopped; the same command goes on from there");
  if (failures.empty()) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat(absl::StrJoin(failures, "; "),
                   "; what is complete is kept, the same command makes the rest"));
}

void TellProgress(double done, double total, absl::string_view text) {
  std::printf("progress %.17g %.17g %.*s\n", done, total, static_cast<int>(text.size()),
              text.data());
  std::fflush(stdout);
}

void TellMessage(absl::string_view text) {
  std::printf("message %.*s\n", static_cast<int>(text.size()), text.data());
  std::fflush(stdout);
}

std::atomic<bool>& StopRequested() {
  static std::atomic<bool> stop{false};
  return stop;
}

void InstallStopHandler() {
  struct sigaction action {};
  action.sa_handler = HandleStop;
  ::sigemptyset(&action.sa_mask);
  // SIGUSR1 is how a parent passes a stop on (see RunWorkers).
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1})
    ::sigaction(signal, &action, nullptr);
}

}  // namespace iat
