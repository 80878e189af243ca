// Work on files from elsewhere in a process of its own.
//
// HDF5 1.10 can crash on a damaged or hostile file, deep inside code that is not ours.
// A child process takes the blow, and the caller gets a Status that says so.
//
// Example:
//   auto text = RunContained("session.nwb", [&]() -> absl::StatusOr<std::string> {
//     IAT_ASSIGN_OR_RETURN(const Imported imported, Import(...));
//     IAT_RETURN_IF_ERROR(WriteRecording(path, imported.recording));
//     return imported.log;
//   });

#ifndef IAT_NEURAL_CONTAINED_H_
#define IAT_NEURAL_CONTAINED_H_

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace iat {

// Runs `work` in a forked child and gives back its text or its Status. DataLoss naming
// `what` when the child dies by a signal or ends without an answer. To be called while
// no other thread of the process holds a lock that `work` needs. `work` may start
// threads and write files; what else it changes in memory is lost.
absl::StatusOr<std::string> RunContained(
    absl::string_view what, const std::function<absl::StatusOr<std::string>()>& work);

}  // namespace iat

#endif  // IAT_NEURAL_CONTAINED_H_
