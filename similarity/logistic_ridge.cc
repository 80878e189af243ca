#include "similarity/logistic_ridge.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "similarity/linear_algebra.h"
#include "similarity/logistic.h"
#include "similarity/ridge.h"

namespace iat {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Targets that share a batch of products. Fixed, so that results are a function of
// the cell alone.
constexpr size_t kTargetsPerBatch = 64;

// What ends a path: so many rises of the cross-validated loss in a row, or one to this
// multiple of the best.
constexpr int kRisesToStop = 2;
constexpr double kClearRise = 1.01;

Eigen::Index NumActive(const Eigen::MatrixXd& target, Eigen::Index unit) {
  return (target.col(unit).array() > 0.0).count();
}

double Sigmoid(double margin) { return 1.0 / (1.0 + std::exp(-margin)); }

// log(1 + exp(-u)), u the margin towards the right class.
double LogLoss(float u) {
  return std::max(-u, 0.0f) + std::log1p(std::exp(-std::abs(static_cast<double>(u))));
}

// One target of a batch on its way down the penalties.
struct Path {
  Eigen::Index unit = 0;
  Eigen::VectorXf classes;            // +1, -1
  std::vector<int> fold;              // of each stimulus
  std::vector<Eigen::Index> columns;  // of the fold batch; empty with one fold
  int num_rises = 0;
  double last_loss = INFINITY, best_loss = INFINITY;
  size_t best = 0;        // position in the grid
  Eigen::VectorXd start;  // mean of the folds' coefficients at the best
};

Path MakePath(const Eigen::MatrixXd& target, Eigen::Index unit, int64_t num_folds,
              Eigen::Index num_active) {
  const Eigen::Index n = target.rows();
  Path path;
  path.unit = unit;
  path.classes = (target.col(unit).array() > 0.0)
                     .select(Eigen::VectorXf::Ones(n), -Eigen::VectorXf::Ones(n));
  const int64_t folds = std::min({num_folds, num_active, n - num_active});
  path.fold.resize(n);
  int64_t seen[2] = {0, 0};
  for (Eigen::Index i = 0; i < n; ++i) {
    path.fold[i] = static_cast<int>(seen[path.classes(i) > 0]++ % folds);
  }
  if (folds > 1) path.columns.resize(folds);
  return path;
}

// Chooses each path's penalty on its folds and leaves there the margins of the
// stimuli that each fold left out.
void FollowPaths(const LogisticDesign& design, const std::vector<double>& penalties,
                 std::vector<Path>& paths, Eigen::MatrixXf& out_of_fold) {
  const Eigen::Index n = design.num_stimuli();
  Eigen::Index num_columns = 0;
  for (Path& path : paths) {
    for (Eigen::Index& column : path.columns) column = num_columns++;
  }
  if (num_columns == 0) return;
  Eigen::MatrixXf classes(n, num_columns);
  for (const Path& path : paths) {
    for (size_t f = 0; f < path.columns.size(); ++f) {
      for (Eigen::Index i = 0; i < n; ++i) {
        classes(i, path.columns[f]) =
            path.fold[i] == static_cast<int>(f) ? 0.0f : path.classes(i);
      }
    }
  }
  LogisticBatch batch(design, classes);
  std::vector<Path*> active;
  for (Path& path : paths) {
    if (!path.columns.empty()) active.push_back(&path);
  }
  for (size_t l = 0; l < penalties.size() && !active.empty(); ++l) {
    std::vector<Eigen::Index> columns;
    for (const Path* path : active) {
      columns.insert(columns.end(), path->columns.begin(), path->columns.end());
    }
    batch.Solve(columns, std::vector<double>(columns.size(), penalties[l]),
                LogisticBatch::Precision::kFast);
    const Eigen::MatrixXf margins = batch.Margins(columns);
    std::vector<Path*> still_active;
    Eigen::Index first = 0;
    for (Path* path : active) {
      Eigen::VectorXf held_out(n);
      double loss = 0.0;
      for (Eigen::Index i = 0; i < n; ++i) {
        held_out(i) = margins(i, first + path->fold[i]);
        loss += LogLoss(path->classes(i) * held_out(i));
      }
      first += static_cast<Eigen::Index>(path->columns.size());
      if (loss < path->best_loss) {
        path->best_loss = loss;
        path->best = l;
        out_of_fold.col(path->unit) = held_out;
        path->start = Eigen::VectorXd::Zero(design.num_coefficients());
        for (const Eigen::Index column : path->columns) {
          path->start += batch.Coefficients(column);
        }
        path->start /= static_cast<double>(path->columns.size());
      }
      path->num_rises = loss > path->last_loss ? path->num_rises + 1 : 0;
      path->last_loss = loss;
      if (path->num_rises < kRisesToStop && loss < kClearRise * path->best_loss) {
        still_active.push_back(path);
      }
    }
    active = std::move(still_active);
  }
}

double PickThreshold(const Eigen::VectorXd& target, const Eigen::VectorXf& margins,
                     const Eigen::VectorXd& values,
                     const std::vector<double>& thresholds) {
  double best = 0.5, smallest = INFINITY;
  for (const double threshold : thresholds) {
    double error = 0.0;
    for (Eigen::Index i = 0; i < target.size(); ++i) {
      const double predicted = Sigmoid(margins(i)) >= threshold ? values(i) : 0.0;
      error += (target(i) - predicted) * (target(i) - predicted);
    }
    if (error < smallest ||
        (error == smallest && std::abs(threshold - 0.5) < std::abs(best - 0.5))) {
      smallest = error;
      best = threshold;
    }
  }
  return best;
}

enum class Gate { kHard, kSoft, kTuned };

class FittedLogisticRidge : public FittedMapping {
 public:
  FittedLogisticRidge(Gate gate, std::shared_ptr<const GateFit> gates,
                      std::shared_ptr<const ActiveRidgeFit> ridges,
                      Eigen::VectorXd thresholds)
      : gate_(gate),
        gates_(std::move(gates)),
        ridges_(std::move(ridges)),
        thresholds_(std::move(thresholds)) {
    chosen_.values["ridge_penalty"] = ridges_->ridge_penalty;
    chosen_.num_at_edge["ridge_penalty"] = ridges_->num_at_edge;
    chosen_.values["logistic_penalty"] = gates_->logistic_penalty;
    chosen_.num_at_edge["logistic_penalty"] = gates_->num_at_edge;
    if (gate_ == Gate::kTuned) chosen_.values["gate_threshold"] = thresholds_;
  }

