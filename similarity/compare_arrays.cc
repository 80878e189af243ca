#include "similarity/compare_arrays.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/parallel.h"
#include "base/status.h"
#include "similarity/split.h"

namespace iat {
namespace {

// Rows have no names: numbers whose order as text is their order.
std::vector<std::string> RowNames(const ResponseArray& array) {
  if (!array.stimulus_ids.empty()) return array.stimulus_ids;
  std::vector<std::string> names;
  for (Eigen::Index i = 0; i < array.values.rows(); ++i) {
    names.push_back(absl::StrFormat("%012d", i));
  }
  return names;
}

absl::StatusOr<std::vector<Split>> MakeSplits(const ResponseArray& source,
                                              const ArrayCompareOptions& options) {
  const int64_t n = source.values.rows();
  const int64_t num_test = static_cast<int64_t>(
      std::ceil(options.test_fraction * static_cast<double>(n) - 1e-9));
  if (num_test < 2 || n - num_test < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat(source.name, " has ", n, " stimuli; with a test fraction of ",
                     options.test_fraction, " that is ", n - num_test, " to fit and ",
                     num_test, " to test, and each needs at least 2"));
  }
  std::vector<Split> splits;
  for (int64_t seed = 0; seed < options.num_splits; ++seed) {
    IAT_ASSIGN_OR_RETURN(
        splits.emplace_back(),
        MakeSplit(RowNames(source), {.split_seed = seed, .num_fit = n - num_test}));
  }
  return splits;
}

absl::StatusOr<Stage> TargetStage(const ResponseArray& target,
                                  const std::string& asked_for) {
  Eigen::Index row = 0, column = 0;
  const double smallest = target.values.minCoeff(&row, &column);
  if (asked_for == "auto") return smallest < 0.0 ? Stage::kPreRelu : Stage::kPostRelu;
  IAT_ASSIGN_OR_RETURN(const Stage stage, ParseStage(asked_for));
  if (stage == Stage::kPostRelu && smallest < 0.0) {
    return absl::InvalidArgumentError(
        absl::StrCat(target.name, ": [", row, ", ", column, "] is ", smallest,
                     "; a post_relu target is never below 0"));
  }
  return stage;
}

absl::Status CheckStage(const ArrayCompareOptions& options, Stage stage) {
  for (const std::string& name : options.mappings) {
    IAT_ASSIGN_OR_RETURN(const auto mapping, MakeMapping(name, options.mapping));
    IAT_RETURN_IF_ERROR(mapping->CheckTargetStage(stage));
  }
  return absl::OkStatus();
}

absl::Status CheckNoneTwice(absl::string_view what,
                            const std::vector<std::string>& names) {
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (seen.insert(name).second) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(what, " \"", name, "\" is given twice"));
  }
  return absl::OkStatus();
}

class Runner {
 public:
  Runner(const ResponseArray& source, const ResponseArray& target,
         const ArrayCompareOptions& options, const ArrayCompareControl& control,
         ArrayComparison& comparison)
      : source_(source),
        target_(target),
        options_(options),
        control_(control),
        comparison_(comparison) {}

  absl::Status Run(const std::vector<Split>& splits) {
    for (const std::string& name : options_.mappings) {
      comparison_.mappings.push_back(
          {name, std::vector<ArraySplitScores>(splits.size())});
    }
    // The metrics first: what they refuse is known before the long work.
    const int64_t num_metric_tasks = options_.metrics.empty() ? 0 : 1;
    total_ = num_metric_tasks + static_cast<int64_t>(splits.size());
    return ParallelFor(control_.jobs, total_, [&](int64_t task) -> absl::Status {
      if (control_.stop != nullptr && control_.stop->load()) {
        return absl::CancelledError("interrupted");
      }
      return task < num_metric_tasks ? RunMetrics()
                                     : RunSplit(splits, task - num_metric_tasks);
    });
  }

 private:
  absl::Status RunMetrics() {
    IAT_ASSIGN_OR_RETURN(MetricData source,
                         MetricData::Make(source_.values, source_.name));
    IAT_ASSIGN_OR_RETURN(MetricData target,
                         MetricData::Make(target_.values, target_.name));
    for (const std::string& name : options_.metrics) {
      IAT_ASSIGN_OR_RETURN(const auto metric, MakeMetric(name, options_.metric));
      auto result = metric->Compare(source, target);
      if (!result.ok()) return Annotate(result.status(), name);
      const auto info =
          std::find_if(RegisteredMetrics().begin(), RegisteredMetrics().end(),
                       [&](const auto& m) { return m.name == name; });
      comparison_.metrics.push_back({*info, *std::move(result)});
    }
    Done("metrics");
    return absl::OkStatus();
  }

