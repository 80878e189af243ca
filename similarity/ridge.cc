#include "similarity/ridge.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "similarity/linear_algebra.h"

namespace iat {
namespace {

// Rows of Z that are worked on at a time: 512 x 256 doubles are 1 MiB.
constexpr Eigen::Index kRowTile = 512;

// A stimulus with all the leverage is fitted whatever its value; the division must
// not be by zero.
constexpr double kSmallestFreedom = 1e-12;

// 1 / (s + penalty), and 0 on an axis with neither.
Eigen::ArrayXd InverseCurvature(const SourceBasis& basis, double penalty) {
  return (basis.eigenvalues().array() + penalty).inverse();
}

// 1 - h: stimuli x penalties.
Eigen::MatrixXd Freedom(const SourceBasis& basis, const std::vector<double>& penalties) {
  const Eigen::MatrixXd& z = basis.rotated();
  const Eigen::Index n = z.rows(), r = z.cols();
  const Eigen::Index num_penalties = static_cast<Eigen::Index>(penalties.size());
  Eigen::MatrixXd inverse(r, num_penalties);
  for (Eigen::Index l = 0; l < num_penalties; ++l) {
    inverse.col(l) = InverseCurvature(basis, penalties[l]);
  }
  Eigen::MatrixXd leverage(n, num_penalties);
  for (Eigen::Index first = 0; first < n; first += kRowTile) {
    const Eigen::Index rows = std::min(kRowTile, n - first);
    leverage.middleRows(first, rows) =
        Product(z.middleRows(first, rows).cwiseAbs2(), inverse);
  }
  return (1.0 - 1.0 / static_cast<double>(n) - leverage.array()).max(kSmallestFreedom);
}

struct CentredTarget {
  Eigen::RowVectorXd mean;
  Eigen::MatrixXd values;
};

CentredTarget Centre(const Eigen::MatrixXd& target) {
  CentredTarget result{target.colwise().mean(), target};
  for (Eigen::Index j = 0; j < target.cols(); ++j) {
    if ((target.col(j).array() == target(0, j)).all()) result.mean(j) = target(0, j);
  }
  result.values.rowwise() -= result.mean;
  return result;
}

absl::Status CheckTarget(const SourceBasis& basis, const Eigen::MatrixXd& target) {
  if (target.rows() != basis.num_stimuli()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "source has ", basis.num_stimuli(), " stimuli, target has ", target.rows()));
  }
  if (!target.allFinite()) {
    return absl::InvalidArgumentError("target has values that are not finite");
  }
  return absl::OkStatus();
}

// Where the training error is a smaller share of the variance, float32 residuals are
// too coarse to choose a penalty by.
constexpr double kSmallestFloatError = 1e-4;

template <typename Scalar>
using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

// Z and the centred target in the precision that errors are computed in.
template <typename Scalar>
struct ErrorProblem {
  Matrix<Scalar> z, target;
};

// Summed squared leave-one-out errors at one penalty of the targets in `columns`.
template <typename Scalar>
Eigen::VectorXd LeaveOneOutAt(const SourceBasis& basis,
                              const ErrorProblem<Scalar>& problem,
                              const Eigen::MatrixXd& projected,
                              const std::vector<Eigen::Index>& columns, double penalty,
                              const Eigen::VectorXd& freedom) {
  const Eigen::Index n = problem.z.rows(), r = problem.z.cols();
  const Eigen::Index m = static_cast<Eigen::Index>(columns.size());
  const Eigen::ArrayXd inverse = InverseCurvature(basis, penalty);
  Matrix<Scalar> coefficients(r, m);
  for (Eigen::Index j = 0; j < m; ++j) {
    coefficients.col(j) =
        (projected.col(columns[j]).array() * inverse).template cast<Scalar>();
  }
  const Eigen::Array<Scalar, Eigen::Dynamic, 1> weight =
      freedom.array().inverse().template cast<Scalar>();
  Eigen::VectorXd errors = Eigen::VectorXd::Zero(m);
  Matrix<Scalar> fitted = Matrix<Scalar>::Zero(kRowTile, m);  // stays 0 without an axis
  for (Eigen::Index first = 0; first < n; first += kRowTile) {
    const Eigen::Index rows = std::min(kRowTile, n - first);
    if (r > 0) {
      MultiplyTile(false, rows, m, r, problem.z.data() + first, n, coefficients.data(), r,
                   fitted.data(), kRowTile);
    }
    for (Eigen::Index j = 0; j < m; ++j) {
      errors(j) += static_cast<double>(
          ((problem.target.col(columns[j]).segment(first, rows).array() -
            fitted.col(j).head(rows).array()) *
           weight.segment(first, rows))
              .square()
              .sum());
    }
  }
  return errors;
}

