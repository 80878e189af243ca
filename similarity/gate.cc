#include "similarity/gate.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "base/nan.h"
#include "base/status.h"
#include "similarity/centring.h"
#include "similarity/linear_algebra.h"
#include "similarity/logistic.h"

namespace iat {
namespace {

// Columns advanced together: enough to keep the products wide. Fixed, so that results
// are a function of the cell alone.
constexpr size_t kColumnsTogether = 192;
// Final fits brought to float64 together; each holds a Hessian until then.
constexpr size_t kFinalFitsTogether = 64;

// What ends a path: so many rises of the cross-validated loss in a row, or one to these
// multiples of the best, at a minimum or on the way to one.
constexpr int kRisesToStop = 2;
constexpr double kClearRise = 1.002, kClearRiseOnTheWay = 1.01;

int64_t NumFolds(const Eigen::VectorXd& target, const LogisticRidgeOptions& options) {
  const int64_t num_active = (target.array() > 0.0).count();
  return std::min({options.num_folds, num_active, target.size() - num_active});
}

enum class Goal { kFinalFit, kFoldsOnly };

// One unit on its way down the penalties, strongest first, then to its final fit.
class Path {
 public:
  Path(const LogisticDesign& design, const Eigen::VectorXd& target,
       std::vector<double> penalties, int64_t num_folds, Goal goal)
      : design_(design),
        penalties_(std::move(penalties)),
        num_folds_(num_folds),
        goal_(goal) {
    const Eigen::Index n = target.size();
    classes_ = (target.array() > 0.0)
                   .select(Eigen::VectorXf::Ones(n), -Eigen::VectorXf::Ones(n));
    fold_.resize(n);
    int64_t seen[2] = {0, 0};
    for (Eigen::Index i = 0; i < n; ++i) {
      fold_[i] = static_cast<int>(seen[classes_(i) > 0]++ % num_folds_);
    }
    final_ = goal_ == Goal::kFinalFit && (num_folds_ < 2 || penalties_.size() == 1);
  }

  bool has_final_fit() const { return final_; }
  size_t num_columns() const { return final_ ? 1 : static_cast<size_t>(num_folds_); }

  void Start() {
    if (final_) {
      StartFinal();
      return;
    }
    for (int64_t f = 0; f < num_folds_; ++f) {
      Eigen::VectorXf classes = classes_;
      for (Eigen::Index i = 0; i < classes.size(); ++i) {
        if (fold_[i] == f) classes(i) *= 2.0f;
      }
      columns_.push_back(std::make_unique<LogisticColumn>(design_, classes));
    }
    BeginAll(LogisticPrecision::kFast);
  }

  // Adds what has still to move at this stage.
  void Running(std::vector<LogisticColumn*>& running) const {
    for (const auto& column : columns_) {
      if (!column->converged()) running.push_back(column.get());
    }
  }

  // After an advance: goes on to whatever comes next. True once the goal is reached, a
  // final fit to float32's accuracy.
  bool Continue() {
    while (true) {
      const bool all_converged =
          std::all_of(columns_.begin(), columns_.end(),
                      [](const auto& column) { return column->converged(); });
      if (final_) {
        if (!all_converged || at_hessian_) return all_converged;
        GoOnFromHere();
        continue;
      }
      const double loss = HeldOutLoss();
      if (at_ > 0 && loss > kClearRiseOnTheWay * best_loss_) return EndFolds();
      if (!all_converged) return false;
      if (loss < best_loss_) {
        best_loss_ = loss;
        best_ = at_;
        fold_coefficients_.resize(design_.num_coefficients(), num_folds_);
        for (int64_t f = 0; f < num_folds_; ++f) {
          fold_coefficients_.col(f) = columns_[f]->coefficients();
        }
      }
      num_rises_ = loss > last_loss_ ? num_rises_ + 1 : 0;
      last_loss_ = loss;
      if (num_rises_ == kRisesToStop || loss > kClearRise * best_loss_ ||
          at_ + 1 == penalties_.size()) {
        return EndFolds();
      }
      ++at_;
      BeginAll(LogisticPrecision::kFast);
    }
  }

