#include "base/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
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

TEST(ParallelForTest, NoWorkIsFine) {
  EXPECT_TRUE(ParallelFor(4, 0, [](int64_t) { return absl::InternalError("no"); }).ok());
}

}  // namespace
}  // namespace iat
