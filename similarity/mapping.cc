#include "similarity/mapping.h"

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "similarity/glm_poisson_softplus.h"
#include "similarity/inverse_nonlinear.h"
#include "similarity/lasso.h"
#include "similarity/linear_algebra.h"
#include "similarity/logistic_ridge.h"
#include "similarity/ols.h"
#include "similarity/one_to_one.h"
#include "similarity/percentile.h"
#include "similarity/pls.h"
#include "similarity/procrustes.h"
#include "similarity/ridge.h"
#include "similarity/soft_matching.h"

namespace iat {
namespace {

using Maker = std::unique_ptr<Mapping> (*)(const MappingOptions&);

struct Registered {
  MappingInfo info;
  Maker make;
};

const std::vector<Registered>& Registry() {
  constexpr bool kCheap = false, kCostly = true;
  static const auto* const registry = [] {
    const std::vector<Stage> any = {Stage::kPreRelu, Stage::kPostRelu, Stage::kRecorded};
    const std::vector<Stage> post_or_recorded = {Stage::kPostRelu, Stage::kRecorded};
    const std::vector<Stage> rectified = {Stage::kPostRelu};
    return new std::vector<Registered>{
        {{"elastic_net", "linear map that uses few source units: L1 and L2 penalty", any,
          kCostly},
         MakeElasticNetMapping},
        {{"glm_poisson_softplus",
          "Poisson regression: rates are the softplus of a linear map", post_or_recorded,
          kCostly},
         MakeGlmPoissonSoftplusMapping},
        {{"inverse_nonlinear",
          "undoes the source's ReLU, maps linearly, applies the ReLU again", any,
          kCostly},
         MakeInverseNonlinearMapping},
        {{"lasso", "linear map that uses few source units: L1 penalty", any, kCostly},
         MakeLassoMapping},
        {{"logistic_ridge",
          "a logistic regression says whether the target is active, a ridge how much",
          post_or_recorded, kCostly},
         MakeLogisticRidgeMapping},
        {{"logistic_ridge_soft",
          "logistic_ridge with the value weighted by the probability of being active",
          post_or_recorded, kCostly},
         MakeLogisticRidgeSoftMapping},
        {{"logistic_ridge_tuned",
          "logistic_ridge with the gate's threshold chosen inside the fit stimuli",
          post_or_recorded, kCostly},
         MakeLogisticRidgeTunedMapping},
        {{"ols", "linear map without a penalty, of least norm", any, kCheap},
         MakeOlsMapping},
        {{"one_to_one", "each target a line of its best-correlated source unit", any,
          kCheap},
         MakeOneToOneMapping},
        {{"one_to_one_assigned",
          "each target a line of a source unit of its own, by optimal assignment", any,
          kCheap},
         MakeOneToOneAssignedMapping},
        {{"percentile", "ridge on the source units most correlated with each target", any,
          kCostly},
         MakePercentileMapping},
        {{"pls", "partial least squares: linear map through few directions of the source",
          any, kCheap},
         MakePlsMapping},
        {{"procrustes", "rotation of the source onto the target, and one scale", any,
          kCheap},
         MakeProcrustesMapping},
        {{"ridge", "linear map with an L2 penalty chosen for each target unit", any,
          kCheap},
         MakeRidgeMapping},
        {{"ridge_clamped", "ridge without negative predictions", rectified, kCheap},
         MakeRidgeClampedMapping},
        {{"soft_matching",
          "one-to-one matching of populations of any size, by optimal transport", any,
          kCheap},
         MakeSoftMatchingMapping},
    };
  }();
  return *registry;
}

}  // namespace

Eigen::MatrixXd Standardiser::Apply(const Eigen::MatrixXd& source) const {
  return ((source.rowwise() - mean).array().rowwise() * inverse_deviation.array())
      .matrix();
}

const Standardiser& SourceData::standardiser() {
  if (standardiser_) return *standardiser_;
  Standardiser& s = standardiser_.emplace();
  s.mean = values_.colwise().mean();
  s.inverse_deviation = Eigen::RowVectorXd::Zero(values_.cols());
  for (Eigen::Index j = 0; j < values_.cols(); ++j) {
    const auto column = values_.col(j).array();
    if (column.minCoeff() == column.maxCoeff()) continue;
    s.inverse_deviation(j) = 1.0 / std::sqrt((column - s.mean(j)).square().mean());
  }
  return s;
}

absl::StatusOr<const SourceBasis*> SourceData::Basis() {
  if (!basis_) {
    IAT_ASSIGN_OR_RETURN(basis_, SourceBasis::Make(values_));
  }
  return &*basis_;
}

absl::StatusOr<const SourceBasis*> SourceData::StandardisedBasis() {
  if (!standardised_basis_) {
    IAT_ASSIGN_OR_RETURN(standardised_basis_,
                         SourceBasis::Make(standardiser().Apply(values_)));
  }
  return &*standardised_basis_;
}

absl::Status Mapping::CheckTargetStage(Stage) const { return absl::OkStatus(); }

void MappingOptions::Describe(OptionVisitor& visitor) {
  const auto table = [&](const char* name, const char* doc, auto& options) {
    visitor.Table(name, doc, [&](OptionVisitor& inner) { options.Describe(inner); });
  };
  table("ridge",
        "the ridge mapping, the ridge half of LogisticRidge, and the ridges inside "
        "percentile and inverse_nonlinear",
        ridge);
  table("logistic_ridge", "LogisticRidge, all gates", logistic_ridge);
  table("one_to_one", "both one-to-one mappings", one_to_one);
  table("percentile", "the percentile mapping", percentile);
  table("pls", "partial least squares", pls);
  table("lasso", "the lasso mapping", lasso);
  table("elastic_net", "the elastic net", elastic_net);
  table("procrustes", "the Procrustes mapping", procrustes);
  table("glm_poisson_softplus", "the Poisson regression", glm_poisson_softplus);
  table("inverse_nonlinear", "the map behind the ReLU", inverse_nonlinear);
}

absl::Status MappingOptions::Validate() const {
  IAT_RETURN_IF_ERROR(ridge.Validate());
  IAT_RETURN_IF_ERROR(logistic_ridge.Validate());
  IAT_RETURN_IF_ERROR(glm_poisson_softplus.Validate());
  return inverse_nonlinear.Validate();
}

const std::vector<MappingInfo>& RegisteredMappings() {
  static const auto* const infos = [] {
    auto* const made = new std::vector<MappingInfo>();
    for (const Registered& registered : Registry()) made->push_back(registered.info);
    return made;
  }();
  return *infos;
}

std::vector<std::string> MappingNames() {
  std::vector<std::string> names;
  for (const MappingInfo& info : RegisteredMappings()) names.push_back(info.name);
  return names;
}

bool IsLogisticMapping(absl::string_view name) {
  return absl::StartsWith(name, "logistic_ridge");
}

absl::StatusOr<std::unique_ptr<Mapping>> MakeMapping(absl::string_view name,
                                                     const MappingOptions& options) {
  IAT_RETURN_IF_ERROR(options.Validate());
  for (const Registered& registered : Registry()) {
    if (registered.info.name == name) return registered.make(options);
  }
  const std::string nearest = NearestName(name, MappingNames());
  return absl::NotFoundError(absl::StrCat(
      "no mapping \"", name, "\"",
      nearest.empty() ? "" : absl::StrCat("; did you mean \"", nearest, "\"?")));
}

absl::StatusOr<Eigen::MatrixXd> LinearMap::Predict(const Eigen::MatrixXd& source) const {
  if (source.cols() != source_mean.size()) {
    return absl::InvalidArgumentError(absl::StrCat("source has ", source.cols(),
                                                   " units; the mapping was fitted on ",
                                                   source_mean.size()));
  }
  Eigen::MatrixXd predicted = Product(source.rowwise() - source_mean, weights);
  predicted.rowwise() += target_mean;
  return predicted;
}

}  // namespace iat
