#include "similarity/gate.h"

#include <algorithm>
#include <array>
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
constexpr size_t kColumnsTogether = 384;
// Final fits brought to float64 together; each holds a Hessian until then.
constexpr size_t kFinalFitsTogether = 64;

// How far folds are from their minimum when their losses are compared, a stimulus, until
// the comparison is clear.
constexpr std::array<double, 5> kDecrements = {3e-4, 5e-5, 1e-5, 2e-6, 4e-7};

// What ends a path: so many penalties in a row that are worse than the best, or one with
// these multiples of its cross-validated loss, at a minimum or on the way to one.
constexpr int kRisesToStop = 2;
constexpr double kClearRise = 1.002, kClearRiseOnTheWay = 1.01;
// Of the losses' uncertainty, what counts on the way.
constexpr double kShareOnTheWay = 0.25;

int64_t NumFolds(const Eigen::VectorXd& target, const LogisticRidgeOptions& options) {
  const int64_t num_active = (target.array() > 0.0).count();
  return std::min({options.num_folds, num_active, target.size() - num_active});
}

// One unit on its way down the penalties, strongest first, then to its final fit.
class Path {
 public:
  Path(const LogisticDesign& design, const Eigen::VectorXd& target,
       std::vector<double> penalties, int64_t num_folds)
      : design_(design), penalties_(std::move(penalties)), num_folds_(num_folds) {
    const Eigen::Index n = target.size();
    classes_ = (target.array() > 0.0)
                   .select(Eigen::VectorXf::Ones(n), -Eigen::VectorXf::Ones(n));
    fold_.resize(n);
    int64_t seen[2] = {0, 0};
    for (Eigen::Index i = 0; i < n; ++i) {
      fold_[i] = static_cast<int>(seen[classes_(i) > 0]++ % num_folds_);
    }
    final_ = num_folds_ < 2 || penalties_.size() == 1;
  }

  size_t num_columns() const { return final_ ? 1 : static_cast<size_t>(num_folds_); }

  void Start() {
    if (final_) {
      StartFinal();
      return;
    }
    MakeFolds();
    BeginFolds();
  }

  // Folds alone, at the only penalty, from these coefficients where there are any.
  void StartFoldsAlone(const Eigen::MatrixXd& coefficients) {
    MakeFolds();
    for (int64_t f = 0; f < coefficients.cols(); ++f) {
      columns_[f]->SetCoefficients(coefficients.col(f));
    }
    for (const auto& column : columns_) {
      column->Begin(penalties_.front(), LogisticPrecision::kFast);
    }
  }

  // Adds what has still to move at this stage.
  void Running(std::vector<LogisticColumn*>& running) const {
    for (const auto& column : columns_) {
      if (!column->converged()) running.push_back(column.get());
    }
  }

  // After an advance: goes on to whatever comes next. True once the final fit has
  // float32's accuracy.
  bool Continue() {
    while (true) {
      if (!final_ && !on_best_ && current_.rung == 0 && current_.at > 0 &&
          HeldOutLoss() - kShareOnTheWay * HeldOutUncertainty() >
              kClearRiseOnTheWay * (best_.loss + kShareOnTheWay * best_.uncertainty)) {
        StartFinal();
        return false;
      }
      for (const auto& column : columns_) {
        if (!column->converged()) return false;
      }
      if (final_) {
        if (at_hessian_) return true;
        GoOnFromHere();
      } else {
        ContinueFolds();
      }
    }
  }

  void StartExact() { columns_.front()->Begin(penalty(), LogisticPrecision::kExact); }
  // Keeps the coefficients of the final fit, or of the folds, and lets go of everything
  // else that they needed.
  void Finish() {
    coefficients_.resize(design_.num_coefficients(), columns_.size());
    for (size_t c = 0; c < columns_.size(); ++c) {
      coefficients_.col(c) = columns_[c]->coefficients();
    }
    columns_.clear();
  }

