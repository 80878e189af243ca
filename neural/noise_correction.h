// How well one population predicts another once the noise of both is accounted for, when
// every stimulus was shown several times.
//
// Trials are halved at random, s1 and s2 of the source, t1 and t2 of the target
// (independently; a model has no noise, so s1 = s2). M1: s1 -> t1 and M2: s2 -> t2 are
// fitted on the fit stimuli. On the test stimuli, for every target unit,
//
//   score = corr(M1(s1), t2) / sqrt(SB[corr(M1(s1), M2(s2))] * SB[corr(t1, t2)])
//   SB(r) = 2 r / (1 + r), Spearman-Brown (neural/reliability.h)
//
// SB[corr(t1, t2)] is the target unit's internal consistency, SB[corr(M1(s1), M2(s2))]
// that of what the source predicts of it.
//
// Bias     The numerator is made of halves, the denominator of whole sets of trials. For
//          a target that is a fixed map of the source's noiseless response, with half-
//          to-half correlations r_m of the mapped source and r_t of the target,
//            score = sqrt((1 + r_m) / 2 * (1 + r_t) / 2),
//          1 only for targets (and sources) without noise. With the numerator of all
//          trials, corr(M(s), t), M fitted on all of them, it is 1 at any noise that a
//          map can be fitted through. Both are given; docs/recordings-scores.md has the
//          curve.
// NaN      A correlation is NaN where one of its sides does not vary. The score is NaN
//          unless both factors of the denominator are above 0: a negative one has no
//          root, and two would make a root that means nothing. NaN scores are left out
//          of means and counted, by the factor that failed.
// Shapes   Trials: one stimuli x units matrix each, NaN where there was no such trial.
// Source   Spearman (1904); the halving and the formula are those of Nayebi, Kong et
//          al., PLoS Comput. Biol. 19(10), e1011506 (2023), with the numerator of all
//          trials from the group's later code.
//
// Example:
//   RandomStream stream(trial_seed, "trial halves/mouse-1", bootstrap);
//   const auto order = stream.Permutation(trials.size());
//   const TrialHalves target = HalveTrials(trials, order);
//   const CorrectionTerms terms = TermsOfHalves(mapped, target);
//   const Eigen::VectorXd score = NoiseCorrected(terms.mapped_to_target, terms);

#ifndef IAT_NEURAL_NOISE_CORRECTION_H_
#define IAT_NEURAL_NOISE_CORRECTION_H_

#include <Eigen/Core>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "similarity/mapping.h"

namespace iat {

using Trials = std::vector<Eigen::MatrixXd>;

struct TrialHalves {
  Eigen::MatrixXd first, second;  // stimuli x units
};

// Pearson's correlation of each column over its rows. NaN where either side is constant.
Eigen::VectorXd CorrelationPerUnit(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b);

// Over the trials there are; NaN where there is none.
Eigen::MatrixXd MeanOverTrials(const Trials& trials);

// Means of two halves. Of the k trials that a unit has at a stimulus, in the order that
// `order` (a permutation of the trials) gives, the first floor(k/2) make the first half,
// the others the second. NaN in a half without a trial. With one matrix, a model's, both
// halves are that matrix.
TrialHalves HalveTrials(const Trials& trials, const std::vector<int64_t>& order);
// The order of bootstrap `bootstrap`: a function of the animal, not of who asks, so
// that areas of one animal are halved alike and every partner meets the same halves.
std::vector<int64_t> TrialOrder(size_t num_trials, int64_t trial_seed,
                                const std::string& animal, int64_t bootstrap);

// SB of the halves' correlation over all stimuli, mean over the bootstraps in which it is
// defined; NaN where it never is. A model's is 1 (or NaN for a unit that never varies).
Eigen::VectorXd InternalConsistency(const Trials& trials, int64_t trial_seed,
                                    const std::string& animal, int64_t num_bootstraps);

// A source's halves on fit and test stimuli. Where `second` is not set they are the same.
struct HalfSources {
  SourceData first;
  Eigen::MatrixXd first_test;
  std::optional<SourceData> second;
  Eigen::MatrixXd second_test;
};
// M1(s1) and M2(s2) on the test stimuli, for each of the mappings, which share what they
// can of a half's fits.
absl::StatusOr<std::vector<TrialHalves>> MapHalves(
    const std::vector<std::unique_ptr<Mapping>>& mappings, HalfSources& source,
    const TrialHalves& target_fit, Stage target_stage);

// One value a target unit.
struct CorrectionTerms {
  Eigen::VectorXd mapped_to_target;    // corr(M1(s1), t2)
  Eigen::VectorXd mapped_consistency;  // SB[corr(M1(s1), M2(s2))]
  Eigen::VectorXd target_consistency;  // SB[corr(t1, t2)]
};
// On the test stimuli.
CorrectionTerms TermsOfHalves(const TrialHalves& mapped, const TrialHalves& target);
// numerator / sqrt(mapped_consistency * target_consistency), or NaN.
Eigen::VectorXd NoiseCorrected(const Eigen::VectorXd& numerator,
                               const CorrectionTerms& terms);

}  // namespace iat

#endif  // IAT_NEURAL_NOISE_CORRECTION_H_
