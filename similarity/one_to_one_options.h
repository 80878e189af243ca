// How source units are ranked; similarity/one_to_one.h says what the mappings are.

#ifndef IAT_SIMILARITY_ONE_TO_ONE_OPTIONS_H_
#define IAT_SIMILARITY_ONE_TO_ONE_OPTIONS_H_

#include "base/options.h"

namespace iat {

struct OneToOneOptions {
  bool absolute = false;

  void Describe(OptionVisitor& visitor);
};

}  // namespace iat

#endif  // IAT_SIMILARITY_ONE_TO_ONE_OPTIONS_H_