// Chooses among a grid for the targets of one ErrorProblem.
template <typename Scalar>
class LeaveOneOutSearch {
 public:
  LeaveOneOutSearch(const SourceBasis& basis, const ErrorProblem<Scalar>& problem,
                    const Eigen::MatrixXd& projected,
                    const std::vector<double>& penalties, const Eigen::MatrixXd& freedom,
                    const Eigen::MatrixXd& training, const Eigen::RowVectorXd& slack)
      : basis_(basis),
        problem_(problem),
        projected_(projected),
        penalties_(penalties),
        freedom_(freedom),
        training_(training),
        slack_(slack) {}

  // Sets choice[j], a position in the grid, of every j in `columns`.
  void Choose(const std::vector<Eigen::Index>& columns,
              std::vector<Eigen::Index>& choice) {
    const Eigen::Index num_penalties = static_cast<Eigen::Index>(penalties_.size());
    const Eigen::ArrayXd mean_freedom = freedom_.colwise().mean().transpose();
    const Eigen::ArrayXd max_freedom = freedom_.colwise().maxCoeff().transpose();
    const Eigen::Index t = training_.cols();
    smallest_ = Eigen::VectorXd::Constant(t, INFINITY);
    // Where to look first: generalised cross-validation with the mean of 1 - h.
    std::vector<std::vector<Eigen::Index>> first_look(num_penalties);
    std::vector<Eigen::Index> looked(t, 0);
    for (const Eigen::Index j : columns) {
      (training_.col(j).array() / mean_freedom.square()).minCoeff(&looked[j]);
      first_look[looked[j]].push_back(j);
    }
    for (Eigen::Index l = 0; l < num_penalties; ++l) Evaluate(l, first_look[l], choice);
    for (Eigen::Index l = 0; l < num_penalties; ++l) {
      std::vector<Eigen::Index> possible;
      for (const Eigen::Index j : columns) {
        const double lowest = std::max(training_(l, j) - slack_(j), 0.0) /
                              (max_freedom(l) * max_freedom(l));
        if (l != looked[j] && lowest <= smallest_(j)) possible.push_back(j);
      }
      Evaluate(l, possible, choice);
    }
  }

 private:
  void Evaluate(Eigen::Index l, const std::vector<Eigen::Index>& columns,
                std::vector<Eigen::Index>& choice) {
    if (columns.empty()) return;
    const Eigen::VectorXd errors = LeaveOneOutAt(basis_, problem_, projected_, columns,
                                                 penalties_[l], freedom_.col(l));
    for (size_t c = 0; c < columns.size(); ++c) {
      const Eigen::Index j = columns[c];
      if (errors(c) < smallest_(j) || (errors(c) == smallest_(j) && l < choice[j])) {
        smallest_(j) = errors(c);
        choice[j] = l;
      }
    }
  }

  const SourceBasis& basis_;
  const ErrorProblem<Scalar>& problem_;
  const Eigen::MatrixXd& projected_;
  const std::vector<double>& penalties_;
  const Eigen::MatrixXd& freedom_;
  const Eigen::MatrixXd& training_;
  const Eigen::RowVectorXd& slack_;
  Eigen::VectorXd smallest_;
};

