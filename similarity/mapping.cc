#include "similarity/mapping.h"

#include <cmath>
#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "similarity/linear_algebra.h"
#include "similarity/logistic_ridge.h"
#include "similarity/ridge.h"

namespace iat {
namespace {

using Maker = std::function<std::unique_ptr<Mapping>(const MappingOptions&)>;

const std::map<std::string, Maker>& Registry() {
  static const auto* const registry = new std::map<std::string, Maker>{
      {"ridge", MakeRidgeMapping},
      {"ridge_clamped", MakeRidgeClampedMapping},
      {"logistic_ridge", MakeLogisticRidgeMapping},
      {"logistic_ridge_soft", MakeLogisticRidgeSoftMapping},
      {"logistic_ridge_tuned", MakeLogisticRidgeTunedMapping},
  };
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
  visitor.Table("ridge", "the ridge mapping, and the ridge half of LogisticRidge",
                [&](OptionVisitor& inner) { ridge.Describe(inner); });
  visitor.Table("logistic_ridge", "LogisticRidge, all gates",
                [&](OptionVisitor& inner) { logistic_ridge.Describe(inner); });
}

absl::Status MappingOptions::Validate() const {
  IAT_RETURN_IF_ERROR(ridge.Validate());
  return logistic_ridge.Validate();
}

std::vector<std::string> MappingNames() {
  std::vector<std::string> names;
  for (const auto& [name, maker] : Registry()) names.push_back(name);
  return names;
}

bool IsLogisticMapping(absl::string_view name) {
  return absl::StartsWith(name, "logistic_ridge");
}

absl::StatusOr<std::unique_ptr<Mapping>> MakeMapping(absl::string_view name,
                                                     const MappingOptions& options) {
  IAT_RETURN_IF_ERROR(options.Validate());
  const auto found = Registry().find(std::string(name));
  if (found == Registry().end()) {
    const std::string nearest = NearestName(name, MappingNames());
    return absl::NotFoundError(absl::StrCat(
        "no mapping \"", name, "\"",
        nearest.empty() ? "" : absl::StrCat("; did you mean \"", nearest, "\"?")));
  }
  return found->second(options);
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
