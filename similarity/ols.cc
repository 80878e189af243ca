#include "similarity/ols.h"

#include <utility>

#include "base/status.h"
#include "similarity/centring.h"
#include "similarity/dense_solvers.h"
#include "similarity/fitted_linear_map.h"

namespace iat {
namespace {

class OlsMapping : public Mapping {
 public:
  bool FitsUnitsAlone() const override { return true; }

  absl::StatusOr<std::unique_ptr<FittedMapping>> Fit(FitProblem& problem) const override {
    IAT_ASSIGN_OR_RETURN(LinearMap map,
                         FitOls(problem.source().values(), problem.target()));
    return std::make_unique<FittedLinearMap>(std::move(map), Chosen());
  }
};

}  // namespace

absl::StatusOr<LinearMap> FitOls(const Eigen::MatrixXd& source,
                                 const Eigen::MatrixXd& target) {
  IAT_RETURN_IF_ERROR(CheckResponses(source, target));
  CentredUnits x = CentreUnits(source);
  const CentredUnits y = CentreUnits(target);
  IAT_ASSIGN_OR_RETURN(Eigen::MatrixXd weights,
                       MinimumNormLeastSquares(std::move(x.values), y.values));
  return LinearMap{x.mean, std::move(weights), y.mean};
}

std::unique_ptr<Mapping> MakeOlsMapping(const MappingOptions&) {
  return std::make_unique<OlsMapping>();
}

}  // namespace iat