// Position in the grid of each target's smallest leave-one-out error.
std::vector<Eigen::Index> ChooseByLeaveOneOut(const SourceBasis& basis,
                                              const Eigen::MatrixXd& target,
                                              const Eigen::MatrixXd& projected,
                                              const std::vector<double>& penalties) {
  const Eigen::Index t = target.cols();
  const Eigen::Index num_penalties = static_cast<Eigen::Index>(penalties.size());
  std::vector<Eigen::Index> choice(t, 0);
  if (num_penalties == 1) return choice;
  const Eigen::MatrixXd freedom = Freedom(basis, penalties);

  // Training errors without predictions:
  //   ||y - Z b||^2 = ||y||^2 - sum_k q_k^2 (s_k + 2 penalty) / (s_k + penalty)^2.
  // Cancellation leaves them uncertain by rounding of ||y||^2.
  Eigen::MatrixXd shrinkage(basis.rank(), num_penalties);
  for (Eigen::Index l = 0; l < num_penalties; ++l) {
    const Eigen::ArrayXd inverse = InverseCurvature(basis, penalties[l]);
    shrinkage.col(l) =
        (basis.eigenvalues().array() + 2.0 * penalties[l]) * inverse.square();
  }
  const Eigen::RowVectorXd total = target.colwise().squaredNorm();
  const Eigen::RowVectorXd slack = total * (1e3 * std::numeric_limits<double>::epsilon());
  Eigen::MatrixXd training = -TransposedProduct(shrinkage, projected.cwiseAbs2());
  training.rowwise() += total;
  training = training.cwiseMax(0.0);

  std::vector<Eigen::Index> coarse, fine;
  for (Eigen::Index j = 0; j < t; ++j) {
    (training(0, j) > kSmallestFloatError * total(j) ? coarse : fine).push_back(j);
  }
  if (!coarse.empty()) {
    // In units of one deviation: float32 holds less range than activations may have.
    const double source_scale =
        std::sqrt(basis.mean_eigenvalue() / static_cast<double>(basis.num_stimuli()));
    Eigen::RowVectorXd target_scale = total.cwiseSqrt();
    for (double& scale : target_scale) scale = scale > 0.0 ? 1.0 / scale : 0.0;
    const Eigen::MatrixXd scaled_projected = projected * target_scale.asDiagonal();
    const Eigen::RowVectorXd scaled_slack =
        Eigen::RowVectorXd::Constant(t, slack.size() > 0 ? 1e-6 : 0.0);
    const Eigen::MatrixXd scaled_training =
        training * target_scale.cwiseAbs2().asDiagonal();
    const ErrorProblem<float> problem{(basis.rotated() / source_scale).cast<float>(),
                                      (target * target_scale.asDiagonal()).cast<float>()};
    LeaveOneOutSearch<float>(basis, problem, scaled_projected * source_scale, penalties,
                             freedom, scaled_training, scaled_slack)
        .Choose(coarse, choice);
  }
  if (!fine.empty()) {
    const ErrorProblem<double> problem{basis.rotated(), target};
    LeaveOneOutSearch<double>(basis, problem, projected, penalties, freedom, training,
                              slack)
        .Choose(fine, choice);
  }
  return choice;
}

// Rows first, first + step, ... of a matrix, or all the others.
Eigen::MatrixXd FoldRows(const Eigen::MatrixXd& matrix, Eigen::Index fold,
                         Eigen::Index num_folds, bool held_out) {
  std::vector<Eigen::Index> rows;
  for (Eigen::Index i = 0; i < matrix.rows(); ++i) {
    if ((i % num_folds == fold) == held_out) rows.push_back(i);
  }
  return matrix(rows, Eigen::all);
}

