#include "similarity/pls.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/status.h"
#include "similarity/centring.h"
#include "similarity/dense_solvers.h"
#include "similarity/fitted_linear_map.h"
#include "similarity/linear_algebra.h"

namespace iat {
namespace {

// Covariance below this share of ||X|| ||Y|| is rounding.
constexpr double kSmallestCovariance = 1e-13;

// In coordinates of the source's eigenbasis.
struct Components {
  Eigen::MatrixXd rotations;  // r x components: scores are Z * rotations
  Eigen::MatrixXd loadings;   // targets x components: q
};

// The first left singular vector of `matrix`.
absl::StatusOr<Eigen::VectorXd> TopLeftVector(const Eigen::MatrixXd& matrix) {
  if (matrix.rows() <= matrix.cols()) return TopEigenvector(LowerGram(matrix, true));
  IAT_ASSIGN_OR_RETURN(const Eigen::VectorXd right,
                       TopEigenvector(LowerGram(matrix, false)));
  return Eigen::VectorXd((matrix * right).normalized());
}

absl::StatusOr<Components> Extract(const SourceBasis& basis,
                                   const Eigen::MatrixXd& target, Eigen::Index most) {
  const Eigen::ArrayXd s = basis.eigenvalues().array();
  most = std::min(most, basis.rank());
  Components result{Eigen::MatrixXd(basis.rank(), most),
                    Eigen::MatrixXd(target.cols(), most)};
  Eigen::MatrixXd loadings(basis.rank(), most);  // of the source
  Eigen::MatrixXd covariance = TransposedProduct(basis.rotated(), target);
  const double floor = kSmallestCovariance * std::sqrt(s.sum()) * target.norm();
  Eigen::Index k = 0;
  for (; k < most; ++k) {
    const double size = covariance.norm();
    if (!(size > floor)) break;
    IAT_ASSIGN_OR_RETURN(const Eigen::VectorXd weights, TopLeftVector(covariance / size));
    // Of the first source from those of the deflated one.
    const Eigen::VectorXd rotation =
        weights -
        result.rotations.leftCols(k) * (loadings.leftCols(k).transpose() * weights);
    const double variance = (s * rotation.array().square()).sum();
    loadings.col(k) = s * rotation.array() / variance;
    result.rotations.col(k) = rotation;
    result.loadings.col(k) = covariance.transpose() * rotation / variance;
    covariance -= variance * loadings.col(k) * result.loadings.col(k).transpose();
  }
  result.rotations.conservativeResize(Eigen::NoChange, k);
  result.loadings.conservativeResize(Eigen::NoChange, k);
  return result;
}

// Adds the squared errors of a fold's targets with 0, 1, ... components to `errors`,
// (components + 1) x targets; a fold with fewer components repeats its last.
void AddErrors(const Components& components, const Eigen::MatrixXd& scores,
               Eigen::MatrixXd residual, Eigen::MatrixXd& errors) {
  errors.row(0) += residual.colwise().squaredNorm();
  for (Eigen::Index k = 1; k < errors.rows(); ++k) {
    if (k <= scores.cols()) {
      residual -= scores.col(k - 1) * components.loadings.col(k - 1).transpose();
    }
    errors.row(k) += residual.colwise().squaredNorm();
  }
}

absl::StatusOr<Eigen::VectorXi> ChooseComponents(const SourceBasis& basis,
                                                 const Eigen::MatrixXd& target,
                                                 Eigen::Index most,
                                                 Eigen::Index num_folds) {
  const Eigen::Index n = target.rows();
  Eigen::VectorXi chosen = Eigen::VectorXi::Zero(target.cols());
  num_folds = std::min(num_folds, n);
  if (num_folds < 2 || basis.rank() == 0) return chosen;
  Eigen::MatrixXd errors = Eigen::MatrixXd::Zero(most + 1, target.cols());
  for (Eigen::Index fold = 0; fold < num_folds; ++fold) {
    const std::vector<Eigen::Index> in = FoldStimuli(n, fold, num_folds, false);
    const std::vector<Eigen::Index> out = FoldStimuli(n, fold, num_folds, true);
    // Rows of Z stand for rows of X: the same inner products.
    IAT_ASSIGN_OR_RETURN(const SourceBasis fit,
                         SourceBasis::Make(basis.rotated()(in, Eigen::all)));
    const CentredUnits y = CentreUnits(target(in, Eigen::all));
    IAT_ASSIGN_OR_RETURN(const Components components, Extract(fit, y.values, most));
    const Eigen::MatrixXd axes = Product(fit.axes(), components.rotations);
    AddErrors(components,
              Product(basis.rotated()(out, Eigen::all).rowwise() - fit.mean(), axes),
              target(out, Eigen::all).rowwise() - y.mean, errors);
  }
  for (Eigen::Index j = 0; j < target.cols(); ++j) errors.col(j).minCoeff(&chosen(j));
  return chosen;
}

class PlsMapping : public Mapping {
 public:
  explicit PlsMapping(PlsOptions options) : options_(options) {}

