// How LogisticRidge chooses its penalties and its gate; similarity/logistic_ridge.h
// says what it is.

#ifndef IAT_SIMILARITY_LOGISTIC_RIDGE_OPTIONS_H_
#define IAT_SIMILARITY_LOGISTIC_RIDGE_OPTIONS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "base/options.h"

namespace iat {

struct LogisticRidgeOptions {
  // C of 1e-3, 1e-2, ..., 1e3 in sklearn's terms: C = 1 / (2 logistic_penalty).
  std::vector<double> logistic_penalties = {500, 50, 5, 0.5, 0.05, 0.005, 0.0005};
  int64_t num_folds = 3;
  int64_t min_active = 20;
  double activity_threshold = 0.0;
  std::vector<double> gate_thresholds = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};

  void Describe(OptionVisitor& visitor);
  absl::Status Validate() const;
};

}  // namespace iat

#endif  // IAT_SIMILARITY_LOGISTIC_RIDGE_OPTIONS_H_
