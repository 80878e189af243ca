// What a mapping is: fitted on one animal's source and another's target responses
// to the same stimuli, it predicts the target units from the source units.
//
// Mappings are registered by name. To add one: derive from Mapping, describe its
// options in MappingOptions, and name it in the table in mapping.cc.
//
// Shapes   source: stimuli x source units.  target: stimuli x target units.
// Sharing  Mappings of one cell ask a FitProblem for what they have in common
//          (the source's eigenbasis, a ridge on all stimuli, the logistic fits), and
//          each is made once. All targets of one source share its SourceData.
//
// Example:
//   SourceData source(x_fit);
//   FitProblem problem(source, y_fit, Stage::kPostRelu);
//   auto mapping = MakeMapping("logistic_ridge", options);
//   auto fitted = (*mapping)->Fit(problem);
//   auto predicted = (*fitted)->Predict(x_test);

#ifndef IAT_SIMILARITY_MAPPING_H_
#define IAT_SIMILARITY_MAPPING_H_

#include <Eigen/Core>
#include <any>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <typeindex>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/activation_file.h"
#include "base/options.h"
#include "similarity/glm_poisson_softplus_options.h"
#include "similarity/inverse_nonlinear_options.h"
#include "similarity/lasso_options.h"
#include "similarity/logistic_ridge_options.h"
#include "similarity/one_to_one_options.h"
#include "similarity/percentile_options.h"
#include "similarity/pls_options.h"
#include "similarity/procrustes_options.h"
#include "similarity/ridge_options.h"
#include "similarity/source_basis.h"

namespace iat {

// A source unit less its mean, over its deviation; 0 where it is constant.
struct Standardiser {
  Eigen::RowVectorXd mean, inverse_deviation;
  Eigen::MatrixXd Apply(const Eigen::MatrixXd& source) const;
};

// One source on the fit stimuli, with what several targets need of it, made when
// first asked for. For one thread.
class SourceData {
 public:
  explicit SourceData(Eigen::MatrixXd values) : values_(std::move(values)) {}
  const Eigen::MatrixXd& values() const { return values_; }

  absl::StatusOr<const SourceBasis*> Basis();
  // Of the standardised source; deviations divide by n, as sklearn's
  // StandardScaler does.
  absl::StatusOr<const SourceBasis*> StandardisedBasis();
  const Standardiser& standardiser();

 private:
  Eigen::MatrixXd values_;
  std::optional<SourceBasis> basis_, standardised_basis_;
  std::optional<Standardiser> standardiser_;
};

// A source and a target on the fit stimuli, and the fits that mappings share.
class FitProblem {
 public:
  // `source` must outlive the problem and have target's rows.
  FitProblem(SourceData& source, Eigen::MatrixXd target, Stage target_stage)
      : source_(source), target_(std::move(target)), target_stage_(target_stage) {}
  SourceData& source() { return source_; }
  const Eigen::MatrixXd& target() const { return target_; }
  Stage target_stage() const { return target_stage_; }

  // The part of type T, made by `make` (returning StatusOr<T>) the first time. All
  // mappings of a problem have the same options, so a type names a fit.
  template <typename T, typename Make>
  absl::StatusOr<std::shared_ptr<const T>> Shared(Make make) {
    std::any& slot = shared_[std::type_index(typeid(T))];
    if (!slot.has_value()) {
      absl::StatusOr<T> made = make();
      if (!made.ok()) return made.status();
      slot = std::make_shared<const T>(*std::move(made));
    }
    return std::any_cast<std::shared_ptr<const T>>(slot);
  }

 private:
  SourceData& source_;
  const Eigen::MatrixXd target_;
  const Stage target_stage_;
  std::map<std::type_index, std::any> shared_;
};

// What was chosen inside the fit stimuli.
struct Chosen {
  // "ridge_penalty", "gate_threshold", "num_components" and what else the mapping's
  // header names: one value a target unit, NaN where none was needed (a unit that is
  // never active has no ridge).
  std::map<std::string, Eigen::VectorXd> values;
  // By the same names: units whose choice is the first or last of its grid, a sign
  // that the grid may be too narrow.
  std::map<std::string, int64_t> num_at_edge;
};

class FittedMapping {
 public:
  virtual ~FittedMapping() = default;
  // Stimuli x target units. InvalidArgument: wrong number of columns.
  virtual absl::StatusOr<Eigen::MatrixXd> Predict(
      const Eigen::MatrixXd& source) const = 0;
  virtual const Chosen& chosen() const = 0;
};

class Mapping {
 public:
  virtual ~Mapping() = default;
  // InvalidArgument where the mapping has no meaning for targets of this stage.
  virtual absl::Status CheckTargetStage(Stage stage) const;
  virtual absl::StatusOr<std::unique_ptr<FittedMapping>> Fit(
      FitProblem& problem) const = 0;
  // Whether a target unit's fit is the same whichever other target units are there.
  // Such a mapping is fitted on blocks of units, which bounds its memory.
  virtual bool FitsUnitsAlone() const { return false; }
};

// Options of every mapping; each reads its own part.
struct MappingOptions {
  RidgeOptions ridge;
  LogisticRidgeOptions logistic_ridge;
  OneToOneOptions one_to_one;
  PercentileOptions percentile;
  PlsOptions pls;
  LassoOptions lasso;
  ElasticNetOptions elastic_net;
  ProcrustesOptions procrustes;
  GlmPoissonSoftplusOptions glm_poisson_softplus;
  InverseNonlinearOptions inverse_nonlinear;

  void Describe(OptionVisitor& visitor);
  absl::Status Validate() const;
};

// A line of the registry.
struct MappingInfo {
  std::string name;
  std::string description;           // in one line
  std::vector<Stage> target_stages;  // of targets that Fit accepts
  bool costly = false;               // far dearer than a ridge
};
// Sorted by name.
const std::vector<MappingInfo>& RegisteredMappings();

// Sorted.
std::vector<std::string> MappingNames();
// The mappings that predict a gate and a value, which cost far more than the rest
// and are capped apart (similarity/compare.h).
bool IsLogisticMapping(absl::string_view name);
// NotFound naming the nearest registered name.
absl::StatusOr<std::unique_ptr<Mapping>> MakeMapping(absl::string_view name,
                                                     const MappingOptions& options);

// A linear map with its centre, which several mappings predict with:
//   Y_hat = (X - source_mean) * weights + target_mean
struct LinearMap {
  Eigen::RowVectorXd source_mean;
  Eigen::MatrixXd weights;  // source units x target units
  Eigen::RowVectorXd target_mean;
  absl::StatusOr<Eigen::MatrixXd> Predict(const Eigen::MatrixXd& source) const;
};

}  // namespace iat

#endif  // IAT_SIMILARITY_MAPPING_H_
