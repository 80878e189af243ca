#include "similarity/leave_one_out.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "similarity/linear_algebra.h"

namespace iat {
namespace {

// Rows of Z and targets that are worked on at a time: 512 x 256 doubles are 1 MiB.
constexpr Eigen::Index kRowTile = 512;
constexpr Eigen::Index kTargetTile = 256;

// Where the training error is a smaller share of the variance, float32 residuals are
// too coarse to choose a penalty by.
constexpr double kSmallestFloatError = 1e-4;

// How far the leave-one-out error's excess over the training error at one side of a
// penalty may change otherwise than it did at the other side, as a share of that change.
constexpr double kUncertaintyOfChange = 2.0;

template <typename Scalar>
using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

// Z and the centred target in the precision that errors are computed in.
template <typename Scalar>
struct ErrorProblem {
  const Matrix<Scalar>& z;
  const Matrix<Scalar>& target;
};

// Centred targets at norm 1 in float32, and ||y||^2. A column is read for both while it
// is near.
struct FloatTargets {
  explicit FloatTargets(const TargetView& target)
      : total(target.values.cols()),
        scale(target.values.cols()),
        values(target.values.rows(), target.values.cols()) {
    for (Eigen::Index j = 0; j < values.cols(); ++j) {
      const auto centred = target.values.col(j).array() - target.mean(j);
      total(j) = centred.square().sum();
      scale(j) = total(j) > 0.0 ? 1.0 / std::sqrt(total(j)) : 0.0;
      values.col(j) = (centred * scale(j)).cast<float>().matrix();
    }
  }
  Eigen::RowVectorXd total, scale;  // scale: 1 / ||y||, 0 where y is 0
  Eigen::MatrixXf values;
};

// Squared residuals of the targets in `columns`, each fitted by its own column of
// `coefficients`, summed with each column of `weights` (stimuli x any number): columns x
// that number.
template <typename Scalar>
Eigen::MatrixXd WeightedErrors(const ErrorProblem<Scalar>& problem,
                               const Matrix<Scalar>& coefficients,
                               const std::vector<Eigen::Index>& columns,
                               const Matrix<Scalar>& weights) {
  const Eigen::Index n = problem.z.rows(), r = problem.z.cols();
  const Eigen::Index num_columns = static_cast<Eigen::Index>(columns.size());
  Eigen::MatrixXd errors = Eigen::MatrixXd::Zero(num_columns, weights.cols());
  Matrix<Scalar> squares(kRowTile, std::min(kTargetTile, num_columns));
  Matrix<Scalar> sums(squares.cols(), weights.cols());
  for (Eigen::Index begin = 0; begin < num_columns; begin += kTargetTile) {
    const Eigen::Index m = std::min(kTargetTile, num_columns - begin);
    for (Eigen::Index first = 0; first < n; first += kRowTile) {
      const Eigen::Index rows = std::min(kRowTile, n - first);
      if (r > 0) {
        MultiplyTile(false, rows, m, r, problem.z.data() + first, n,
                     coefficients.col(begin).data(), r, squares.data(), kRowTile);
      } else {
        squares.setZero();
      }
      for (Eigen::Index j = 0; j < m; ++j) {
        const Scalar* target = problem.target.col(columns[begin + j]).data() + first;
        Scalar* square = squares.col(j).data();
        for (Eigen::Index i = 0; i < rows; ++i) {
          const Scalar residual = target[i] - square[i];
          square[i] = residual * residual;
        }
      }
      MultiplyTile(true, m, weights.cols(), rows, squares.data(), kRowTile,
                   weights.data() + first, n, sums.data(), sums.rows());
      errors.middleRows(begin, m) += sums.topRows(m).template cast<double>();
    }
  }
  return errors;
}

// Chooses among a grid for the targets of one ErrorProblem.
template <typename Scalar>
class LeaveOneOutSearch {
 public:
  LeaveOneOutSearch(const RidgeCoordinates& source, const ErrorProblem<Scalar>& problem,
                    const Eigen::MatrixXd& projected,
                    const std::vector<double>& penalties, const Eigen::MatrixXd& freedom,
                    const Eigen::MatrixXd& training)
      : source_(source),
        problem_(problem),
        projected_(projected),
        penalties_(penalties),
        num_penalties_(static_cast<Eigen::Index>(penalties.size())),
        mean_freedom_(freedom.colwise().mean().transpose()),
        training_(training),
        error_(num_penalties_, training.cols()),
        evaluated_(num_penalties_, training.cols()),
        inflation_(num_penalties_ * num_penalties_, training.cols()),
        best_(training.cols(), -1),
        weights_(problem.z.rows(), num_penalties_ + 1) {
    error_.setConstant(INFINITY);
    evaluated_.setConstant(false);
    weights_.leftCols(num_penalties_) =
        freedom.array().square().inverse().matrix().template cast<Scalar>();
    weights_.rightCols(1).setOnes();
  }

