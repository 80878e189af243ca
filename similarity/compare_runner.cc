#include "similarity/compare_runner.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/parallel.h"
#include "base/status.h"
#include "similarity/mapping.h"
#include "similarity/r2.h"
#include "similarity/score_part.h"
#include "similarity/split.h"
#include "similarity/tap_cache.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

bool IsFinished(const CompareCell& cell, const fs::path& scores_folder) {
  return ReadScorePart(cell.PartPath(scores_folder), cell.fingerprint).ok();
}

// The mappings of one cell, scored on its units.
class CellScorer {
 public:
  CellScorer(const CompareOptions& options, const CompareWorld& world,
             const CompareCell& cell, const Split& split,
             const ActivationMatrix& target_values, SourceData& source,
             const Eigen::MatrixXd& source_test)
      : options_(options),
        cell_(cell),
        target_(world.animals[cell.target]),
        rows_(cell.permuted ? PermutedSplit(split, options.sample_seed,
                                            absl::StrCat(target_.name(), "/",
                                                         cell.target_tap.layer))
                            : split),
        target_values_(target_values),
        source_(source),
        source_test_(source_test) {}

  absl::StatusOr<ScorePart> Score() const {
    std::vector<std::unique_ptr<Mapping>> alone, together;
    std::vector<MappingScores*> of_alone, of_together;
    ScorePart part;
    part.fingerprint = cell_.fingerprint;
    part.units = cell_.units;
    part.mappings.resize(cell_.mappings.size());
    for (size_t m = 0; m < cell_.mappings.size(); ++m) {
      const std::string& name = cell_.mappings[m];
      part.mappings[m].mapping = cell_.permuted ? absl::StrCat(name, "_permuted") : name;
      IAT_ASSIGN_OR_RETURN(std::unique_ptr<Mapping> mapping,
                           MakeMapping(name, options_.mapping));
      const bool is_alone = mapping->FitsUnitsAlone();
      (is_alone ? alone : together).push_back(std::move(mapping));
      (is_alone ? of_alone : of_together).push_back(&part.mappings[m]);
    }
    if (!together.empty()) {
      IAT_RETURN_IF_ERROR(ScoreUnits(cell_.units, together, of_together));
    }
    for (size_t first = 0; !alone.empty() && first < cell_.units.size();
         first += kUnitsTogether) {
      const size_t last = std::min(first + kUnitsTogether, cell_.units.size());
      const std::vector<int64_t> units(cell_.units.begin() + static_cast<int64_t>(first),
                                       cell_.units.begin() + static_cast<int64_t>(last));
      IAT_RETURN_IF_ERROR(ScoreUnits(units, alone, of_alone));
    }
    return part;
  }

 private:
  // Fits the mappings on some of the units and adds to their scores.
  absl::Status ScoreUnits(const std::vector<int64_t>& units,
                          const std::vector<std::unique_ptr<Mapping>>& mappings,
                          const std::vector<MappingScores*>& scores) const {
    FitProblem problem(source_, Gather(target_values_, target_, rows_.fit, units),
                       cell_.target_tap.stage);
    const Eigen::MatrixXd target_test =
        Gather(target_values_, target_, rows_.test, units);
    for (size_t m = 0; m < mappings.size(); ++m) {
      IAT_ASSIGN_OR_RETURN(const std::unique_ptr<FittedMapping> fitted,
                           mappings[m]->Fit(problem));
      IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd predicted,
                           fitted->Predict(source_test_));
      Append(R2PerUnit(target_test, predicted), scores[m]->r2);
      Append(PearsonPerUnit(target_test, predicted), scores[m]->r);
      for (const auto& [name, values] : fitted->chosen().values) {
        Append(values, scores[m]->chosen.values[name]);
      }
      for (const auto& [name, count] : fitted->chosen().num_at_edge) {
        scores[m]->chosen.num_at_edge[name] += count;
      }
    }
    return absl::OkStatus();
  }

  static void Append(const Eigen::VectorXd& more, Eigen::VectorXd& values) {
    values.conservativeResize(values.size() + more.size());
    values.tail(more.size()) = more;
  }

  const CompareOptions& options_;
  const CompareCell& cell_;
  const ComparedAnimal& target_;
  const Split rows_;
  const ActivationMatrix& target_values_;
  SourceData& source_;
  const Eigen::MatrixXd& source_test_;
};