  void StartExact() { BeginAll(LogisticPrecision::kExact); }
  // Keeps the final fit's coefficients and lets go of everything else that it needed.
  void Finish() {
    coefficients_ = columns_.front()->coefficients();
    columns_.clear();
  }

  double penalty() const { return penalties_[best_]; }
  bool at_edge() const {
    return penalties_.size() > 1 && (best_ == 0 || best_ + 1 == penalties_.size());
  }
  const Eigen::VectorXd& coefficients() const { return coefficients_; }
  const Eigen::MatrixXd& fold_coefficients() const { return fold_coefficients_; }
  int fold(Eigen::Index stimulus) const { return fold_[stimulus]; }

 private:
  void BeginAll(LogisticPrecision precision) {
    const double penalty = penalties_[final_ ? best_ : at_];
    for (const auto& column : columns_) column->Begin(penalty, precision);
  }

  double HeldOutLoss() const {
    double loss = 0.0;
    for (const auto& column : columns_) loss += column->held_out_loss();
    return loss;
  }

  bool EndFolds() {
    if (goal_ == Goal::kFoldsOnly) return true;
    StartFinal();
    return false;
  }

  void StartFinal() {
    final_ = true;
    columns_.clear();
    columns_.push_back(std::make_unique<LogisticColumn>(design_, classes_));
    if (fold_coefficients_.cols() > 0) {
      columns_.front()->SetCoefficients(fold_coefficients_.rowwise().mean());
      GoOnFromHere();
    } else {
      BeginAll(LogisticPrecision::kFast);
    }
  }

  // Close to the minimum: with the Hessian of this point, to float32's accuracy.
  void GoOnFromHere() {
    at_hessian_ = true;
    LogisticColumn& column = *columns_.front();
    if (design_.num_coefficients() <= LogisticHessian::kMaxCoefficients) {
      auto hessian =
          LogisticHessian::Create(design_, column.coefficients(), penalties_[best_]);
      // Without one it takes more steps.
      if (hessian.ok()) column.SetHessian(*std::move(hessian));
    }
    BeginAll(LogisticPrecision::kFastFinal);
  }

