#include "similarity/response_model.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

#include "similarity/batch_lbfgs.h"
#include "similarity/centring.h"
#include "similarity/linear_algebra.h"

namespace iat {
namespace {

constexpr Eigen::Index kPredictorTileRows = 256;
// Targets that share a batch of products. Fixed, so that results are a function of the
// inputs alone.
constexpr Eigen::Index kTargetsPerBatch = 64;
// Distance from the least loss, a stimulus.
constexpr double kPathTolerance = 1e-8, kFinalTolerance = 1e-16;
constexpr int kRisesToStop = 2;

// Some stimuli of a source in its eigenbasis, with a column of ones, in contiguous row
// tiles, and the responses of a batch of targets to them.
class Design {
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

  // Calls visit(first stimulus, rows, tile, eta) for every tile; eta is rows x points.
  template <typename Visit>
  void ForEachTile(const Eigen::MatrixXd& points, Visit visit) const {
    Eigen::MatrixXd eta(std::min(kPredictorTileRows, n_), points.cols());
    for (Eigen::Index first = 0; first < n_; first += kPredictorTileRows) {
      const Eigen::Index rows = std::min(kPredictorTileRows, n_ - first);
      const double* tile = tiles_.data() + first * size_;
      MultiplyTile(false, rows, points.cols(), size_, tile, rows, points.data(),
                   points.rows(), eta.data(), eta.rows());
      visit(first, rows, tile, eta);
    }
  }

