#include "neural/neural_scores_runner.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/fingerprint.h"
#include "base/status.h"
#include "similarity/r2.h"

namespace iat {
namespace {

using RowNumbers = std::vector<int64_t>;

Eigen::MatrixXd Take(const Eigen::MatrixXd& values, const RowNumbers& rows) {
  return values(rows, Eigen::all);
}

void AddDefined(double value, Eigen::Index unit, SplitField sum, SplitField count,
                UnitScoresOfSplit& scores) {
  if (std::isnan(value)) return;
  scores(unit, sum) += value;
  scores(unit, count) += 1.0;
}

class SplitScorer {
 public:
  SplitScorer(const NeuralScoresOptions& options, const NeuralWorld& world,
              const NeuralGroup& group, const Split& split)
      : options_(options), world_(world), group_(group), split_(split) {}

  absl::StatusOr<SplitScores> Score(const std::atomic<bool>* stop) {
    IAT_RETURN_IF_ERROR(ScoreMeans());
    std::optional<HalfSources> model;
    for (int64_t b = 0; b < group_.num_bootstraps; ++b) {
      if (stop != nullptr && stop->load()) {
        return absl::CancelledError("scoring was interrupted; run again to continue");
      }
      if (world_.IsModel(group_.source)) {
        // The same at every bootstrap, and so is its decomposition.
        if (!model) model.emplace(Halves(b));
        IAT_RETURN_IF_ERROR(ScoreHalves(*model, b));
      } else {
        HalfSources halves = Halves(b);
        IAT_RETURN_IF_ERROR(ScoreHalves(halves, b));
      }
    }
    return std::move(scores_);
  }

 private:
  const NamedMappings& MappingsOf(size_t target) const {
    return world_.mappings_of.at(world_.populations[target].stage);
  }

  absl::Status ScoreMeans() {
    std::vector<Eigen::MatrixXd> members;
    for (const size_t member : group_.source.members) {
      members.push_back(world_.means[member]);
    }
    const Eigen::MatrixXd means = world_.SideBySide(group_.source, members);
    SourceData source(Take(means, split_.fit));
    const Eigen::MatrixXd source_test = Take(means, split_.test);
    for (const size_t target : group_.targets) {
      const NamedMappings& mappings = MappingsOf(target);
      FitProblem problem(source, Take(world_.means[target], split_.fit),
                         world_.populations[target].stage);
      const Eigen::MatrixXd target_test = Take(world_.means[target], split_.test);
      auto& of_target = scores_.emplace_back();
      auto& numerators = numerators_.emplace_back();
      for (const auto& mapping : mappings.mappings) {
        const auto fitted = mapping->Fit(problem);
        if (!fitted.ok()) return Annotate(fitted.status(), world_.Name(group_));
        IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd predicted,
                             (*fitted)->Predict(source_test));
        UnitScoresOfSplit& scores = of_target.emplace_back(
            Eigen::MatrixXd::Zero(target_test.cols(), kNumSplitFields));
        scores.col(kR2) = R2PerUnit(target_test, predicted);
        scores.col(kR) = PearsonPerUnit(target_test, predicted);
        numerators.push_back(CorrelationPerUnit(predicted, target_test));
      }
    }
    return absl::OkStatus();
  }

  TrialHalves HalvesOf(const Population& population, int64_t bootstrap) const {
    const Trials& trials = population.trials;
    return HalveTrials(trials, TrialOrder(trials.size(), options_.trial_seed,
                                          population.animal, bootstrap));
  }

  HalfSources Halves(int64_t bootstrap) const {
    std::vector<Eigen::MatrixXd> first, second;
    for (const size_t member : group_.source.members) {
      TrialHalves halves = HalvesOf(world_.populations[member], bootstrap);
      first.push_back(std::move(halves.first));
      second.push_back(std::move(halves.second));
    }
    const Eigen::MatrixXd one = world_.SideBySide(group_.source, first);
    HalfSources result{SourceData(Take(one, split_.fit)), Take(one, split_.test), {}, {}};
    if (world_.IsModel(group_.source)) return result;
    const Eigen::MatrixXd two = world_.SideBySide(group_.source, second);
    result.second.emplace(Take(two, split_.fit));
    result.second_test = Take(two, split_.test);
    return result;
  }

  absl::Status ScoreHalves(HalfSources& source, int64_t bootstrap) {
    for (size_t k = 0; k < group_.targets.size(); ++k) {
      const size_t target = group_.targets[k];
      const Population& population = world_.populations[target];
      const TrialHalves halves = HalvesOf(population, bootstrap);
      const auto mapped =
          MapHalves(MappingsOf(target).mappings, source,
                    {Take(halves.first, split_.fit), Take(halves.second, split_.fit)},
                    population.stage);
      if (!mapped.ok()) return Annotate(mapped.status(), world_.Name(group_));
      const TrialHalves test{Take(halves.first, split_.test),
                             Take(halves.second, split_.test)};
      for (size_t m = 0; m < mapped->size(); ++m) {
        AddBootstrap((*mapped)[m], test, numerators_[k][m], scores_[k][m]);
      }
    }
    return absl::OkStatus();
  }

