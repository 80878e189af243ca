// Golden values: text files of named matrices that the scripts in tests/golden/similarity
// write, and the problem that they were made from.

#ifndef IAT_TESTS_SIMILARITY_GOLDEN_H_
#define IAT_TESTS_SIMILARITY_GOLDEN_H_

#include <Eigen/Core>
#include <map>
#include <string>

#include "tests/similarity/golden_file.h"
#include "tests/similarity/synthetic.h"

namespace iat {

class Golden {
 public:
  explicit Golden(const std::string& name) : values_(ReadGolden(name)) {}
  const Eigen::MatrixXd& operator[](const std::string& key) const {
    return values_.at(key);
  }

 private:
  std::map<std::string, Eigen::MatrixXd> values_;
};

// problem() of formula.py.
struct GoldenProblem {
  static constexpr Eigen::Index kNumFit = 160, kNumTest = 60, kNumSource = 12,
                                kNumTarget = 5;
  Eigen::MatrixXd x, y, x_test, y_test;

  GoldenProblem() {
    const Eigen::MatrixXd source = FormulaMatrix(kNumFit + kNumTest, kNumSource, 1);
    Eigen::MatrixXd target = source * FormulaMatrix(kNumSource, kNumTarget, 2) +
                             1.5 * FormulaMatrix(kNumFit + kNumTest, kNumTarget, 3);
    target.rowwise() += Eigen::RowVectorXd::LinSpaced(kNumTarget, -2.0, 2.0);
    target = target.cwiseMax(0.0);
    x = source.topRows(kNumFit);
    y = target.topRows(kNumFit);
    x_test = source.bottomRows(kNumTest);
    y_test = target.bottomRows(kNumTest);
  }
};

}  // namespace iat

#endif  // IAT_TESTS_SIMILARITY_GOLDEN_H_