// Sources of a fold come from Z: the same inner products as Xc in r columns.
absl::StatusOr<std::vector<Eigen::Index>> ChooseByFolds(
    const SourceBasis& basis, const Eigen::MatrixXd& target,
    const std::vector<double>& penalties, Eigen::Index num_folds) {
  const Eigen::Index num_penalties = static_cast<Eigen::Index>(penalties.size());
  Eigen::MatrixXd errors = Eigen::MatrixXd::Zero(num_penalties, target.cols());
  for (Eigen::Index fold = 0; fold < num_folds && basis.rank() > 0; ++fold) {
    IAT_ASSIGN_OR_RETURN(
        const SourceBasis train,
        SourceBasis::Make(FoldRows(basis.rotated(), fold, num_folds, false)));
    const Eigen::MatrixXd fit = FoldRows(target, fold, num_folds, false);
    const Eigen::MatrixXd held_out = FoldRows(target, fold, num_folds, true);
    const Eigen::MatrixXd source = FoldRows(basis.rotated(), fold, num_folds, true);
    for (Eigen::Index l = 0; l < num_penalties; ++l) {
      IAT_ASSIGN_OR_RETURN(
          const LinearMap map,
          SolveRidge(train, fit, Eigen::VectorXd::Constant(target.cols(), penalties[l])));
      IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd predicted, map.Predict(source));
      errors.row(l) += (held_out - predicted).colwise().squaredNorm();
    }
  }
  std::vector<Eigen::Index> choice(target.cols());
  for (Eigen::Index j = 0; j < target.cols(); ++j) errors.col(j).minCoeff(&choice[j]);
  return choice;
}

bool AtEdge(Eigen::Index choice, size_t grid_size) {
  return grid_size > 1 &&
         (choice == 0 || choice + 1 == static_cast<Eigen::Index>(grid_size));
}

LinearMap Solve(const SourceBasis& basis, const Eigen::RowVectorXd& target_mean,
                const Eigen::MatrixXd& projected, const Eigen::VectorXd& ridge_penalty) {
  Eigen::MatrixXd coefficients(projected.rows(), projected.cols());
  for (Eigen::Index j = 0; j < projected.cols(); ++j) {
    coefficients.col(j) =
        projected.col(j).array() * InverseCurvature(basis, ridge_penalty(j));
  }
  return {basis.mean(), Product(basis.axes(), coefficients), target_mean};
}

// (T + penalty I)^-1 for a tridiagonal T, by its LDL' factors.
struct TridiagonalFactor {
  Eigen::VectorXd lower, inverse_pivot;

  TridiagonalFactor(const Tridiagonal& t, double penalty)
      : lower(t.off_diagonal), inverse_pivot(t.diagonal.size()) {
    double pivot = t.diagonal(0) + penalty;
    inverse_pivot(0) = 1.0 / pivot;
    for (Eigen::Index k = 1; k < inverse_pivot.size(); ++k) {
      lower(k - 1) = t.off_diagonal(k - 1) * inverse_pivot(k - 1);
      // Positive but for rounding: T is a Gram matrix's.
      pivot = std::max(t.diagonal(k) + penalty - lower(k - 1) * t.off_diagonal(k - 1),
                       0.5 * penalty);
      inverse_pivot(k) = 1.0 / pivot;
    }
  }

  Eigen::VectorXd Solve(Eigen::VectorXd b) const {
    const Eigen::Index size = b.size();
    for (Eigen::Index k = 1; k < size; ++k) b(k) -= lower(k - 1) * b(k - 1);
    b.array() *= inverse_pivot.array();
    for (Eigen::Index k = size - 1; k-- > 0;) b(k) -= lower(k) * b(k + 1);
    return b;
  }
};

// The road of FitSingleRidge for more stimuli than columns.
class SingleRidge {
 public:
  SingleRidge(const Eigen::MatrixXd& source, const Eigen::VectorXd& target,
              const RidgeOptions& options, Eigen::Index num_units)
      : n_(source.rows()), p_(source.cols()), target_(target) {
    mean_ = source.colwise().mean();
    centred_ = source.rowwise() - mean_;
    target_mean_ = target.mean();
    centred_target_ = target.array() - target_mean_;
    const double trace = centred_.squaredNorm();
    penalties_ = options.Penalties(trace / static_cast<double>(num_units));
    scale_ = std::sqrt(trace / static_cast<double>(n_ * p_));
  }

