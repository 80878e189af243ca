#include "similarity/response_model.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

#include "absl/status/statusor.h"
#include "similarity/batch_lbfgs.h"
#include "similarity/centring.h"
#include "similarity/linear_algebra.h"

namespace iat {
namespace {

constexpr Eigen::Index kPredictorTileRows = 256;
// Fewer targets than this are multiplied one by one: BLAS would spend its time on
// rearranging the tile.
constexpr Eigen::Index kFewestToPack = 4;
// Distance from the least loss, a stimulus.
constexpr double kPathTolerance = 1e-10, kFinalTolerance = 1e-16;
constexpr int kRisesToStop = 2;
// Of the summed curvature, what a Hessian takes as it is.
constexpr double kHessianShare = 0.9999;
constexpr Eigen::Index kHessianRows = 1024;  // multiplied at a time
// A target that takes more evaluations gets a new Hessian, which costs some tens; at most
// so many a minimum.
constexpr int kStepsAHessian = 20, kMaxHessians = 8;
// More coefficients than this cost more in Hessians than they save in evaluations.
constexpr Eigen::Index kMaxHessianCoefficients = 640;
constexpr Eigen::Index kHessianBytes = Eigen::Index{1} << 28;  // of a batch
// Of the largest curvature: keeps flat directions finite.
constexpr double kFlattestCurvature = 1e-6;

// Some stimuli of a source in its eigenbasis, with a column of ones, in contiguous row
// tiles, and the responses of a batch of targets to them.
class Design {
  using TileMap = Eigen::Map<const Eigen::MatrixXd>;

 public:
  Design(const Eigen::MatrixXd& rotated, Eigen::MatrixXd response)
      : n_(rotated.rows()),
        size_(rotated.cols() + 1),
        response_(std::move(response)),
        tiles_(n_ * size_),
        variance_(size_) {
    for (Eigen::Index first = 0; first < n_; first += kPredictorTileRows) {
      const Eigen::Index rows = std::min(kPredictorTileRows, n_ - first);
      Eigen::Map<Eigen::MatrixXd> tile(tiles_.data() + first * size_, rows, size_);
      tile.leftCols(size_ - 1) = rotated.middleRows(first, rows);
      tile.col(size_ - 1).setOnes();
    }
    variance_.head(size_ - 1) =
        rotated.colwise().squaredNorm().transpose() / static_cast<double>(n_);
    variance_(size_ - 1) = 1.0;
  }

  Eigen::Index num_stimuli() const { return n_; }
  Eigen::Index num_coefficients() const { return size_; }
  const Eigen::MatrixXd& response() const { return response_; }
  // Mean squares of the columns.
  const Eigen::VectorXd& variance() const { return variance_; }

  // Calls visit(first stimulus, rows, tile, eta) for every tile; eta is rows x points.
  template <typename Visit>
  void ForEachTile(const Eigen::MatrixXd& points, Visit visit) const {
    Eigen::MatrixXd eta(std::min(kPredictorTileRows, n_), points.cols());
    for (Eigen::Index first = 0; first < n_; first += kPredictorTileRows) {
      const Eigen::Index rows = std::min(kPredictorTileRows, n_ - first);
      const double* tile = tiles_.data() + first * size_;
      if (points.cols() < kFewestToPack) {
        for (Eigen::Index c = 0; c < points.cols(); ++c) {
          eta.col(c).head(rows).noalias() =
              TileMap(tile, rows, size_) * points.col(c).head(size_);
        }
      } else {
        MultiplyTile(false, rows, points.cols(), size_, tile, rows, points.data(),
                     points.rows(), eta.data(), eta.rows());
      }
      visit(first, rows, tile, eta);
    }
  }

