#include "similarity/subsample_runner.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/file.h"
#include "base/parallel.h"
#include "base/random.h"
#include "base/status.h"
#include "similarity/mapping.h"
#include "similarity/nested_ridge.h"
#include "similarity/r2.h"
#include "similarity/tap_cache.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

constexpr absl::string_view kHeader = "iat sampling part 1";
constexpr absl::string_view kEnd = "end\n";

absl::Status WriteSamplingPart(const fs::path& path, const std::string& fingerprint,
                               const SamplingPart& part) {
  return WriteFileAtomically(
      path, absl::StrCat(kHeader, "\nfingerprint ", fingerprint,
                         absl::StrFormat("\nseconds %.3f\n", part.seconds),
                         SamplingText(part.rows), kEnd));
}

bool IsFinished(const SubsampleCell& cell, const fs::path& table) {
  return ReadSamplingPart(cell.PartPath(table), cell.fingerprint).ok();
}

bool IsNested(const std::string& mapping) {
  return mapping == "ridge" || mapping == "ridge_clamped";
}

// The order in which a cell takes its fit stimuli (places in split.fit) or the units of
// its pool.
std::vector<int64_t> OrderOf(const SubsampleCell& cell, const std::string& target,
                             int64_t count) {
  if (cell.axis == "stimuli") {
    return RandomStream(cell.sample_seed, "subsampled stimuli",
                        static_cast<uint64_t>(cell.split_seed))
        .Permutation(count);
  }
  return RandomStream(cell.sample_seed,
                      absl::StrCat("subsampled units/", target, "/", cell.tap.layer))
      .Permutation(count);
}

// Responses on the fit and the test stimuli.
struct Responses {
  Eigen::MatrixXd fit, test;
};

// Scores of target units by (size, mapping), grown from block to block of units.
struct UnitValues {
  Eigen::VectorXd r2, r;

  void Add(const Eigen::MatrixXd& target, const Eigen::MatrixXd& predicted) {
    Add(R2PerUnit(target, predicted), PearsonPerUnit(target, predicted));
  }
  void Add(const Eigen::VectorXd& more_r2, const Eigen::VectorXd& more_r) {
    Append(more_r2, r2);
    Append(more_r, r);
  }

 private:
  static void Append(const Eigen::VectorXd& more, Eigen::VectorXd& values) {
    values.conservativeResize(values.size() + more.size());
    values.tail(more.size()) = more;
  }
};
using CellScores = std::map<std::pair<int64_t, std::string>, UnitValues>;

// A cell's mappings on one block of target units.
class CellScorer {
 public:
  CellScorer(const SubsampleOptions& options, const SubsampleCell& cell,
             std::vector<int64_t> order, const Responses& source, CellScores& scores)
      : options_(options),
        cell_(cell),
        order_(std::move(order)),
        source_(source),
        scores_(scores) {}

  absl::Status ScoreNested(NestedRidge& ridge, const Eigen::MatrixXd& target_test) {
    const auto score = [&](const RidgePoint& point) {
      for (const std::string& name : cell_.mappings) {
        if (name == "ridge") {
          Values(point.size, name).Add(point.r2, point.r);
        } else if (name == "ridge_clamped") {
          Values(point.size, name).Add(target_test, point.predicted.cwiseMax(0.0));
        }
      }
      return absl::OkStatus();
    };
    return cell_.axis == "stimuli" ? ridge.OverStimuli(order_, cell_.sizes, score)
                                   : ridge.OverUnits(order_, cell_.sizes, score);
  }

