#include "similarity/inverse_nonlinear.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>
#include <vector>

#include "base/status.h"
#include "similarity/censored_gaussian.h"
#include "similarity/centring.h"
#include "similarity/normal_tail.h"
#include "similarity/response_model.h"
#include "similarity/ridge.h"

namespace iat {
namespace {

// Deviation that a fit is never surer than, in units of the target's root mean square: a
// target without noise has no best sigma.
constexpr double kSmallestDeviation = 1e-6;

// `extra` is log sigma.
class Tobit : public ResponseModel {
 public:
  bool has_extra() const override { return true; }

  Start StartOf(const Eigen::VectorXd& response) const override {
    const double n = static_cast<double>(response.size());
    const double active = static_cast<double>((response.array() > 0.0).count());
    // A fold in which the target is silent: far below 0, but for chance.
    if (active == 0.0) return {-3.0, 0.0};
    if (active == n) {
      const double deviation =
          std::sqrt((response.array() - response.mean()).square().mean());
      return {response.mean(), std::log(std::max(deviation, 1e-3))};
    }
    const NormalMoments moments = MomentsBeforeRelu(active / n, response.mean());
    return {moments.mean, std::log(moments.deviation)};
  }

  void AddLoss(Eigen::Index n, const double* response, double extra, double* eta,
               Sums& sums) const override {
    const double inverse = std::exp(-extra);
    const double sharpest = kSmallestDeviation * kSmallestDeviation * inverse * inverse;
    for (Eigen::Index i = 0; i < n; ++i) {
      if (response[i] > 0.0) {
        const double error = (response[i] - eta[i]) * inverse;
        sums.loss += extra + 0.5 * (error * error + sharpest);
        sums.extra_gradient += 1.0 - error * error - sharpest;
        eta[i] = -error * inverse;
      } else {
        const double d = eta[i] * inverse;
        const BelowZero below = DescribeBelowZero(d);
        sums.loss -= below.log_probability;
        sums.extra_gradient -= below.inverse_mills * d;
        eta[i] = below.inverse_mills * inverse;
      }
    }
  }

  double SetCurvatures(Eigen::Index n, const double* response, double extra, double* eta,
                       double* mixed) const override {
    const double inverse = std::exp(-extra), precision = inverse * inverse;
    const double sharpest = kSmallestDeviation * kSmallestDeviation * precision;
    double extra_curvature = 0.0;
    for (Eigen::Index i = 0; i < n; ++i) {
      if (response[i] > 0.0) {
        const double error = (response[i] - eta[i]) * inverse;
        eta[i] = precision;
        mixed[i] = 2.0 * error * inverse;
        extra_curvature += 2.0 * (error * error + sharpest);
      } else {
        const double d = eta[i] * inverse, mills = InverseMills(d);
        const double slope = std::max(mills * (mills - d), 0.0);
        eta[i] = slope * precision;
        mixed[i] = -(mills + d * slope) * inverse;
        extra_curvature += d * (mills + d * slope);
      }
    }
    return extra_curvature;
  }

  double Error(double response, double eta, double extra) const override {
    const double error = response - Mean(eta, extra);
    return error * error;
  }
  double Mean(double eta, double extra) const override {
    const double sigma = std::exp(extra), d = eta / sigma;
    return eta * NormalProbability(d) + sigma * NormalDensity(d);
  }
};

// Source units after step 1.
class Undone {
 public:
  explicit Undone(const Eigen::MatrixXd& source)
      : model_(CensoredGaussian::Fit(source)) {}
  absl::StatusOr<Eigen::MatrixXd> Apply(const Eigen::MatrixXd& source) const {
    IAT_RETURN_IF_ERROR(CheckNumUnits(source, model_.num_units()));
    return model_.Undo(source);
  }

 private:
  CensoredGaussian model_;
};

class FittedInverseLinear : public FittedMapping {
 public:
  FittedInverseLinear(Undone undone, RidgeFit ridge)
      : undone_(std::move(undone)), map_(std::move(ridge.map)) {
    chosen_.values["ridge_penalty"] = std::move(ridge.ridge_penalty);
    chosen_.num_at_edge["ridge_penalty"] = ridge.num_at_edge;
  }
  absl::StatusOr<Eigen::MatrixXd> Predict(const Eigen::MatrixXd& source) const override {
    IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd hidden, undone_.Apply(source));
    return map_.Predict(hidden);
  }
  const Chosen& chosen() const override { return chosen_; }

