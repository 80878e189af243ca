#include "similarity/lasso.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "base/status.h"
#include "similarity/centring.h"
#include "similarity/coordinate_descent.h"
#include "similarity/fitted_linear_map.h"
#include "similarity/linear_algebra.h"

namespace iat {
namespace {

// Steps below this share of a target's variance end a solution on the path.
constexpr double kPathTolerance = 1e-9;
// A unit with less of its variance than this is constant on a fold, but for rounding.
constexpr double kSmallestVariance = 1e-12;
constexpr int kPathRisesToStop = 2;

// Sums over stimuli of products.
struct Moments {
  double n = 0.0;
  Eigen::MatrixXd gram, cross;  // X'X (both triangles), X'Y
  Eigen::VectorXd source_sum, target_sum, target_square;

  static Moments Of(const Eigen::MatrixXd& x, const Eigen::MatrixXd& y) {
    Moments m;
    m.n = static_cast<double>(x.rows());
    m.gram = LowerGram(x, /*outer=*/false);
    m.gram.triangularView<Eigen::StrictlyUpper>() = m.gram.transpose();
    m.cross = TransposedProduct(x, y);
    m.source_sum = x.colwise().sum().transpose();
    m.target_sum = y.colwise().sum().transpose();
    m.target_square = y.colwise().squaredNorm().transpose();
    return m;
  }

  Moments& operator-=(const Moments& other) {
    n -= other.n;
    gram -= other.gram;
    cross -= other.cross;
    source_sum -= other.source_sum;
    target_sum -= other.target_sum;
    target_square -= other.target_square;
    return *this;
  }

  // The same of X and Y less a mean of each.
  void Centre(const Eigen::VectorXd& source_mean, const Eigen::VectorXd& target_mean) {
    // Products of the sums before they change.
    gram.noalias() -= source_sum * source_mean.transpose();
    gram.noalias() -= source_mean * (source_sum - n * source_mean).transpose();
    cross.noalias() -= source_sum * target_mean.transpose();
    cross.noalias() -= source_mean * (target_sum - n * target_mean).transpose();
    target_square.array() -=
        target_mean.array() * (2.0 * target_sum.array() - n * target_mean.array());
    source_sum -= n * source_mean;
    target_sum -= n * target_mean;
  }
};

// The stimuli of all folds but one, and those held out, both about the mean of the first.
struct Fold {
  Eigen::MatrixXd gram, cross;  // means over the fitted stimuli
  Moments held_out;
};

// Where a target's path is on a fold.
struct PathPoint {
  Eigen::VectorXd weights, gradient;
  double l1 = 0.0;
};

class ElasticNet {
 public:
  ElasticNet(const Eigen::MatrixXd& source, const Eigen::MatrixXd& target,
             double l1_ratio)
      : l1_ratio_(l1_ratio), x_(CentreUnits(source)), y_(CentreUnits(target)) {
    const double n = static_cast<double>(source.rows());
    Moments all = Moments::Of(x_.values, y_.values);
    variance_ = all.target_square / n;
    gram_ = all.gram / n;
    cross_ = all.cross / n;
    all_ = std::move(all);
    smallest_diagonal_ = kSmallestVariance * gram_.diagonal();
    balance_ = (gram_.diagonal().mean() / variance_.array()).sqrt();
    largest_l1_ = cross_.cwiseAbs().colwise().maxCoeff().transpose();
  }

  absl::StatusOr<ElasticNetFit> Fit(const LassoOptions& options) {
    const Eigen::Index t = cross_.cols();
    const std::vector<double> grid = Grid(options);
    const std::vector<size_t> choice = Choose(grid, options.num_folds);
    ElasticNetFit fit;
    fit.penalty.resize(t);
    fit.map = {x_.mean, Eigen::MatrixXd::Zero(gram_.rows(), t), y_.mean};
    CoordinateDescent descent(gram_, smallest_diagonal_);
    for (Eigen::Index j = 0; j < t; ++j) {
      if (!(largest_l1_(j) > 0.0)) {
        fit.penalty(j) = std::numeric_limits<double>::quiet_NaN();
        continue;
      }
      fit.penalty(j) = Penalty(j, grid[choice[j]]);
      fit.num_at_edge +=
          grid.size() > 1 && (choice[j] == 0 || choice[j] + 1 == grid.size());
      Eigen::VectorXd gradient = cross_.col(j);
      double l1 = largest_l1_(j);
      for (size_t l = 0; l < choice[j]; ++l) {
        const ElasticNetPenalty penalty = Split(j, Penalty(j, grid[l]));
        descent.Solve(penalty, l1, kPathTolerance * variance_(j), fit.map.weights.col(j),
                      gradient);
        l1 = penalty.l1;
      }
      descent.SolveExactly(cross_.col(j), Split(j, fit.penalty(j)), l1,
                           kPathTolerance * variance_(j), fit.map.weights.col(j),
                           gradient);
    }
    return fit;
  }