  absl::StatusOr<Eigen::MatrixXd> Predict(const Eigen::MatrixXd& source) const override {
    IAT_ASSIGN_OR_RETURN(Eigen::MatrixXd predicted, ridges_->map.Predict(source));
    IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd margins, gates_->margins.Predict(source));
    for (Eigen::Index j = 0; j < predicted.cols(); ++j) {
      for (Eigen::Index i = 0; i < predicted.rows(); ++i) {
        const double p = Sigmoid(margins(i, j));
        predicted(i, j) *= gate_ == Gate::kSoft ? p : (p >= thresholds_(j) ? 1.0 : 0.0);
      }
    }
    return predicted;
  }
  const Chosen& chosen() const override { return chosen_; }

 private:
  const Gate gate_;
  const std::shared_ptr<const GateFit> gates_;
  const std::shared_ptr<const ActiveRidgeFit> ridges_;
  const Eigen::VectorXd thresholds_;
  Chosen chosen_;
};

class LogisticRidgeMapping : public Mapping {
 public:
  LogisticRidgeMapping(Gate gate, MappingOptions options)
      : gate_(gate), options_(std::move(options)) {}

  absl::Status CheckTargetStage(Stage stage) const override {
    if (stage == Stage::kPostRelu) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "LogisticRidge predicts whether a target is above zero or exactly zero "
        "(post_relu); the target is ",
        StageName(stage)));
  }

  absl::StatusOr<std::unique_ptr<FittedMapping>> Fit(FitProblem& problem) const override {
    IAT_RETURN_IF_ERROR(CheckTargetStage(problem.target_stage()));
    IAT_ASSIGN_OR_RETURN(
        const std::shared_ptr<const GateFit> gates, problem.Shared<GateFit>([&] {
          return FitGates(problem.source(), problem.target(), options_.logistic_ridge);
        }));
    IAT_ASSIGN_OR_RETURN(const std::shared_ptr<const ActiveRidgeFit> ridges,
                         problem.Shared<ActiveRidgeFit>([&] {
                           return FitActiveRidges(problem.source(), problem.target(),
                                                  options_.ridge,
                                                  options_.logistic_ridge);
                         }));
    Eigen::VectorXd thresholds = Eigen::VectorXd::Constant(problem.target().cols(), 0.5);
    if (gate_ == Gate::kTuned) {
      for (Eigen::Index j = 0; j < thresholds.size(); ++j) {
        if (std::isnan(gates->out_of_fold(0, j))) continue;
        thresholds(j) = PickThreshold(problem.target().col(j), gates->out_of_fold.col(j),
                                      ridges->out_of_sample.col(j),
                                      options_.logistic_ridge.gate_thresholds);
      }
    }
    return std::make_unique<FittedLogisticRidge>(gate_, gates, ridges,
                                                 std::move(thresholds));
  }

 private:
  const Gate gate_;
  const MappingOptions options_;
};

}  // namespace