  BatchLbfgs::Evaluation Evaluate(const ResponseModel& model,
                                  const std::vector<Eigen::Index>& columns,
                                  const Eigen::MatrixXd& points) const {
    const Eigen::Index m = points.cols();
    std::vector<ResponseModel::Sums> sums(m);
    BatchLbfgs::Evaluation result{Eigen::VectorXd(m),
                                  Eigen::MatrixXd::Zero(points.rows(), m),
                                  Eigen::MatrixXd(points.rows(), m)};
    Eigen::MatrixXd part(size_, m);
    ForEachTile(points, [&](Eigen::Index first, Eigen::Index rows, const double* tile,
                            Eigen::MatrixXd& eta) {
      for (Eigen::Index c = 0; c < m; ++c) {
        model.AddLoss(rows, response_.col(columns[c]).data() + first, Extra(points, c),
                      eta.col(c).data(), sums[c]);
      }
      MultiplyTile(true, size_, m, rows, tile, rows, eta.data(), eta.rows(), part.data(),
                   size_);
      result.gradient.topRows(size_) += part;
    });
    for (Eigen::Index c = 0; c < m; ++c) {
      result.loss(c) = sums[c].loss;
      result.curvature.col(c).head(size_) = sums[c].curvature * variance_;
      if (points.rows() > size_) {
        result.gradient(size_, c) = sums[c].extra_gradient;
        result.curvature(size_, c) = sums[c].extra_curvature;
      }
    }
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

BatchLbfgs MakeSolver(const ResponseModel& model, const Design& design,
                      const Eigen::MatrixXd& starts) {
  return BatchLbfgs(starts, design.num_coefficients() - 1,
                    [&model, &design](const std::vector<Eigen::Index>& columns,
                                      const Eigen::MatrixXd& points) {
                      return design.Evaluate(model, columns, points);
                    });
}

struct Fold {
  Design fitted, held_out;
};

// What the folds say of a batch of targets.
struct Choice {
  std::vector<size_t> penalty;  // position in the grid
  Eigen::MatrixXd starts;       // mean of the folds' points there
};

Choice ChooseByFolds(const ResponseModel& model, const Eigen::MatrixXd& rotated,
                     const Eigen::MatrixXd& response,
                     const std::vector<double>& penalties, Eigen::Index num_folds) {
  const Eigen::Index n = rotated.rows(), m = response.cols();
  Choice choice{std::vector<size_t>(m, 0), {}};
  choice.starts.resize(rotated.cols() + 1 + (model.has_extra() ? 1 : 0), m);
  for (Eigen::Index c = 0; c < m; ++c) {
    choice.starts.col(c) = StartPoint(model, rotated.cols() + 1, response.col(c));
  }
  if (num_folds < 2 || penalties.size() < 2) return choice;
  std::vector<std::unique_ptr<const Fold>> folds;
  std::vector<BatchLbfgs> solvers;
  for (Eigen::Index f = 0; f < num_folds; ++f) {
    const std::vector<Eigen::Index> in = FoldStimuli(n, f, num_folds, false);
    const std::vector<Eigen::Index> out = FoldStimuli(n, f, num_folds, true);
    folds.emplace_back(
        new Fold{Design(rotated(in, Eigen::all), response(in, Eigen::all)),
                 Design(rotated(out, Eigen::all), response(out, Eigen::all))});
    Eigen::MatrixXd starts(choice.starts.rows(), m);
    for (Eigen::Index c = 0; c < m; ++c) {
      starts.col(c) =
          StartPoint(model, rotated.cols() + 1, folds.back()->fitted.response().col(c));
    }
    solvers.push_back(MakeSolver(model, folds.back()->fitted, starts));
  }
  Eigen::VectorXd best =
      Eigen::VectorXd::Constant(m, std::numeric_limits<double>::infinity());
  Eigen::VectorXd last = best;
  std::vector<int> num_rises(m, 0);
  std::vector<Eigen::Index> active(m);
  std::iota(active.begin(), active.end(), 0);
  for (size_t l = 0; l < penalties.size() && !active.empty(); ++l) {
    Eigen::VectorXd errors = Eigen::VectorXd::Zero(active.size());
    Eigen::MatrixXd mean = Eigen::MatrixXd::Zero(choice.starts.rows(), active.size());
    for (Eigen::Index f = 0; f < num_folds; ++f) {
      const double fitted_stimuli = static_cast<double>(folds[f]->fitted.num_stimuli());
      solvers[f].Solve(active,
                       std::vector<double>(active.size(), penalties[l] * fitted_stimuli),
                       kPathTolerance * fitted_stimuli);
      const Eigen::MatrixXd points = solvers[f].Points(active);
      errors += folds[f]->held_out.Errors(model, active, points);
      mean += points / static_cast<double>(num_folds);
    }
    std::vector<Eigen::Index> still_active;
    for (size_t k = 0; k < active.size(); ++k) {
      const Eigen::Index c = active[k];
      if (errors(k) < best(c)) {
        best(c) = errors(k);
        choice.penalty[c] = l;
        choice.starts.col(c) = mean.col(k);
      }
      num_rises[c] = errors(k) > last(c) ? num_rises[c] + 1 : 0;
      last(c) = errors(k);
      if (num_rises[c] < kRisesToStop) still_active.push_back(c);
    }
    active = std::move(still_active);
  }
  return choice;
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
  for (Eigen::Index first = 0; first < t; first += kTargetsPerBatch) {
    const Eigen::Index m = std::min(kTargetsPerBatch, t - first);
    const Eigen::MatrixXd batch = response.middleCols(first, m);
    const Choice choice = ChooseByFolds(model, basis.rotated(), batch, penalties,
                                        std::min<Eigen::Index>(num_folds, n));
    const Design design(basis.rotated(), batch);
    BatchLbfgs solver = MakeSolver(model, design, choice.starts);
    std::vector<Eigen::Index> all(m);
    std::iota(all.begin(), all.end(), 0);
    std::vector<double> chosen(m);
    for (Eigen::Index c = 0; c < m; ++c) {
      const size_t position = choice.penalty[c];
      fit.penalty(first + c) = penalties[position];
      fit.num_at_edge +=
          penalties.size() > 1 && (position == 0 || position + 1 == penalties.size());
      chosen[c] = penalties[position] * static_cast<double>(n);
    }
    solver.Solve(all, chosen, kFinalTolerance * static_cast<double>(n));
    const Eigen::MatrixXd points = solver.Points(all);
    fit.weights.middleCols(first, m) = Product(basis.axes(), points.topRows(r));
    fit.intercept.segment(first, m) = points.row(r);
    if (model.has_extra()) fit.extra.segment(first, m) = points.row(r + 1);
  }
  return fit;
}

}  // namespace iat