  // Sets choice[j], a position in the grid, of every j in `columns`.
  void Choose(const std::vector<Eigen::Index>& columns,
              std::vector<Eigen::Index>& choice) {
    Members wanted(num_penalties_);
    for (const Eigen::Index j : columns) {
      // The mean of 1 - h in place of each stimulus's own.
      Eigen::Index first = 0;
      (training_.col(j).array() / mean_freedom_.square()).minCoeff(&first);
      wanted[first].push_back(j);
    }
    std::vector<Eigen::Index> open = columns;
    while (!open.empty()) {
      Evaluate(wanted);
      wanted.assign(num_penalties_, {});
      std::vector<Eigen::Index> still_open;
      for (const Eigen::Index j : open) {
        if (const std::optional<Eigen::Index> penalty = Next(j)) {
          wanted[*penalty].push_back(j);
          still_open.push_back(j);
        }
      }
      open = std::move(still_open);
    }
    for (const Eigen::Index j : columns) choice[j] = best_[j];
  }

 private:
  using Members = std::vector<std::vector<Eigen::Index>>;  // targets by penalty

  void Evaluate(const Members& wanted) {
    std::vector<Eigen::Index> columns, penalties;
    for (Eigen::Index penalty = 0; penalty < num_penalties_; ++penalty) {
      const std::vector<Eigen::Index>& members = wanted[penalty];
      columns.insert(columns.end(), members.begin(), members.end());
      penalties.insert(penalties.end(), members.size(), penalty);
    }
    Matrix<Scalar> coefficients(problem_.z.cols(), columns.size());
    Eigen::Index filled = 0;
    for (Eigen::Index penalty = 0; penalty < num_penalties_; ++penalty) {
      const std::vector<Eigen::Index>& members = wanted[penalty];
      if (members.empty()) continue;
      const Eigen::Index count = static_cast<Eigen::Index>(members.size());
      coefficients.middleCols(filled, count) =
          source_.Solve(penalties_[penalty], projected_(Eigen::all, members))
              .template cast<Scalar>();
      filled += count;
    }
    const Eigen::MatrixXd errors =
        WeightedErrors(problem_, coefficients, columns, weights_);
    for (size_t c = 0; c < columns.size(); ++c) {
      const Eigen::Index j = columns[c], penalty = penalties[c];
      const double error = errors(c, penalty), plain = errors(c, num_penalties_);
      error_(penalty, j) = error;
      evaluated_(penalty, j) = true;
      inflation_.col(j).segment(penalty * num_penalties_, num_penalties_) =
          errors.row(c).head(num_penalties_).transpose().array() / plain;
      Eigen::Index& best = best_[j];
      const bool better = best < 0 || error < error_(best, j) ||
                          (error == error_(best, j) && penalty < best);
      if (!better) continue;
      best = penalty;
      for (Eigen::Index l = 0; l < num_penalties_; ++l) {
        if (evaluated_(l, j)) continue;
        error_(l, j) = plain > 0.0 ? training_(l, j) * Inflation(penalty, l, j) : 0.0;
      }
    }
  }

  // Of target j: how much larger the leave-one-out error at `at` is than the training
  // error there, from the squared residuals at `from`.
  double Inflation(Eigen::Index from, Eigen::Index at, Eigen::Index j) const {
    return inflation_(from * num_penalties_ + at, j);
  }