  // Summed losses of the targets `columns` at the columns of `points`, and gradients.
  void Evaluate(const ResponseModel& model, const std::vector<Eigen::Index>& columns,
                const Eigen::MatrixXd& points, Eigen::VectorXd& loss,
                Eigen::MatrixXd& gradient) const {
    const Eigen::Index m = points.cols();
    std::vector<ResponseModel::Sums> sums(m);
    gradient = Eigen::MatrixXd::Zero(points.rows(), m);
    Eigen::MatrixXd part(size_, m);
    ForEachTile(points, [&](Eigen::Index first, Eigen::Index rows, const double* tile,
                            Eigen::MatrixXd& eta) {
      for (Eigen::Index c = 0; c < m; ++c) {
        model.AddLoss(rows, response_.col(columns[c]).data() + first, Extra(points, c),
                      eta.col(c).data(), sums[c]);
      }
      if (m < kFewestToPack) {
        for (Eigen::Index c = 0; c < m; ++c) {
          gradient.col(c).head(size_).noalias() +=
              TileMap(tile, rows, size_).transpose() * eta.col(c).head(rows);
        }
        return;
      }
      MultiplyTile(true, size_, m, rows, tile, rows, eta.data(), eta.rows(), part.data(),
                   size_);
      gradient.topRows(size_) += part;
    });
    loss.resize(m);
    for (Eigen::Index c = 0; c < m; ++c) {
      loss(c) = sums[c].loss;
      if (points.rows() > size_) gradient(size_, c) = sums[c].extra_gradient;
    }
  }

  // Second derivatives of a target's loss, a stimulus each: by eta, and where the model
  // has an extra by eta and it; `extra` is that by it twice, summed.
  struct Curvatures {
    Eigen::VectorXd eta, mixed;
    double extra = 0.0;
  };
  Curvatures CurvaturesAt(const ResponseModel& model, Eigen::Index column,
                          const Eigen::VectorXd& point) const {
    Curvatures result{Eigen::VectorXd(n_), Eigen::VectorXd::Zero(n_), 0.0};
    ForEachTile(point, [&](Eigen::Index first, Eigen::Index rows, const double*,
                           Eigen::MatrixXd& eta) {
      result.extra +=
          model.SetCurvatures(rows, response_.col(column).data() + first, Extra(point, 0),
                              eta.data(), result.mixed.data() + first);
      result.eta.segment(first, rows) = eta.col(0).head(rows);
    });
    return result;
  }

  // Summed errors of the targets `columns`.
  Eigen::VectorXd Errors(const ResponseModel& model,
                         const std::vector<Eigen::Index>& columns,
                         const Eigen::MatrixXd& points) const {
    Eigen::VectorXd errors = Eigen::VectorXd::Zero(points.cols());
    ForEachTile(points, [&](Eigen::Index first, Eigen::Index rows, const double*,
                            const Eigen::MatrixXd& eta) {
      for (Eigen::Index c = 0; c < points.cols(); ++c) {
        for (Eigen::Index i = 0; i < rows; ++i) {
          errors(c) +=
              model.Error(response_(first + i, columns[c]), eta(i, c), Extra(points, c));
        }
      }
    });
    return errors;
  }

 private:
  double Extra(const Eigen::MatrixXd& points, Eigen::Index c) const {
    return points.rows() > size_ ? points(size_, c) : 0.0;
  }

  const Eigen::Index n_, size_;
  const Eigen::MatrixXd response_;
  Eigen::VectorXd tiles_;
  Eigen::VectorXd variance_;  // mean squares of the columns
};

Eigen::VectorXd StartPoint(const ResponseModel& model, Eigen::Index num_coefficients,
                           const Eigen::VectorXd& response) {
  Eigen::VectorXd point =
      Eigen::VectorXd::Zero(num_coefficients + (model.has_extra() ? 1 : 0));
  const ResponseModel::Start start = model.StartOf(response);
  point(num_coefficients - 1) = start.intercept;
  if (model.has_extra()) point(num_coefficients) = start.extra;
  return point;
}

// Coordinates in which a target's problem at one penalty is close to round, so that
// L-BFGS needs few steps: x = scale L^-T u, where L L' is the Hessian of `scale`d
// variables at some point nearby.
struct RoundCoordinates {
  Eigen::ArrayXd scale;
  Eigen::MatrixXd lower;  // empty where scale is all there is

