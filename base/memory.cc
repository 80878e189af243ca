#include "base/memory.h"

#include <cstdlib>  // defines __GLIBC__

#ifdef __GLIBC__
#include <malloc.h>

#include <limits>
#endif

namespace iat {

void KeepFreedMatrices() {
#ifdef __GLIBC__
  ::mallopt(M_ARENA_MAX, 1);  // other arenas give a heap back as soon as it is empty
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 512 << 20);
#endif
}

void KeepFreedMemory() {
#ifdef __GLIBC__
  ::mallopt(M_MMAP_MAX, 0);
  ::mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
#endif
}

void ReturnFreedMemory() {
#ifdef __GLIBC__
  (void)::malloc_trim(0);
#endif
}

}  // namespace iat
