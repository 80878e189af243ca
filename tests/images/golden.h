// Golden values that tests/golden/images/make_pillow_golden.py wrote.

#ifndef IAT_TESTS_IMAGES_GOLDEN_H_
#define IAT_TESTS_IMAGES_GOLDEN_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/hex.h"
#include "images/image.h"

namespace iat {

inline nlohmann::json ReadPillowGolden() {
  const char* root = std::getenv("IAT_SOURCE_DIR");
  const std::string path = std::string(root == nullptr ? "." : root) +
                           "/tests/golden/images/pillow_golden.json";
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  return nlohmann::json::parse(file);
}

inline std::vector<uint8_t> FromHex(const nlohmann::json& text) {
  const std::string bytes = BytesFromHex(text.get<std::string>());
  return {bytes.begin(), bytes.end()};
}

// The picture that the script calls pattern(height, width).
inline Image GoldenPattern(int height, int width) {
  Image image{height, width,
              std::vector<uint8_t>(static_cast<size_t>(height) * width * 3)};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        int value = (x + y) % 3 == 0 ? (y * 37 + x * 101 + c * 53) ^ (y * x * 7)
                                     : y * 9 + x * 5 + c * 40;
        if ((x * 5 + y) % 11 == 0) value = y * 23 + x;
        image.pixels[(static_cast<size_t>(y) * width + x) * 3 + c] =
            static_cast<uint8_t>(value & 255);
      }
    }
  }
  return image;
}

struct Difference {
  int largest = 0;
  int count = 0;  // values that differ
};

inline Difference Compare(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  EXPECT_EQ(a.size(), b.size());
  Difference difference;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const int distance = std::abs(static_cast<int>(a[i]) - static_cast<int>(b[i]));
    difference.largest = std::max(difference.largest, distance);
    difference.count += distance != 0;
  }
  return difference;
}

}  // namespace iat

#endif  // IAT_TESTS_IMAGES_GOLDEN_H_