  // `factor` makes up for another number of stimuli.
  Eigen::VectorXd ToPoint(double factor, Eigen::VectorXd u) const {
    if (lower.size() > 0) {
      lower.triangularView<Eigen::Lower>().transpose().solveInPlace(u);
    }
    return (factor * scale * u.array()).matrix();
  }
  Eigen::VectorXd ToGradient(double factor, Eigen::VectorXd g) const {
    g.array() *= factor * scale;
    if (lower.size() > 0) lower.triangularView<Eigen::Lower>().solveInPlace(g);
    return g;
  }
  Eigen::VectorXd FromPoint(double factor, Eigen::VectorXd x) const {
    x.array() /= factor * scale;
    if (lower.size() == 0) return x;
    return lower.triangularView<Eigen::Lower>().transpose() * x;
  }
};

// A target's Hessian without the penalty, by scaled variables: coefficients, and the
// extra where there is one.
struct ResponseHessian {
  Eigen::MatrixXf lower;  // of coefficients; empty: diagonal times the identity
  double diagonal = 0.0;  // the summed curvature
  Eigen::VectorXf mixed;  // of coefficients and the extra
  double extra = 0.0;
};

// Hessians of the targets of one design.
class HessianMaker {
 public:
  HessianMaker(const Design& design, const Eigen::MatrixXd& rotated, bool has_extra)
      : design_(design), scaled_(design.num_coefficients(), rotated.rows()) {
    const Eigen::Index r = rotated.cols();
    scale_ = Eigen::ArrayXd::Ones(r + (has_extra ? 2 : 1));
    scale_.head(r) = design.variance().head(r).array().sqrt().inverse();
    scaled_.topRows(r) =
        (rotated * scale_.head(r).matrix().asDiagonal()).transpose().cast<float>();
    scaled_.row(r).setOnes();
  }

  // As if the curvature were the same at all stimuli.
  ResponseHessian MakeDiagonal(const ResponseModel& model, Eigen::Index column,
                               const Eigen::VectorXd& point) const {
    const Design::Curvatures curvatures = design_.CurvaturesAt(model, column, point);
    return {{}, curvatures.eta.sum(), {}, curvatures.extra};
  }

  // Stimuli of little curvature enter as if it did not depend on their responses, which
  // makes their part diagonal.
  ResponseHessian Make(const ResponseModel& model, Eigen::Index column,
                       const Eigen::VectorXd& point) const {
    const Design::Curvatures curvatures = design_.CurvaturesAt(model, column, point);
    const Eigen::VectorXd& eta = curvatures.eta;
    std::vector<double> sorted(eta.begin(), eta.end());
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    ResponseHessian hessian{{}, eta.sum(), {}, curvatures.extra};
    double taken = 0.0, smallest = 0.0;
    for (size_t i = 0; i < sorted.size() && taken < kHessianShare * hessian.diagonal;
         ++i) {
      smallest = sorted[i];
      taken += smallest;
    }
    const Eigen::Index size = scaled_.rows(), n = scaled_.cols();
    hessian.lower = Eigen::MatrixXf::Zero(size, size);
    Eigen::MatrixXf gathered(size, kHessianRows);
    Eigen::Index filled = 0;
    double left = 0.0;
    for (Eigen::Index i = 0; i < n; ++i) {
      if (eta(i) >= smallest) {
        gathered.col(filled++) = static_cast<float>(std::sqrt(eta(i))) * scaled_.col(i);
      } else {
        left += eta(i);
      }
      if (filled == kHessianRows || (i + 1 == n && filled > 0)) {
        AddOuterGram(gathered.leftCols(filled), hessian.lower);
        filled = 0;
      }
    }
    hessian.lower.diagonal().array() += static_cast<float>(left);
    if (scale_.size() > size) hessian.mixed = scaled_ * curvatures.mixed.cast<float>();
    return hessian;
  }

  // `penalty` weighs ||w||^2 / 2 against the summed loss.
  RoundCoordinates Round(const ResponseHessian& hessian, double penalty) const {
    const Eigen::Index size = scaled_.rows();
    // Without any curvature: plain gradient steps.
    const double floor =
        hessian.diagonal > 0.0 ? kFlattestCurvature * hessian.diagonal : 1.0;
    Eigen::ArrayXd diagonal = Eigen::ArrayXd::Constant(scale_.size(), floor);
    diagonal.head(size - 1) += penalty * scale_.head(size - 1).square();
    if (scale_.size() > size && hessian.extra > 0.0) diagonal(size) = hessian.extra;
    if (hessian.lower.size() > 0) {
      Eigen::MatrixXd lower = Eigen::MatrixXd::Zero(scale_.size(), scale_.size());
      lower.topLeftCorner(size, size) = hessian.lower.cast<double>();
      lower.diagonal().array() += diagonal;
      // Mixed derivatives may make it indefinite, far from the minimum.
      for (const bool with_mixed : {true, false}) {
        if (with_mixed && hessian.mixed.size() == 0) continue;
        Eigen::MatrixXd whole = lower;
        if (with_mixed) whole.row(size).head(size) = hessian.mixed.cast<double>();
        absl::StatusOr<Eigen::MatrixXd> factor = Cholesky(std::move(whole));
        if (factor.ok()) return {scale_, *std::move(factor)};
      }
    }
    diagonal.head(size) += hessian.diagonal;
    return {scale_ * diagonal.sqrt().inverse(), {}};
  }

