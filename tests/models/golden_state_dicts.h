// Reads tests/golden/models/state_dicts.txt.

#ifndef IAT_TESTS_MODELS_GOLDEN_STATE_DICTS_H_
#define IAT_TESTS_MODELS_GOLDEN_STATE_DICTS_H_

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"

namespace iat {

struct GoldenStateDicts {
  std::map<std::string, std::string> files;  // name -> bytes
  std::map<std::string, std::vector<float>> values;
};

inline std::string SourceFolder() {
  const char* folder = std::getenv("IAT_SOURCE_DIR");
  return folder == nullptr ? "." : folder;
}

inline GoldenStateDicts ReadGoldenStateDicts() {
  std::ifstream in(SourceFolder() + "/tests/golden/models/state_dicts.txt");
  GoldenStateDicts golden;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string kind, name;
    words >> kind >> name;
    if (kind == "file") {
      std::string text;
      words >> text;
      EXPECT_TRUE(absl::Base64Unescape(text, &golden.files[name])) << name;
    } else if (kind == "values") {
      for (float value = 0; words >> value;) golden.values[name].push_back(value);
    }
  }
  EXPECT_EQ(golden.files.size(), 4u) << "run the tests through ctest";
  return golden;
}

}  // namespace iat

#endif  // IAT_TESTS_MODELS_GOLDEN_STATE_DICTS_H_
