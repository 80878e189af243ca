// Reads tests/golden/neural/reliability.txt: name rows cols, then the rows; "nan" too.

#ifndef IAT_TESTS_NEURAL_GOLDEN_H_
#define IAT_TESTS_NEURAL_GOLDEN_H_

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace iat {

struct GoldenMatrix {
  int64_t rows = 0, cols = 0;
  std::vector<double> values;  // row by row
};

inline std::map<std::string, GoldenMatrix> ReadNeuralGolden() {
  const char* root = std::getenv("IAT_SOURCE_DIR");
  std::ifstream file(std::string(root ? root : ".") +
                     "/tests/golden/neural/reliability.txt");
  std::map<std::string, GoldenMatrix> golden;
  std::string line, key, number;
  std::getline(file, line);  // who made it
  while (std::getline(file, line)) {
    GoldenMatrix matrix;
    std::istringstream(line) >> key >> matrix.rows >> matrix.cols;
    for (int64_t i = 0; i < matrix.rows; ++i) {
      std::getline(file, line);
      std::istringstream numbers(line);
      while (numbers >> number)
        matrix.values.push_back(std::strtod(number.c_str(), nullptr));
    }
    golden[key] = matrix;
  }
  return golden;
}

}  // namespace iat

#endif  // IAT_TESTS_NEURAL_GOLDEN_H_