void LogisticRidgeOptions::Describe(OptionVisitor& visitor) {
  visitor.Numbers("logistic_penalties", logistic_penalties,
                  {.min = 0.0, .min_excluded = true},
                  "grid of the logistic regression's penalty on standardised sources; "
                  "sklearn's C is 1 / (2 logistic_penalty)");
  visitor.Integer("num_folds", num_folds, {.min = 2, .max = 1000},
                  "folds, stratified by activity, that choose the logistic penalty and "
                  "the gate's threshold");
  visitor.Integer("min_active", min_active, {.min = 1},
                  "target units with fewer active fit stimuli get their mean instead of "
                  "a ridge");
  visitor.Numbers("gate_thresholds", gate_thresholds, {.min = 0.0, .max = 1.0},
                  "thresholds that logistic_ridge_tuned chooses from");
}

absl::Status LogisticRidgeOptions::Validate() const {
  if (logistic_penalties.empty()) {
    return absl::InvalidArgumentError(
        "logistic_ridge.logistic_penalties is empty; expected at least one number > 0");
  }
  if (gate_thresholds.empty()) {
    return absl::InvalidArgumentError(
        "logistic_ridge.gate_thresholds is empty; expected at least one number in [0, "
        "1]");
  }
  return absl::OkStatus();
}

absl::StatusOr<GateFit> FitGates(SourceData& source, const Eigen::MatrixXd& target,
                                 const LogisticRidgeOptions& options) {
  IAT_ASSIGN_OR_RETURN(const SourceBasis* basis, source.StandardisedBasis());
  if (target.rows() != basis->num_stimuli()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "source has ", basis->num_stimuli(), " stimuli, target has ", target.rows()));
  }
  const Eigen::Index n = target.rows(), t = target.cols();
  const LogisticDesign design(*basis);
  std::vector<double> penalties = options.logistic_penalties;
  std::sort(penalties.rbegin(), penalties.rend());

  GateFit fit;
  fit.logistic_penalty = Eigen::VectorXd::Constant(t, kNaN);
  fit.out_of_fold =
      Eigen::MatrixXf::Constant(n, t, std::numeric_limits<float>::quiet_NaN());
  Eigen::MatrixXd coefficients = Eigen::MatrixXd::Zero(basis->rank(), t);
  Eigen::RowVectorXd intercepts(t);
  std::vector<std::vector<Path>> batches(1);
  for (Eigen::Index j = 0; j < t; ++j) {
    const Eigen::Index num_active = NumActive(target, j);
    intercepts(j) = num_active > 0 ? INFINITY : -INFINITY;
    if (num_active == 0 || num_active == n) continue;
    if (batches.back().size() == kTargetsPerBatch) batches.emplace_back();
    batches.back().push_back(MakePath(target, j, options.num_folds, num_active));
  }
  for (std::vector<Path>& paths : batches) {
    if (paths.empty()) continue;
    FollowPaths(design, penalties, paths, fit.out_of_fold);
    Eigen::MatrixXf classes(n, paths.size());
    for (size_t c = 0; c < paths.size(); ++c) classes.col(c) = paths[c].classes;
    LogisticBatch batch(design, classes);
    std::vector<Eigen::Index> columns;
    std::vector<double> chosen;
    for (size_t c = 0; c < paths.size(); ++c) {
      columns.push_back(static_cast<Eigen::Index>(c));
      chosen.push_back(penalties[paths[c].best]);
      if (paths[c].start.size() > 0) batch.SetCoefficients(c, paths[c].start);
    }
    batch.Solve(columns, chosen, LogisticBatch::Precision::kFastFinal);
    batch.Solve(columns, chosen, LogisticBatch::Precision::kExact);
    for (size_t c = 0; c < paths.size(); ++c) {
      const Path& path = paths[c];
      const Eigen::VectorXd solution = batch.Coefficients(columns[c]);
      coefficients.col(path.unit) = solution.head(basis->rank());
      intercepts(path.unit) = solution(basis->rank());
      fit.logistic_penalty(path.unit) = chosen[c];
      fit.num_at_edge +=
          penalties.size() > 1 && (path.best == 0 || path.best + 1 == penalties.size());
    }
  }
  const Standardiser& standardiser = source.standardiser();
  fit.margins.source_mean = standardiser.mean;
  fit.margins.weights = standardiser.inverse_deviation.transpose().asDiagonal() *
                        Product(basis->axes(), coefficients);
  fit.margins.target_mean = intercepts;
  return fit;
}

