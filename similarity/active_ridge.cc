#include "similarity/active_ridge.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/nan.h"
#include "base/status.h"
#include "similarity/column_forms.h"
#include "similarity/linear_algebra.h"
#include "similarity/ridge.h"
#include "similarity/source_basis.h"
#include "similarity/subset_grams.h"
#include "similarity/tridiagonal.h"

namespace iat {
namespace {

// Where the training error is a smaller share of the variance, float32 residuals are
// too coarse to choose a penalty by.
constexpr double kSmallestFloatShare = 1e-4;
constexpr float kSmallestFreedom = 1e-6f;

// Generalised cross-validation, the leave-one-out error with the mean leverage for every
// stimulus, passes over penalties that it puts so far above its best.
constexpr double kPlausible = 1.1;

// Estimated leave-one-out errors are never trusted to less than this share.
constexpr double kSmallestMargin = 1e-4;

// Active stimuli that are multiplied at a time; a tile of 256 x 256 floats stays in a
// core's own cache.
constexpr Eigen::Index kTile = 256;
constexpr Eigen::Index kStride = kTile + TridiagonalLeverages::kRowMultiple;

// Targets refined together: as many as keep their factors in this many bytes.
constexpr Eigen::Index kBlockBytes = Eigen::Index{64} << 20;
constexpr Eigen::Index kMaxBlock = 64;

constexpr int kMaxRefinements = 8;
constexpr double kRefinedEnergy = 1e-20;  // of the target's variance

// One target's fit, in the coordinates of the source's axes.
struct Solution {
  Eigen::VectorXd weights;
  double intercept = 0.0;
  double ridge_penalty = kNaN;
  bool at_edge = false;
  std::vector<Eigen::Index> active;
  Eigen::VectorXd leave_one_out;  // one an active stimulus
  bool solved = false;
};

class BlockSolver {
 public:
  BlockSolver(const SourceBasis& basis, const Eigen::MatrixXd& target,
              const RidgeOptions& options)
      : basis_(basis),
        target_(target),
        options_(options),
        n_(basis.num_stimuli()),
        r_(basis.rank()),
        unit_(basis.eigenvalues().sum() / static_cast<double>(n_ * r_)),
        rows_((basis.rotated().transpose() / std::sqrt(unit_)).cast<float>()),
        square_norms_(basis.rotated().rowwise().squaredNorm()),
        grams_(rows_, basis.eigenvalues() / unit_),
        gathered_(r_, (n_ + kTile - 1) / kTile * kTile),
        rotated_(kStride, r_) {}

  Eigen::Index block_size() const {
    return std::clamp<Eigen::Index>(
        kBlockBytes / (static_cast<Eigen::Index>(sizeof(float)) * r_ * r_), 1, kMaxBlock);
  }

  // Reorders targets, so that those whose Gram matrices share work are neighbours.
  void PutAlikeTogether(const std::vector<Solution>& solutions,
                        std::vector<Eigen::Index>& columns) const {
    std::vector<const std::vector<Eigen::Index>*> active;
    for (const Eigen::Index c : columns) active.push_back(&solutions[c].active);
    std::vector<Eigen::Index> ordered;
    for (const size_t position : grams_.Alike(active)) {
      ordered.push_back(columns[position]);
    }
    columns = std::move(ordered);
  }

