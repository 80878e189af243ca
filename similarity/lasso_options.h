// How the penalties of lasso and elastic net are chosen; similarity/lasso.h says what
// they are.

#ifndef IAT_SIMILARITY_LASSO_OPTIONS_H_
#define IAT_SIMILARITY_LASSO_OPTIONS_H_

#include <cstdint>

#include "base/options.h"

namespace iat {

struct LassoOptions {
  int64_t num_penalties = 20;
  double min_relative_penalty = 1e-4;
  int64_t num_folds = 5;

  void Describe(OptionVisitor& visitor);
};

struct ElasticNetOptions {
  double l1_ratio = 0.5;
  LassoOptions path;

  void Describe(OptionVisitor& visitor);
};

}  // namespace iat

#endif  // IAT_SIMILARITY_LASSO_OPTIONS_H_
