// How the Poisson regression scales and chooses; similarity/glm_poisson_softplus.h says
// what it is.

#ifndef IAT_SIMILARITY_GLM_POISSON_SOFTPLUS_OPTIONS_H_
#define IAT_SIMILARITY_GLM_POISSON_SOFTPLUS_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/options.h"

namespace iat {

struct GlmPoissonSoftplusOptions {
  std::vector<double> penalties = {1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5};
  int64_t num_folds = 3;
  std::string source_scaling = "standard";
  std::string target_scaling = "mean";

  void Describe(OptionVisitor& visitor);
  absl::Status Validate() const;
};

}  // namespace iat

#endif  // IAT_SIMILARITY_GLM_POISSON_SOFTPLUS_OPTIONS_H_
