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
constexpr size_t kColumnsTogether = 1024;
// Final fits whose gradients are evaluated in float64 together.
constexpr size_t kExactTogether = 64;

// How far folds are from their minimum when their losses are first compared, a stimulus;
// so many times half as far until the comparison is clear.
constexpr double kFirstDecrement = 3e-4;
constexpr int kMaxHalvings = 10;
// The same of folds whose margins are wanted.
constexpr double kAloneDecrement = 1e-6;

// Where in the grid a path begins: next to nothing is best at the strongest penalty.
constexpr size_t kFirstPenalty = 1;

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

// One unit on its way down the penalties, then to its final fit.
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
  }

  // What it may have to move at a time, from here on.
  size_t num_columns() const {
    return stage_ <= Stage::kFolds ? static_cast<size_t>(num_folds_) : 1;
  }

  void Start() {
    if (num_folds_ < 2 || penalties_.size() == 1) {
      StartFinal();
    } else if (LogisticColumn::HasLeadingAxes(design_)) {
      columns_.push_back(std::make_unique<LogisticColumn>(design_, classes_));
      columns_.front()->BeginLeading(penalties_[first_penalty()]);
    } else {
      StartFolds();
    }
  }

  // Folds alone, at the only penalty, from these coefficients where there are any.
  void StartFoldsAlone(const Eigen::MatrixXd& coefficients) {
    MakeFolds();
    for (int64_t f = 0; f < coefficients.cols(); ++f) {
      columns_[f]->SetCoefficients(coefficients.col(f));
    }
    for (const auto& column : columns_) {
      column->BeginFast(penalties_.front(), kAloneDecrement);
    }
  }

  // Adds what has still to move at this stage.
  void Running(std::vector<LogisticColumn*>& running) const {
    for (const auto& column : columns_) {
      if (!column->converged()) running.push_back(column.get());
    }
  }

  // After an advance: goes on to whatever comes next.
  enum class Progress { kRunning, kWaitsForExact, kDone };
  Progress Continue() {
    while (true) {
      if (stage_ == Stage::kFolds && !on_best_ && current_.num_halvings == 0 &&
          !best_.points.empty() &&
          HeldOutLoss() - kShareOnTheWay * HeldOutUncertainty() >
              kClearRiseOnTheWay * (best_.loss + kShareOnTheWay * best_.uncertainty)) {
        EndDescent();
        return Progress::kRunning;
      }
      for (const auto& column : columns_) {
        if (!column->converged()) return Progress::kRunning;
      }
      switch (stage_) {
        case Stage::kLeading:
          StartFolds();
          break;
        case Stage::kFolds:
          ContinueFolds();
          break;
        case Stage::kFinal:
          GoOnFromHere();
          break;
        case Stage::kFinalWithHessian:
          return Progress::kWaitsForExact;
        case Stage::kExact:
          return Progress::kDone;
      }
    }
  }

  void StartExact() {
    stage_ = Stage::kExact;
    columns_.front()->Begin(penalty(), LogisticPrecision::kExact);
  }
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
  // One after the other: a start for the folds, the folds, and their choice's final fit
  // close to its minimum, closer, and there.
  enum class Stage { kLeading, kFolds, kFinal, kFinalWithHessian, kExact };
  // How far the folds have come at a penalty.
  struct Standing {
    size_t at = 0;  // position in the grid
    int num_halvings = 0;
    double loss = INFINITY, uncertainty = 0.0;
    std::vector<LogisticColumn::Point> points;
  };
  enum class Verdict { kBetter, kUnclear, kWorse, kMuchWorse };

  size_t first_penalty() const { return std::min(kFirstPenalty, penalties_.size() - 1); }

  void MakeFolds() {
    for (int64_t f = 0; f < num_folds_; ++f) {
      Eigen::VectorXf classes = classes_;
      for (Eigen::Index i = 0; i < classes.size(); ++i) {
        if (fold_[i] == f) classes(i) *= 2.0f;
      }
      columns_.push_back(std::make_unique<LogisticColumn>(design_, classes));
    }
  }

  // Folds start where all stimuli together have come along the leading axes. What they
  // have seen of the stimuli that they hold out is part of how uncertain they know
  // themselves to be.
  void StartFolds() {
    stage_ = Stage::kFolds;
    const auto starts = std::exchange(columns_, {});
    MakeFolds();
    for (const auto& start : starts) {
      for (const auto& column : columns_) column->StartFrom(*start);
    }
    current_.at = first_penalty();
    BeginFolds();
  }

  void BeginFolds() {
    const Standing& standing = on_best_ ? best_ : current_;
    for (const auto& column : columns_) {
      column->BeginFast(penalties_[standing.at],
                        std::ldexp(kFirstDecrement, -standing.num_halvings));
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
        EndDescent();
        return;
    }
    if (current_.at < first_penalty() || current_.at + 1 == penalties_.size()) {
      EndDescent();
      return;
    }
    Stand(false);
    GoTo(current_.at + 1);
  }

  // Penalties weaker than the best are done; stronger ones may be left.
  void EndDescent() {
    if (current_.at < first_penalty() || best_.at > first_penalty() || best_.at == 0) {
      StartFinal();
      return;
    }
    Stand(true);
    on_best_ = false;
    GoTo(best_.at - 1);
  }

  void GoTo(size_t at) {
    current_ = Standing();
    current_.at = at;
    BeginFolds();
  }

  // The current penalty beside the best of those before it.
  Verdict Compare() const {
    if (best_.points.empty()) return Verdict::kBetter;
    const double uncertainty = std::hypot(current_.uncertainty, best_.uncertainty);
    if (current_.loss < best_.loss - uncertainty) return Verdict::kBetter;
    if (current_.loss > kClearRise * best_.loss + uncertainty) return Verdict::kMuchWorse;
    if (std::min(current_.num_halvings, best_.num_halvings) < kMaxHalvings) {
      return Verdict::kUnclear;
    }
    if (current_.loss < best_.loss) return Verdict::kBetter;
    return current_.loss > kClearRise * best_.loss ? Verdict::kMuchWorse
                                                   : Verdict::kWorse;
  }

  // Brings whichever of the two is further from its minimum closer to it.
  void Refine() {
    Stand(best_.num_halvings <= current_.num_halvings);
    ++(on_best_ ? best_ : current_).num_halvings;
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
    stage_ = Stage::kFinal;
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
    stage_ = Stage::kFinalWithHessian;
    LogisticColumn& column = *columns_.front();
    auto hessian = LogisticHessian::Create(design_, column.weights(), penalty());
    // Without one it takes more steps.
    if (hessian.ok()) column.SetHessian(*std::move(hessian));
    column.Begin(penalty(), LogisticPrecision::kFastFinal);
  }

  const LogisticDesign& design_;
  const std::vector<double> penalties_;
  const int64_t num_folds_;
  Eigen::VectorXf classes_;  // +1, -1
  std::vector<int> fold_;    // of each stimulus
  std::vector<std::unique_ptr<LogisticColumn>> columns_;
  Stage stage_ = Stage::kLeading;
  Standing best_, current_;
  bool on_best_ = false;  // where the columns stand
  int num_rises_ = 0;
  Eigen::MatrixXd fold_coefficients_, coefficients_;
};

