#include "extraction/shares.h"

#include <gtest/gtest.h>

namespace iat {
namespace {

TEST(SharesTest, WorkersOfRanksTakeEachChunkOnce) {
  for (int64_t chunk = 0; chunk < 20; ++chunk) {
    int taken = 0;
    for (int r = 0; r < 3; ++r) {
      for (int w = 0; w < 2; ++w) {
        taken += TakesChunk(WorkerRank({r, 3}, w, 2), chunk) ? 1 : 0;
      }
    }
    EXPECT_EQ(taken, 1) << chunk;
  }
}

TEST(SharesTest, RanksAreWrittenAndRead) {
  const Rank rank = *ParseRank(RankText({3, 8}));
  EXPECT_EQ(rank.index, 3);
  EXPECT_EQ(rank.size, 8);
  for (const char* text : {"2/2", "-1/2", "1", "a/2", ""}) {
    EXPECT_EQ(ParseRank(text).status().message(),
              std::string("rank \"") + text + "\"; expected something like 0/2");
  }
}

}  // namespace
}  // namespace iat
