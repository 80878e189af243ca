// What each unit does over a stimulus set, in one pass and without keeping responses.
//
//   mean, sd             of the responses; sd with n - 1
//   sparsity             share of stimuli with a response <= 0
//   lifetime_sparseness  (1 - (sum r / n)^2 / (sum r^2 / n)) / (1 - 1/n), r the
//                        response's positive part: 0 for equal responses, 1 for one
//                        stimulus alone; NaN for a dead unit
//   dead                 1 where no stimulus gives a response > 0
//
// Source  Vinje & Gallant, Science 287 (2000); merging of moments: Chan, Golub &
//         LeVeque, Am. Stat. 37 (1983).
//
// Blocks are merged in the order they are added: results depend on the blocks (to
// rounding), never on who computed them.

#ifndef IAT_EXTRACTION_UNIT_SUMMARY_H_
#define IAT_EXTRACTION_UNIT_SUMMARY_H_

#include <Eigen/Core>
#include <string>
#include <utility>
#include <vector>

#include "base/activation_file.h"

namespace iat {

class UnitSummary {
 public:
  UnitSummary() = default;
  explicit UnitSummary(int64_t num_units);

  // Stimuli x units.
  void Add(const Eigen::Ref<const ActivationMatrix>& responses);
  void Merge(const UnitSummary& other);

  int64_t num_stimuli() const { return num_stimuli_; }
  Eigen::ArrayXd mean() const { return mean_; }
  Eigen::ArrayXd sd() const;
  Eigen::ArrayXd sparsity() const;
  Eigen::ArrayXd lifetime_sparseness() const;
  Eigen::ArrayXd dead() const;

  // The running moments under fixed names, for files that hold a part of the stimuli.
  static std::vector<std::pair<std::string, std::string>> StateNames();
  std::vector<Eigen::ArrayXd> State() const;
  static UnitSummary FromState(int64_t num_stimuli, std::vector<Eigen::ArrayXd> state);

 private:
  int64_t num_stimuli_ = 0;
  Eigen::ArrayXd mean_;
  Eigen::ArrayXd squares_;  // sum of squared distances from the mean
  Eigen::ArrayXd num_positive_;
  Eigen::ArrayXd positive_sum_;
  Eigen::ArrayXd positive_squares_;
};

}  // namespace iat

#endif  // IAT_EXTRACTION_UNIT_SUMMARY_H_