  // The mappings that have no shared road, a fit a size: those that fit target units
  // alone, or the others.
  absl::Status ScoreOthers(const Responses& target, bool alone) {
    std::vector<std::pair<std::string, std::unique_ptr<Mapping>>> mappings;
    for (const std::string& name : cell_.mappings) {
      if (IsNested(name)) continue;
      IAT_ASSIGN_OR_RETURN(std::unique_ptr<Mapping> mapping,
                           MakeMapping(name, options_.mapping));
      if (mapping->FitsUnitsAlone() == alone) {
        mappings.emplace_back(name, std::move(mapping));
      }
    }
    if (mappings.empty()) return absl::OkStatus();
    for (const int64_t size : cell_.sizes) {
      const std::vector<int64_t> subset(order_.begin(), order_.begin() + size);
      const bool is_rows = cell_.axis == "stimuli";
      const auto rows = [&](const Eigen::MatrixXd& values) -> Eigen::MatrixXd {
        if (is_rows) return values(subset, Eigen::all);
        return values;
      };
      const auto columns = [&](const Eigen::MatrixXd& values) -> Eigen::MatrixXd {
        if (is_rows) return values;
        return values(Eigen::all, subset);
      };
      SourceData source(is_rows ? rows(source_.fit) : columns(source_.fit));
      const Eigen::MatrixXd source_test = columns(source_.test);
      FitProblem problem(source, rows(target.fit), cell_.tap.stage);
      for (const auto& [name, mapping] : mappings) {
        const auto fitted = mapping->Fit(problem);
        if (!fitted.ok()) {
          return Annotate(fitted.status(), absl::StrCat(name, " at size ", size));
        }
        IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd predicted,
                             (*fitted)->Predict(source_test));
        Values(size, name).Add(target.test, predicted);
      }
    }
    return absl::OkStatus();
  }

 private:
  UnitValues& Values(int64_t size, const std::string& mapping) {
    return scores_[{size, mapping}];
  }

  const SubsampleOptions& options_;
  const SubsampleCell& cell_;
  const std::vector<int64_t> order_;
  const Responses& source_;
  CellScores& scores_;
};

std::vector<SamplingRow> MakeRows(const SubsampleInput& input,
                                  const SubsampleWorld& world, const SubsampleCell& cell,
                                  int64_t num_source_units, const CellScores& scores) {
  const Split& split = world.SplitOf(cell);
  const ComparedAnimal& target = world.animals[cell.target];
  const bool is_stimuli = cell.axis == "stimuli";
  std::vector<SamplingRow> rows;
  for (const auto& [key, values] : scores) {
    const R2Summary summary = SummariseR2(values.r2);
    SamplingRow& row = rows.emplace_back();
    row.axis = cell.axis;
    row.size = key.first;
    row.sample_seed = cell.sample_seed;
    row.num_pooled_sources = static_cast<int64_t>(cell.sources.size());
    row.score = {
        .stimuli = input.stimuli,
        .source_animal = PoolName(world.animals, cell.sources),
        .target_animal = target.name(),
        .source_layer = cell.tap.layer,
        .target_layer = cell.tap.layer,
        .source_stage = StageName(cell.tap.stage),
        .target_stage = StageName(cell.tap.stage),
        .source_scope = world.animals[cell.sources.front()].file.metadata().scope,
        .target_scope = target.file.metadata().scope,
        .mapping = cell.permuted ? absl::StrCat(key.second, "_permuted") : key.second,
        .split_seed = cell.split_seed,
        .num_fit_stimuli =
            is_stimuli ? key.first : static_cast<int64_t>(split.fit.size()),
        .num_test_stimuli = static_cast<int64_t>(split.test.size()),
        .num_source_units = is_stimuli ? num_source_units : key.first,
        .num_target_units = static_cast<int64_t>(cell.units.size()),
        .num_scored_units = summary.num_scored_units,
        .median_r2 = summary.median,
        .mean_r2 = summary.mean,
        .q25_r2 = summary.q25,
        .q75_r2 = summary.q75,
        .median_r = SummariseR2(values.r).median};
  }
  return rows;
}

class Runner {
 public:
  Runner(const SubsampleOptions& options, const SubsampleInput& input,
         const SubsampleWorld& world, const fs::path& table,
         const CompareControl& control)
      : options_(options),
        input_(input),
        world_(world),
        table_(table),
        control_(control),
        cache_(world.animals) {}

