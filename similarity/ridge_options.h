// How a ridge's penalty is chosen; similarity/ridge.h says what a ridge is.

#ifndef IAT_SIMILARITY_RIDGE_OPTIONS_H_
#define IAT_SIMILARITY_RIDGE_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/options.h"

namespace iat {

struct RidgeOptions {
  std::string selection = "loo";
  int64_t num_folds = 5;
  int64_t num_penalties = 20;
  double min_relative_penalty = 1e-6;
  double max_relative_penalty = 1e4;

  void Describe(OptionVisitor& visitor);
  absl::Status Validate() const;

  // The grid, ascending, for a source whose trace(Xc'Xc)/p is `mean_eigenvalue`.
  // Absolute values, as they are stored.
  std::vector<double> Penalties(double mean_eigenvalue) const;
};

}  // namespace iat

#endif  // IAT_SIMILARITY_RIDGE_OPTIONS_H_
