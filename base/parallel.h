// Work in parallel outside, one thread inside: pairs, splits, targets and images
// run side by side, while BLAS, OpenMP and OpenCV stay on one thread. Threads
// inside BLAS lose by factors of 10 to 100 when another process wants a core.

#ifndef IAT_BASE_PARALLEL_H_
#define IAT_BASE_PARALLEL_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"

namespace iat {

// Cores this process may run on (its affinity mask, not the machine's total).
int NumUsableCores();

// Calls work(i) once for each i in [0, n), on up to `jobs` threads, in rising
// order of start, each with one thread inside BLAS and OpenMP. Returns the error of the
// lowest failing index; after an error no new index starts. Results must not depend on
// which thread runs what.
absl::Status ParallelFor(int jobs, int64_t n,
                         const std::function<absl::Status(int64_t)>& work);

// Threads inside the BLAS and OpenMP work of the calling thread; ParallelFor's own
// threads have one each. OpenBLAS only; no effect on other libraries.
void SetBlasThreads(int num_threads);

struct BlasInfo {
  // The library that answers to sgemm_, which LibTorch calls. OpenBLAS may well be in
  // the process too while another library comes first.
  std::string library;
  bool is_reference = false;  // Netlib's, about 40 times slower than OpenBLAS
  std::string config;         // e.g. "OpenBLAS 0.3.21 ... Zen MAX_THREADS=64", or ""
};
BlasInfo GetBlasInfo();

}  // namespace iat

#endif  // IAT_BASE_PARALLEL_H_