  absl::Status Run() {
    std::vector<std::vector<size_t>> todo;
    for (size_t g = 0; g < world_.groups.size(); ++g) {
      if (static_cast<int>(g % control_.rank.size) != control_.rank.index) continue;
      std::vector<size_t> missing;
      for (const size_t c : world_.groups[g]) {
        ++num_cells_;
        if (IsFinished(world_.cells[c], table_)) {
          ++num_done_;
        } else {
          missing.push_back(c);
        }
      }
      if (missing.empty()) continue;
      const SubsampleCell& first = world_.cells[missing.front()];
      cache_.Expect(first.target, first.tap);
      for (const size_t source : first.sources) cache_.Expect(source, first.tap);
      todo.push_back(std::move(missing));
    }
    return ParallelFor(control_.jobs, static_cast<int64_t>(todo.size()),
                       [&](int64_t i) { return RunGroup(todo[i]); });
  }

 private:
  using Clock = std::chrono::steady_clock;

  // The sources' units side by side.
  absl::StatusOr<Responses> Pool(const SubsampleCell& cell) {
    const Split& split = world_.SplitOf(cell);
    Responses pool;
    for (const size_t s : cell.sources) {
      const ComparedAnimal& animal = world_.animals[s];
      IAT_ASSIGN_OR_RETURN(const std::shared_ptr<const ActivationMatrix> values,
                           cache_.Get(s, cell.tap));
      std::vector<int64_t> units(values->cols());
      std::iota(units.begin(), units.end(), 0);
      const Eigen::Index first = pool.fit.cols(), count = values->cols();
      pool.fit.conservativeResize(static_cast<Eigen::Index>(split.fit.size()),
                                  first + count);
      pool.test.conservativeResize(static_cast<Eigen::Index>(split.test.size()),
                                   first + count);
      pool.fit.rightCols(count) = Gather(*values, animal, split.fit, units);
      pool.test.rightCols(count) = Gather(*values, animal, split.test, units);
    }
    return pool;
  }

  absl::StatusOr<Responses> Target(const SubsampleCell& cell,
                                   const ActivationMatrix& values,
                                   const std::vector<int64_t>& units) const {
    const ComparedAnimal& target = world_.animals[cell.target];
    Split rows = world_.SplitOf(cell);
    if (cell.permuted) {
      rows = PermutedSplit(rows, 0, absl::StrCat(target.name(), "/", cell.tap.layer));
    }
    return Responses{Gather(values, target, rows.fit, units),
                     Gather(values, target, rows.test, units)};
  }

