#include "similarity/split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "absl/strings/str_format.h"

namespace iat {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> Ids(int count) {
  std::vector<std::string> ids;
  for (int i = 0; i < count; ++i) ids.push_back(absl::StrFormat("img_%05d", i));
  return ids;
}

std::vector<std::string> Names(const std::vector<std::string>& ids,
                               const std::vector<int64_t>& rows) {
  std::vector<std::string> names;
  for (const int64_t row : rows) names.push_back(ids[row]);
  return names;
}

TEST(SplitTest, PartsAreDisjointAndOfTheSizeAskedFor) {
  const auto split =
      MakeSplit(Ids(100), {.split_seed = 1, .num_fit = 70, .num_test = 20});
  ASSERT_TRUE(split.ok()) << split.status();
  std::set<int64_t> all(split->fit.begin(), split->fit.end());
  all.insert(split->test.begin(), split->test.end());
  EXPECT_EQ(split->fit.size(), 70);
  EXPECT_EQ(split->test.size(), 20);
  EXPECT_EQ(all.size(), 90);
}

TEST(SplitTest, ZeroTestStimuliMeansTheRest) {
  const auto split = MakeSplit(Ids(100), {.split_seed = 1, .num_fit = 70});
  ASSERT_TRUE(split.ok()) << split.status();
  EXPECT_EQ(split->test.size(), 30);
}

TEST(SplitTest, DoesNotDependOnTheOrderOfTheFile) {
  const std::vector<std::string> ids = Ids(50);
  std::vector<std::string> reversed(ids.rbegin(), ids.rend());
  const SplitRequest request{.split_seed = 4, .num_fit = 30};
  const auto a = MakeSplit(ids, request), b = MakeSplit(reversed, request);
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(Names(ids, a->fit), Names(reversed, b->fit));
  EXPECT_EQ(Names(ids, a->test), Names(reversed, b->test));
}

TEST(SplitTest, SeedsGiveDifferentSplits) {
  const auto a = MakeSplit(Ids(50), {.split_seed = 0, .num_fit = 30});
  const auto b = MakeSplit(Ids(50), {.split_seed = 1, .num_fit = 30});
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_NE(a->fit, b->fit);
}

TEST(SplitTest, SaysHowManyStimuliThereAre) {
  const auto split = MakeSplit(Ids(100), {.num_fit = 90, .num_test = 20});
  EXPECT_EQ(split.status().message(),
            "asked for 90 fit and 20 test stimuli, but there are 100 stimuli");
  const auto rest = MakeSplit(Ids(100), {.num_fit = 100});
  EXPECT_EQ(rest.status().message(),
            "asked for 100 fit and at least 1 test stimuli, but there are 100 stimuli");
}

TEST(SplitTest, RefusesAnIdThatOccursTwice) {
  const auto split = MakeSplit({"a", "b", "a"}, {.num_fit = 2});
  EXPECT_EQ(split.status().message(), "stimulus id \"a\" occurs twice");
}

TEST(SplitTest, CsvNamesEveryStimulusWithItsPart) {
  const std::vector<std::string> ids = {"a", "b", "c,d"};
  const auto split = MakeSplit(ids, {.split_seed = 7, .num_fit = 2});
  ASSERT_TRUE(split.ok());
  const std::string csv = SplitsCsv("held-out", ids, {*split});
  EXPECT_THAT(csv, HasSubstr("stimuli,split_seed,stimulus_id,part\n"));
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 4);
  EXPECT_THAT(csv, HasSubstr(",test\n"));
  EXPECT_THAT(csv, HasSubstr("held-out,7,\"c,d\","));
}

}  // namespace
}  // namespace iat
