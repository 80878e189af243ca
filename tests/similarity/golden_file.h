// Reads text files of tests/golden: name rows cols, then the rows.

#ifndef IAT_TESTS_SIMILARITY_GOLDEN_FILE_H_
#define IAT_TESTS_SIMILARITY_GOLDEN_FILE_H_

#include <Eigen/Core>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

namespace iat {

inline std::map<std::string, Eigen::MatrixXd> ReadGoldenAt(const std::string& path) {
  const char* root = std::getenv("IAT_SOURCE_DIR");
  std::ifstream file(std::string(root ? root : ".") + "/tests/golden/" + path);
  std::map<std::string, Eigen::MatrixXd> golden;
  std::string line;
  std::getline(file, line);  // who made it
  while (std::getline(file, line)) {
    std::istringstream header(line);
    std::string key;
    Eigen::Index rows = 0, cols = 0;
    header >> key >> rows >> cols;
    Eigen::MatrixXd matrix(rows, cols);
    for (Eigen::Index i = 0; i < rows; ++i) {
      std::getline(file, line);
      std::istringstream numbers(line);
      std::string number;  // a stream reads no "nan"
      for (Eigen::Index j = 0; j < cols && numbers >> number; ++j) {
        matrix(i, j) = std::strtod(number.c_str(), nullptr);
      }
    }
    golden[key] = matrix;
  }
  return golden;
}

inline std::map<std::string, Eigen::MatrixXd> ReadGolden(const std::string& name) {
  return ReadGoldenAt("similarity/" + name);
}

}  // namespace iat

#endif  // IAT_TESTS_SIMILARITY_GOLDEN_FILE_H_