  double penalty() const { return penalties_[best_.at]; }
  bool at_edge() const {
    return penalties_.size() > 1 && (best_.at == 0 || best_.at + 1 == penalties_.size());
  }
  // Once finished.
  const Eigen::MatrixXd& coefficients() const { return coefficients_; }
  // Folds as columns, as they stood when the penalty was chosen.
  const Eigen::MatrixXd& fold_coefficients() const { return fold_coefficients_; }
  int fold(Eigen::Index stimulus) const { return fold_[stimulus]; }

 private:
  // How far the folds have come at a penalty.
  struct Standing {
    size_t at = 0, rung = 0;  // positions in the grid and in kDecrements
    double loss = INFINITY, uncertainty = 0.0;
    std::vector<LogisticColumn::Point> points;
  };
  enum class Verdict { kBetter, kUnclear, kWorse, kMuchWorse };

  void MakeFolds() {
    for (int64_t f = 0; f < num_folds_; ++f) {
      Eigen::VectorXf classes = classes_;
      for (Eigen::Index i = 0; i < classes.size(); ++i) {
        if (fold_[i] == f) classes(i) *= 2.0f;
      }
      columns_.push_back(std::make_unique<LogisticColumn>(design_, classes));
    }
  }

  void BeginFolds() {
    const Standing& standing = on_best_ ? best_ : current_;
    for (const auto& column : columns_) {
      column->BeginFast(penalties_[standing.at], kDecrements[standing.rung]);
    }
  }

  double HeldOutLoss() const {
    double loss = 0.0;
    for (const auto& column : columns_) loss += column->held_out_loss();
    return loss;
  }

  double HeldOutUncertainty() const {
    double uncertainty = 0.0;
    for (const auto& column : columns_) uncertainty += column->HeldOutUncertainty();
    return uncertainty;
  }

  // All folds have come as far as they were sent.
  void ContinueFolds() {
    Standing& standing = on_best_ ? best_ : current_;
    standing.loss = HeldOutLoss();
    standing.uncertainty = HeldOutUncertainty();
    standing.points.clear();
    for (const auto& column : columns_) standing.points.push_back(column->point());
    switch (Compare()) {
      case Verdict::kUnclear:
        Refine();
        return;
      case Verdict::kBetter:
        best_ = current_;
        num_rises_ = 0;
        break;
      case Verdict::kWorse:
        if (++num_rises_ < kRisesToStop) break;
        [[fallthrough]];
      case Verdict::kMuchWorse:
        StartFinal();
        return;
    }
    if (current_.at + 1 == penalties_.size()) {
      StartFinal();
      return;
    }
    Stand(false);
    const size_t next = current_.at + 1;
    current_ = Standing();
    current_.at = next;
    BeginFolds();
  }

  // The current penalty beside the best of those before it.
  Verdict Compare() const {
    if (current_.at == 0) return Verdict::kBetter;
    const double uncertainty = std::hypot(current_.uncertainty, best_.uncertainty);
    if (current_.loss < best_.loss - uncertainty) return Verdict::kBetter;
    if (current_.loss > kClearRise * best_.loss + uncertainty) return Verdict::kMuchWorse;
    if (std::min(current_.rung, best_.rung) + 1 < kDecrements.size()) {
      return Verdict::kUnclear;
    }
    if (current_.loss < best_.loss) return Verdict::kBetter;
    return current_.loss > kClearRise * best_.loss ? Verdict::kMuchWorse
                                                   : Verdict::kWorse;
  }

  // Brings whichever of the two is further from its minimum closer to it.
  void Refine() {
    Stand(best_.rung <= current_.rung);
    ++(on_best_ ? best_ : current_).rung;
    BeginFolds();
  }

  // Puts the folds where they stood at the best or at the current penalty. The pairs that
  // they have gathered on the way are good for both.
  void Stand(bool on_best) {
    if (on_best == on_best_) return;
    on_best_ = on_best;
    const Standing& standing = on_best_ ? best_ : current_;
    for (size_t f = 0; f < columns_.size(); ++f) columns_[f]->MoveTo(standing.points[f]);
  }