  absl::Status RunSplit(const std::vector<Split>& splits, int64_t index) {
    const Split& split = splits[index];
    SourceData source(source_.values(split.fit, Eigen::all));
    FitProblem problem(source, target_.values(split.fit, Eigen::all),
                       comparison_.target_stage);
    const Eigen::MatrixXd source_test = source_.values(split.test, Eigen::all);
    const Eigen::MatrixXd target_test = target_.values(split.test, Eigen::all);
    std::string line = absl::StrCat("split ", split.split_seed, ": median R2");
    for (ArrayComparison::OfMapping& of_mapping : comparison_.mappings) {
      IAT_ASSIGN_OR_RETURN(const auto mapping,
                           MakeMapping(of_mapping.name, options_.mapping));
      const auto fitted = mapping->Fit(problem);
      if (!fitted.ok()) {
        return Annotate(fitted.status(),
                        absl::StrCat(of_mapping.name, ", split ", split.split_seed));
      }
      IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd predicted,
                           (*fitted)->Predict(source_test));
      ArraySplitScores& scores = of_mapping.splits[index];
      scores.split_seed = split.split_seed;
      scores.r2 = R2PerUnit(target_test, predicted);
      scores.summary = SummariseR2(scores.r2);
      scores.chosen = (*fitted)->chosen();
      absl::StrAppend(&line, " ", of_mapping.name, " ",
                      absl::StrFormat("%.3f", scores.summary.median));
    }
    Done(line);
    return absl::OkStatus();
  }

  void Done(const std::string& line) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++done_;
    if (control_.progress) control_.progress(done_, total_, line);
  }

  const ResponseArray& source_;
  const ResponseArray& target_;
  const ArrayCompareOptions& options_;
  const ArrayCompareControl& control_;
  ArrayComparison& comparison_;
  std::mutex mutex_;
  int64_t done_ = 0, total_ = 0;
};

}  // namespace

absl::Status ArrayCompareOptions::Validate() const {
  if (mappings.empty() && metrics.empty()) {
    return absl::InvalidArgumentError("no mapping and no metric: nothing to compare by");
  }
  IAT_RETURN_IF_ERROR(CheckNoneTwice("mapping", mappings));
  IAT_RETURN_IF_ERROR(CheckNoneTwice("metric", metrics));
  for (const std::string& name : mappings) {
    IAT_RETURN_IF_ERROR(MakeMapping(name, mapping).status());
  }
  for (const std::string& name : metrics) {
    IAT_RETURN_IF_ERROR(MakeMetric(name, metric).status());
  }
  if (!(test_fraction > 0.0 && test_fraction < 1.0)) {
    return absl::InvalidArgumentError(absl::StrCat("the test fraction is ", test_fraction,
                                                   "; expected a number > 0 and < 1"));
  }
  if (num_splits < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("the number of splits is ", num_splits, "; expected a number >= 1"));
  }
  if (target_stage == "auto") return absl::OkStatus();
  IAT_ASSIGN_OR_RETURN(const Stage stage, ParseStage(target_stage));
  return CheckStage(*this, stage);
}

absl::StatusOr<ArrayComparison> CompareArrays(const ResponseArray& source,
                                              ResponseArray target,
                                              const ArrayCompareOptions& options,
                                              const ArrayCompareControl& control) {
  IAT_RETURN_IF_ERROR(options.Validate());
  IAT_RETURN_IF_ERROR(MatchStimuli(source, target));
  ArrayComparison comparison;
  comparison.source_name = source.name;
  comparison.target_name = target.name;
  comparison.num_source_units = source.values.cols();
  comparison.num_target_units = target.values.cols();
  comparison.num_stimuli = source.values.rows();
  comparison.stage_was_inferred = options.target_stage == "auto";
  IAT_ASSIGN_OR_RETURN(comparison.target_stage,
                       TargetStage(target, options.target_stage));
  std::vector<Split> splits;
  if (!options.mappings.empty()) {
    if (const absl::Status fits = CheckStage(options, comparison.target_stage);
        !fits.ok()) {
      return Annotate(fits, comparison.target_stage == Stage::kPreRelu
                                ? absl::StrCat(target.name, " has values below 0")
                                : target.name);
    }
    IAT_ASSIGN_OR_RETURN(splits, MakeSplits(source, options));
    comparison.num_fit_stimuli = static_cast<int64_t>(splits.front().fit.size());
    comparison.num_test_stimuli = static_cast<int64_t>(splits.front().test.size());
  }
  IAT_RETURN_IF_ERROR(Runner(source, target, options, control, comparison).Run(splits));
  return comparison;
}

}  // namespace iat