  // Solves what it can of some targets, each with more active stimuli than axes.
  absl::Status Solve(const std::vector<Eigen::Index>& columns,
                     std::vector<Solution>& solutions) {
    const Eigen::Index b = static_cast<Eigen::Index>(columns.size());
    mask_ = Eigen::MatrixXd::Zero(n_, b);
    masked_ = Eigen::MatrixXd::Zero(n_, b);
    Eigen::RowVectorXd target_mean(b);
    for (Eigen::Index c = 0; c < b; ++c) {
      const std::vector<Eigen::Index>& active = solutions[columns[c]].active;
      double sum = 0.0;
      for (const Eigen::Index i : active) sum += target_(i, columns[c]);
      target_mean(c) = sum / static_cast<double>(active.size());
      for (const Eigen::Index i : active) {
        mask_(i, c) = 1.0;
        masked_(i, c) = target_(i, columns[c]) - target_mean(c);
      }
    }
    means_ = TransposedProduct(basis_.rotated(), mask_);
    for (Eigen::Index c = 0; c < b; ++c) {
      means_.col(c) /= static_cast<double>(solutions[columns[c]].active.size());
    }
    projected_ = TransposedProduct(basis_.rotated(), masked_);

    searches_.assign(b, Search());
    weights_ = Eigen::MatrixXd::Zero(r_, b);
    std::vector<Eigen::MatrixXf> grams;
    for (Eigen::Index first = 0, count = 0; first < b; first += count) {
      count = std::min<Eigen::Index>(static_cast<Eigen::Index>(grams_.num_together()),
                                     b - first);
      std::vector<const std::vector<Eigen::Index>*> active;
      for (Eigen::Index c = first; c < first + count; ++c) {
        active.push_back(&solutions[columns[c]].active);
      }
      grams_.Compute(active, means_.middleCols(first, count) / std::sqrt(unit_), grams);
      for (Eigen::Index c = first; c < first + count; ++c) {
        gram_.swap(grams[c - first]);
        IAT_RETURN_IF_ERROR(Choose(solutions[columns[c]], c));
      }
    }
    const Eigen::MatrixXd residuals = Refine();
    for (Eigen::Index c = 0; c < b; ++c) {
      const Search& search = searches_[c];
      if (!search.settled) continue;
      Solution& solution = solutions[columns[c]];
      solution.solved = true;
      solution.weights = weights_.col(c);
      solution.intercept = target_mean(c) - means_.col(c).dot(weights_.col(c));
      solution.ridge_penalty = search.penalty;
      solution.at_edge = search.at_edge;
      solution.leave_one_out.resize(solution.active.size());
      for (size_t k = 0; k < solution.active.size(); ++k) {
        const Eigen::Index i = solution.active[k];
        solution.leave_one_out(k) =
            target_(i, columns[c]) -
            residuals(i, c) / static_cast<double>(search.freedom(k));
      }
    }
    return absl::OkStatus();
  }

 private:
  // What one target's choice leaves for the refinement.
  struct Search {
    bool chosen = false, settled = false;
    double penalty = 0.0;
    bool at_edge = false;
    Eigen::MatrixXf cholesky;  // of the Gram matrix with the chosen penalty
    Eigen::ArrayXf freedom;    // 1 - 1/m - h of every active stimulus
  };

  absl::Status Choose(const Solution& solution, Eigen::Index c) {
    const std::vector<Eigen::Index>& active = solution.active;
    const double count = static_cast<double>(active.size());
    double trace = -count * means_.col(c).squaredNorm();
    for (const Eigen::Index i : active) trace += square_norms_(i);
    const std::vector<double> penalties =
        options_.Penalties(trace / static_cast<double>(basis_.num_units()));
    const Eigen::Index num_penalties = static_cast<Eigen::Index>(penalties.size());
    const double norm = masked_.col(c).norm();
    if (!(norm > 0.0) || !(trace > 0.0)) return absl::OkStatus();

    Gather(active, c);
    IAT_ASSIGN_OR_RETURN(const TridiagonalOf<float> tridiagonal, Tridiagonalise(gram_));
    const Eigen::VectorXd right =
        norm *
        tridiagonal.Apply(true, (projected_.col(c) / norm).cast<float>()).cast<double>();
    std::vector<TridiagonalFactor> factors;
    Eigen::MatrixXd rotated(r_, num_penalties);
    Eigen::ArrayXd sum_of_leverages(num_penalties), generalised(num_penalties);
    for (Eigen::Index l = 0; l < num_penalties; ++l) {
      const double penalty = penalties[l] / unit_;
      factors.emplace_back(tridiagonal, penalty);
      rotated.col(l) = factors[l].Solve(right) / unit_;
      sum_of_leverages(l) =
          static_cast<double>(r_) - penalty * InverseTrace(tridiagonal, penalty);
      const double training = norm * norm - right.dot(rotated.col(l)) -
                              penalties[l] * rotated.col(l).squaredNorm();
      if (l == 0 && !(training > kSmallestFloatShare * norm * norm)) {
        return absl::OkStatus();
      }
      const double freedom = 1.0 - (1.0 + sum_of_leverages(l)) / count;
      generalised(l) = training / (freedom * freedom);
    }

    // In what follows, positions are those among the plausible penalties.
    std::vector<Eigen::Index> plausible;
    for (Eigen::Index l = 0; l < num_penalties; ++l) {
      if (generalised(l) <= kPlausible * generalised.minCoeff()) plausible.push_back(l);
    }
    std::vector<double> plausible_penalties;
    std::vector<TridiagonalFactor> plausible_factors;
    for (const Eigen::Index l : plausible) {
      plausible_penalties.push_back(penalties[l]);
      plausible_factors.push_back(factors[l]);
    }
    const Eigen::ArrayXf values = (masked_.col(c)(active) / norm).cast<float>();
    const Eigen::MatrixXf coefficients = tridiagonal.Apply(
        false,
        (rotated(Eigen::all, plausible) * (std::sqrt(unit_) / norm)).cast<float>());

    Search& search = searches_[c];
    const std::vector<Eigen::Index> candidates = Candidates(
        plausible_penalties, sum_of_leverages(plausible), coefficients, values);
    Eigen::Index best = candidates.front();
    if (candidates.size() > 1) {
      best = Compare(tridiagonal, plausible_factors, candidates, values);
    }
    search.freedom = freedom_.col(best);
    search.penalty = plausible_penalties[best];
    search.at_edge = num_penalties > 1 &&
                     (plausible[best] == 0 || plausible[best] + 1 == num_penalties);
    gram_.diagonal().array() += static_cast<float>(search.penalty / unit_);
    auto cholesky = Cholesky(gram_);
    if (!cholesky.ok()) return absl::OkStatus();  // left to float64
    search.cholesky = *std::move(cholesky);
    search.chosen = true;
    weights_.col(c) = coefficients.col(best).cast<double>() * (norm / std::sqrt(unit_));
    return absl::OkStatus();
  }