  // False when the fit is too good, or the source too flat, for float32.
  absl::StatusOr<bool> Fit(SingleRidgeFit& fit) {
    if (!(scale_ > 0.0)) return false;
    const Eigen::Index num_penalties = static_cast<Eigen::Index>(penalties_.size());
    MakeTiles();
    IAT_ASSIGN_OR_RETURN(tridiagonal_, Tridiagonalise(Gram()));
    // Everything below is in units of the source's deviation.
    const double unit = scale_ * scale_;
    const Eigen::VectorXd projected = centred_.transpose() * centred_target_ / scale_;
    const Eigen::VectorXd rotated = tridiagonal_.vectors.transpose() * projected;
    std::vector<TridiagonalFactor> factors;
    Eigen::MatrixXf coefficients(p_, num_penalties);
    const double target_norm = centred_target_.norm();
    if (!(target_norm > 0.0)) return false;
    for (Eigen::Index l = 0; l < num_penalties; ++l) {
      factors.emplace_back(tridiagonal_, penalties_[l] / unit);
      const Eigen::VectorXd solution = factors[l].Solve(rotated);
      if (l == 0) {
        const double training = target_norm * target_norm - rotated.dot(solution);
        if (!(training > kSmallestFloatError * target_norm * target_norm)) return false;
      }
      coefficients.col(l) = (solution / target_norm).cast<float>();
    }
    const Eigen::Index best = SearchTiles(factors, coefficients, target_norm);

    // Float32 entered the factors through the Gram matrix alone, so a few steps of
    // refinement against the float64 source give float64 weights.
    Eigen::VectorXd weights = Eigen::VectorXd::Zero(p_);
    Eigen::VectorXd residual = centred_target_;
    for (int step = 0; step < kRefinements; ++step) {
      const Eigen::VectorXd gradient =
          centred_.transpose() * residual / scale_ - penalties_[best] / unit * weights;
      weights += tridiagonal_.vectors *
                 factors[best].Solve(tridiagonal_.vectors.transpose() * gradient);
      residual = centred_target_ - centred_ * weights / scale_;
    }
    fit.source_mean = mean_;
    fit.weights = weights / scale_;
    fit.target_mean = target_mean_;
    fit.ridge_penalty = penalties_[best];
    fit.at_edge = AtEdge(best, penalties_.size());
    fit.leave_one_out =
        target_.array() - residual.array() / Freedoms(factors[best]).cast<double>();
    return true;
  }

 private:
  static constexpr Eigen::Index kTile = 256;
  static constexpr int kRefinements = 4;
  using Lanes = Eigen::Array<float, 64, 1>;

  // Scaled float32 rows in contiguous tiles, padded with zeros.
  void MakeTiles() {
    num_tiles_ = (n_ + kTile - 1) / kTile;
    tiles_ = Eigen::MatrixXf::Zero(kTile, num_tiles_ * p_);
    for (Eigen::Index tile = 0; tile < num_tiles_; ++tile) {
      const Eigen::Index first = tile * kTile, rows = std::min(kTile, n_ - first);
      tiles_.block(0, tile * p_, rows, p_) =
          (centred_.middleRows(first, rows) / scale_).cast<float>();
    }
  }

  Eigen::MatrixXd Gram() const {
    Eigen::MatrixXd gram = Eigen::MatrixXd::Zero(p_, p_);
    Eigen::MatrixXf work(p_, p_);
    for (Eigen::Index tile = 0; tile < num_tiles_; ++tile) {
      AddTileGram(kTile, tiles_.data() + tile * kTile * p_, kTile, work, gram);
    }
    return gram;
  }

  // 1 - h of 64 rows of X Q (kTile rows apart from column to column).
  Lanes Freedom64(const float* rows, const Eigen::ArrayXf& lower,
                  const Eigen::ArrayXf& inverse_pivot) const {
    Lanes u = Eigen::Map<const Lanes>(rows);
    Lanes leverage = u.square() * inverse_pivot(0);
    for (Eigen::Index k = 1; k < p_; ++k) {
      u = Eigen::Map<const Lanes>(rows + k * kTile) - lower(k - 1) * u;
      leverage += u.square() * inverse_pivot(k);
    }
    return (1.0f - 1.0f / static_cast<float>(n_) - leverage).max(1e-6f);
  }