 private:
  const Design& design_;
  Eigen::ArrayXd scale_;    // variables; the coefficients' mean squares become 1
  Eigen::MatrixXf scaled_;  // coefficients x stimuli
};

struct Fold {
  std::unique_ptr<const Design> fitted, held_out;
  Eigen::MatrixXd departure;  // of its fits from those to all stimuli
};

// The fits of a batch of targets to all stimuli, along the path of penalties, and to the
// stimuli of each fold. A fold's fit begins at that to all stimuli, whose Hessian serves
// it too.
class BatchPath {
 public:
  BatchPath(const ResponseModel& model, const Eigen::MatrixXd& rotated,
            Eigen::MatrixXd response, const std::vector<double>& penalties)
      : model_(model),
        rotated_(rotated),
        penalties_(penalties),
        design_(rotated, std::move(response)),
        maker_(design_, rotated, model.has_extra()),
        points_(rotated.cols() + 1 + (model.has_extra() ? 1 : 0), num_targets()),
        choice_(num_targets(), 0) {
    for (Eigen::Index c = 0; c < num_targets(); ++c) {
      points_.col(c) = StartPoint(model, rotated.cols() + 1, design_.response().col(c));
      hessians_.push_back(maker_.MakeDiagonal(model, c, points_.col(c)));
    }
    chosen_points_ = points_;
  }

  // Positions in the grid; without folds, or with one penalty, the first.
  const std::vector<size_t>& Choose(Eigen::Index num_folds) {
    const std::vector<Eigen::Index> all = All(num_targets());
    if (num_folds < 2 || penalties_.size() < 2) {
      Minimise(design_, all, penalties_.front(), kPathTolerance, points_);
      chosen_points_ = points_;
      return choice_;
    }
    std::vector<Fold> folds;
    for (Eigen::Index f = 0; f < num_folds; ++f) folds.push_back(MakeFold(f, num_folds));
    Eigen::VectorXd best =
        Eigen::VectorXd::Constant(num_targets(), std::numeric_limits<double>::infinity());
    Eigen::VectorXd last = best;
    std::vector<int> num_rises(num_targets(), 0);
    std::vector<Eigen::Index> active = all;
    for (size_t l = 0; l < penalties_.size() && !active.empty(); ++l) {
      Eigen::MatrixXd points = points_(Eigen::all, active);
      Minimise(design_, active, penalties_[l], kPathTolerance, points);
      points_(Eigen::all, active) = points;
      Eigen::VectorXd errors = Eigen::VectorXd::Zero(active.size());
      for (Fold& fold : folds) {
        // From the fit to all stimuli, as far from it as at the penalty before.
        Eigen::MatrixXd fold_points = points + fold.departure(Eigen::all, active);
        Minimise(*fold.fitted, active, penalties_[l], kPathTolerance, fold_points);
        fold.departure(Eigen::all, active) = fold_points - points;
        errors += fold.held_out->Errors(model_, active, fold_points);
      }
      std::vector<Eigen::Index> still_active;
      for (size_t k = 0; k < active.size(); ++k) {
        const Eigen::Index c = active[k];
        if (errors(k) < best(c)) {
          best(c) = errors(k);
          choice_[c] = l;
          chosen_points_.col(c) = points.col(k);
        }
        num_rises[c] = errors(k) > last(c) ? num_rises[c] + 1 : 0;
        last(c) = errors(k);
        if (num_rises[c] < kRisesToStop) still_active.push_back(c);
      }
      active = std::move(still_active);
    }
    return choice_;
  }