std::string ProgressLine(const CompareWorld& world, const CompareCell& cell,
                         const ScorePart& part) {
  std::string line = absl::StrCat(cell.Name(world.animals), ": median R2");
  const char* separator = " ";
  for (const MappingScores& scores : part.mappings) {
    absl::StrAppendFormat(&line, "%s%s %.3f", separator, scores.mapping,
                          SummariseR2(scores.r2).median);
    separator = ", ";
  }
  absl::StrAppendFormat(&line, " (%.1f s)", part.seconds);
  return line;
}

class Runner {
 public:
  Runner(const CompareOptions& options, const CompareWorld& world,
         const fs::path& scores_folder, const CompareControl& control)
      : options_(options),
        world_(world),
        scores_folder_(scores_folder),
        control_(control),
        cache_(world.animals) {}

  absl::Status Run() {
    std::vector<std::vector<size_t>> todo;
    for (size_t g = 0; g < world_.groups.size(); ++g) {
      if (static_cast<int>(g % control_.rank.size) != control_.rank.index) continue;
      std::vector<size_t> missing;
      for (const size_t c : world_.groups[g]) {
        ++num_cells_;
        if (IsFinished(world_.cells[c], scores_folder_)) {
          ++num_done_;
        } else {
          missing.push_back(c);
        }
      }
      if (missing.empty()) continue;
      const CompareCell& first = world_.cells[missing.front()];
      cache_.Expect(first.source, first.source_tap);
      for (const size_t c : missing) {
        cache_.Expect(world_.cells[c].target, world_.cells[c].target_tap);
      }
      todo.push_back(std::move(missing));
    }
    return ParallelFor(control_.jobs, static_cast<int64_t>(todo.size()),
                       [&](int64_t i) { return RunGroup(todo[i]); });
  }

 private:
  absl::Status RunGroup(const std::vector<size_t>& cells) {
    const CompareCell& first = world_.cells[cells.front()];
    const Split& split = world_.SplitOf(first);
    const ComparedAnimal& animal = world_.animals[first.source];
    IAT_RETURN_IF_ERROR(CheckStop());
    IAT_ASSIGN_OR_RETURN(const std::shared_ptr<const ActivationMatrix> values,
                         cache_.Get(first.source, first.source_tap));
    std::vector<int64_t> units(values->cols());
    std::iota(units.begin(), units.end(), 0);
    SourceData source(Gather(*values, animal, split.fit, units));
    const Eigen::MatrixXd source_test = Gather(*values, animal, split.test, units);
    for (const size_t c : cells) {
      const CompareCell& cell = world_.cells[c];
      IAT_RETURN_IF_ERROR(CheckStop());
      const auto start = std::chrono::steady_clock::now();
      IAT_ASSIGN_OR_RETURN(const std::shared_ptr<const ActivationMatrix> target,
                           cache_.Get(cell.target, cell.target_tap));
      auto part =
          CellScorer(options_, world_, cell, split, *target, source, source_test).Score();
      if (!part.ok()) return Annotate(part.status(), cell.Name(world_.animals));
      part->seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      IAT_RETURN_IF_ERROR(WriteScorePart(cell.PartPath(scores_folder_), *part));
      Report(cell, *part);
    }
    return absl::OkStatus();
  }

  absl::Status CheckStop() const {
    if (control_.stop != nullptr && control_.stop->load()) {
      return absl::CancelledError("comparing was interrupted; run again to continue");
    }
    return absl::OkStatus();
  }

  void Report(const CompareCell& cell, const ScorePart& part) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++num_done_;
    if (control_.progress) {
      control_.progress(num_done_, num_cells_, ProgressLine(world_, cell, part));
    }
  }

  const CompareOptions& options_;
  const CompareWorld& world_;
  const fs::path& scores_folder_;
  const CompareControl& control_;
  TapCache cache_;
  std::mutex mutex_;
  int64_t num_cells_ = 0, num_done_ = 0;  // of this rank's share
};

}  // namespace

absl::Status RunMissingCells(const CompareOptions& options, const CompareWorld& world,
                             const fs::path& scores_folder,
                             const CompareControl& control) {
  return Runner(options, world, scores_folder, control).Run();
}

int64_t NumFinishedCells(const CompareWorld& world, const fs::path& scores_folder) {
  return std::count_if(
      world.cells.begin(), world.cells.end(),
      [&](const CompareCell& cell) { return IsFinished(cell, scores_folder); });
}

}  // namespace iat
