// Worker processes side by side: each runs this same program with other
// arguments. One dying does not take the others down, and LibTorch's and BLAS's
// process-wide thread settings stay out of each other's way.
//
// A worker speaks to its parent on stdout, a line at a time:
//   "progress DONE TOTAL TEXT" and "message TEXT"
// and to the user on stderr. Workers are killed when their parent dies; a SIGINT or
// SIGTERM of the parent is passed on to them, and they end in their own time.

#ifndef IAT_BASE_WORKERS_H_
#define IAT_BASE_WORKERS_H_

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace iat {

struct WorkerTask {
  std::string name;                      // "seed-003"
  std::vector<std::string> arguments;    // after the program's name
  std::vector<std::string> environment;  // "NAME=value", added to ours
};

struct WorkerEvents {
  std::function<void(const WorkerTask&, double done, double total, absl::string_view)>
      progress;
  std::function<void(const WorkerTask&, absl::string_view)> message;
};

// Runs all tasks, at most `jobs` at once, in order of start. After all have ended:
// Cancelled when `stop` was set; otherwise an error that names every failed worker
// with its exit code or signal.
absl::Status RunWorkers(const std::vector<WorkerTask>& tasks, int jobs,
                        const WorkerEvents& events, const std::atomic<bool>& stop);

// A worker's side of the conversation.
void TellProgress(double done, double total, absl::string_view text);
void TellMessage(absl::string_view text);

// Set by SIGINT and SIGTERM once InstallStopHandler has run; a second signal ends
// the process at once.
std::atomic<bool>& StopRequested();
void InstallStopHandler();

}  // namespace iat

#endif  // IAT_BASE_WORKERS_H_
