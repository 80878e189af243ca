// How a training process treats its memory.

#ifndef IAT_TRAINING_MEMORY_H_
#define IAT_TRAINING_MEMORY_H_

namespace iat {

// Freed memory stays with this process from now on. Gradients and activations of the
// large layers are freed and asked for again at every step; left to itself malloc
// returns them to the kernel, which then clears hundreds of megabytes of pages a step.
void KeepFreedMemory();

}  // namespace iat

#endif  // IAT_TRAINING_MEMORY_H_
