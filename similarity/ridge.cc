#include "similarity/ridge.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "similarity/leave_one_out.h"
#include "similarity/linear_algebra.h"

namespace iat {
namespace {

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
        projected.col(j).array() * basis.InverseCurvature(ridge_penalty(j));
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

  bool FitsUnitsAlone() const override { return true; }

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

absl::StatusOr<SingleRidgeFit> FitSingleRidge(Eigen::MatrixXd source,
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
    coefficients.col(l) = projected.array() * basis.InverseCurvature(penalties[l]);
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

std::unique_ptr<Mapping> MakeRidgeMapping(const MappingOptions& options) {
  return std::make_unique<RidgeMapping>(options.ridge, /*clamp=*/false);
}
std::unique_ptr<Mapping> MakeRidgeClampedMapping(const MappingOptions& options) {
  return std::make_unique<RidgeMapping>(options.ridge, /*clamp=*/true);
}

}  // namespace iat