  // Target units in blocks, and in each block the subsamples one after another: they
  // share what NestedRidge keeps. A subsample is finished with the last block.
  absl::Status RunGroup(const std::vector<size_t>& cells) {
    IAT_RETURN_IF_ERROR(CheckStop());
    const SubsampleCell& first = world_.cells[cells.front()];
    IAT_ASSIGN_OR_RETURN(const Responses source, Pool(first));
    IAT_ASSIGN_OR_RETURN(const std::shared_ptr<const ActivationMatrix> values,
                         cache_.Get(first.target, first.tap));
    std::vector<CellScores> scores(cells.size());
    std::vector<double> seconds(cells.size(), 0.0);
    const auto takes = [&](absl::string_view mapping) {
      return std::find(first.mappings.begin(), first.mappings.end(), mapping) !=
             first.mappings.end();
    };
    const bool has_nested =
        std::any_of(first.mappings.begin(), first.mappings.end(), IsNested);
    const auto predictions = takes("ridge_clamped") ? NestedRidge::Predictions::kKept
                                                    : NestedRidge::Predictions::kLeftOut;
    for (size_t begin = 0; begin < first.units.size(); begin += kUnitsTogether) {
      const size_t end = std::min(begin + kUnitsTogether, first.units.size());
      const std::vector<int64_t> units(first.units.begin() + static_cast<int64_t>(begin),
                                       first.units.begin() + static_cast<int64_t>(end));
      auto start = Clock::now();
      IAT_ASSIGN_OR_RETURN(const Responses target, Target(first, *values, units));
      std::optional<NestedRidge> ridge;
      if (has_nested) {
        IAT_ASSIGN_OR_RETURN(
            ridge, NestedRidge::Make(source.fit, target.fit, source.test, target.test,
                                     options_.mapping.ridge, predictions));
      }
      for (size_t c = 0; c < cells.size(); ++c) {
        const SubsampleCell& cell = world_.cells[cells[c]];
        IAT_RETURN_IF_ERROR(CheckStop());
        const int64_t count =
            cell.axis == "stimuli" ? source.fit.rows() : source.fit.cols();
        CellScorer scorer(options_, cell,
                          OrderOf(cell, world_.animals[cell.target].name(), count),
                          source, scores[c]);
        absl::Status status;
        if (ridge) status = scorer.ScoreNested(*ridge, target.test);
        if (status.ok()) status = scorer.ScoreOthers(target, /*alone=*/true);
        if (status.ok() && end == first.units.size()) {
          IAT_ASSIGN_OR_RETURN(const Responses all, Target(first, *values, first.units));
          status = scorer.ScoreOthers(all, /*alone=*/false);
        }
        if (!status.ok()) return Annotate(status, cell.Name(world_.animals));
        seconds[c] += std::chrono::duration<double>(Clock::now() - start).count();
        start = Clock::now();
        if (end < first.units.size()) continue;
        IAT_RETURN_IF_ERROR(Finish(cell, source.fit.cols(), seconds[c], scores[c]));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Finish(const SubsampleCell& cell, int64_t num_source_units, double seconds,
                      const CellScores& scores) {
    const SamplingPart part{seconds,
                            MakeRows(input_, world_, cell, num_source_units, scores)};
    IAT_RETURN_IF_ERROR(WriteSamplingPart(cell.PartPath(table_), cell.fingerprint, part));
    const std::lock_guard<std::mutex> lock(mutex_);
    ++num_done_;
    if (!control_.progress) return absl::OkStatus();
    std::string line = absl::StrCat(cell.Name(world_.animals), ": median R2");
    for (const SamplingRow& row : part.rows) {
      if (row.size != cell.sizes.back()) continue;
      absl::StrAppendFormat(&line, " %s %.3f", row.score.mapping, row.score.median_r2);
    }
    absl::StrAppendFormat(&line, " at %d (%.1f s)", cell.sizes.back(), part.seconds);
    control_.progress(num_done_, num_cells_, line);
    return absl::OkStatus();
  }

  absl::Status CheckStop() const {
    if (control_.stop != nullptr && control_.stop->load()) {
      return absl::CancelledError("subsampling was interrupted; run again to continue");
    }
    return absl::OkStatus();
  }

  const SubsampleOptions& options_;
  const SubsampleInput& input_;
  const SubsampleWorld& world_;
  const fs::path& table_;
  const CompareControl& control_;
  TapCache cache_;
  std::mutex mutex_;
  int64_t num_cells_ = 0, num_done_ = 0;  // of this rank's share
};

}  // namespace

absl::StatusOr<SamplingPart> ReadSamplingPart(const fs::path& path,
                                              const std::string& fingerprint) {
  IAT_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  absl::string_view rest = text;
  if (!absl::ConsumePrefix(&rest,
                           absl::StrCat(kHeader, "\nfingerprint ", fingerprint, "\n"))) {
    return absl::InvalidArgumentError(
        absl::StrCat(path.string(), ": is not a sampling part of this cell"));
  }
  if (!absl::ConsumeSuffix(&rest, kEnd)) {
    return absl::InvalidArgumentError(absl::StrCat(path.string(), ": is cut short"));
  }
  SamplingPart part;
  const size_t line_end = rest.find('\n');
  absl::string_view seconds = rest.substr(0, line_end);
  if (line_end == absl::string_view::npos || !absl::ConsumePrefix(&seconds, "seconds ") ||
      !absl::SimpleAtod(seconds, &part.seconds)) {
    return absl::InvalidArgumentError(absl::StrCat(path.string(), ": line 3 is damaged"));
  }
  IAT_ASSIGN_OR_RETURN(part.rows,
                       ParseSampling(rest.substr(line_end + 1), path.string()));
  return part;
}

absl::Status RunMissingSubsamples(const SubsampleOptions& options,
                                  const SubsampleInput& input,
                                  const SubsampleWorld& world, const fs::path& table,
                                  const CompareControl& control) {
  return Runner(options, input, world, table, control).Run();
}

int64_t NumFinishedSubsamples(const SubsampleWorld& world, const fs::path& table) {
  return std::count_if(
      world.cells.begin(), world.cells.end(),
      [&](const SubsampleCell& cell) { return IsFinished(cell, table); });
}

}  // namespace iat