  // The fits to all stimuli at the chosen penalties.
  Eigen::MatrixXd Finish() {
    for (size_t l = 0; l < penalties_.size(); ++l) {
      std::vector<Eigen::Index> some;
      for (const Eigen::Index c : All(num_targets())) {
        if (choice_[c] == l) some.push_back(c);
      }
      if (some.empty()) continue;
      Eigen::MatrixXd points = chosen_points_(Eigen::all, some);
      Minimise(design_, some, penalties_[l], kFinalTolerance, points);
      chosen_points_(Eigen::all, some) = points;
    }
    return chosen_points_;
  }

 private:
  Eigen::Index num_targets() const { return design_.response().cols(); }
  static std::vector<Eigen::Index> All(Eigen::Index count) {
    std::vector<Eigen::Index> all(count);
    std::iota(all.begin(), all.end(), 0);
    return all;
  }

  Fold MakeFold(Eigen::Index fold, Eigen::Index num_folds) const {
    const Eigen::MatrixXd& response = design_.response();
    const auto design = [&](bool held_out) {
      const std::vector<Eigen::Index> some =
          FoldStimuli(rotated_.rows(), fold, num_folds, held_out);
      return std::make_unique<const Design>(rotated_(some, Eigen::all),
                                            response(some, Eigen::all));
    };
    return {design(false), design(true),
            Eigen::MatrixXd::Zero(points_.rows(), points_.cols())};
  }

  // Moves each of `points`, one a target of `columns`, to the minimum of `design` at
  // `penalty` (in units of the mean loss), until it is within `tolerance` of it, a
  // stimulus. A target that its Hessian no longer helps gets another where it stands.
  void Minimise(const Design& design, const std::vector<Eigen::Index>& columns,
                double penalty, double tolerance, Eigen::MatrixXd& points) {
    std::vector<Eigen::Index> open(columns.size());
    std::iota(open.begin(), open.end(), 0);
    for (size_t k = 0; k < columns.size() && !UsesHessians(); ++k) {
      hessians_[columns[k]] = maker_.MakeDiagonal(model_, columns[k], points.col(k));
    }
    for (int turn = 0; turn < kMaxHessians && !open.empty(); ++turn) {
      const bool last = turn + 1 == kMaxHessians || !UsesHessians();
      std::vector<Eigen::Index> some;
      for (const Eigen::Index k : open) some.push_back(columns[k]);
      Eigen::MatrixXd some_points = points(Eigen::all, open);
      const std::vector<bool> converged =
          Descend(design, some, penalty, tolerance, last, some_points);
      points(Eigen::all, open) = some_points;
      std::vector<Eigen::Index> still_open;
      for (size_t k = 0; k < some.size(); ++k) {
        if (converged[k]) continue;
        hessians_[some[k]] = maker_.Make(model_, some[k], some_points.col(k));
        still_open.push_back(open[k]);
      }
      open = std::move(still_open);
    }
  }

  bool UsesHessians() const { return rotated_.cols() < kMaxHessianCoefficients; }

