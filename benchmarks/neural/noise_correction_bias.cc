// How far the noise-corrected score of a perfect mapping is from 1, as source and target
// get noisier. The truth is a linear map, y = x W; source and target are measured in
// trials with Gaussian noise; ridge chooses its penalty by leave-one-out.
//
//   build/release/benchmarks/neural/noise_correction_bias >
//   docs/figures/noise-correction-bias.csv gnuplot docs/figures/noise-correction-bias.gp
//
// One row a pair of noise levels: reliabilities (Spearman-Brown corrected, of all trials,
// medians over units), medians over target units of the two corrected scores and of the
// uncorrected correlation, and what the numerator of halves should lose,
// sqrt((1 + r_m) / 2 (1 + r_t) / 2), with r_m, r_t the half-to-half correlations of the
// mapped source and of the target.

#include <cmath>
#include <cstdio>

#include "base/random.h"
#include "neural/noise_correction.h"
#include "neural/reliability.h"
#include "similarity/r2.h"

namespace iat {
namespace {

constexpr int kFitStimuli = 59, kTestStimuli = 59;  // the halves of 118 scenes
constexpr int kUnits = 20, kTargets = 40, kTrials = 50, kBootstraps = 10, kRepeats = 8;

Eigen::MatrixXd Normal(Eigen::Index rows, Eigen::Index cols, const char* purpose,
                       uint64_t repeat, uint32_t trial = 0) {
  RandomStream stream(1, purpose, repeat, trial);
  Eigen::MatrixXd values(rows, cols);
  for (double& value : values.reshaped()) value = stream.Normal();
  return values;
}

double Median(const Eigen::VectorXd& values) {
  std::vector<double> defined;
  for (const double value : values) {
    if (!std::isnan(value)) defined.push_back(value);
  }
  return Quantile(std::move(defined), 0.5);
}

struct Row {
  double source = 0, target = 0, r = 0, half = 0, all_trials = 0, predicted = 0;
  void Add(const Row& other, double weight) {
    source += weight * other.source;
    target += weight * other.target;
    r += weight * other.r;
    half += weight * other.half;
    all_trials += weight * other.all_trials;
    predicted += weight * other.predicted;
  }
};

Trials Measure(const Eigen::MatrixXd& truth, double noise, const char* purpose,
               uint64_t repeat) {
  Trials trials;
  for (uint32_t t = 0; t < kTrials; ++t) {
    trials.push_back(truth +
                     noise * Normal(truth.rows(), truth.cols(), purpose, repeat, t));
  }
  return trials;
}

Row Simulate(double source_noise, double target_noise, uint64_t repeat) {
  const Eigen::MatrixXd latent =
      Normal(kFitStimuli + kTestStimuli, kUnits, "latent", repeat);
  const Eigen::MatrixXd truth =
      latent * Normal(kUnits, kTargets, "weights", repeat) / std::sqrt(kUnits);
  const Trials source = Measure(latent, source_noise, "source", repeat),
               target = Measure(truth, target_noise, "target", repeat);
  std::vector<std::unique_ptr<Mapping>> mappings;
  mappings.push_back(*MakeMapping("ridge", {}));
  const Eigen::MatrixXd s = MeanOverTrials(source), t = MeanOverTrials(target);
  SourceData fit(s.topRows(kFitStimuli));
  FitProblem problem(fit, t.topRows(kFitStimuli), Stage::kRecorded);
  const auto fitted = mappings[0]->Fit(problem);
  const Eigen::VectorXd r = CorrelationPerUnit(
      *(*fitted)->Predict(s.bottomRows(kTestStimuli)), t.bottomRows(kTestStimuli));
  Eigen::VectorXd half = Eigen::VectorXd::Zero(kTargets), all = half, count = half;
  Row row;
  for (int b = 0; b < kBootstraps; ++b) {
    const TrialHalves sh = HalveTrials(source, TrialOrder(kTrials, 0, "s", b)),
                      th = HalveTrials(target, TrialOrder(kTrials, 0, "t", b));
    HalfSources halves{
        SourceData(sh.first.topRows(kFitStimuli)), sh.first.bottomRows(kTestStimuli),
        SourceData(sh.second.topRows(kFitStimuli)), sh.second.bottomRows(kTestStimuli)};
    const auto mapped = MapHalves(
        mappings, halves, {th.first.topRows(kFitStimuli), th.second.topRows(kFitStimuli)},
        Stage::kRecorded);
    const CorrectionTerms terms = TermsOfHalves(
        (*mapped)[0],
        {th.first.bottomRows(kTestStimuli), th.second.bottomRows(kTestStimuli)});
    const Eigen::VectorXd by_half = NoiseCorrected(terms.mapped_to_target, terms),
                          by_all = NoiseCorrected(r, terms);
    for (int j = 0; j < kTargets; ++j) {
      if (std::isnan(by_half(j))) continue;
      half(j) += by_half(j);
      all(j) += by_all(j);
      count(j) += 1.0;
    }
    const auto half_r = [](double consistency) {
      return consistency / (2.0 - consistency);
    };
    row.predicted += std::sqrt(0.25 * (1.0 + half_r(Median(terms.mapped_consistency))) *
                               (1.0 + half_r(Median(terms.target_consistency)))) /
                     kBootstraps;
  }
  row.source = Median(InternalConsistency(source, 0, "s", kBootstraps));
  row.target = Median(InternalConsistency(target, 0, "t", kBootstraps));
  row.r = Median(r);
  row.half = Median((half.array() / count.array()).matrix());
  row.all_trials = Median((all.array() / count.array()).matrix());
  return row;
}

}  // namespace
}  // namespace iat

int main() {
  std::printf(
      "target_noise,source_noise,target_reliability,source_reliability,r,"
      "r_corrected,r_corrected_all_trials,r_corrected_predicted\n");
  for (const double target_noise : {0.5, 5.0, 10.0}) {
    for (const double source_noise : {0.25, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 14.0}) {
      iat::Row mean;
      for (uint64_t k = 0; k < iat::kRepeats; ++k) {
        mean.Add(iat::Simulate(source_noise, target_noise, k), 1.0 / iat::kRepeats);
      }
      std::printf("%g,%g,%.4f,%.4f,%.4f,%.4f,%.4f,%.4f\n", target_noise, source_noise,
                  mean.target, mean.source, mean.r, mean.half, mean.all_trials,
                  mean.predicted);
    }
  }
  return 0;
}
