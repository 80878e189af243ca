#include "neural/reliability.h"

#include <cmath>

#include "base/nan.h"
#include "base/random.h"
#include "base/status.h"

namespace iat {
namespace {}  // namespace

void TrialSplitOptions::Describe(OptionVisitor& visitor) {
  visitor.Integer("num_splits", num_splits, {.min = 1, .max = 1000000},
                  "random halvings of the trials");
  visitor.Integer("trial_seed", trial_seed, {.min = 0}, "which random halvings");
}

double SpearmanBrown(double r) { return r == -1.0 ? kNaN : 2.0 * r / (1.0 + r); }

double PairwisePearson(const double* a, const double* b, int64_t count, int64_t stride) {
  double sum_a = 0.0, sum_b = 0.0;
  int64_t n = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double x = a[i * stride], y = b[i * stride];
    if (!std::isfinite(x) || !std::isfinite(y)) continue;
    sum_a += x;
    sum_b += y;
    ++n;
  }
  if (n < 2) return kNaN;
  const double mean_a = sum_a / static_cast<double>(n);
  const double mean_b = sum_b / static_cast<double>(n);
  double aa = 0.0, bb = 0.0, ab = 0.0;
  double first_a = kNaN, first_b = kNaN;
  bool varies_a = false, varies_b = false;
  for (int64_t i = 0; i < count; ++i) {
    const double x = a[i * stride], y = b[i * stride];
    if (!std::isfinite(x) || !std::isfinite(y)) continue;
    if (std::isnan(first_a)) {
      first_a = x;
      first_b = y;
    }
    // Asked of the values: the mean's rounding gives a constant a variance of 1e-32.
    varies_a |= x != first_a;
    varies_b |= y != first_b;
    aa += (x - mean_a) * (x - mean_a);
    bb += (y - mean_b) * (y - mean_b);
    ab += (x - mean_a) * (y - mean_b);
  }
  if (!varies_a || !varies_b) return kNaN;
  const double r = ab / std::sqrt(aa * bb);
  return std::fmin(std::fmax(r, -1.0), 1.0);
}

TrialSplits::TrialSplits(int64_t num_trials, const TrialSplitOptions& options) {
  IAT_CHECK(num_trials >= 0, "a negative number of trials");
  first_ = Eigen::MatrixXd::Zero(options.num_splits, num_trials);
  for (int64_t split = 0; split < options.num_splits; ++split) {
    RandomStream stream(static_cast<uint64_t>(options.trial_seed), "trial-splits",
                        static_cast<uint64_t>(split), static_cast<uint32_t>(num_trials));
    const std::vector<int64_t> order = stream.Permutation(num_trials);
    for (int64_t i = 0; i < num_trials / 2; ++i) first_(split, order[i]) = 1.0;
  }
  second_ = (1.0 - first_.array()).matrix();
}

TrialSplits::TrialSplits(const std::vector<std::vector<bool>>& in_first_half) {
  IAT_CHECK(!in_first_half.empty(), "no splits");
  first_.resize(static_cast<Eigen::Index>(in_first_half.size()),
                static_cast<Eigen::Index>(in_first_half[0].size()));
  for (Eigen::Index split = 0; split < first_.rows(); ++split) {
    for (Eigen::Index trial = 0; trial < first_.cols(); ++trial) {
      first_(split, trial) = in_first_half[split][trial] ? 1.0 : 0.0;
    }
  }
  second_ = (1.0 - first_.array()).matrix();
}

Reliability TrialSplits::SplitHalf(const float* values, int64_t num_stimuli) const {
  if (num_trials() < 2) return {kNaN, num_splits()};
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  RowMajor present(num_trials(), num_stimuli), filled(num_trials(), num_stimuli);
  bool complete = true;
  for (Eigen::Index i = 0; i < present.size(); ++i) {
    const bool has = std::isfinite(values[i]);
    complete &= has;
    present.data()[i] = has ? 1.0 : 0.0;
    filled.data()[i] = has ? static_cast<double>(values[i]) : 0.0;
  }
  // Sums over trials are matrix products; 0/0 where a half has no trial is NaN.
  const auto half_means = [&](const Eigen::MatrixXd& half) -> RowMajor {
    RowMajor sums = half * filled;
    if (complete) {
      return (sums.array().colwise() / half.rowwise().sum().array()).matrix();
    }
    const RowMajor counts = half * present;
    return (sums.array() / counts.array()).matrix();
  };
  const RowMajor a = half_means(first_), b = half_means(second_);
  Reliability result;
  double sum = 0.0;
  for (Eigen::Index split = 0; split < a.rows(); ++split) {
    const double corrected = SpearmanBrown(
        PairwisePearson(a.row(split).data(), b.row(split).data(), num_stimuli));
    if (std::isnan(corrected)) {
      ++result.num_undefined_splits;
    } else {
      sum += corrected;
    }
  }
  const int64_t defined = num_splits() - result.num_undefined_splits;
  result.mean = defined > 0 ? sum / static_cast<double>(defined) : kNaN;
  return result;
}

}  // namespace iat