  // The same with the Hessians as they are; false: not there yet after kStepsAHessian.
  std::vector<bool> Descend(const Design& design,
                            const std::vector<Eigen::Index>& columns, double penalty,
                            double tolerance, bool to_the_end,
                            Eigen::MatrixXd& points) const {
    const Eigen::Index m = points.cols(), r = rotated_.cols();
    const double n = static_cast<double>(design.num_stimuli());
    const double all_stimuli = static_cast<double>(rotated_.rows());
    const double factor = std::sqrt(all_stimuli / n);
    std::vector<RoundCoordinates> coordinates;
    Eigen::MatrixXd starts(points.rows(), m);
    for (Eigen::Index c = 0; c < m; ++c) {
      coordinates.push_back(maker_.Round(hessians_[columns[c]], penalty * all_stimuli));
      starts.col(c) = coordinates[c].FromPoint(factor, points.col(c));
    }
    std::vector<int> num_evaluations(m, 0);
    BatchLbfgs solver(
        starts, 0, [&](const std::vector<Eigen::Index>& some, const Eigen::MatrixXd& u) {
          Eigen::MatrixXd x(u.rows(), u.cols());
          std::vector<Eigen::Index> targets(some.size());
          for (size_t k = 0; k < some.size(); ++k) {
            x.col(k) = coordinates[some[k]].ToPoint(factor, u.col(k));
            targets[k] = columns[some[k]];
          }
          BatchLbfgs::Evaluation result;
          design.Evaluate(model_, targets, x, result.loss, result.gradient);
          for (size_t k = 0; k < some.size(); ++k) {
            result.loss(k) += 0.5 * penalty * n * x.col(k).head(r).squaredNorm();
            result.gradient.col(k).head(r) += penalty * n * x.col(k).head(r);
            result.gradient.col(k) =
                coordinates[some[k]].ToGradient(factor, result.gradient.col(k));
            // A gradient of 0 ends the column's descent where it is.
            if (++num_evaluations[some[k]] > kStepsAHessian && !to_the_end) {
              result.gradient.col(k).setZero();
            }
          }
          result.curvature = Eigen::MatrixXd::Ones(u.rows(), u.cols());
          return result;
        });
    solver.Solve(All(m), std::vector<double>(m, 0.0), tolerance * n);
    std::vector<bool> converged(m);
    for (Eigen::Index c = 0; c < m; ++c) {
      points.col(c) = coordinates[c].ToPoint(factor, solver.point(c));
      converged[c] = num_evaluations[c] <= kStepsAHessian || to_the_end;
    }
    return converged;
  }

  const ResponseModel& model_;
  const Eigen::MatrixXd& rotated_;
  const std::vector<double>& penalties_;
  const Design design_;
  const HessianMaker maker_;
  Eigen::MatrixXd points_, chosen_points_;
  std::vector<size_t> choice_;
  std::vector<ResponseHessian> hessians_;
};

// Targets that share a batch of products. A function of the inputs alone, so that results
// are.
Eigen::Index TargetsPerBatch(Eigen::Index num_coefficients) {
  if (num_coefficients > kMaxHessianCoefficients) return 64;
  // A target has a Hessian in float32 and a factor in float64.
  const Eigen::Index bytes = 12 * num_coefficients * num_coefficients;
  return std::clamp<Eigen::Index>(kHessianBytes / bytes, 16, 256);
}

}  // namespace

Eigen::MatrixXd ResponseFit::Predict(const Eigen::MatrixXd& source,
                                     const ResponseModel& model) const {
  Eigen::MatrixXd predicted = Product(source.rowwise() - source_mean, weights);
  for (Eigen::Index j = 0; j < predicted.cols(); ++j) {
    for (Eigen::Index i = 0; i < predicted.rows(); ++i) {
      predicted(i, j) = model.Mean(predicted(i, j) + intercept(j), extra(j));
    }
  }
  return predicted;
}

ResponseFit FitResponses(const SourceBasis& basis, const Eigen::MatrixXd& response,
                         const ResponseModel& model, std::vector<double> penalties,
                         int64_t num_folds) {
  std::sort(penalties.rbegin(), penalties.rend());
  const Eigen::Index n = response.rows(), t = response.cols(), r = basis.rank();
  ResponseFit fit{basis.mean(),          Eigen::MatrixXd(basis.num_units(), t),
                  Eigen::RowVectorXd(t), Eigen::RowVectorXd::Zero(t),
                  Eigen::VectorXd(t),    0};
  const Eigen::Index together = TargetsPerBatch(r + 1);
  for (Eigen::Index first = 0; first < t; first += together) {
    const Eigen::Index m = std::min(together, t - first);
    BatchPath path(model, basis.rotated(), response.middleCols(first, m), penalties);
    const std::vector<size_t>& choice = path.Choose(std::min<Eigen::Index>(num_folds, n));
    for (Eigen::Index c = 0; c < m; ++c) {
      fit.penalty(first + c) = penalties[choice[c]];
      fit.num_at_edge +=
          penalties.size() > 1 && (choice[c] == 0 || choice[c] + 1 == penalties.size());
    }
    const Eigen::MatrixXd points = path.Finish();
    fit.weights.middleCols(first, m) = Product(basis.axes(), points.topRows(r));
    fit.intercept.segment(first, m) = points.row(r);
    if (model.has_extra()) fit.extra.segment(first, m) = points.row(r + 1);
  }
  return fit;
}

}  // namespace iat