  // Position of the smallest summed squared leave-one-out error. Turns tiles_ into
  // X Q on the way.
  Eigen::Index SearchTiles(const std::vector<TridiagonalFactor>& factors,
                           const Eigen::MatrixXf& coefficients, double target_norm) {
    const Eigen::Index num_penalties = coefficients.cols();
    const Eigen::MatrixXf vectors = tridiagonal_.vectors.cast<float>();
    Eigen::MatrixXf rotated(kTile, p_), fitted(kTile, num_penalties);
    std::vector<Eigen::ArrayXf> lower, inverse_pivot;
    for (const TridiagonalFactor& factor : factors) {
      lower.push_back(factor.lower.cast<float>());
      inverse_pivot.push_back(factor.inverse_pivot.cast<float>());
    }
    Eigen::ArrayXf target = Eigen::ArrayXf::Zero(num_tiles_ * kTile);
    target.head(n_) = (centred_target_ / target_norm).cast<float>();
    Eigen::VectorXd errors = Eigen::VectorXd::Zero(num_penalties);
    for (Eigen::Index tile = 0; tile < num_tiles_; ++tile) {
      float* rows = tiles_.data() + tile * kTile * p_;
      MultiplyTile(false, kTile, p_, p_, rows, kTile, vectors.data(), p_, rotated.data(),
                   kTile);
      std::copy_n(rotated.data(), kTile * p_, rows);
      MultiplyTile(false, kTile, num_penalties, p_, rows, kTile, coefficients.data(), p_,
                   fitted.data(), kTile);
      for (Eigen::Index l = 0; l < num_penalties; ++l) {
        for (Eigen::Index first = 0; first < kTile; first += 64) {
          // Rows of padding have no target and fit 0.
          const Lanes error =
              Eigen::Map<const Lanes>(target.data() + tile * kTile + first) -
              Eigen::Map<const Lanes>(fitted.col(l).data() + first);
          errors(l) += static_cast<double>(
              (error / Freedom64(rows + first, lower[l], inverse_pivot[l]))
                  .square()
                  .sum());
        }
      }
    }
    Eigen::Index best = 0;
    errors.minCoeff(&best);
    return best;
  }

  Eigen::ArrayXf Freedoms(const TridiagonalFactor& factor) const {
    const Eigen::ArrayXf lower = factor.lower.cast<float>();
    const Eigen::ArrayXf inverse_pivot = factor.inverse_pivot.cast<float>();
    Eigen::ArrayXf freedom(num_tiles_ * kTile);
    for (Eigen::Index first = 0; first < freedom.size(); first += 64) {
      const float* tile = tiles_.data() + (first / kTile) * kTile * p_;
      freedom.segment<64>(first) = Freedom64(tile + first % kTile, lower, inverse_pivot);
    }
    return freedom.head(n_);
  }

  const Eigen::Index n_, p_;
  const Eigen::VectorXd& target_;
  Eigen::RowVectorXd mean_;
  Eigen::MatrixXd centred_;
  double target_mean_ = 0.0, scale_ = 0.0;
  Eigen::VectorXd centred_target_;
  std::vector<double> penalties_;
  Eigen::Index num_tiles_ = 0;
  Eigen::MatrixXf tiles_;
  Tridiagonal tridiagonal_;
};

// The same in float64 by an eigendecomposition, for any shape and fit.
absl::StatusOr<SingleRidgeFit> FitSingleRidgeExactly(Eigen::MatrixXd source,
                                                     const Eigen::VectorXd& target,
                                                     const RidgeOptions& options,
                                                     Eigen::Index num_units) {
  const double columns = static_cast<double>(source.cols());
  IAT_ASSIGN_OR_RETURN(const SourceBasis basis, SourceBasis::Make(std::move(source)));
  const std::vector<double> penalties = options.Penalties(
      basis.mean_eigenvalue() * columns / static_cast<double>(num_units));
  const Eigen::Index num_penalties = static_cast<Eigen::Index>(penalties.size());
  const CentredTarget centred = Centre(target);
  const Eigen::VectorXd projected =
      TransposedProduct(basis.rotated(), centred.values).col(0);
  // All penalties in one product: the columns are penalties instead of targets.
  Eigen::MatrixXd coefficients(basis.rank(), num_penalties);
  for (Eigen::Index l = 0; l < num_penalties; ++l) {
    coefficients.col(l) = projected.array() * InverseCurvature(basis, penalties[l]);
  }
  Eigen::MatrixXd error = -Product(basis.rotated(), coefficients);
  error.colwise() += centred.values.col(0);
  error.array() /= Freedom(basis, penalties).array();
  Eigen::Index best = 0;
  error.colwise().squaredNorm().minCoeff(&best);

  SingleRidgeFit fit;
  fit.source_mean = basis.mean();
  fit.weights = basis.axes() * coefficients.col(best);
  fit.target_mean = centred.mean(0);
  fit.ridge_penalty = penalties[best];
  fit.at_edge = AtEdge(best, penalties.size());
  fit.leave_one_out = target - error.col(best);
  return fit;
}