  // What has to be evaluated next of a target: the smallest estimate while it is below
  // all that was evaluated, then the best's neighbour with the smaller estimate, then
  // the other, unless it is certainly worse.
  std::optional<Eigen::Index> Next(Eigen::Index j) const {
    Eigen::Index smallest = 0;
    error_.col(j).minCoeff(&smallest);
    if (!evaluated_(smallest, j)) return smallest;
    const Eigen::Index best = best_[j], below = best - 1, above = best + 1;
    const bool open_below = below >= 0 && !evaluated_(below, j);
    const bool open_above = above < num_penalties_ && !evaluated_(above, j);
    if (open_below && open_above) {
      return error_(below, j) < error_(above, j) ? below : above;
    }
    if (open_below && (above == num_penalties_ || CouldBeBetter(below, above, j))) {
      return below;
    }
    if (open_above && (below < 0 || CouldBeBetter(above, below, j))) return above;
    return std::nullopt;
  }

  // Whether the best's neighbour `open` may have a smaller error than the best, which
  // stands between it and `other`, evaluated.
  bool CouldBeBetter(Eigen::Index open, Eigen::Index other, Eigen::Index j) const {
    const Eigen::Index best = best_[j];
    const double inflation = Inflation(best, open, j);
    const double change = inflation - Inflation(other, open, j);
    const double lowest = inflation + change - kUncertaintyOfChange * std::abs(change);
    return !(training_(open, j) * lowest > error_(best, j));
  }