  // The active stimuli about their mean, in units of one deviation, one a column;
  // zeros up to a whole tile.
  void Gather(const std::vector<Eigen::Index>& active, Eigen::Index c) {
    const Eigen::VectorXf mean = (means_.col(c) / std::sqrt(unit_)).cast<float>();
    const Eigen::Index count = static_cast<Eigen::Index>(active.size());
    for (Eigen::Index k = 0; k < count; ++k) {
      gathered_.col(k) = rows_.col(active[k]) - mean;
    }
    const Eigen::Index padded = (count + kTile - 1) / kTile * kTile;
    gathered_.middleCols(count, padded - count).setZero();
  }

  // Fills residuals_ and freedom_ (estimated) of the active stimuli at every penalty,
  // and returns the positions, ascending, that could have the smallest leave-one-out
  // error.
  std::vector<Eigen::Index> Candidates(const std::vector<double>& penalties,
                                       const Eigen::VectorXd& sum_of_leverages,
                                       const Eigen::MatrixXf& coefficients,
                                       const Eigen::ArrayXf& values) {
    const Eigen::Index count = values.size(), num_penalties = coefficients.cols();
    Eigen::MatrixXf inverse_diagonal(r_, num_penalties);
    for (Eigen::Index l = 0; l < num_penalties; ++l) {
      inverse_diagonal.col(l) =
          (gram_.diagonal().array() + static_cast<float>(penalties[l] / unit_)).inverse();
    }
    residuals_.resize(count, num_penalties);
    freedom_.resize(count, num_penalties);
    ColumnForms(gathered_, coefficients, inverse_diagonal, residuals_, freedom_);
    const double m = static_cast<double>(count);
    const float most = static_cast<float>(1.0 - 1.0 / m);
    Eigen::ArrayXd errors(num_penalties), margins(num_penalties);
    for (Eigen::Index l = 0; l < num_penalties; ++l) {
      auto residual = residuals_.col(l);
      auto freedom = freedom_.col(l);
      residual = values - residual;
      // Newton's method for c, which starts close.
      float scale = 1.0f;
      for (int step = 0; step < 3; ++step) {
        const double sum = (scale * freedom / (1.0f + scale * freedom)).sum();
        const double slope = (freedom / (1.0f + scale * freedom).square()).sum();
        scale += static_cast<float>((sum_of_leverages(l) - sum) / slope);
        scale = std::max(scale, 0.1f);
      }
      freedom = (most - scale * freedom / (1.0f + scale * freedom)).max(kSmallestFreedom);
      errors(l) = static_cast<double>((residual / freedom).square().sum());
      margins(l) =
          std::max(kSmallestMargin,
                   3.0 * 2.0 * sum_of_leverages(l) / m *
                       std::sqrt(2.0 / static_cast<double>(count - r_) * 3.0 / m));
    }
    const double threshold = (errors * (1.0 + margins)).minCoeff();
    std::vector<Eigen::Index> candidates;
    for (Eigen::Index l = 0; l < num_penalties; ++l) {
      if (errors(l) * (1.0 - margins(l)) <= threshold) candidates.push_back(l);
    }
    return candidates;
  }

