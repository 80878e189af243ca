// How the process's heap treats large blocks. No effect without glibc.

#ifndef IAT_BASE_MEMORY_H_
#define IAT_BASE_MEMORY_H_

namespace iat {

// From now on, freed matrices of up to 32 MiB stay with the process for the next one of
// their kind. By default each goes back to the system, and fetching its pages anew costs
// an eighth of a ridge. At most 512 MiB are kept.
void KeepFreedMatrices();

// From now on, all freed memory stays with the process. For training: gradients and
// activations of the large layers are freed and asked for again at every step; left to
// itself malloc returns them to the kernel, which then clears hundreds of megabytes of
// pages a step.
void KeepFreedMemory();

// Gives freed memory back now, before a stage that asks for blocks of other sizes: its
// peak is then its own.
void ReturnFreedMemory();

}  // namespace iat

#endif  // IAT_BASE_MEMORY_H_