  LinearMap Solve(const Eigen::VectorXd& penalty) {
    LinearMap map{x_.mean, Eigen::MatrixXd::Zero(gram_.rows(), cross_.cols()), y_.mean};
    CoordinateDescent descent(gram_, smallest_diagonal_);
    for (Eigen::Index j = 0; j < cross_.cols(); ++j) {
      if (!(largest_l1_(j) > 0.0)) continue;
      Eigen::VectorXd gradient = cross_.col(j);
      descent.SolveExactly(cross_.col(j), Split(j, penalty(j)), largest_l1_(j),
                           kPathTolerance * variance_(j), map.weights.col(j), gradient);
    }
    return map;
  }

 private:
  // Asked only of targets that vary.
  ElasticNetPenalty Split(Eigen::Index target, double penalty) const {
    return {penalty * l1_ratio_, penalty * (1.0 - l1_ratio_) * balance_(target)};
  }
  double Penalty(Eigen::Index target, double relative) const {
    return relative * largest_l1_(target) / l1_ratio_;
  }

  // Relative to the largest, falling.
  static std::vector<double> Grid(const LassoOptions& options) {
    std::vector<double> grid(options.num_penalties, 1.0);
    for (int64_t l = 1; l < options.num_penalties; ++l) {
      const double share =
          static_cast<double>(l) / static_cast<double>(options.num_penalties - 1);
      grid[l] = std::pow(options.min_relative_penalty, share);
    }
    return grid;
  }

  std::vector<Fold> MakeFolds(Eigen::Index num_folds) const {
    std::vector<Fold> folds(num_folds);
    const Eigen::Index n = x_.values.rows();
    for (Eigen::Index f = 0; f < num_folds; ++f) {
      Fold& fold = folds[f];
      const std::vector<Eigen::Index> out = FoldStimuli(n, f, num_folds, true);
      fold.held_out = Moments::Of(x_.values(out, Eigen::all), y_.values(out, Eigen::all));
      Moments fitted = all_;
      fitted -= fold.held_out;
      const Eigen::VectorXd source_mean = fitted.source_sum / fitted.n;
      const Eigen::VectorXd target_mean = fitted.target_sum / fitted.n;
      fitted.Centre(source_mean, target_mean);
      fold.held_out.Centre(source_mean, target_mean);
      fold.gram = fitted.gram / fitted.n;
      fold.cross = fitted.cross / fitted.n;
    }
    return folds;
  }

  // Squared error of a target's held-out stimuli, from the units in use.
  static double HeldOutError(const Fold& fold, Eigen::Index target,
                             const Eigen::VectorXd& weights) {
    const Moments& moments = fold.held_out;
    std::vector<Eigen::Index> in_use;
    for (Eigen::Index k = 0; k < weights.size(); ++k) {
      if (weights(k) != 0.0) in_use.push_back(k);
    }
    double error = moments.target_square(target);
    for (const Eigen::Index k : in_use) {
      double gram_w = 0.0;
      const double* column = moments.gram.col(k).data();
      for (const Eigen::Index i : in_use) gram_w += column[i] * weights(i);
      error += weights(k) * (gram_w - 2.0 * moments.cross(k, target));
    }
    return error;
  }

  // Positions in the grid. A target at a time: its folds follow the path side by side.
  std::vector<size_t> Choose(const std::vector<double>& grid, int64_t most_folds) const {
    const Eigen::Index t = cross_.cols();
    std::vector<size_t> choice(t, 0);
    const Eigen::Index num_folds = std::min<Eigen::Index>(most_folds, x_.values.rows());
    if (num_folds < 2 || grid.size() < 2) return choice;
    const std::vector<Fold> folds = MakeFolds(num_folds);
    std::vector<CoordinateDescent> descents;
    for (const Fold& fold : folds) descents.emplace_back(fold.gram, smallest_diagonal_);
    for (Eigen::Index j = 0; j < t; ++j) {
      if (largest_l1_(j) > 0.0) choice[j] = ChooseFor(j, grid, folds, descents);
    }
    return choice;
  }

