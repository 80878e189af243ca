// How many components partial least squares uses; similarity/pls.h says what they are.

#ifndef IAT_SIMILARITY_PLS_OPTIONS_H_
#define IAT_SIMILARITY_PLS_OPTIONS_H_

#include <cstdint>

#include "base/options.h"

namespace iat {

struct PlsOptions {
  int64_t num_components = 25;
  int64_t max_components = 50;
  int64_t num_folds = 5;

  void Describe(OptionVisitor& visitor);
};

}  // namespace iat

#endif  // IAT_SIMILARITY_PLS_OPTIONS_H_