absl::StatusOr<ActiveRidgeFit> FitActiveRidges(SourceData& source,
                                               const Eigen::MatrixXd& target,
                                               const RidgeOptions& ridge,
                                               const LogisticRidgeOptions& options) {
  IAT_ASSIGN_OR_RETURN(const SourceBasis* basis, source.Basis());
  const Eigen::Index n = target.rows(), t = target.cols(), p = basis->num_units();
  ActiveRidgeFit fit;
  fit.ridge_penalty = Eigen::VectorXd::Constant(t, kNaN);
  // In the coordinates of the source's axes, about its mean: as many columns as the
  // source has rank, and the same penalties.
  Eigen::MatrixXd weights = Eigen::MatrixXd::Zero(basis->rank(), t);
  Eigen::RowVectorXd intercepts = Eigen::RowVectorXd::Zero(t);
  std::vector<std::vector<Eigen::Index>> active_rows(t);
  std::vector<Eigen::VectorXd> leave_one_out(t);
  for (Eigen::Index j = 0; j < t; ++j) {
    std::vector<Eigen::Index>& active = active_rows[j];
    for (Eigen::Index i = 0; i < n; ++i) {
      if (target(i, j) > 0.0) active.push_back(i);
    }
    if (active.empty()) continue;
    const Eigen::VectorXd values = target.col(j)(active);
    const double count = static_cast<double>(active.size());
    if (static_cast<int64_t>(active.size()) < options.min_active || basis->rank() == 0) {
      intercepts(j) = values.mean();
      if (active.size() > 1) {
        leave_one_out[j] = (values.sum() - values.array()) / (count - 1.0);
      } else {
        leave_one_out[j] = values;
      }
      continue;
    }
    IAT_ASSIGN_OR_RETURN(
        SingleRidgeFit single,
        FitSingleRidge(basis->rotated()(active, Eigen::all), values, ridge, p));
    weights.col(j) = single.weights;
    intercepts(j) = single.target_mean - single.source_mean.dot(single.weights);
    fit.ridge_penalty(j) = single.ridge_penalty;
    fit.num_at_edge += single.at_edge;
    leave_one_out[j] = std::move(single.leave_one_out);
  }
  fit.out_of_sample = Product(basis->rotated(), weights);
  fit.out_of_sample.rowwise() += intercepts;
  for (Eigen::Index j = 0; j < t; ++j) {
    for (size_t i = 0; i < active_rows[j].size(); ++i) {
      fit.out_of_sample(active_rows[j][i], j) = leave_one_out[j](i);
    }
  }
  fit.map.source_mean = basis->mean();
  fit.map.weights = Product(basis->axes(), weights);
  fit.map.target_mean = intercepts;
  return fit;
}

std::unique_ptr<Mapping> MakeLogisticRidgeMapping(const MappingOptions& options) {
  return std::make_unique<LogisticRidgeMapping>(Gate::kHard, options);
}
std::unique_ptr<Mapping> MakeLogisticRidgeSoftMapping(const MappingOptions& options) {
  return std::make_unique<LogisticRidgeMapping>(Gate::kSoft, options);
}
std::unique_ptr<Mapping> MakeLogisticRidgeTunedMapping(const MappingOptions& options) {
  return std::make_unique<LogisticRidgeMapping>(Gate::kTuned, options);
}

}  // namespace iat
