// What the tests of training and extraction share: a folder that goes away, and
// image sets small enough to train on in a second.

#ifndef IAT_TESTS_TRAINING_SMALL_WORLD_H_
#define IAT_TESTS_TRAINING_SMALL_WORLD_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/random.h"
#include "images/packed_set.h"

namespace iat {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    static std::atomic<int> count = 0;
    path_ = std::filesystem::path(::testing::TempDir()) /
            ("iat-test-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    std::filesystem::create_directories(path_);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// `count` dead leaves, without labels, packed in `folder`.
inline PackedSet PackDeadLeaves(const std::filesystem::path& folder, int64_t count,
                                int64_t seed = 0) {
  ImageOptions options;
  options.source = "dead-leaves";
  options.count = count;
  options.seed = seed;
  const auto report = PackImages(options, folder, /*jobs=*/1);
  EXPECT_TRUE(report.ok()) << report.status();
  auto set = PackedSet::Open(folder);
  EXPECT_TRUE(set.ok()) << set.status();
  return *std::move(set);
}

// A set made by hand: `count` images of `side` x `side` pixels in two classes, one
// reddish with label 0 and one bluish with label 1, under a little noise. `shade` is
// what the green of the last row has beyond that of the first.
inline PackedSet WriteTwoColours(const std::filesystem::path& folder, int64_t count,
                                 int side = kInputSide, int shade = 0) {
  std::filesystem::create_directories(folder);
  const std::string shape = "(" + std::to_string(count) + ", " + std::to_string(side) +
                            ", " + std::to_string(side) + ", 3)";
  std::string header =
      "{'descr': '|u1', 'fortran_order': False, 'shape': " + shape + ", }";
  header.append(118 - header.size() - 1, ' ').push_back('\n');
  std::ofstream pixels(folder / "images.npy", std::ios::binary);
  pixels << "\x93NUMPY" << '\x01' << '\0' << static_cast<char>(header.size()) << '\0'
         << header;
  std::ofstream index(folder / "index.csv");
  index << "row,id,label\n";
  RandomStream noise(5, "two-colours");
  for (int64_t i = 0; i < count; ++i) {
    const int label = static_cast<int>(i % 2);
    index << i << ",image-" << i << "," << label << "\n";
    for (int j = 0; j < side * side; ++j) {
      const int green = 90 + shade * (j / side) / side;
      for (const int level : {label == 0 ? 200 : 40, green, label == 0 ? 40 : 200}) {
        pixels.put(static_cast<char>(level + static_cast<int>(noise.UniformInt(40))));
      }
    }
  }
  pixels.close();
  index.close();
  auto set = PackedSet::Open(folder);
  EXPECT_TRUE(set.ok()) << set.status();
  return *std::move(set);
}

}  // namespace iat

#endif  // IAT_TESTS_TRAINING_SMALL_WORLD_H_