 private:
  const Undone undone_;
  const LinearMap map_;
  Chosen chosen_;
};

class FittedInverseNonlinear : public FittedMapping {
 public:
  FittedInverseNonlinear(Undone undone, Standardiser standardiser, ResponseFit fit,
                         std::vector<Eigen::Index> units, Eigen::RowVectorXd scale,
                         Eigen::RowVectorXd mean, Chosen chosen)
      : undone_(std::move(undone)),
        standardiser_(std::move(standardiser)),
        fit_(std::move(fit)),
        units_(std::move(units)),
        scale_(std::move(scale)),
        mean_(std::move(mean)),
        chosen_(std::move(chosen)) {}
  absl::StatusOr<Eigen::MatrixXd> Predict(const Eigen::MatrixXd& source) const override {
    IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd hidden, undone_.Apply(source));
    const Eigen::MatrixXd rates = fit_.Predict(standardiser_.Apply(hidden), Tobit());
    Eigen::MatrixXd predicted = mean_.replicate(source.rows(), 1);
    for (size_t k = 0; k < units_.size(); ++k) {
      predicted.col(units_[k]) = scale_(k) * rates.col(k);
    }
    return predicted;
  }
  const Chosen& chosen() const override { return chosen_; }

 private:
  const Undone undone_;
  const Standardiser standardiser_;
  const ResponseFit fit_;
  const std::vector<Eigen::Index> units_;  // targets that vary
  const Eigen::RowVectorXd scale_;         // theirs
  const Eigen::RowVectorXd mean_;          // of all targets
  const Chosen chosen_;
};

class InverseNonlinearMapping : public Mapping {
 public:
  InverseNonlinearMapping(InverseNonlinearOptions options, RidgeOptions ridge)
      : options_(std::move(options)), ridge_(std::move(ridge)) {}

  absl::StatusOr<std::unique_ptr<FittedMapping>> Fit(FitProblem& problem) const override {
    const Eigen::MatrixXd& source = problem.source().values();
    const Eigen::MatrixXd& target = problem.target();
    IAT_RETURN_IF_ERROR(CheckResponses(source, target));
    Undone undone(source);
    IAT_ASSIGN_OR_RETURN(Eigen::MatrixXd values, undone.Apply(source));
    SourceData hidden(std::move(values));
    if (problem.target_stage() == Stage::kPreRelu || (target.array() < 0.0).any()) {
      IAT_ASSIGN_OR_RETURN(const SourceBasis* basis, hidden.Basis());
      IAT_ASSIGN_OR_RETURN(RidgeFit fit, FitRidge(*basis, target, ridge_));
      return std::make_unique<FittedInverseLinear>(std::move(undone), std::move(fit));
    }
    const CentredUnits centred = CentreUnits(target);
    std::vector<Eigen::Index> units;
    for (Eigen::Index j = 0; j < target.cols(); ++j) {
      if ((centred.values.col(j).array() != 0.0).any()) units.push_back(j);
    }
    Eigen::MatrixXd response = target(Eigen::all, units);
    const Eigen::RowVectorXd scale =
        response.colwise().norm() / std::sqrt(static_cast<double>(response.rows()));
    response.array().rowwise() /= scale.array();
    IAT_ASSIGN_OR_RETURN(const SourceBasis* basis, hidden.StandardisedBasis());
    ResponseFit fit =
        FitResponses(*basis, response, Tobit(), options_.penalties, options_.num_folds);
    Chosen chosen;
    Eigen::VectorXd& penalty = chosen.values["inverse_nonlinear_penalty"];
    penalty = Eigen::VectorXd::Constant(target.cols(),
                                        std::numeric_limits<double>::quiet_NaN());
    penalty(units) = fit.penalty;
    chosen.num_at_edge["inverse_nonlinear_penalty"] = fit.num_at_edge;
    return std::make_unique<FittedInverseNonlinear>(
        std::move(undone), hidden.standardiser(), std::move(fit), std::move(units), scale,
        centred.mean, std::move(chosen));
  }

 private:
  const InverseNonlinearOptions options_;
  const RidgeOptions ridge_;
};

}  // namespace

void InverseNonlinearOptions::Describe(OptionVisitor& visitor) {
  visitor.Numbers("penalties", penalties, {.min = 0.0, .min_excluded = true},
                  "penalties to choose from, in units of the mean log-loss");
  visitor.Integer("num_folds", num_folds, {.min = 2, .max = 1000},
                  "folds that a target unit's penalty is chosen with");
}

absl::Status InverseNonlinearOptions::Validate() const {
  if (!penalties.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "inverse_nonlinear.penalties is empty; expected at least one number > 0");
}

std::unique_ptr<Mapping> MakeInverseNonlinearMapping(const MappingOptions& options) {
  return std::make_unique<InverseNonlinearMapping>(options.inverse_nonlinear,
                                                   options.ridge);
}

}  // namespace iat
