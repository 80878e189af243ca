#include "similarity/procrustes.h"

#include <limits>
#include <utility>

#include "base/status.h"
#include "similarity/centring.h"
#include "similarity/dense_solvers.h"
#include "similarity/fitted_linear_map.h"
#include "similarity/linear_algebra.h"

namespace iat {
namespace {

class ProcrustesMapping : public Mapping {
 public:
  explicit ProcrustesMapping(ProcrustesOptions options) : options_(options) {}

  absl::StatusOr<std::unique_ptr<FittedMapping>> Fit(FitProblem& problem) const override {
    IAT_ASSIGN_OR_RETURN(ProcrustesFit fit, FitProcrustes(problem.source().values(),
                                                          problem.target(), options_));
    return std::make_unique<FittedLinearMap>(std::move(fit.map), Chosen());
  }

 private:
  const ProcrustesOptions options_;
};

}  // namespace

void ProcrustesOptions::Describe(OptionVisitor& visitor) {
  visitor.Flag("scale", scale, "fit one scale for all units; off: a rotation alone");
}

absl::StatusOr<ProcrustesFit> FitProcrustes(const Eigen::MatrixXd& source,
                                            const Eigen::MatrixXd& target,
                                            const ProcrustesOptions& options) {
  IAT_RETURN_IF_ERROR(CheckResponses(source, target));
  const CentredUnits x = CentreUnits(source), y = CentreUnits(target);
  IAT_ASSIGN_OR_RETURN(const ThinSvd svd,
                       DecomposeSingularValues(TransposedProduct(x.values, y.values)));
  // What rounding may leave in a product of ||Xc|| and ||Yc||.
  const double floor =
      std::numeric_limits<double>::epsilon() * x.values.norm() * y.values.norm();
  const Eigen::Index rank = (svd.s.array() > floor).count();
  ProcrustesFit fit;
  fit.rotation = Product(svd.u.leftCols(rank), svd.v.leftCols(rank).transpose());
  if (options.scale) {
    const double size = Product(x.values, fit.rotation).squaredNorm();
    fit.scale = size > 0.0 ? svd.s.head(rank).sum() / size : 0.0;
  }
  fit.map = {x.mean, fit.scale * fit.rotation, y.mean};
  return fit;
}

std::unique_ptr<Mapping> MakeProcrustesMapping(const MappingOptions& options) {
  return std::make_unique<ProcrustesMapping>(options.procrustes);
}

}  // namespace iat