  // Position of the smallest summed squared leave-one-out error among the candidates,
  // whose exact leverages it puts into freedom_.
  Eigen::Index Compare(const TridiagonalOf<float>& tridiagonal,
                       const std::vector<TridiagonalFactor>& factors,
                       const std::vector<Eigen::Index>& candidates,
                       const Eigen::ArrayXf& values) {
    const Eigen::Index count = values.size();
    const Eigen::Index num_candidates = static_cast<Eigen::Index>(candidates.size());
    std::vector<TridiagonalFactor> compared;
    for (const Eigen::Index l : candidates) compared.push_back(factors[l]);
    const TridiagonalLeverages leverages(compared);
    const Eigen::MatrixXf vectors =
        tridiagonal.Apply(false, Eigen::MatrixXf::Identity(r_, r_));
    const float most = 1.0f - 1.0f / static_cast<float>(count);
    Eigen::VectorXd errors = Eigen::VectorXd::Zero(num_candidates);
    Eigen::ArrayXXf leverage(kTile, num_candidates);
    for (Eigen::Index first = 0; first < count; first += kTile) {
      const Eigen::Index rows = std::min(kTile, count - first);
      MultiplyTile(true, kTile, r_, r_, gathered_.col(first).data(), r_, vectors.data(),
                   r_, rotated_.data(), kStride);
      leverages.Compute(kTile, rotated_.data(), kStride, leverage.data());
      for (Eigen::Index k = 0; k < num_candidates; ++k) {
        auto freedom = freedom_.col(candidates[k]).segment(first, rows);
        freedom = (most - leverage.col(k).head(rows)).max(kSmallestFreedom);
        errors(k) += static_cast<double>(
            (residuals_.col(candidates[k]).segment(first, rows) / freedom)
                .square()
                .sum());
      }
    }
    Eigen::Index best = 0;
    errors.minCoeff(&best);
    return candidates[best];
  }

  // Brings the chosen targets' weights to float64 and returns their residuals on the
  // active stimuli. Float32 entered the factors through the Gram matrix alone, so each
  // step of refinement against the float64 source leaves little of the error.
  Eigen::MatrixXd Refine() {
    Eigen::MatrixXd residuals;
    for (int step = 0; step < kMaxRefinements; ++step) {
      residuals = Product(basis_.rotated(), weights_);
      for (Eigen::Index c = 0; c < weights_.cols(); ++c) {
        residuals.col(c) = masked_.col(c).array() -
                           mask_.col(c).array() * (residuals.col(c).array() -
                                                   means_.col(c).dot(weights_.col(c)));
      }
      const Eigen::MatrixXd gradients = TransposedProduct(basis_.rotated(), residuals);
      bool all_settled = true;
      for (Eigen::Index c = 0; c < weights_.cols(); ++c) {
        Search& search = searches_[c];
        if (!search.chosen || search.settled) continue;
        const Eigen::VectorXd gradient =
            gradients.col(c) - search.penalty * weights_.col(c);
        const double size = gradient.norm();
        if (size > 0.0) {
          Eigen::VectorXf solution = (gradient / size).cast<float>();
          const auto lower = search.cholesky.triangularView<Eigen::Lower>();
          lower.solveInPlace(solution);
          lower.adjoint().solveInPlace(solution);
          const Eigen::VectorXd step_c = solution.cast<double>() * (size / unit_);
          weights_.col(c) += step_c;
          search.settled =
              gradient.dot(step_c) <= kRefinedEnergy * masked_.col(c).squaredNorm();
        } else {
          search.settled = true;
        }
        all_settled = all_settled && search.settled;
      }
      if (all_settled) break;
    }
    return residuals;
  }

