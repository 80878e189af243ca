#include "similarity/leave_one_out.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "similarity/linear_algebra.h"

namespace iat {
namespace {

// Rows of Z that are worked on at a time: 512 x 256 doubles are 1 MiB.
constexpr Eigen::Index kRowTile = 512;

// Where the training error is a smaller share of the variance, float32 residuals are
// too coarse to choose a penalty by.
constexpr double kSmallestFloatError = 1e-4;

// Uncertainty of an estimate, as a share, for every decade between the penalty and the
// one whose residuals it comes from.
constexpr double kUncertaintyPerDecade = 4e-3;

template <typename Scalar>
using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

// Z and the centred target in the precision that errors are computed in.
template <typename Scalar>
struct ErrorProblem {
  Matrix<Scalar> z, target;
};

// Squared residuals at one penalty of the targets in `columns`, summed with each
// column of `weights` (stimuli x any number): columns x that number.
template <typename Scalar>
Eigen::MatrixXd WeightedErrors(const RidgeCoordinates& source,
                               const ErrorProblem<Scalar>& problem,
                               const Eigen::MatrixXd& projected,
                               const std::vector<Eigen::Index>& columns, double penalty,
                               const Matrix<Scalar>& weights) {
  const Eigen::Index n = problem.z.rows(), r = problem.z.cols();
  const Eigen::Index m = static_cast<Eigen::Index>(columns.size());
  const Matrix<Scalar> coefficients =
      source.Solve(penalty, projected(Eigen::all, columns)).template cast<Scalar>();
  Eigen::MatrixXd errors = Eigen::MatrixXd::Zero(m, weights.cols());
  Matrix<Scalar> squares = Matrix<Scalar>::Zero(kRowTile, m);  // stays 0 without an axis
  Matrix<Scalar> sums(m, weights.cols());
  for (Eigen::Index first = 0; first < n; first += kRowTile) {
    const Eigen::Index rows = std::min(kRowTile, n - first);
    if (r > 0) {
      MultiplyTile(false, rows, m, r, problem.z.data() + first, n, coefficients.data(), r,
                   squares.data(), kRowTile);
    }
    for (Eigen::Index j = 0; j < m; ++j) {
      auto column = squares.col(j).head(rows).array();
      column = (problem.target.col(columns[j]).segment(first, rows).array() - column)
                   .square()
                   .eval();
    }
    MultiplyTile(true, m, weights.cols(), rows, squares.data(), kRowTile,
                 weights.data() + first, n, sums.data(), m);
    errors += sums.template cast<double>();
    if (r == 0) squares.setZero();
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
        weights_(problem.z.rows(), num_penalties_ + 1) {
    weights_.leftCols(num_penalties_) =
        freedom.array().square().inverse().matrix().template cast<Scalar>();
    weights_.rightCols(1).setOnes();
  }

  // Sets choice[j], a position in the grid, of every j in `columns`.
  void Choose(const std::vector<Eigen::Index>& columns,
              std::vector<Eigen::Index>& choice) {
    std::map<Eigen::Index, Target> targets;
    std::map<Eigen::Index, std::vector<Eigen::Index>> wanted;
    for (const Eigen::Index j : columns) {
      Target& target = targets[j];
      target.error = Eigen::ArrayXd::Constant(num_penalties_, INFINITY);
      target.evaluated.assign(num_penalties_, false);
      // The mean of 1 - h in place of each stimulus's own.
      Eigen::Index first = 0;
      (training_.col(j).array() / mean_freedom_.square()).minCoeff(&first);
      wanted[first].push_back(j);
    }
    while (!wanted.empty()) {
      for (const auto& [penalty, members] : wanted) Evaluate(penalty, members, targets);
      wanted.clear();
      for (auto& [j, target] : targets) {
        for (const Eigen::Index penalty : Open(target)) wanted[penalty].push_back(j);
      }
    }
    for (const auto& [j, target] : targets) choice[j] = target.best;
  }

 private:
  struct Target {
    Eigen::ArrayXd error;  // evaluated, or estimated from the best
    std::vector<bool> evaluated;
    Eigen::Index best = -1;  // of those evaluated
    bool estimate_is_best = false;
  };

  void Evaluate(Eigen::Index penalty, const std::vector<Eigen::Index>& members,
                std::map<Eigen::Index, Target>& targets) {
    const Eigen::MatrixXd errors = WeightedErrors(source_, problem_, projected_, members,
                                                  penalties_[penalty], weights_);
    for (size_t c = 0; c < members.size(); ++c) {
      Target& target = targets[members[c]];
      const double error = errors(c, penalty), plain = errors(c, num_penalties_);
      target.error(penalty) = error;
      target.evaluated[penalty] = true;
      const bool better = target.best < 0 || error < target.error(target.best) ||
                          (error == target.error(target.best) && penalty < target.best);
      if (!better) continue;
      target.best = penalty;
      for (Eigen::Index l = 0; l < num_penalties_; ++l) {
        if (target.evaluated[l]) continue;
        target.error(l) =
            plain > 0.0 ? training_(l, members[c]) * (errors(c, l) / plain) : 0.0;
      }
    }
  }

  // What has to be evaluated next: the smallest estimate while it is below all that was
  // evaluated, then the neighbours of the best, as long as their estimates' uncertainty
  // lets them be better.
  std::vector<Eigen::Index> Open(const Target& target) const {
    Eigen::Index smallest = 0;
    target.error.minCoeff(&smallest);
    if (!target.evaluated[smallest]) return {smallest};
    std::vector<Eigen::Index> open;
    for (const Eigen::Index l : {target.best - 1, target.best + 1}) {
      if (l < 0 || l >= num_penalties_ || target.evaluated[l]) continue;
      const double decades =
          std::abs(std::log10(penalties_[l] / penalties_[target.best]));
      const double lowest = target.error(l) * (1.0 - kUncertaintyPerDecade * decades);
      if (lowest <= target.error(target.best)) open.push_back(l);
    }
    return open;
  }

  const RidgeCoordinates& source_;
  const ErrorProblem<Scalar>& problem_;
  const Eigen::MatrixXd& projected_;
  const std::vector<double>& penalties_;
  const Eigen::Index num_penalties_;
  const Eigen::ArrayXd mean_freedom_;
  const Eigen::MatrixXd& training_;
  Matrix<Scalar> weights_;  // 1 / (1 - h)^2 at every penalty, then ones
};

}  // namespace

Eigen::MatrixXd PrincipalCoordinates::Solve(double penalty, Eigen::MatrixXd b) const {
  const Eigen::ArrayXd inverse = (eigenvalues_.array() + penalty).inverse();
  b.array().colwise() *= inverse;
  return b;
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
                                              const Eigen::MatrixXd& target,
                                              const Eigen::MatrixXd& projected,
                                              const std::vector<double>& penalties) {
  const Eigen::Index t = target.cols();
  std::vector<Eigen::Index> choice(t, 0);
  if (penalties.size() == 1) return choice;
  const Eigen::MatrixXd freedom = source.Freedom(penalties);
  const Eigen::RowVectorXd total = target.colwise().squaredNorm();
  const Eigen::MatrixXd training = source.TrainingErrors(total, projected, penalties);

  // Float32 weights of a stimulus that is all leverage would be out of range.
  const bool float_freedom = freedom.minCoeff() > kSmallestFloatError;
  std::vector<Eigen::Index> coarse, fine;
  for (Eigen::Index j = 0; j < t; ++j) {
    const bool is_coarse =
        float_freedom && training(0, j) > kSmallestFloatError * total(j);
    (is_coarse ? coarse : fine).push_back(j);
  }
  if (!coarse.empty()) {
    // In units of one deviation: float32 holds less range than activations may have.
    const double source_scale =
        std::sqrt(source.mean_eigenvalue() / static_cast<double>(target.rows()));
    Eigen::RowVectorXd target_scale = total.cwiseSqrt();
    for (double& scale : target_scale) scale = scale > 0.0 ? 1.0 / scale : 0.0;
    const Eigen::MatrixXd scaled_projected =
        projected * target_scale.asDiagonal() * source_scale;
    const Eigen::MatrixXd scaled_training =
        training * target_scale.cwiseAbs2().asDiagonal();
    const ErrorProblem<float> problem{(source.rotated() / source_scale).cast<float>(),
                                      (target * target_scale.asDiagonal()).cast<float>()};
    LeaveOneOutSearch<float>(source, problem, scaled_projected, penalties, freedom,
                             scaled_training)
        .Choose(coarse, choice);
  }
  if (!fine.empty()) {
    // Cancellation may have left too much of a small training error.
    const Eigen::MatrixXd lowest =
        (training.rowwise() - total * (1e3 * std::numeric_limits<double>::epsilon()))
            .cwiseMax(0.0);
    const ErrorProblem<double> problem{source.rotated(), target};
    LeaveOneOutSearch<double>(source, problem, projected, penalties, freedom, lowest)
        .Choose(fine, choice);
  }
  return choice;
}

std::vector<Eigen::Index> ChooseByLeaveOneOut(const SourceBasis& basis,
                                              const Eigen::MatrixXd& target,
                                              const Eigen::MatrixXd& projected,
                                              const std::vector<double>& penalties) {
  return ChooseByLeaveOneOut(PrincipalCoordinates(basis), target, projected, penalties);
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
    errors.row(l) = WeightedErrors<double>(source, problem, projected, all, penalties[l],
                                           weights.col(static_cast<Eigen::Index>(l)))
                        .transpose();
  }
  return errors;
}

}  // namespace iat