  const LogisticDesign& design_;
  const std::vector<double> penalties_;
  const int64_t num_folds_;
  const Goal goal_;
  Eigen::VectorXf classes_;  // +1, -1
  std::vector<int> fold_;    // of each stimulus
  std::vector<std::unique_ptr<LogisticColumn>> columns_;
  bool final_ = false, at_hessian_ = false;
  size_t at_ = 0, best_ = 0;  // positions in the grid
  int num_rises_ = 0;
  double last_loss_ = INFINITY, best_loss_ = INFINITY;
  Eigen::MatrixXd fold_coefficients_;  // at the best
  Eigen::VectorXd coefficients_;       // of the final fit
};

// Brings final fits to float64.
void FinishPaths(const LogisticDesign& design, const std::vector<Path*>& paths) {
  for (Path* path : paths) path->StartExact();
  std::vector<LogisticColumn*> running;
  while (true) {
    running.clear();
    for (const Path* path : paths) path->Running(running);
    if (running.empty()) break;
    Advance(design, running);
  }
  for (Path* path : paths) path->Finish();
}

// Brings every path to its goal.
void FollowPaths(const LogisticDesign& design, std::deque<Path>& paths) {
  std::vector<Path*> live, to_finish;
  std::vector<LogisticColumn*> running;
  size_t next = 0;
  while (next < paths.size() || !live.empty()) {
    size_t num_columns = 0;
    for (const Path* path : live) num_columns += path->num_columns();
    while (
        next < paths.size() &&
        (live.empty() || num_columns + paths[next].num_columns() <= kColumnsTogether)) {
      num_columns += paths[next].num_columns();
      paths[next].Start();
      live.push_back(&paths[next++]);
    }
    running.clear();
    for (const Path* path : live) path->Running(running);
    Advance(design, running);
    std::erase_if(live, [&](Path* path) {
      if (!path->Continue()) return false;
      if (path->has_final_fit()) to_finish.push_back(path);
      return true;
    });
    if (to_finish.size() >= kFinalFitsTogether || live.empty()) {
      FinishPaths(design, to_finish);
      to_finish.clear();
    }
  }
}

}  // namespace

absl::StatusOr<GateFit> FitGates(SourceData& source, const Eigen::MatrixXd& target,
                                 const LogisticRidgeOptions& options) {
  IAT_ASSIGN_OR_RETURN(const SourceBasis* basis, source.StandardisedBasis());
  IAT_RETURN_IF_ERROR(CheckTarget(basis->num_stimuli(), target));
  const Eigen::Index t = target.cols();
  const LogisticDesign design(*basis);
  std::vector<double> penalties = options.logistic_penalties;
  std::sort(penalties.rbegin(), penalties.rend());

  GateFit fit;
  fit.logistic_penalty = Eigen::VectorXd::Constant(t, kNaN);
  fit.fold_coefficients.resize(t);
  Eigen::MatrixXd coefficients = Eigen::MatrixXd::Zero(basis->rank(), t);
  Eigen::RowVectorXd intercepts(t);
  std::deque<Path> paths;
  std::vector<Eigen::Index> units;
  for (Eigen::Index j = 0; j < t; ++j) {
    const int64_t num_folds = NumFolds(target.col(j), options);
    intercepts(j) = target(0, j) > 0.0 ? INFINITY : -INFINITY;
    if (num_folds == 0) continue;  // never or always active
    paths.emplace_back(design, target.col(j), penalties, num_folds, Goal::kFinalFit);
    units.push_back(j);
  }
  FollowPaths(design, paths);
  for (size_t c = 0; c < paths.size(); ++c) {
    const Path& path = paths[c];
    coefficients.col(units[c]) = path.coefficients().head(basis->rank());
    intercepts(units[c]) = path.coefficients()(basis->rank());
    fit.logistic_penalty(units[c]) = path.penalty();
    fit.num_at_edge += path.at_edge();
    fit.fold_coefficients[units[c]] = path.fold_coefficients();
  }
  const Standardiser& standardiser = source.standardiser();
  fit.margins.source_mean = standardiser.mean;
  fit.margins.weights = standardiser.inverse_deviation.transpose().asDiagonal() *
                        Product(basis->axes(), coefficients);
  fit.margins.target_mean = intercepts;
  return fit;
}

absl::StatusOr<Eigen::MatrixXf> OutOfFoldMargins(SourceData& source,
                                                 const Eigen::MatrixXd& target,
                                                 const GateFit& gates,
                                                 const LogisticRidgeOptions& options) {
  IAT_ASSIGN_OR_RETURN(const SourceBasis* basis, source.StandardisedBasis());
  IAT_RETURN_IF_ERROR(CheckTarget(basis->num_stimuli(), target));
  const LogisticDesign design(*basis);
  std::deque<Path> paths;
  std::vector<Eigen::Index> units;
  for (Eigen::Index j = 0; j < target.cols(); ++j) {
    const int64_t num_folds = NumFolds(target.col(j), options);
    if (num_folds < 2) continue;
    paths.emplace_back(design, target.col(j), std::vector{gates.logistic_penalty(j)},
                       num_folds, Goal::kFoldsOnly);
    units.push_back(j);
  }
  if (options.logistic_penalties.size() == 1) FollowPaths(design, paths);
  Eigen::MatrixXf out_of_fold = Eigen::MatrixXf::Constant(
      target.rows(), target.cols(), std::numeric_limits<float>::quiet_NaN());
  for (size_t c = 0; c < paths.size(); ++c) {
    const Eigen::Index j = units[c];
    const Eigen::MatrixXf margins = design.Margins(gates.fold_coefficients[j].cols() > 0
                                                       ? gates.fold_coefficients[j]
                                                       : paths[c].fold_coefficients());
    for (Eigen::Index i = 0; i < margins.rows(); ++i) {
      out_of_fold(i, j) = margins(i, paths[c].fold(i));
    }
  }
  return out_of_fold;
}

}  // namespace iat
