#include "similarity/glm_poisson_softplus.h"

#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "similarity/centring.h"
#include "similarity/response_model.h"
#include "similarity/yeo_johnson.h"

namespace iat {
namespace {

// Below, log(1 + exp(eta)) is exp(eta) to the last bit.
constexpr double kExponential = -37.0;

double Softplus(double eta) {
  return std::max(eta, 0.0) + std::log1p(std::exp(-std::abs(eta)));
}

class PoissonSoftplus : public ResponseModel {
 public:
  Start StartOf(const Eigen::VectorXd& response) const override {
    // A fold in which the target never responds needs a rate above 0 all the same.
    const double rate =
        std::max(response.mean(), 1e-2 / static_cast<double>(response.size()));
    return {rate > 30.0 ? rate : std::log(std::expm1(rate)), 0.0};
  }

  void AddLoss(Eigen::Index n, const double* response, double /*extra*/, double* eta,
               Sums& sums) const override {
    const Eigen::Map<const Eigen::ArrayXd> y(response, n);
    Eigen::Map<Eigen::ArrayXd> z(eta, n);
    const Eigen::ArrayXd e = (-z.abs()).exp();
    const Eigen::ArrayXd rate = z.max(0.0) + e.log1p();
    const Eigen::ArrayXd slope = (z >= 0.0).select(1.0, e) / (1.0 + e);
    const Eigen::ArrayXd log_rate = (z < kExponential).select(z, rate.log());
    const Eigen::ArrayXd relative = (z < kExponential).select(1.0, slope / rate);
    sums.loss += (rate - y * log_rate).sum();
    z = slope - y * relative;
  }

  double SetCurvatures(Eigen::Index n, const double* response, double /*extra*/,
                       double* eta, double* /*mixed*/) const override {
    const Eigen::Map<const Eigen::ArrayXd> y(response, n);
    Eigen::Map<Eigen::ArrayXd> z(eta, n);
    const Eigen::ArrayXd e = (-z.abs()).exp();
    const Eigen::ArrayXd rate = z.max(0.0) + e.log1p();
    const Eigen::ArrayXd slope = (z >= 0.0).select(1.0, e) / (1.0 + e);
    const Eigen::ArrayXd bend = e / (1.0 + e).square();
    // Far below 0 the rate is its own slope and bend, and log rate is eta.
    z = (z < kExponential)
            .select(e, bend * (1.0 - y / rate) + y * (slope / rate).square())
            .max(0.0);
    return 0.0;
  }

  double Error(double response, double eta, double /*extra*/) const override {
    const double rate = Softplus(eta);
    return rate - response * (eta < kExponential ? eta : std::log(rate));
  }
  double Mean(double eta, double /*extra*/) const override { return Softplus(eta); }
};

class FittedGlm : public FittedMapping {
 public:
  FittedGlm(std::optional<YeoJohnson> power, Standardiser standardiser, ResponseFit fit,
            std::vector<Eigen::Index> units, Eigen::RowVectorXd gain, Chosen chosen)
      : power_(std::move(power)),
        standardiser_(std::move(standardiser)),
        fit_(std::move(fit)),
        units_(std::move(units)),
        gain_(std::move(gain)),
        chosen_(std::move(chosen)) {}

  absl::StatusOr<Eigen::MatrixXd> Predict(const Eigen::MatrixXd& source) const override {
    IAT_RETURN_IF_ERROR(CheckNumUnits(source, fit_.weights.rows()));
    const Eigen::MatrixXd rates = fit_.Predict(
        standardiser_.Apply(power_ ? power_->Apply(source) : source), PoissonSoftplus());
    Eigen::MatrixXd predicted = Eigen::MatrixXd::Zero(source.rows(), gain_.size());
    for (size_t k = 0; k < units_.size(); ++k) {
      predicted.col(units_[k]) = gain_(units_[k]) * rates.col(k);
    }
    return predicted;
  }
  const Chosen& chosen() const override { return chosen_; }

