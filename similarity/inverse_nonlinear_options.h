// How the map behind the ReLU is chosen; similarity/inverse_nonlinear.h says what it is.

#ifndef IAT_SIMILARITY_INVERSE_NONLINEAR_OPTIONS_H_
#define IAT_SIMILARITY_INVERSE_NONLINEAR_OPTIONS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "base/options.h"

namespace iat {

struct InverseNonlinearOptions {
  std::vector<double> penalties = {1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5};
  int64_t num_folds = 3;

  void Describe(OptionVisitor& visitor);
  absl::Status Validate() const;
};

}  // namespace iat

#endif  // IAT_SIMILARITY_INVERSE_NONLINEAR_OPTIONS_H_