  size_t ChooseFor(Eigen::Index target, const std::vector<double>& grid,
                   const std::vector<Fold>& folds,
                   std::vector<CoordinateDescent>& descents) const {
    std::vector<PathPoint> points;
    for (const Fold& fold : folds) {
      points.push_back({Eigen::VectorXd::Zero(fold.cross.rows()), fold.cross.col(target),
                        fold.cross.col(target).cwiseAbs().maxCoeff()});
    }
    size_t choice = 0;
    double best = std::numeric_limits<double>::infinity(), last = best;
    int num_rises = 0;
    for (size_t l = 0; l < grid.size() && num_rises < kPathRisesToStop; ++l) {
      const ElasticNetPenalty penalty = Split(target, Penalty(target, grid[l]));
      double error = 0.0;
      for (size_t f = 0; f < folds.size(); ++f) {
        PathPoint& point = points[f];
        descents[f].Solve(penalty, point.l1, kPathTolerance * variance_(target),
                          point.weights, point.gradient);
        point.l1 = penalty.l1;
        error += HeldOutError(folds[f], target, point.weights);
      }
      if (error < best) {
        best = error;
        choice = l;
      }
      num_rises = error > last ? num_rises + 1 : 0;
      last = error;
    }
    return choice;
  }

  const double l1_ratio_;
  const CentredUnits x_, y_;
  Moments all_;
  Eigen::MatrixXd gram_, cross_;  // means over stimuli
  Eigen::VectorXd variance_, smallest_diagonal_, largest_l1_, balance_;
};

class ElasticNetMapping : public Mapping {
 public:
  ElasticNetMapping(double l1_ratio, LassoOptions options, const char* chosen_name)
      : l1_ratio_(l1_ratio), options_(options), chosen_name_(chosen_name) {}

  bool FitsUnitsAlone() const override { return true; }

  absl::StatusOr<std::unique_ptr<FittedMapping>> Fit(FitProblem& problem) const override {
    IAT_ASSIGN_OR_RETURN(
        ElasticNetFit fit,
        FitElasticNet(problem.source().values(), problem.target(), l1_ratio_, options_));
    Chosen chosen;
    chosen.values[chosen_name_] = std::move(fit.penalty);
    chosen.num_at_edge[chosen_name_] = fit.num_at_edge;
    return std::make_unique<FittedLinearMap>(std::move(fit.map), std::move(chosen));
  }

 private:
  const double l1_ratio_;
  const LassoOptions options_;
  const char* const chosen_name_;
};

}  // namespace

void LassoOptions::Describe(OptionVisitor& visitor) {
  visitor.Integer("num_penalties", num_penalties, {.min = 1, .max = 1000},
                  "size of the log-spaced grid of penalties (sklearn's n_alphas)");
  visitor.Number("min_relative_penalty", min_relative_penalty,
                 {.min = 0.0, .max = 1.0, .min_excluded = true},
                 "smallest penalty, over the least that uses no source unit (sklearn's "
                 "eps)");
  visitor.Integer("num_folds", num_folds, {.min = 2, .max = 1000},
                  "folds that a target unit's penalty is chosen with");
}

void ElasticNetOptions::Describe(OptionVisitor& visitor) {
  visitor.Number("l1_ratio", l1_ratio, {.min = 0.0, .max = 1.0, .min_excluded = true},
                 "share of the penalty that weighs |w| rather than w^2 / 2");
  path.Describe(visitor);
}

absl::StatusOr<ElasticNetFit> FitElasticNet(const Eigen::MatrixXd& source,
                                            const Eigen::MatrixXd& target,
                                            double l1_ratio,
                                            const LassoOptions& options) {
  IAT_RETURN_IF_ERROR(CheckResponses(source, target));
  return ElasticNet(source, target, l1_ratio).Fit(options);
}

absl::StatusOr<LinearMap> SolveElasticNet(const Eigen::MatrixXd& source,
                                          const Eigen::MatrixXd& target, double l1_ratio,
                                          const Eigen::VectorXd& penalty) {
  IAT_RETURN_IF_ERROR(CheckResponses(source, target));
  return ElasticNet(source, target, l1_ratio).Solve(penalty);
}

std::unique_ptr<Mapping> MakeLassoMapping(const MappingOptions& options) {
  return std::make_unique<ElasticNetMapping>(1.0, options.lasso, "lasso_penalty");
}
std::unique_ptr<Mapping> MakeElasticNetMapping(const MappingOptions& options) {
  return std::make_unique<ElasticNetMapping>(
      options.elastic_net.l1_ratio, options.elastic_net.path, "elastic_net_penalty");
}

}  // namespace iat
