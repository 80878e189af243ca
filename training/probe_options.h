// Config table [probe]: what linear probes (training/linear_probe.h) read and fit.

#ifndef IAT_TRAINING_PROBE_OPTIONS_H_
#define IAT_TRAINING_PROBE_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/options.h"

namespace iat {

struct ProbeOptions {
  std::vector<std::string> layers = {"fc7"};
  std::string stage = "post_relu";
  int64_t num_images = 5000;
  double largest_penalty = 1.0;
  double smallest_penalty = 1e-5;
  int64_t num_penalties = 6;
  int64_t max_iterations = 300;

  void Describe(OptionVisitor& visitor);
  absl::Status Validate() const;
};

}  // namespace iat

#endif  // IAT_TRAINING_PROBE_OPTIONS_H_
