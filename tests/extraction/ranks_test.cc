#include "extraction/ranks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace iat {
namespace {

class RanksTest : public ::testing::Test {
 protected:
  RanksTest() { Clear(); }
  ~RanksTest() override { Clear(); }
  static void Clear() {
    for (const char* name : {"RANK", "WORLD_SIZE", "OMPI_COMM_WORLD_RANK",
                             "OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_SIZE",
                             "SLURM_PROCID", "SLURM_NTASKS", "SLURM_STEP_NUM_TASKS"}) {
      ::unsetenv(name);
    }
  }
  static std::string Text() {
    const auto rank = RankFromEnvironment();
    return rank.ok() ? RankText(*rank) : std::string(rank.status().message());
  }
};

TEST_F(RanksTest, ComeFromWhicheverLauncherThereIs) {
  EXPECT_EQ(Text(), "0/1");
  for (const auto& [rank, size] : {std::pair{"RANK", "WORLD_SIZE"},
                                   {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"},
                                   {"PMI_RANK", "PMI_SIZE"},
                                   {"SLURM_PROCID", "SLURM_STEP_NUM_TASKS"}}) {
    Clear();
    ::setenv(rank, "2", 1);
    ::setenv(size, "5", 1);
    EXPECT_EQ(Text(), "2/5") << rank;
  }
}

// Slurm numbers the batch script itself too, but nobody else is there.
TEST_F(RanksTest, ASlurmBatchScriptIsAlone) {
  ::setenv("SLURM_PROCID", "0", 1);
  ::setenv("SLURM_NTASKS", "8", 1);
  EXPECT_EQ(Text(), "0/1");
}

TEST_F(RanksTest, HalfSetAndWrongOnesAreNamed) {
  ::setenv("RANK", "1", 1);
  EXPECT_EQ(Text(),
            "RANK is set, but WORLD_SIZE is not; set both, or neither, to share the work "
            "among processes");
  ::setenv("WORLD_SIZE", "1", 1);
  EXPECT_EQ(Text(),
            "RANK is \"1\" and WORLD_SIZE \"1\"; expected numbers, the first from 0 to "
            "below the second");
  ::setenv("RANK", "first", 1);
  EXPECT_THAT(Text(), ::testing::HasSubstr("RANK is \"first\""));
}

TEST_F(RanksTest, WorkersOfRanksAreRanks) {
  int64_t taken = 0;
  for (int64_t r = 0; r < 3; ++r) {
    for (int64_t w = 0; w < 2; ++w) {
      const Rank rank = Rank{r, 3}.Worker(w, 2);
      for (int64_t chunk = 0; chunk < 20; ++chunk) taken += rank.Takes(chunk) ? 1 : 0;
      EXPECT_EQ(RankText(*ParseRank(RankText(rank))), RankText(rank));
    }
  }
  EXPECT_EQ(taken, 20);  // each chunk once: they add up and differ by index
  EXPECT_EQ(ParseRank("2/2").status().message(),
            "rank \"2/2\"; expected something like 0/2");
}

}  // namespace
}  // namespace iat
