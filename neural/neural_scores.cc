#include "neural/neural_scores.h"

#include <cmath>
#include <map>
#include <memory>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/nan.h"
#include "base/parallel.h"
#include "base/status.h"
#include "neural/neural_scores_runner.h"
#include "neural/neural_scores_world.h"
#include "similarity/metric.h"
#include "similarity/r2.h"

namespace iat {
namespace {

namespace fs = std::filesystem;
// Which neurons are reliable must not hang on few bootstraps.
constexpr int64_t kFewestReliabilityHalvings = 100;

struct Task {
  size_t group, split;
  std::string fingerprint;
};

std::vector<Task> MakeTasks(const NeuralScoresOptions& options,
                            const NeuralWorld& world) {
  std::vector<Task> tasks;
  for (size_t g = 0; g < world.groups.size(); ++g) {
    for (size_t s = 0; s < world.splits.size(); ++s) {
      tasks.push_back(
          {g, s, PartFingerprint(options, world, world.groups[g], world.splits[s])});
    }
  }
  return tasks;
}

absl::StatusOr<SplitScores> Finished(const NeuralWorld& world, const Task& task,
                                     const fs::path& scores_folder) {
  return ReadPart(PartPath(scores_folder, task.fingerprint), task.fingerprint, world,
                  world.groups[task.group]);
}

double Median(const Eigen::VectorXd& values, const std::vector<bool>& taken) {
  std::vector<double> kept;
  for (Eigen::Index j = 0; j < values.size(); ++j) {
    if (taken[j] && !std::isnan(values(j))) kept.push_back(values(j));
  }
  return Quantile(std::move(kept), 0.5);
}

// Mean of those that are not NaN; NaN without any.
double MeanDefined(const std::vector<double>& values) {
  double sum = 0.0;
  int64_t count = 0;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    sum += value;
    ++count;
  }
  return count > 0 ? sum / static_cast<double>(count) : kNaN;
}

// What one target's units scored on every split, for one mapping.
class UnitTable {
 public:
  explicit UnitTable(std::vector<const UnitScoresOfSplit*> splits)
      : splits_(std::move(splits)) {}

  // A unit's mean over splits.
  Eigen::VectorXd Mean(SplitField field) const {
    Eigen::VectorXd mean(num_units());
    for (Eigen::Index j = 0; j < mean.size(); ++j) {
      std::vector<double> values;
      for (const UnitScoresOfSplit* split : splits_) values.push_back((*split)(j, field));
      mean(j) = MeanDefined(values);
    }
    return mean;
  }
  // A unit's mean over splits and bootstraps.
  Eigen::VectorXd Mean(SplitField sum, SplitField count) const {
    const Eigen::VectorXd n = Sum(count);
    return (n.array() > 0.0).select(Sum(sum).array() / n.array(), kNaN);
  }
  Eigen::VectorXd Sum(SplitField field) const {
    Eigen::VectorXd sum = Eigen::VectorXd::Zero(num_units());
    for (const UnitScoresOfSplit* split : splits_) sum += split->col(field);
    return sum;
  }
  // Mean over splits of the median over units.
  double MedianOverUnits(SplitField field, const std::vector<bool>& taken) const {
    std::vector<double> medians;
    for (const UnitScoresOfSplit* split : splits_) {
      medians.push_back(Median(split->col(field), taken));
    }
    return MeanDefined(medians);
  }
  Eigen::Index num_units() const { return splits_[0]->rows(); }

 private:
  std::vector<const UnitScoresOfSplit*> splits_;
};

class Assembler {
 public:
  Assembler(const NeuralScoresOptions& options, const NeuralScoresInput& input,
            const NeuralWorld& world)
      : options_(options), input_(input), world_(world) {
    const int64_t num_halvings =
        std::max(options.num_bootstraps, kFewestReliabilityHalvings);
    for (const Population& population : world.populations) {
      reliability_.push_back(InternalConsistency(population.trials, options.trial_seed,
                                                 population.animal, num_halvings));
    }
  }

  absl::Status AddGroup(const NeuralGroup& group,
                        const std::vector<SplitScores>& of_splits) {
    std::vector<Eigen::MatrixXd> members;
    for (const size_t member : group.source.members)
      members.push_back(world_.means[member]);
    auto source = MetricData::Make(world_.SideBySide(group.source, members), "source");
    IAT_RETURN_IF_ERROR(source.status());
    for (size_t k = 0; k < group.targets.size(); ++k) {
      const NamedMappings& mappings =
          world_.mappings_of.at(world_.populations[group.targets[k]].stage);
      const double rsa = Rsa("rsa", *source, group.targets[k]);
      const double rsa_spearman = Rsa("rsa_spearman", *source, group.targets[k]);
      for (size_t m = 0; m < mappings.names.size(); ++m) {
        std::vector<const UnitScoresOfSplit*> splits;
        for (const SplitScores& scores : of_splits) splits.push_back(&scores[k][m]);
        NeuralScoreRow row = Key(group, group.targets[k], mappings.names[m]);
        row.rsa = rsa;
        row.rsa_spearman = rsa_spearman;
        AddRow(group, group.targets[k], UnitTable(std::move(splits)), std::move(row));
      }
    }
    return absl::OkStatus();
  }