class FittedRidge : public FittedMapping {
 public:
  FittedRidge(std::shared_ptr<const RidgeFit> fit, bool clamp)
      : fit_(std::move(fit)), clamp_(clamp) {
    chosen_.values["ridge_penalty"] = fit_->ridge_penalty;
    chosen_.num_at_edge["ridge_penalty"] = fit_->num_at_edge;
  }
  absl::StatusOr<Eigen::MatrixXd> Predict(const Eigen::MatrixXd& source) const override {
    IAT_ASSIGN_OR_RETURN(Eigen::MatrixXd predicted, fit_->map.Predict(source));
    if (clamp_) predicted = predicted.cwiseMax(0.0);
    return predicted;
  }
  const Chosen& chosen() const override { return chosen_; }

 private:
  const std::shared_ptr<const RidgeFit> fit_;
  const bool clamp_;
  Chosen chosen_;
};

class RidgeMapping : public Mapping {
 public:
  RidgeMapping(RidgeOptions options, bool clamp)
      : options_(std::move(options)), clamp_(clamp) {}

  absl::Status CheckTargetStage(Stage stage) const override {
    if (!clamp_ || stage == Stage::kPostRelu) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "ridge_clamped predicts targets that are never negative (post_relu); the target "
        "is ",
        StageName(stage)));
  }

  absl::StatusOr<std::unique_ptr<FittedMapping>> Fit(FitProblem& problem) const override {
    IAT_RETURN_IF_ERROR(CheckTargetStage(problem.target_stage()));
    IAT_ASSIGN_OR_RETURN(const std::shared_ptr<const RidgeFit> fit,
                         problem.Shared<RidgeFit>([&]() -> absl::StatusOr<RidgeFit> {
                           IAT_ASSIGN_OR_RETURN(const SourceBasis* basis,
                                                problem.source().Basis());
                           return FitRidge(*basis, problem.target(), options_);
                         }));
    return std::make_unique<FittedRidge>(fit, clamp_);
  }

 private:
  const RidgeOptions options_;
  const bool clamp_;
};

}  // namespace

void RidgeOptions::Describe(OptionVisitor& visitor) {
  visitor.Choice("selection", selection, {"loo", "kfold"},
                 "how a target unit's penalty is chosen inside the fit stimuli: exact "
                 "leave-one-out, or k-fold");
  visitor.Integer("num_folds", num_folds, {.min = 2, .max = 1000},
                  "folds of selection = \"kfold\"");
  visitor.Integer("num_penalties", num_penalties, {.min = 1, .max = 1000},
                  "size of the log-spaced grid of ridge penalties");
  visitor.Number("min_relative_penalty", min_relative_penalty,
                 {.min = 0.0, .min_excluded = true},
                 "smallest ridge penalty, over trace(Xc'Xc)/p");
  visitor.Number("max_relative_penalty", max_relative_penalty,
                 {.min = 0.0, .min_excluded = true},
                 "largest ridge penalty, over trace(Xc'Xc)/p");
}

absl::Status RidgeOptions::Validate() const {
  if (!(min_relative_penalty <= max_relative_penalty)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "ridge.min_relative_penalty is ", min_relative_penalty,
        "; expected at most ridge.max_relative_penalty (", max_relative_penalty, ")"));
  }
  return absl::OkStatus();
}

