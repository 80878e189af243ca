// Whether a rotation may scale; similarity/procrustes.h says what the mapping is.

#ifndef IAT_SIMILARITY_PROCRUSTES_OPTIONS_H_
#define IAT_SIMILARITY_PROCRUSTES_OPTIONS_H_

#include "base/options.h"

namespace iat {

struct ProcrustesOptions {
  bool scale = true;

  void Describe(OptionVisitor& visitor);
};

}  // namespace iat

#endif  // IAT_SIMILARITY_PROCRUSTES_OPTIONS_H_
