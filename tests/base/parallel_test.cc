#include "base/parallel.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace iat {
namespace {

TEST(ParallelForTest, VisitsEveryIndexOnce) {
  for (const int jobs : {1, 2, 7}) {
    std::vector<std::atomic<int>> visits(101);
    ASSERT_TRUE(ParallelFor(jobs, 101, [&](int64_t i) {
                  ++visits[i];
                  return absl::OkStatus();
                }).ok());
    for (const auto& count : visits) EXPECT_EQ(count, 1);
  }
}

TEST(ParallelForTest, ReturnsTheLowestError) {
  const absl::Status status = ParallelFor(4, 1000, [](int64_t i) {
    return i >= 10 ? absl::InternalError(std::to_string(i)) : absl::OkStatus();
  });
  EXPECT_EQ(status.message(), "10");
}

// Whatever the environment asks for, a product inside ParallelFor starts no team.
TEST(ParallelForTest, ItsThreadsHaveOneOpenMpThreadEach) {
  omp_set_num_threads(7);
  SetBlasThreads(1);
  std::atomic<int> started{0};
  ASSERT_TRUE(ParallelFor(4, 4, [&](int64_t) {
                ++started;
                while (started < 4) std::this_thread::yield();  // one index a thread
                return omp_get_max_threads() == 1 ? absl::OkStatus()
                                                  : absl::InternalError("a team");
              }).ok());
}

TEST(ParallelForTest, NoWorkIsFine) {
  EXPECT_TRUE(ParallelFor(4, 0, [](int64_t) { return absl::InternalError("no"); }).ok());
}

}  // namespace
}  // namespace iat