std::vector<double> RidgeOptions::Penalties(double mean_eigenvalue) const {
  const double low = std::log(min_relative_penalty),
               high = std::log(max_relative_penalty);
  std::vector<double> penalties(num_penalties);
  for (int64_t l = 0; l < num_penalties; ++l) {
    const double share =
        num_penalties > 1 ? static_cast<double>(l) / (num_penalties - 1) : 0;
    penalties[l] = std::exp(low + (high - low) * share) * mean_eigenvalue;
  }
  return penalties;
}

absl::StatusOr<RidgeFit> FitRidge(const SourceBasis& basis, const Eigen::MatrixXd& target,
                                  const RidgeOptions& options) {
  IAT_RETURN_IF_ERROR(CheckTarget(basis, target));
  const std::vector<double> penalties = options.Penalties(basis.mean_eigenvalue());
  const CentredTarget centred = Centre(target);
  const Eigen::MatrixXd projected = TransposedProduct(basis.rotated(), centred.values);
  std::vector<Eigen::Index> choice;
  if (options.selection == "kfold") {
    if (basis.num_stimuli() < 2 * options.num_folds) {
      return absl::InvalidArgumentError(absl::StrCat(
          "ridge.num_folds is ", options.num_folds, ", which needs at least ",
          2 * options.num_folds, " fit stimuli; there are ", basis.num_stimuli()));
    }
    IAT_ASSIGN_OR_RETURN(choice,
                         ChooseByFolds(basis, target, penalties, options.num_folds));
  } else {
    choice = ChooseByLeaveOneOut(basis, centred.values, projected, penalties);
  }
  RidgeFit fit;
  fit.ridge_penalty.resize(target.cols());
  for (Eigen::Index j = 0; j < target.cols(); ++j) {
    fit.ridge_penalty(j) = penalties[choice[j]];
    fit.num_at_edge += AtEdge(choice[j], penalties.size());
  }
  fit.map = Solve(basis, centred.mean, projected, fit.ridge_penalty);
  return fit;
}

absl::StatusOr<LinearMap> SolveRidge(const SourceBasis& basis,
                                     const Eigen::MatrixXd& target,
                                     const Eigen::VectorXd& ridge_penalty) {
  IAT_RETURN_IF_ERROR(CheckTarget(basis, target));
  const CentredTarget centred = Centre(target);
  return Solve(basis, centred.mean, TransposedProduct(basis.rotated(), centred.values),
               ridge_penalty);
}

Eigen::MatrixXd LeaveOneOutErrors(const SourceBasis& basis, const Eigen::MatrixXd& target,
                                  const std::vector<double>& penalties) {
  const CentredTarget centred = Centre(target);
  const Eigen::MatrixXd projected = TransposedProduct(basis.rotated(), centred.values);
  const Eigen::MatrixXd freedom = Freedom(basis, penalties);
  std::vector<Eigen::Index> all(target.cols());
  std::iota(all.begin(), all.end(), 0);
  const ErrorProblem<double> problem{basis.rotated(), centred.values};
  Eigen::MatrixXd errors(penalties.size(), target.cols());
  for (size_t l = 0; l < penalties.size(); ++l) {
    errors.row(l) =
        LeaveOneOutAt(basis, problem, projected, all, penalties[l], freedom.col(l));
  }
  return errors;
}

absl::StatusOr<SingleRidgeFit> FitSingleRidge(Eigen::MatrixXd source,
                                              const Eigen::VectorXd& target,
                                              const RidgeOptions& options,
                                              Eigen::Index num_units) {
  // The dual is cheaper with fewer stimuli than columns.
  if (source.rows() > source.cols()) {
    SingleRidgeFit fit;
    IAT_ASSIGN_OR_RETURN(const bool done,
                         SingleRidge(source, target, options, num_units).Fit(fit));
    if (done) return fit;
  }
  return FitSingleRidgeExactly(std::move(source), target, options, num_units);
}

std::unique_ptr<Mapping> MakeRidgeMapping(const MappingOptions& options) {
  return std::make_unique<RidgeMapping>(options.ridge, /*clamp=*/false);
}
std::unique_ptr<Mapping> MakeRidgeClampedMapping(const MappingOptions& options) {
  return std::make_unique<RidgeMapping>(options.ridge, /*clamp=*/true);
}

}  // namespace iat