  std::vector<NeuralScoreRow>& rows() { return rows_; }
  std::vector<NeuralUnitRow>& units() { return units_; }

 private:
  NeuralScoreRow Key(const NeuralGroup& group, size_t target,
                     const std::string& mapping) const {
    const Population& source = world_.First(group.source);
    const Population& to = world_.populations[target];
    NeuralScoreRow row;
    row.recording = input_.name;
    row.direction = group.direction;
    row.source_animal = world_.SourceAnimal(group.source);
    row.target_animal = to.animal;
    row.source_area = source.area;
    row.target_area = to.area;
    row.source_stage = StageName(source.stage);
    row.target_stage = StageName(to.stage);
    row.mapping = mapping;
    row.num_pooled_units = group.source.num_pooled_units;
    row.num_source_units = group.source.units.empty()
                               ? row.num_pooled_units
                               : static_cast<int64_t>(group.source.units.size());
    row.sample_seed = group.source.sample_seed;
    row.simulated = input_.recording->simulated;
    row.num_fit_stimuli = static_cast<int64_t>(world_.splits[0].fit.size());
    row.num_test_stimuli = static_cast<int64_t>(world_.splits[0].test.size());
    row.block_size = options_.block_size;
    row.num_splits = static_cast<int64_t>(world_.splits.size());
    row.num_bootstraps = group.num_bootstraps;
    row.num_target_units = to.num_units();
    return row;
  }

  // NaN where these responses do not define it (a single unit, no pattern).
  double Rsa(const std::string& name, MetricData& source, size_t target) {
    auto metric = MakeMetric(name, {});
    auto found = targets_.find(target);
    if (found == targets_.end()) {
      auto data = MetricData::Make(world_.means[target], "target");
      if (!data.ok()) return kNaN;
      found = targets_.emplace(target, *std::move(data)).first;
    }
    const auto value = (*metric)->Compare(source, found->second);
    return value.ok() ? value->value : kNaN;
  }

  void AddRow(const NeuralGroup& group, size_t target, const UnitTable& table,
              NeuralScoreRow row) {
    const Eigen::VectorXd r2 = table.Mean(kR2);
    const Eigen::VectorXd& reliability = reliability_[target];
    std::vector<bool> scored(r2.size()), reliable(r2.size());
    for (Eigen::Index j = 0; j < r2.size(); ++j) {
      scored[j] = !std::isnan(r2(j));
      reliable[j] = scored[j] && reliability(j) >= options_.min_reliability;
      row.num_scored_units += scored[j] ? 1 : 0;
      row.num_reliable_units += reliable[j] ? 1 : 0;
    }
    row.median_r2 = table.MedianOverUnits(kR2, scored);
    row.median_r = table.MedianOverUnits(kR, scored);
    row.median_r_reliable = table.MedianOverUnits(kR, reliable);
    const Eigen::VectorXd corrected = table.Mean(kCorrectedSum, kCorrectedCount);
    const Eigen::VectorXd all_trials = table.Mean(kAllTrialsSum, kAllTrialsCount);
    const Eigen::VectorXd of_target =
        table.Mean(kTargetConsistencySum, kTargetConsistencyCount);
    const Eigen::VectorXd of_mapped =
        table.Mean(kMappedConsistencySum, kMappedConsistencyCount);
    row.median_r_corrected = Median(corrected, reliable);
    row.median_r_corrected_all_trials = Median(all_trials, reliable);
    row.median_target_consistency = Median(of_target, reliable);
    row.median_mapped_consistency = Median(of_mapped, reliable);
    const Eigen::VectorXd no_target = table.Sum(kTargetUndefined),
                          no_mapped = table.Sum(kMappedUndefined);
    double target_undefined = 0.0, mapped_undefined = 0.0;
    for (Eigen::Index j = 0; j < r2.size(); ++j) {
      if (!scored[j]) continue;
      target_undefined += no_target(j);
      mapped_undefined += no_mapped(j);
    }
    const double tries =
        static_cast<double>(row.num_scored_units * row.num_splits * row.num_bootstraps);
    row.undefined_target_share = tries > 0.0 ? target_undefined / tries : kNaN;
    row.undefined_mapped_share = tries > 0.0 ? mapped_undefined / tries : kNaN;
    const double threshold = options_.mapping.logistic_ridge.activity_threshold;
    row.active_share = (world_.means[target].array() > threshold).cast<double>().mean();
    // Units of a part of a pool are many and say little each.
    if (group.source.units.empty()) {
      const Eigen::VectorXd r = table.Mean(kR);
      for (Eigen::Index j = 0; j < r2.size(); ++j) {
        units_.push_back({row, world_.populations[target].unit_ids[j], reliability(j),
                          r2(j), r(j), corrected(j), all_trials(j), of_target(j),
                          of_mapped(j)});
      }
    }
    rows_.push_back(std::move(row));
  }