  static void AddBootstrap(const TrialHalves& mapped, const TrialHalves& target,
                           const Eigen::VectorXd& all_trials, UnitScoresOfSplit& scores) {
    const CorrectionTerms terms = TermsOfHalves(mapped, target);
    const Eigen::VectorXd half = NoiseCorrected(terms.mapped_to_target, terms);
    const Eigen::VectorXd all = NoiseCorrected(all_trials, terms);
    for (Eigen::Index j = 0; j < scores.rows(); ++j) {
      AddDefined(half(j), j, kCorrectedSum, kCorrectedCount, scores);
      AddDefined(all(j), j, kAllTrialsSum, kAllTrialsCount, scores);
      AddDefined(terms.target_consistency(j), j, kTargetConsistencySum,
                 kTargetConsistencyCount, scores);
      AddDefined(terms.mapped_consistency(j), j, kMappedConsistencySum,
                 kMappedConsistencyCount, scores);
      if (!(terms.target_consistency(j) > 0.0)) {
        scores(j, kTargetUndefined) += 1.0;
      } else if (!(terms.mapped_consistency(j) > 0.0)) {
        scores(j, kMappedUndefined) += 1.0;
      }
    }
  }

  const NeuralScoresOptions& options_;
  const NeuralWorld& world_;
  const NeuralGroup& group_;
  const Split& split_;
  SplitScores scores_;
  std::vector<std::vector<Eigen::VectorXd>> numerators_;  // corr(M(s), t)
};

std::string FirstLine(const std::string& fingerprint) {
  return absl::StrCat("# iat neural part 1 ", fingerprint);
}

}  // namespace

absl::StatusOr<SplitScores> ScoreSplit(const NeuralScoresOptions& options,
                                       const NeuralWorld& world, const NeuralGroup& group,
                                       const Split& split,
                                       const std::atomic<bool>* stop) {
  return SplitScorer(options, world, group, split).Score(stop);
}

std::string PartFingerprint(const NeuralScoresOptions& options, const NeuralWorld& world,
                            const NeuralGroup& group, const Split& split) {
  std::string text = absl::StrCat("neural part 1\n", absl::StrJoin(options.mappings, ","),
                                  "\n", OptionsText(options.mapping),
                                  group.num_bootstraps, " ", options.trial_seed, "\n",
                                  absl::StrJoin(group.source.units, ","), "\n");
  for (const size_t member : group.source.members) {
    absl::StrAppend(&text, "source ", world.digests[member], "\n");
  }
  for (const size_t target : group.targets) {
    absl::StrAppend(&text, "target ", world.digests[target], "\n");
  }
  for (const RowNumbers* rows : {&split.fit, &split.test}) {
    absl::StrAppend(&text, "stimuli\n");
    for (const int64_t row : *rows) absl::StrAppend(&text, world.stimulus_ids[row], "\n");
  }
  return Sha256(text);
}

std::filesystem::path PartPath(const std::filesystem::path& scores_folder,
                               const std::string& fingerprint) {
  return scores_folder / "parts" /
         absl::StrCat("neural-", fingerprint.substr(0, 32), ".csv");
}

absl::Status WritePart(const std::filesystem::path& path, const std::string& fingerprint,
                       const SplitScores& scores) {
  std::string text = FirstLine(fingerprint) + "\n";
  for (const auto& of_target : scores) {
    for (const UnitScoresOfSplit& of_mapping : of_target) {
      for (Eigen::Index j = 0; j < of_mapping.rows(); ++j) {
        for (Eigen::Index f = 0; f < of_mapping.cols(); ++f) {
          absl::StrAppendFormat(&text, "%s%.17g", f == 0 ? "" : ",", of_mapping(j, f));
        }
        text += '\n';
      }
    }
  }
  return WriteFileAtomically(path, text);
}

absl::StatusOr<SplitScores> ReadPart(const std::filesystem::path& path,
                                     const std::string& fingerprint,
                                     const NeuralWorld& world, const NeuralGroup& group) {
  IAT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  const std::vector<absl::string_view> lines =
      absl::StrSplit(text, '\n', absl::SkipEmpty());
  const absl::Status damaged =
      absl::InvalidArgumentError(absl::StrCat(path.string(), ": not a whole part"));
  if (lines.empty() || lines[0] != FirstLine(fingerprint)) return damaged;
  size_t line = 1;
  SplitScores scores;
  for (const size_t target : group.targets) {
    const Population& population = world.populations[target];
    auto& of_target = scores.emplace_back();
    for (size_t m = 0; m < world.mappings_of.at(population.stage).names.size(); ++m) {
      UnitScoresOfSplit& values = of_target.emplace_back(
          Eigen::MatrixXd::Zero(population.num_units(), kNumSplitFields));
      for (Eigen::Index j = 0; j < values.rows(); ++j, ++line) {
        if (line >= lines.size()) return damaged;
        const std::vector<absl::string_view> cells = absl::StrSplit(lines[line], ',');
        if (cells.size() != kNumSplitFields) return damaged;
        for (Eigen::Index f = 0; f < kNumSplitFields; ++f) {
          if (!absl::SimpleAtod(cells[f], &values(j, f))) return damaged;
        }
      }
    }
  }
  if (line != lines.size()) return damaged;
  return scores;
}

}  // namespace iat
