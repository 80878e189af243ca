#include "base/parallel.h"

#include <dlfcn.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace iat {
namespace {

// Looked up at run time: which BLAS the process ends up with is the system's
// choice (Debian's alternatives), not the linker's.
template <typename Function>
Function* Symbol(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_DEFAULT, name));
}

void SetOpenMpThreads(int num_threads) {
  if (auto* set = Symbol<void(int)>("omp_set_num_threads")) set(num_threads);
}

}  // namespace

int NumUsableCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

absl::Status ParallelFor(int jobs, int64_t n,
                         const std::function<absl::Status(int64_t)>& work) {
  std::atomic<int64_t> next{0};
  std::mutex mutex;
  int64_t failed_index = n;
  absl::Status failure;
  const auto run = [&] {
    while (true) {
      const int64_t i = next.fetch_add(1);
      if (i >= n) return;
      absl::Status status = work(i);
      if (status.ok()) continue;
      next.store(n);
      const std::lock_guard<std::mutex> guard(mutex);
      if (i < failed_index) {
        failed_index = i;
        failure = std::move(status);
      }
    }
  };
  const int64_t num_threads = std::clamp<int64_t>(jobs, 1, std::max<int64_t>(n, 1));
  std::vector<std::thread> threads;
  for (int64_t t = 1; t < num_threads; ++t) {
    threads.emplace_back([&run] {
      // OpenMP's number of threads belongs to the thread that set it, and OpenBLAS's
      // OpenMP build follows it: left alone, each of ours would start a team.
      SetOpenMpThreads(1);
      run();
    });
  }
  run();
  for (std::thread& thread : threads) thread.join();
  return failure;
}

void SetBlasThreads(int num_threads) {
  SetOpenMpThreads(num_threads);
  if (auto* set = Symbol<void(int)>("openblas_set_num_threads")) set(num_threads);
}

BlasInfo GetBlasInfo() {
  BlasInfo info;
  Dl_info found{};
  void* const product = ::dlsym(RTLD_DEFAULT, "sgemm_");
  if (product == nullptr || ::dladdr(product, &found) == 0) return info;
  // Debian's libblas.so.3 is a chain of links to the library chosen.
  std::error_code error;
  const auto path = std::filesystem::canonical(found.dli_fname, error);
  info.library = error ? found.dli_fname : path.string();
  const auto contains = [&](const char* part) {
    return info.library.find(part) != std::string::npos;
  };
  info.is_reference = contains("libblas.so") && !contains("openblas") &&
                      !contains("atlas") && !contains("blis") && !contains("mkl");
  auto* config = Symbol<char*()>("openblas_get_config");
  if (contains("openblas") && config != nullptr) info.config = config();
  return info;
}

}  // namespace iat
