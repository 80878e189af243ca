// How the process's heap treats large blocks.

#ifndef IAT_BASE_MEMORY_H_
#define IAT_BASE_MEMORY_H_

namespace iat {

// From now on, freed matrices of up to 32 MiB stay with the process for the next one of
// their kind. By default each goes back to the system, and fetching its pages anew costs
// an eighth of a ridge. At most 512 MiB are kept. No effect without glibc.
void KeepFreedMatrices();

}  // namespace iat

#endif  // IAT_BASE_MEMORY_H_
