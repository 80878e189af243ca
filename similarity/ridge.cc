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

// Adds the squared leave-one-out errors at one penalty of the targets in `columns`.
Eigen::VectorXd LeaveOneOutAt(const SourceBasis& basis, const Eigen::MatrixXd& target,
                              const Eigen::MatrixXd& projected,
                              const std::vector<Eigen::Index>& columns, double penalty,
                              const Eigen::VectorXd& freedom) {
  const Eigen::MatrixXd& z = basis.rotated();
  const Eigen::Index n = z.rows(), r = z.cols();
  const Eigen::Index m = static_cast<Eigen::Index>(columns.size());
  const Eigen::ArrayXd inverse = InverseCurvature(basis, penalty);
  Eigen::MatrixXd coefficients(r, m);
  for (Eigen::Index j = 0; j < m; ++j) {
    coefficients.col(j) = projected.col(columns[j]).array() * inverse;
  }
  const Eigen::ArrayXd weight = freedom.array().inverse();
  Eigen::VectorXd errors = Eigen::VectorXd::Zero(m);
  Eigen::MatrixXd fitted(kRowTile, m);
  fitted.setZero();  // stays so when there is no axis at all
  for (Eigen::Index first = 0; first < n; first += kRowTile) {
    const Eigen::Index rows = std::min(kRowTile, n - first);
    if (r > 0) {
      MultiplyTile(false, rows, m, r, z.data() + first, n, coefficients.data(), r,
                   fitted.data(), kRowTile);
    }
    for (Eigen::Index j = 0; j < m; ++j) {
      errors(j) += ((target.col(columns[j]).segment(first, rows).array() -
                     fitted.col(j).head(rows).array()) *
                    weight.segment(first, rows))
                       .square()
                       .sum();
    }
  }
  return errors;
}

// Position in the grid of each target's smallest leave-one-out error.
std::vector<Eigen::Index> ChooseByLeaveOneOut(const SourceBasis& basis,
                                              const Eigen::MatrixXd& target,
                                              const Eigen::MatrixXd& projected,
                                              const std::vector<double>& penalties) {
  const Eigen::Index t = target.cols();
  const Eigen::Index num_penalties = static_cast<Eigen::Index>(penalties.size());
  if (num_penalties == 1) return std::vector<Eigen::Index>(t, 0);
  const Eigen::MatrixXd freedom = Freedom(basis, penalties);

  // Training errors without predictions:
  //   ||y - Z b||^2 = ||y||^2 - sum_k q_k^2 (s_k + 2 penalty) / (s_k + penalty)^2.
  // Cancellation leaves them uncertain by rounding of ||y||^2.
  Eigen::MatrixXd shrinkage(basis.rank(), num_penalties);
  for (Eigen::Index l = 0; l < num_penalties; ++l) {
    const auto inverse = InverseCurvature(basis, penalties[l]);
    shrinkage.col(l) =
        (basis.eigenvalues().array() + 2.0 * penalties[l]) * inverse.square();
  }
  const Eigen::RowVectorXd total = target.colwise().squaredNorm();
  const Eigen::MatrixXd explained =
      TransposedProduct(shrinkage, projected.cwiseAbs2());  // penalties x targets
  const Eigen::RowVectorXd slack = total * (1e3 * std::numeric_limits<double>::epsilon());

  // Where to look first: generalised cross-validation with the mean of 1 - h.
  std::vector<std::vector<Eigen::Index>> first_look(num_penalties);
  Eigen::MatrixXd lower_bound(num_penalties, t);
  const Eigen::RowVectorXd mean_freedom = freedom.colwise().mean();
  const Eigen::RowVectorXd max_freedom = freedom.colwise().maxCoeff();
  for (Eigen::Index j = 0; j < t; ++j) {
    const Eigen::ArrayXd training = (total(j) - explained.col(j).array()).max(0.0);
    lower_bound.col(j) = (training - slack(j)).max(0.0) *
                         max_freedom.transpose().array().square().inverse();
    Eigen::Index best = 0;
    (training / mean_freedom.transpose().array().square()).minCoeff(&best);
    first_look[best].push_back(j);
  }
  std::vector<Eigen::Index> choice(t, 0);
  Eigen::VectorXd smallest = Eigen::VectorXd::Constant(t, INFINITY);
  Eigen::MatrixXd seen = Eigen::MatrixXd::Zero(num_penalties, t);
  const auto evaluate = [&](Eigen::Index l, const std::vector<Eigen::Index>& columns) {
    if (columns.empty()) return;
    const Eigen::VectorXd errors =
        LeaveOneOutAt(basis, target, projected, columns, penalties[l], freedom.col(l));
    for (size_t c = 0; c < columns.size(); ++c) {
      const Eigen::Index j = columns[c];
      seen(l, j) = 1.0;
      if (errors(c) < smallest(j) || (errors(c) == smallest(j) && l < choice[j])) {
        smallest(j) = errors(c);
        choice[j] = l;
      }
    }
  };
  for (Eigen::Index l = 0; l < num_penalties; ++l) evaluate(l, first_look[l]);
  for (Eigen::Index l = 0; l < num_penalties; ++l) {
    std::vector<Eigen::Index> columns;
    for (Eigen::Index j = 0; j < t; ++j) {
      if (seen(l, j) == 0.0 && lower_bound(l, j) <= smallest(j)) columns.push_back(j);
    }
    evaluate(l, columns);
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
  Eigen::MatrixXd errors(penalties.size(), target.cols());
  for (size_t l = 0; l < penalties.size(); ++l) {
    errors.row(l) = LeaveOneOutAt(basis, centred.values, projected, all, penalties[l],
                                  freedom.col(l));
  }
  return errors;
}

SingleRidgeFit FitSingleRidge(const SourceBasis& basis, const Eigen::VectorXd& target,
                              const std::vector<double>& penalties) {
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
  fit.weights = basis.axes() * coefficients.col(best);
  fit.target_mean = centred.mean(0);
  fit.ridge_penalty = penalties[best];
  fit.at_edge = AtEdge(best, penalties.size());
  fit.leave_one_out = target - error.col(best);
  return fit;
}

std::unique_ptr<Mapping> MakeRidgeMapping(const MappingOptions& options) {
  return std::make_unique<RidgeMapping>(options.ridge, /*clamp=*/false);
}
std::unique_ptr<Mapping> MakeRidgeClampedMapping(const MappingOptions& options) {
  return std::make_unique<RidgeMapping>(options.ridge, /*clamp=*/true);
}

}  // namespace iat
