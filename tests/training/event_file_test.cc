#include "training/event_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <fstream>

#include "absl/strings/escaping.h"
#include "base/file.h"
#include "base/hex.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::Pair;

class EventFileTest : public ::testing::Test {
 protected:
  EventFileTest()
      : folder_(fs::path(::testing::TempDir()) /
                ("event_file_test-" + std::to_string(::getpid()))),
        path_(folder_ / "run" / "events.out.tfevents.iat") {}
  ~EventFileTest() override { fs::remove_all(folder_); }

  void Write(int64_t last_step, const std::vector<int64_t>& steps) {
    auto file = EventFile::Resume(path_, last_step);
    ASSERT_TRUE(file.ok()) << file.status();
    for (const int64_t step : steps) {
      ASSERT_TRUE(file->Add(step, 1000.5 + static_cast<double>(step),
                            {{"loss", 4.25}, {"knn", std::nan("")}, {"rate", 0.5}})
                      .ok());
    }
  }
  std::vector<int64_t> Steps() {
    std::vector<int64_t> steps;
    for (const Event& event : ParseEvents(*ReadFile(path_))) {
      if (event.file_version.empty()) steps.push_back(event.step);
    }
    return steps;
  }

  fs::path folder_, path_;
};

TEST_F(EventFileTest, HoldsVersionStepsTimesAndScalarsWithoutNan) {
  Write(-1, {2, 300, int64_t{1} << 40});
  const std::vector<Event> events = ParseEvents(*ReadFile(path_));
  ASSERT_EQ(events.size(), 4u);
  EXPECT_EQ(events[0].file_version, "brain.Event:2");
  EXPECT_EQ(events[1].step, 2);
  EXPECT_EQ(events[2].step, 300);
  EXPECT_EQ(events[3].step, int64_t{1} << 40);
  EXPECT_EQ(events[2].wall_time, 1300.5);
  EXPECT_THAT(events[2].scalars, ElementsAre(Pair("loss", 4.25f), Pair("rate", 0.5f)));
}

// What the tensorboard package itself writes for the same event (make_events.py).
TEST_F(EventFileTest, TheBytesAreTensorBoardsOwn) {
  const char* source = std::getenv("IAT_SOURCE_DIR");
  std::ifstream golden(std::string(source == nullptr ? "." : source) +
                       "/tests/golden/training/events.txt");
  std::string line, expected;
  while (std::getline(golden, line)) {
    if (line.empty() || line[0] == '#') continue;
    expected = BytesFromHex(line);
  }
  ASSERT_FALSE(expected.empty()) << "run the tests through ctest";
  Write(-1, {300});
  const std::string bytes = *ReadFile(path_);
  // Behind the version record, whose time is now.
  ASSERT_GE(bytes.size(), expected.size());
  EXPECT_EQ(absl::BytesToHexString(bytes.substr(bytes.size() - expected.size())),
            absl::BytesToHexString(expected));
}

TEST_F(EventFileTest, GoingOnRepeatsNoStep) {
  Write(-1, {2, 4, 6, 8});
  Write(4, {6, 8, 10});
  EXPECT_THAT(Steps(), ElementsAre(2, 4, 6, 8, 10));
  Write(10, {12});
  EXPECT_THAT(Steps(), ElementsAre(2, 4, 6, 8, 10, 12));
  // Starting afresh leaves the version only.
  Write(-1, {1});
  EXPECT_THAT(Steps(), ElementsAre(1));
  EXPECT_EQ(ParseEvents(*ReadFile(path_)).size(), 2u);
}

TEST_F(EventFileTest, WhatAKilledWriterLeftHalfDoneIsCutOff) {
  Write(-1, {2, 4});
  const std::string whole = *ReadFile(path_);
  size_t up_to_two = 0;
  for (size_t size = 0; size < whole.size(); ++size) {
    size_t parsed = 0;
    const auto events = ParseEvents(whole.substr(0, size), &parsed);
    EXPECT_LE(events.size(), 2u);
    EXPECT_LE(parsed, size);
    up_to_two = parsed;
  }
  for (size_t size = up_to_two; size < whole.size(); size += 7) {
    std::ofstream(path_, std::ios::binary) << whole.substr(0, size);
    Write(4, {4});
    EXPECT_THAT(Steps(), ElementsAre(2, 4)) << size;
  }
  // Nor is a damaged record believed.
  std::string damaged = whole;
  damaged[up_to_two + 20] ^= 1;
  std::ofstream(path_, std::ios::binary) << damaged;
  Write(4, {});
  EXPECT_THAT(Steps(), ElementsAre(2));
}

}  // namespace
}  // namespace iat