  absl::StatusOr<std::unique_ptr<FittedMapping>> Fit(FitProblem& problem) const override {
    IAT_ASSIGN_OR_RETURN(const SourceBasis* basis, problem.source().Basis());
    IAT_ASSIGN_OR_RETURN(PlsFit fit, FitPls(*basis, problem.target(), options_));
    Chosen chosen;
    chosen.values["num_components"] = fit.num_components.cast<double>();
    chosen.num_at_edge["num_components"] = fit.num_at_edge;
    return std::make_unique<FittedLinearMap>(std::move(fit.map), std::move(chosen));
  }

 private:
  const PlsOptions options_;
};

}  // namespace

void PlsOptions::Describe(OptionVisitor& visitor) {
  visitor.Integer("num_components", num_components, {.min = 0, .max = 100000},
                  "directions of the source that are used (sklearn's n_components); 0: "
                  "chosen for each target unit inside the fit stimuli");
  visitor.Integer("max_components", max_components, {.min = 1, .max = 100000},
                  "the most components to choose from");
  visitor.Integer("num_folds", num_folds, {.min = 2, .max = 1000},
                  "folds that the choice is made with");
}

absl::StatusOr<PlsFit> FitPls(const SourceBasis& basis, const Eigen::MatrixXd& target,
                              const PlsOptions& options) {
  IAT_RETURN_IF_ERROR(CheckTarget(basis.num_stimuli(), target));
  const bool choose = options.num_components == 0;
  const Eigen::Index most = std::min<Eigen::Index>(
      choose ? options.max_components : options.num_components, basis.rank());
  const CentredUnits y = CentreUnits(target);
  IAT_ASSIGN_OR_RETURN(const Components components, Extract(basis, y.values, most));
  const int available = static_cast<int>(components.rotations.cols());
  PlsFit fit;
  fit.num_components = Eigen::VectorXi::Constant(target.cols(), available);
  if (choose) {
    IAT_ASSIGN_OR_RETURN(fit.num_components,
                         ChooseComponents(basis, target, most, options.num_folds));
    fit.num_components = fit.num_components.cwiseMin(available);
    if (available > 0) {
      fit.num_at_edge = (fit.num_components.array() == available).count();
    }
  }
  Eigen::MatrixXd loadings = components.loadings;
  for (Eigen::Index j = 0; j < target.cols(); ++j) {
    loadings.row(j).tail(available - fit.num_components(j)).setZero();
  }
  fit.map = {basis.mean(),
             Product(Product(basis.axes(), components.rotations), loadings.transpose()),
             y.mean};
  return fit;
}

std::unique_ptr<Mapping> MakePlsMapping(const MappingOptions& options) {
  return std::make_unique<PlsMapping>(options.pls);
}

}  // namespace iat
