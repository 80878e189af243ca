// Reading a packed set that is larger than the memory.

#ifndef IAT_IMAGES_PIXEL_PAGES_H_
#define IAT_IMAGES_PIXEL_PAGES_H_

#include <cstdint>

#include "images/packed_set.h"

namespace iat {

// Images [begin, end) of the set were read and won't be needed soon: without this a
// process that goes through a set seems to grow with it. Their pixels stay valid.
void ForgetPixels(const PackedSet& set, int64_t begin, int64_t end);

}  // namespace iat

#endif  // IAT_IMAGES_PIXEL_PAGES_H_