// Brings folds that stand alone to the end of what they have begun.
void FinishFolds(const LogisticDesign& design, std::deque<Path>& paths) {
  std::vector<LogisticColumn*> running;
  while (true) {
    running.clear();
    for (const Path& path : paths) path.Running(running);
    if (running.empty()) break;
    Advance(design, running);
  }
  for (Path& path : paths) path.Finish();
}

// Brings every path to its final fit.
void FollowPaths(const LogisticDesign& design, std::deque<Path>& paths) {
  std::vector<Path*> live, waiting;
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
      const Path::Progress progress = path->Continue();
      if (progress == Path::Progress::kWaitsForExact) waiting.push_back(path);
      if (progress == Path::Progress::kDone) path->Finish();
      return progress != Path::Progress::kRunning;
    });
    if (waiting.size() >= kExactTogether || live.empty()) {
      for (Path* path : waiting) path->StartExact();
      live.insert(live.end(), waiting.begin(), waiting.end());
      waiting.clear();
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
    const size_t count = std::min(together, units.size() - first);
    for (size_t c = 0; c < count; ++c) {
      const Eigen::Index j = units[first + c];
      paths.emplace_back(design, target.col(j), std::vector{gates.logistic_penalty(j)},
                         NumFolds(target.col(j), options));
      paths.back().StartFoldsAlone(gates.fold_coefficients[j]);
    }
    FinishFolds(design, paths);
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
