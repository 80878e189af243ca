#include "base/rank.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace iat {
namespace {

using ::testing::HasSubstr;

const char* const kVariables[] = {
    "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "PMI_RANK", "PMI_SIZE",
    "SLURM_PROCID",         "SLURM_STEP_NUM_TASKS", "RANK",     "WORLD_SIZE"};

class RankTest : public ::testing::Test {
 protected:
  RankTest() {
    for (const char* variable : kVariables) ::unsetenv(variable);
  }
  ~RankTest() override {
    for (const char* variable : kVariables) ::unsetenv(variable);
  }
};

TEST_F(RankTest, IsAloneWithoutALauncher) {
  // A batch script outside a step: the allocation's tasks are not ours.
  ::setenv("SLURM_PROCID", "0", 1);
  const auto rank = RankFromEnvironment();
  ASSERT_TRUE(rank.ok()) << rank.status();
  EXPECT_EQ(rank->index, 0);
  EXPECT_EQ(rank->size, 1);
}

TEST_F(RankTest, IsWhatAnyLauncherSays) {
  for (size_t i = 0; i < std::size(kVariables); i += 2) {
    ::setenv(kVariables[i], "2", 1);
    ::setenv(kVariables[i + 1], "3", 1);
    const auto rank = RankFromEnvironment();
    ASSERT_TRUE(rank.ok()) << rank.status();
    EXPECT_EQ(rank->index, 2);
    EXPECT_EQ(rank->size, 3);
    ::unsetenv(kVariables[i]);
    ::unsetenv(kVariables[i + 1]);
  }
}

TEST_F(RankTest, SaysWhatIsWrong) {
  ::setenv("RANK", "3", 1);
  for (const char* size : {"3", "x"}) {
    ::setenv("WORLD_SIZE", size, 1);
    EXPECT_THAT(
        std::string(RankFromEnvironment().status().message()),
        HasSubstr("RANK is \"3\" and WORLD_SIZE is \"" + std::string(size) + "\""));
  }
}

}  // namespace
}  // namespace iat
