// iat compare --source a.npy --target b.npy: two matrices, no config; and iat compare
// --list: the mappings and metrics there are. similarity/array_file.h says what is read,
// similarity/compare_arrays.h what is computed and shown.

#ifndef IAT_APP_ARRAY_COMMANDS_H_
#define IAT_APP_ARRAY_COMMANDS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "similarity/compare_arrays.h"

namespace CLI {
class App;
}

namespace iat {

class ArrayCommand {
 public:
  // Adds --source, --target and what goes with them to `command`, none of which can stand
  // beside its CONFIG, which is no longer required.
  void AddTo(CLI::App* command);
  bool requested() const { return list_ || !source_.empty(); }

  // What is wrong with the command line itself. `overrides`: --set
  // compare.ridge.num_penalties=30, compare.metric.shape_alpha=0.5, ...
  absl::Status Prepare(const std::vector<std::string>& overrides);
  // Result to stdout, progress and remarks to stderr.
  absl::Status Run(int jobs, bool json, bool quiet) const;

 private:
  std::string source_, target_, units_path_;
  std::vector<std::string> mappings_, metrics_;
  ArrayCompareOptions options_;
  bool list_ = false;
};

}  // namespace iat

#endif  // IAT_APP_ARRAY_COMMANDS_H_
