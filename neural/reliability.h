// How reliably a neuron responds to the same stimuli: split-half reliability with the
// Spearman-Brown correction.
//
//   for each random split of the trials into halves a and b:
//     r  = Pearson correlation over stimuli of (mean over a, mean over b)
//     SB = 2 r / (1 + r)              reliability of all trials from that of one half
//   reliability = mean of SB over the splits
//
// Missing trials are NaN. Half means run over the trials there are; a stimulus without a
// trial in one half is left out of that split's correlation. A split with fewer than 2
// such stimuli, with a constant half, or with r = -1 gives no number and is left out of
// the mean and counted; no split left: NaN.
//
// Halves have floor(n/2) and ceil(n/2) of the n trials. SB is not clamped: an r near -1
// gives a large negative number, as in the reference.
//
// Shapes   values: trials x stimuli, C order, one neuron (and time bin).
// Source   Spearman (1910), Brown (1910); 900 splits as Nayebi et al. (2023).
//
// Example:
//   const TrialSplits splits(num_trials, {.num_splits = 900, .trial_seed = 0});
//   const Reliability reliability = splits.SplitHalf(values.data(), num_stimuli);

#ifndef IAT_NEURAL_RELIABILITY_H_
#define IAT_NEURAL_RELIABILITY_H_

#include <Eigen/Core>
#include <cstdint>
#include <vector>

#include "base/options.h"

namespace iat {

// Config keys of [reliability] in a description.
struct TrialSplitOptions {
  int64_t num_splits = 900;
  int64_t trial_seed = 0;

  void Describe(OptionVisitor& visitor);
};

struct Reliability {
  double mean = 0.0;  // NaN: no split gave a number
  int64_t num_undefined_splits = 0;
};

class TrialSplits {
 public:
  // A function of the number of trials, the seed and the split's number alone, so that
  // more splits begin with the same ones.
  TrialSplits(int64_t num_trials, const TrialSplitOptions& options);
  // Splits given from outside: splits x trials, true where the trial is in half a.
  explicit TrialSplits(const std::vector<std::vector<bool>>& in_first_half);

  int64_t num_trials() const { return first_.cols(); }
  int64_t num_splits() const { return first_.rows(); }
  bool InFirstHalf(int64_t split, int64_t trial) const {
    return first_(split, trial) > 0;
  }

  // With fewer than 2 trials: NaN, every split undefined.
  Reliability SplitHalf(const float* values, int64_t num_stimuli) const;

 private:
  // Splits x trials, 1 where the trial is in that half.
  Eigen::MatrixXd first_, second_;
};

// 2r/(1+r); NaN at r = -1.
double SpearmanBrown(double r);

// Pearson correlation over the entries where both are finite; NaN with fewer than 2 of
// them or when one side is constant on them.
double PairwisePearson(const double* a, const double* b, int64_t count,
                       int64_t stride = 1);

}  // namespace iat

#endif  // IAT_NEURAL_RELIABILITY_H_