  const NeuralScoresOptions& options_;
  const NeuralScoresInput& input_;
  const NeuralWorld& world_;
  std::vector<Eigen::VectorXd> reliability_;
  std::map<size_t, MetricData> targets_;
  std::vector<NeuralScoreRow> rows_;
  std::vector<NeuralUnitRow> units_;
};

// "V1 a -> V1 b split 2: median R2 ridge 0.081"
std::string ProgressLine(const NeuralWorld& world, const Task& task,
                         const SplitScores& scores) {
  const NeuralGroup& group = world.groups[task.group];
  std::string line = absl::StrCat(world.Name(group), " split ",
                                  world.splits[task.split].split_seed, ": median R2");
  const auto& names =
      world.mappings_of.at(world.populations[group.targets[0]].stage).names;
  for (size_t m = 0; m < names.size(); ++m) {
    absl::StrAppendFormat(&line, "%s %s %.3f", m == 0 ? "" : ",", names[m],
                          SummariseR2(scores[0][m].col(kR2)).median);
  }
  return line;
}

}  // namespace

absl::StatusOr<NeuralScoresResult> RunNeuralScores(const NeuralScoresOptions& options,
                                                   const NeuralScoresInput& input,
                                                   const fs::path& scores_folder,
                                                   const NeuralScoresControl& control) {
  IAT_ASSIGN_OR_RETURN(const NeuralWorld world, MakeNeuralWorld(options, input));
  const std::vector<Task> tasks = MakeTasks(options, world);
  NeuralScoresResult result;
  result.notes = world.notes;
  result.num_parts = static_cast<int64_t>(tasks.size());
  std::vector<size_t> missing;
  for (size_t i = 0; i < tasks.size(); ++i) {
    if (Finished(world, tasks[i], scores_folder).ok()) {
      ++result.num_reused;
    } else {
      missing.push_back(i);
    }
  }
  IAT_RETURN_IF_ERROR(MakeFolder(scores_folder / "parts"));
  std::mutex mutex;
  int64_t done = result.num_reused;
  const auto score = [&](int64_t i) -> absl::Status {
    const Task& task = tasks[missing[i]];
    IAT_ASSIGN_OR_RETURN(const SplitScores scores,
                         ScoreSplit(options, world, world.groups[task.group],
                                    world.splits[task.split], control.stop));
    IAT_RETURN_IF_ERROR(
        WritePart(PartPath(scores_folder, task.fingerprint), task.fingerprint, scores));
    const std::lock_guard<std::mutex> lock(mutex);
    ++done;
    if (control.progress) {
      control.progress(done, result.num_parts, ProgressLine(world, task, scores));
    }
    return absl::OkStatus();
  };
  IAT_RETURN_IF_ERROR(
      ParallelFor(control.jobs, static_cast<int64_t>(missing.size()), score));

  Assembler assembler(options, input, world);
  for (size_t first = 0; first < tasks.size(); first += world.splits.size()) {
    std::vector<SplitScores> of_splits;
    for (size_t s = 0; s < world.splits.size(); ++s) {
      IAT_ASSIGN_OR_RETURN(of_splits.emplace_back(),
                           Finished(world, tasks[first + s], scores_folder));
    }
    IAT_RETURN_IF_ERROR(assembler.AddGroup(world.groups[tasks[first].group], of_splits));
  }
  result.rows = std::move(assembler.rows());
  std::sort(result.rows.begin(), result.rows.end());
  IAT_RETURN_IF_ERROR(WriteNeuralScores(scores_folder / "neural.csv", result.rows));
  IAT_RETURN_IF_ERROR(
      WriteNeuralUnits(scores_folder / "neural_units.csv", std::move(assembler.units())));
  IAT_RETURN_IF_ERROR(
      WriteFileAtomically(scores_folder / "neural_splits.csv",
                          SplitsCsv(input.name, world.stimulus_ids, world.splits)));
  return result;
}

absl::StatusOr<NeuralScoresPlan> PlanNeuralScores(const NeuralScoresOptions& options,
                                                  const NeuralScoresInput& input,
                                                  const fs::path& scores_folder) {
  IAT_ASSIGN_OR_RETURN(const NeuralWorld world, MakeNeuralWorld(options, input));
  NeuralScoresPlan plan;
  plan.notes = world.notes;
  plan.num_stimuli = static_cast<int64_t>(world.stimulus_ids.size());
  plan.num_populations = static_cast<int64_t>(world.populations.size());
  for (const Task& task : MakeTasks(options, world)) {
    ++plan.num_parts;
    plan.num_complete += Finished(world, task, scores_folder).ok() ? 1 : 0;
  }
  return plan;
}

}  // namespace iat