  const SourceBasis& basis_;
  const Eigen::MatrixXd& target_;
  const RidgeOptions& options_;
  const Eigen::Index n_, r_;
  const double unit_;           // square of one deviation of the source
  const Eigen::MatrixXf rows_;  // axes x stimuli
  const Eigen::VectorXd square_norms_;
  SubsetGrams grams_;
  // Of the block: stimuli x targets, then axes x targets.
  Eigen::MatrixXd mask_, masked_, means_, projected_, weights_;
  std::vector<Search> searches_;
  // Of the target under way.
  Eigen::MatrixXf gathered_;
  Eigen::MatrixXf gram_;  // lower triangle
  Eigen::MatrixXf rotated_;
  Eigen::ArrayXXf residuals_, freedom_;  // active stimuli x penalties
};

// Too few active stimuli for a ridge: their mean.
void SolveByMean(const Eigen::VectorXd& values, Solution& solution) {
  const double count = static_cast<double>(values.size());
  solution.intercept = values.mean();
  if (values.size() > 1) {
    solution.leave_one_out = (values.sum() - values.array()) / (count - 1.0);
  } else {
    solution.leave_one_out = values;
  }
  solution.solved = true;
}

absl::Status SolveExactly(const SourceBasis& basis, const Eigen::VectorXd& values,
                          const RidgeOptions& options, Solution& solution) {
  IAT_ASSIGN_OR_RETURN(SingleRidgeFit single,
                       FitSingleRidge(basis.rotated()(solution.active, Eigen::all),
                                      values, options, basis.num_units()));
  solution.intercept = single.target_mean - single.source_mean.dot(single.weights);
  solution.weights = std::move(single.weights);
  solution.ridge_penalty = single.ridge_penalty;
  solution.at_edge = single.at_edge;
  solution.leave_one_out = std::move(single.leave_one_out);
  solution.solved = true;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ActiveRidgeFit> FitActiveRidges(SourceData& source,
                                               const Eigen::MatrixXd& target,
                                               const RidgeOptions& ridge,
                                               const LogisticRidgeOptions& options) {
  IAT_ASSIGN_OR_RETURN(const SourceBasis* basis, source.Basis());
  const Eigen::Index n = target.rows(), t = target.cols(), r = basis->rank();
  if (n != basis->num_stimuli()) {
    return absl::InvalidArgumentError(
        absl::StrCat("source has ", basis->num_stimuli(), " stimuli, target has ", n));
  }
  std::vector<Solution> solutions(t);
  std::vector<Eigen::Index> large;
  for (Eigen::Index j = 0; j < t; ++j) {
    Solution& solution = solutions[j];
    solution.weights = Eigen::VectorXd::Zero(r);
    for (Eigen::Index i = 0; i < n; ++i) {
      if (target(i, j) > 0.0) solution.active.push_back(i);
    }
    const Eigen::Index count = static_cast<Eigen::Index>(solution.active.size());
    if (count == 0) {
      solution.solved = true;
    } else if (count < options.min_active || r == 0) {
      SolveByMean(target.col(j)(solution.active), solution);
    } else if (count > r) {
      large.push_back(j);
    }
  }
  if (!large.empty()) {
    BlockSolver solver(*basis, target, ridge);
    solver.PutAlikeTogether(solutions, large);
    const size_t block = static_cast<size_t>(solver.block_size());
    for (size_t first = 0; first < large.size(); first += block) {
      const std::vector<Eigen::Index> columns(
          large.begin() + static_cast<int64_t>(first),
          large.begin() + static_cast<int64_t>(std::min(first + block, large.size())));
      IAT_RETURN_IF_ERROR(solver.Solve(columns, solutions));
    }
  }

  ActiveRidgeFit fit;
  fit.ridge_penalty.resize(t);
  Eigen::MatrixXd weights(r, t);
  Eigen::RowVectorXd intercepts(t);
  for (Eigen::Index j = 0; j < t; ++j) {
    Solution& solution = solutions[j];
    if (!solution.solved) {
      IAT_RETURN_IF_ERROR(
          SolveExactly(*basis, target.col(j)(solution.active), ridge, solution));
    }
    weights.col(j) = solution.weights;
    intercepts(j) = solution.intercept;
    fit.ridge_penalty(j) = solution.ridge_penalty;
    fit.num_at_edge += solution.at_edge;
  }
  fit.out_of_sample = Product(basis->rotated(), weights);
  fit.out_of_sample.rowwise() += intercepts;
  for (Eigen::Index j = 0; j < t; ++j) {
    const Solution& solution = solutions[j];
    for (size_t k = 0; k < solution.active.size(); ++k) {
      fit.out_of_sample(solution.active[k], j) = solution.leave_one_out(k);
    }
  }
  fit.map.source_mean = basis->mean();
  fit.map.weights = Product(basis->axes(), weights);
  fit.map.target_mean = intercepts;
  return fit;
}

}  // namespace iat