  const RidgeCoordinates& source_;
  const ErrorProblem<Scalar>& problem_;
  const Eigen::MatrixXd& projected_;
  const std::vector<double>& penalties_;
  const Eigen::Index num_penalties_;
  const Eigen::ArrayXd mean_freedom_;
  const Eigen::MatrixXd& training_;
  // Of every target: errors, evaluated or estimated from the best; and the best of those
  // evaluated, -1 before the first.
  Eigen::ArrayXXd error_;
  Eigen::Array<bool, Eigen::Dynamic, Eigen::Dynamic> evaluated_;
  Eigen::ArrayXXd inflation_;  // Inflation; of evaluated `from` only
  std::vector<Eigen::Index> best_;
  Matrix<Scalar> weights_;  // 1 / (1 - h)^2 at every penalty, then ones
};

}  // namespace

FloatCoordinates RidgeCoordinates::InFloat(double scale,
                                           const std::vector<double>&) const {
  return {(rotated() / scale).cast<float>(), std::nullopt};
}

Eigen::MatrixXd PrincipalCoordinates::Solve(double penalty,
                                            Eigen::MatrixXd projected) const {
  const Eigen::ArrayXd inverse = (eigenvalues_.array() + penalty).inverse();
  projected.array().colwise() *= inverse;
  return projected;
}

Eigen::MatrixXd PrincipalCoordinates::Freedom(
    const std::vector<double>& penalties) const {
  const Eigen::Index n = rotated_.rows(), r = rotated_.cols();
  const Eigen::Index num_penalties = static_cast<Eigen::Index>(penalties.size());
  Eigen::MatrixXd inverse(r, num_penalties);
  for (Eigen::Index l = 0; l < num_penalties; ++l) {
    inverse.col(l) = (eigenvalues_.array() + penalties[l]).inverse();
  }
  Eigen::MatrixXd leverage(n, num_penalties);
  for (Eigen::Index first = 0; first < n; first += kRowTile) {
    const Eigen::Index rows = std::min(kRowTile, n - first);
    leverage.middleRows(first, rows) =
        Product(rotated_.middleRows(first, rows).cwiseAbs2(), inverse);
  }
  return (1.0 - 1.0 / static_cast<double>(n) - leverage.array()).max(kSmallestFreedom);
}

// ||y - Z b||^2 = ||y||^2 - sum_k q_k^2 (s_k + 2 penalty) / (s_k + penalty)^2.
Eigen::MatrixXd PrincipalCoordinates::TrainingErrors(
    const Eigen::RowVectorXd& total, const Eigen::MatrixXd& projected,
    const std::vector<double>& penalties) const {
  Eigen::MatrixXd shrinkage(eigenvalues_.size(), penalties.size());
  for (size_t l = 0; l < penalties.size(); ++l) {
    const Eigen::ArrayXd inverse = (eigenvalues_.array() + penalties[l]).inverse();
    shrinkage.col(l) = (eigenvalues_.array() + 2.0 * penalties[l]) * inverse.square();
  }
  Eigen::MatrixXd training = -TransposedProduct(shrinkage, projected.cwiseAbs2());
  training.rowwise() += total;
  return training.cwiseMax(0.0);
}

Eigen::MatrixXd Freedom(const SourceBasis& basis, const std::vector<double>& penalties) {
  return PrincipalCoordinates(basis).Freedom(penalties);
}

std::vector<Eigen::Index> ChooseByLeaveOneOut(const RidgeCoordinates& source,
                                              const TargetView& target,
                                              const Eigen::MatrixXd& projected,
                                              const std::vector<double>& penalties) {
  const Eigen::Index n = target.values.rows(), t = target.values.cols();
  std::vector<Eigen::Index> choice(t, 0);
  if (penalties.size() == 1) return choice;
  const FloatTargets scaled(target);
  const Eigen::RowVectorXd& total = scaled.total;
  const Eigen::MatrixXd training = source.TrainingErrors(total, projected, penalties);
  std::optional<Eigen::MatrixXd> exact_freedom;
  const auto freedom = [&]() -> const Eigen::MatrixXd& {
    if (!exact_freedom) exact_freedom = source.Freedom(penalties);
    return *exact_freedom;
  };
  std::vector<Eigen::Index> coarse, fine;
  for (Eigen::Index j = 0; j < t; ++j) {
    (training(0, j) > kSmallestFloatError * total(j) ? coarse : fine).push_back(j);
  }
  if (!coarse.empty()) {
    // In units of one deviation: float32 holds less range than activations may have.
    const double source_scale =
        std::sqrt(source.mean_eigenvalue() / static_cast<double>(n));
    const FloatCoordinates coordinates = source.InFloat(source_scale, penalties);
    const Eigen::MatrixXd& float_freedom =
        coordinates.freedom ? *coordinates.freedom : freedom();
    // Float32 weights of a stimulus that is all leverage would be out of range.
    if (float_freedom.minCoeff() > kSmallestFloatError) {
      const Eigen::MatrixXd scaled_projected =
          projected * scaled.scale.asDiagonal() * source_scale;
      const Eigen::MatrixXd scaled_training =
          training * scaled.scale.cwiseAbs2().asDiagonal();
      const ErrorProblem<float> problem{coordinates.rotated, scaled.values};
      LeaveOneOutSearch<float>(source, problem, scaled_projected, penalties,
                               float_freedom, scaled_training)
          .Choose(coarse, choice);
    } else {
      fine.insert(fine.end(), coarse.begin(), coarse.end());
      std::sort(fine.begin(), fine.end());
    }
  }
  if (!fine.empty()) {
    // Cancellation may have left too much of a small training error.
    const Eigen::MatrixXd lowest =
        (training.rowwise() - total * (1e3 * std::numeric_limits<double>::epsilon()))
            .cwiseMax(0.0);
    const Eigen::MatrixXd centred = target.values.rowwise() - target.mean;
    const ErrorProblem<double> problem{source.rotated(), centred};
    LeaveOneOutSearch<double>(source, problem, projected, penalties, freedom(), lowest)
        .Choose(fine, choice);
  }
  return choice;
}

std::vector<Eigen::Index> ChooseByLeaveOneOut(const SourceBasis& basis,
                                              const Eigen::MatrixXd& target,
                                              const Eigen::MatrixXd& projected,
                                              const std::vector<double>& penalties) {
  return ChooseByLeaveOneOut(PrincipalCoordinates(basis),
                             {target, Eigen::RowVectorXd::Zero(target.cols())}, projected,
                             penalties);
}

Eigen::MatrixXd LeaveOneOutErrors(const SourceBasis& basis, const Eigen::MatrixXd& target,
                                  const std::vector<double>& penalties) {
  const Eigen::MatrixXd centred = target.rowwise() - target.colwise().mean();
  const Eigen::MatrixXd projected = TransposedProduct(basis.rotated(), centred);
  const Eigen::MatrixXd weights =
      Freedom(basis, penalties).array().square().inverse().matrix();
  std::vector<Eigen::Index> all(target.cols());
  std::iota(all.begin(), all.end(), 0);
  const PrincipalCoordinates source(basis);
  const ErrorProblem<double> problem{basis.rotated(), centred};
  Eigen::MatrixXd errors(penalties.size(), target.cols());
  for (size_t l = 0; l < penalties.size(); ++l) {
    errors.row(l) = WeightedErrors<double>(problem, source.Solve(penalties[l], projected),
                                           all, weights.col(static_cast<Eigen::Index>(l)))
                        .transpose();
  }
  return errors;
}

}  // namespace iat
