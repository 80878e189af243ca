#include "neural/noise_correction.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/nan.h"
#include "base/random.h"
#include "base/status.h"
#include "neural/reliability.h"

namespace iat {
namespace {

double Correlation(const Eigen::Ref<const Eigen::VectorXd>& a,
                   const Eigen::Ref<const Eigen::VectorXd>& b) {
  if (!(a.minCoeff() < a.maxCoeff()) || !(b.minCoeff() < b.maxCoeff())) return kNaN;
  const Eigen::VectorXd x = a.array() - a.mean(), y = b.array() - b.mean();
  return x.dot(y) / (x.norm() * y.norm());
}

Eigen::VectorXd SpearmanBrownOf(Eigen::VectorXd r) {
  for (double& value : r) value = SpearmanBrown(value);
  return r;
}

// Sums and counts of the trials a half has taken so far.
struct HalfSum {
  Eigen::MatrixXd sum;
  Eigen::MatrixXi count;
  HalfSum(Eigen::Index rows, Eigen::Index cols)
      : sum(Eigen::MatrixXd::Zero(rows, cols)),
        count(Eigen::MatrixXi::Zero(rows, cols)) {}
  Eigen::MatrixXd Mean() const {
    return (count.array() > 0).select(sum.array() / count.cast<double>().array(), kNaN);
  }
};

}  // namespace

Eigen::VectorXd CorrelationPerUnit(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b) {
  IAT_CHECK(a.rows() == b.rows() && a.cols() == b.cols(), "two matrices of one shape");
  Eigen::VectorXd r(a.cols());
  for (Eigen::Index j = 0; j < a.cols(); ++j) r(j) = Correlation(a.col(j), b.col(j));
  return r;
}

Eigen::MatrixXd MeanOverTrials(const Trials& trials) {
  IAT_CHECK(!trials.empty(), "responses of at least one trial");
  HalfSum all(trials[0].rows(), trials[0].cols());
  for (const Eigen::MatrixXd& trial : trials) {
    all.sum.array() += trial.array().isNaN().select(0.0, trial.array());
    all.count.array() += (!trial.array().isNaN()).cast<int>();
  }
  return all.Mean();
}

TrialHalves HalveTrials(const Trials& trials, const std::vector<int64_t>& order) {
  IAT_CHECK(!trials.empty() && order.size() == trials.size(), "an order of the trials");
  if (trials.size() == 1) return {trials[0], trials[0]};
  const Eigen::Index rows = trials[0].rows(), cols = trials[0].cols();
  HalfSum first(rows, cols), second(rows, cols);
  const bool complete = std::none_of(trials.begin(), trials.end(),
                                     [](const auto& trial) { return trial.hasNaN(); });
  if (complete) {
    // The sums below, in the same order.
    for (size_t k = 0; k < order.size(); ++k) {
      (k < order.size() / 2 ? first : second).sum += trials[order[k]];
    }
    const size_t num_first = order.size() / 2;
    return {first.sum / static_cast<double>(num_first),
            second.sum / static_cast<double>(order.size() - num_first)};
  }
  Eigen::MatrixXi available = Eigen::MatrixXi::Zero(rows, cols);
  for (const Eigen::MatrixXd& trial : trials) {
    available.array() += (!trial.array().isNaN()).cast<int>();
  }
  for (const int64_t t : order) {
    const Eigen::MatrixXd& trial = trials[t];
    for (Eigen::Index j = 0; j < cols; ++j) {
      for (Eigen::Index i = 0; i < rows; ++i) {
        if (std::isnan(trial(i, j))) continue;
        HalfSum& half = first.count(i, j) < available(i, j) / 2 ? first : second;
        half.sum(i, j) += trial(i, j);
        ++half.count(i, j);
      }
    }
  }
  return {first.Mean(), second.Mean()};
}

std::vector<int64_t> TrialOrder(size_t num_trials, int64_t trial_seed,
                                const std::string& animal, int64_t bootstrap) {
  RandomStream stream(trial_seed, absl::StrCat("trial halves/", animal),
                      static_cast<uint64_t>(bootstrap));
  return stream.Permutation(static_cast<int64_t>(num_trials));
}

Eigen::VectorXd InternalConsistency(const Trials& trials, int64_t trial_seed,
                                    const std::string& animal, int64_t num_bootstraps) {
  const Eigen::Index num_units = trials[0].cols();
  Eigen::VectorXd sum = Eigen::VectorXd::Zero(num_units), count = sum;
  if (trials.size() == 1) num_bootstraps = 1;
  for (int64_t b = 0; b < num_bootstraps; ++b) {
    const TrialHalves halves =
        HalveTrials(trials, TrialOrder(trials.size(), trial_seed, animal, b));
    const Eigen::VectorXd consistency =
        SpearmanBrownOf(CorrelationPerUnit(halves.first, halves.second));
    for (Eigen::Index j = 0; j < num_units; ++j) {
      if (std::isnan(consistency(j))) continue;
      sum(j) += consistency(j);
      count(j) += 1.0;
    }
  }
  return (count.array() > 0.0).select(sum.array() / count.array(), kNaN);
}

absl::StatusOr<std::vector<TrialHalves>> MapHalves(
    const std::vector<std::unique_ptr<Mapping>>& mappings, HalfSources& source,
    const TrialHalves& target_fit, Stage target_stage) {
  std::vector<TrialHalves> mapped(mappings.size());
  const auto map = [&](SourceData& half, const Eigen::MatrixXd& test,
                       const Eigen::MatrixXd& target,
                       Eigen::MatrixXd TrialHalves::*side) -> absl::Status {
    FitProblem problem(half, target, target_stage);
    for (size_t m = 0; m < mappings.size(); ++m) {
      IAT_ASSIGN_OR_RETURN(const std::unique_ptr<FittedMapping> fitted,
                           mappings[m]->Fit(problem));
      IAT_ASSIGN_OR_RETURN(mapped[m].*side, fitted->Predict(test));
    }
    return absl::OkStatus();
  };
  IAT_RETURN_IF_ERROR(
      map(source.first, source.first_test, target_fit.first, &TrialHalves::first));
  SourceData& second = source.second ? *source.second : source.first;
  IAT_RETURN_IF_ERROR(map(second, source.second ? source.second_test : source.first_test,
                          target_fit.second, &TrialHalves::second));
  return mapped;
}

CorrectionTerms TermsOfHalves(const TrialHalves& mapped, const TrialHalves& target) {
  return {CorrelationPerUnit(mapped.first, target.second),
          SpearmanBrownOf(CorrelationPerUnit(mapped.first, mapped.second)),
          SpearmanBrownOf(CorrelationPerUnit(target.first, target.second))};
}

Eigen::VectorXd NoiseCorrected(const Eigen::VectorXd& numerator,
                               const CorrectionTerms& terms) {
  Eigen::VectorXd score(numerator.size());
  for (Eigen::Index j = 0; j < score.size(); ++j) {
    const double mapped = terms.mapped_consistency(j),
                 target = terms.target_consistency(j);
    // Comparisons with NaN are false.
    score(j) =
        mapped > 0.0 && target > 0.0 ? numerator(j) / std::sqrt(mapped * target) : kNaN;
  }
  return score;
}

}  // namespace iat
