// Reads the text files of tests/golden/similarity: name rows cols, then the rows.

#ifndef IAT_TESTS_SIMILARITY_GOLDEN_FILE_H_
#define IAT_TESTS_SIMILARITY_GOLDEN_FILE_H_

#include <Eigen/Core>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

namespace iat {

inline std::map<std::string, Eigen::MatrixXd> ReadGolden(const std::string& name) {
  const char* root = std::getenv("IAT_SOURCE_DIR");
  std::ifstream file(std::string(root ? root : ".") + "/tests/golden/similarity/" + name);
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
      for (Eigen::Index j = 0; j < cols; ++j) numbers >> matrix(i, j);
    }
    golden[key] = matrix;
  }
  return golden;
}

}  // namespace iat

#endif  // IAT_TESTS_SIMILARITY_GOLDEN_FILE_H_