  void StartFinal() {
    final_ = true;
    columns_.clear();
    columns_.push_back(std::make_unique<LogisticColumn>(design_, classes_));
    columns_.front()->KeepWeights();
    if (best_.points.empty()) {
      columns_.front()->Begin(penalty(), LogisticPrecision::kFast);
      return;
    }
    fold_coefficients_.resize(design_.num_coefficients(), num_folds_);
    for (int64_t f = 0; f < num_folds_; ++f) {
      fold_coefficients_.col(f) = best_.points[f].coefficients();
    }
    columns_.front()->SetCoefficients(fold_coefficients_.rowwise().mean());
    best_.points.clear();
    current_.points.clear();
    // A Hessian takes the weights of that point.
    columns_.front()->BeginFast(penalty(), INFINITY);
  }

  // Close to the minimum: with the Hessian of this point, to float32's accuracy.
  void GoOnFromHere() {
    at_hessian_ = true;
    LogisticColumn& column = *columns_.front();
    if (design_.num_coefficients() <= LogisticHessian::kMaxCoefficients) {
      auto hessian = LogisticHessian::Create(design_, column.weights(), penalty());
      // Without one it takes more steps.
      if (hessian.ok()) column.SetHessian(*std::move(hessian));
    }
    column.Begin(penalty(), LogisticPrecision::kFastFinal);
  }

  const LogisticDesign& design_;
  const std::vector<double> penalties_;
  const int64_t num_folds_;
  Eigen::VectorXf classes_;  // +1, -1
  std::vector<int> fold_;    // of each stimulus
  std::vector<std::unique_ptr<LogisticColumn>> columns_;
  bool final_ = false, at_hessian_ = false;
  Standing best_, current_;
  bool on_best_ = false;  // where the columns stand
  int num_rises_ = 0;
  Eigen::MatrixXd fold_coefficients_, coefficients_;
};

// Brings what these paths have begun to its end.
void FinishPaths(const LogisticDesign& design, const std::vector<Path*>& paths) {
  std::vector<LogisticColumn*> running;
  while (true) {
    running.clear();
    for (const Path* path : paths) path->Running(running);
    if (running.empty()) break;
    Advance(design, running);
  }
  for (Path* path : paths) path->Finish();
}

// Brings every path to its final fit.
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
      to_finish.push_back(path);
      return true;
    });
    if (to_finish.size() >= kFinalFitsTogether || live.empty()) {
      for (Path* path : to_finish) path->StartExact();
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
    paths.emplace_back(design, target.col(j), penalties, num_folds);
    units.push_back(j);
  }
  FollowPaths(design, paths);
  for (size_t c = 0; c < paths.size(); ++c) {
    const Path& path = paths[c];
    coefficients.col(units[c]) = path.coefficients().col(0).head(basis->rank());
    intercepts(units[c]) = path.coefficients()(basis->rank(), 0);
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
  Eigen::MatrixXf out_of_fold = Eigen::MatrixXf::Constant(
      target.rows(), target.cols(), std::numeric_limits<float>::quiet_NaN());
  std::vector<Eigen::Index> units;
  for (Eigen::Index j = 0; j < target.cols(); ++j) {
    if (NumFolds(target.col(j), options) >= 2) units.push_back(j);
  }
  const size_t together =
      std::max<size_t>(kColumnsTogether / static_cast<size_t>(options.num_folds), 1);
  for (size_t first = 0; first < units.size(); first += together) {
    std::deque<Path> paths;
    std::vector<Path*> live;
    const size_t count = std::min(together, units.size() - first);
    for (size_t c = 0; c < count; ++c) {
      const Eigen::Index j = units[first + c];
      paths.emplace_back(design, target.col(j), std::vector{gates.logistic_penalty(j)},
                         NumFolds(target.col(j), options));
      paths.back().StartFoldsAlone(gates.fold_coefficients[j]);
      live.push_back(&paths.back());
    }
    FinishPaths(design, live);
    for (size_t c = 0; c < count; ++c) {
      const Eigen::MatrixXf margins = design.Margins(paths[c].coefficients());
      for (Eigen::Index i = 0; i < margins.rows(); ++i) {
        out_of_fold(i, units[first + c]) = margins(i, paths[c].fold(i));
      }
    }
  }
  return out_of_fold;
}

}  // namespace iat