 private:
  const std::optional<YeoJohnson> power_;
  const Standardiser standardiser_;
  const ResponseFit fit_;
  const std::vector<Eigen::Index> units_;  // that are fitted; the others are silent
  const Eigen::RowVectorXd gain_;
  const Chosen chosen_;
};

class GlmMapping : public Mapping {
 public:
  explicit GlmMapping(GlmPoissonSoftplusOptions options) : options_(std::move(options)) {}

  bool FitsUnitsAlone() const override { return true; }

  absl::Status CheckTargetStage(Stage stage) const override {
    if (stage != Stage::kPreRelu) return absl::OkStatus();
    return absl::InvalidArgumentError(
        "glm_poisson_softplus predicts targets that are never negative (post_relu, or "
        "recorded rates); the target is pre_relu");
  }

  absl::StatusOr<std::unique_ptr<FittedMapping>> Fit(FitProblem& problem) const override {
    IAT_RETURN_IF_ERROR(CheckTargetStage(problem.target_stage()));
    const Eigen::MatrixXd& target = problem.target();
    IAT_RETURN_IF_ERROR(CheckResponses(problem.source().values(), target));
    Eigen::RowVectorXd gain = target.colwise().mean();
    std::vector<Eigen::Index> units;
    for (Eigen::Index j = 0; j < target.cols(); ++j) {
      if (target.col(j).minCoeff() < 0.0) {
        return absl::InvalidArgumentError(
            absl::StrCat("glm_poisson_softplus: target unit ", j, " has ",
                         target.col(j).minCoeff(), "; expected no negative response"));
      }
      if (!(gain(j) > 0.0)) continue;
      if (options_.target_scaling == "none") gain(j) = 1.0;
      units.push_back(j);
    }
    std::optional<YeoJohnson> power;
    std::optional<SourceData> transformed;
    SourceData* source = &problem.source();
    if (options_.source_scaling == "yeo_johnson") {
      power = YeoJohnson::Fit(source->values());
      source = &transformed.emplace(power->Apply(source->values()));
    }
    IAT_ASSIGN_OR_RETURN(const SourceBasis* basis, source->StandardisedBasis());
    Eigen::MatrixXd response = target(Eigen::all, units);
    response.array().rowwise() /= gain(units).array();
    ResponseFit fit = FitResponses(*basis, response, PoissonSoftplus(),
                                   options_.penalties, options_.num_folds);
    Chosen chosen;
    Eigen::VectorXd& penalty = chosen.values["glm_penalty"];
    penalty = Eigen::VectorXd::Constant(target.cols(),
                                        std::numeric_limits<double>::quiet_NaN());
    penalty(units) = fit.penalty;
    chosen.num_at_edge["glm_penalty"] = fit.num_at_edge;
    return std::make_unique<FittedGlm>(std::move(power), source->standardiser(),
                                       std::move(fit), std::move(units), std::move(gain),
                                       std::move(chosen));
  }

 private:
  const GlmPoissonSoftplusOptions options_;
};

}  // namespace

void GlmPoissonSoftplusOptions::Describe(OptionVisitor& visitor) {
  visitor.Numbers(
      "penalties", penalties, {.min = 0.0, .min_excluded = true},
      "penalties to choose from, in units of the mean loss (sklearn's alpha)");
  visitor.Integer("num_folds", num_folds, {.min = 2, .max = 1000},
                  "folds that a target unit's penalty is chosen with");
  visitor.Choice("source_scaling", source_scaling, {"standard", "yeo_johnson"},
                 "sources are standardised, or power-transformed towards a normal "
                 "distribution first");
  visitor.Choice("target_scaling", target_scaling, {"mean", "none"},
                 "targets in units of their mean, or as they are (spike counts)");
}

absl::Status GlmPoissonSoftplusOptions::Validate() const {
  if (!penalties.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "glm_poisson_softplus.penalties is empty; expected at least one number > 0");
}

std::unique_ptr<Mapping> MakeGlmPoissonSoftplusMapping(const MappingOptions& options) {
  return std::make_unique<GlmMapping>(options.glm_poisson_softplus);
}

}  // namespace iat
