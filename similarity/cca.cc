#include "similarity/cca.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "similarity/linear_algebra.h"
#include "similarity/singular_values.h"

namespace iat {
namespace {

enum class Kind { kPlain, kSingularVectors, kProjectionWeighted };

// The fewest leading directions that hold `share` of the variance.
Eigen::Index NumLeading(const Eigen::VectorXd& values, double share) {
  const double enough = share * values.squaredNorm();
  double sum = 0.0;
  for (Eigen::Index k = 0; k < values.size(); ++k) {
    sum += values(k) * values(k);
    if (sum >= enough) return k + 1;
  }
  return values.size();
}

// sum_j |h_i . x_j| for canonical variates h = U coefficients of X = U S V'.
Eigen::VectorXd ProjectionWeights(const ThinSvd& x, const Eigen::MatrixXd& coefficients) {
  const Eigen::MatrixXd scaled = x.s.asDiagonal() * coefficients;
  return Product(x.v, scaled).cwiseAbs().colwise().sum().transpose();
}

class CcaMetric : public Metric {
 public:
  CcaMetric(Kind kind, double variance) : kind_(kind), variance_(variance) {}

 protected:
  absl::StatusOr<MetricResult> Measure(MetricData& source,
                                       MetricData& target) const override {
    IAT_ASSIGN_OR_RETURN(const ThinSvd* x, source.Svd());
    IAT_ASSIGN_OR_RETURN(const ThinSvd* y, target.Svd());
    const Eigen::Index num_x = NumDirections(*x), num_y = NumDirections(*y);
    MetricResult result;
    IAT_RETURN_IF_ERROR(CheckStimuli(source, num_x));
    IAT_RETURN_IF_ERROR(CheckStimuli(target, num_y));
    const Eigen::Index coincide = num_x + num_y - (source.num_stimuli() - 1);
    if (coincide > 0) {
      result.note =
          absl::StrCat(coincide, " of ", std::min(num_x, num_y),
                       " canonical correlations are 1 whatever the data: ", num_x, " + ",
                       num_y, " directions for ", source.num_stimuli(), " stimuli");
    }
    Eigen::MatrixXd overlap =
        TransposedProduct(x->u.leftCols(num_x), y->u.leftCols(num_y));
    if (kind_ != Kind::kProjectionWeighted) {
      IAT_ASSIGN_OR_RETURN(const Eigen::VectorXd rho, SingularValues(std::move(overlap)));
      result.value = rho.cwiseMin(1.0).mean();
      return result;
    }
    IAT_ASSIGN_OR_RETURN(const ThinSvd canonical,
                         DecomposeSingularValues(std::move(overlap)));
    const Eigen::VectorXd weights = num_x <= num_y ? ProjectionWeights(*x, canonical.u)
                                                   : ProjectionWeights(*y, canonical.v);
    result.value = weights.dot(canonical.s.cwiseMin(1.0)) / weights.sum();
    return result;
  }

 private:
  Eigen::Index NumDirections(const ThinSvd& svd) const {
    return kind_ == Kind::kSingularVectors ? NumLeading(svd.s, variance_) : svd.s.size();
  }

  static absl::Status CheckStimuli(const MetricData& data, Eigen::Index num_directions) {
    if (num_directions < data.num_stimuli() - 1) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        data.name(), ": ", num_directions, " directions for ", data.num_stimuli(),
        " stimuli correlate perfectly with anything; canonical correlations need more "
        "stimuli than units"));
  }

  const Kind kind_;
  const double variance_;
};

}  // namespace

std::unique_ptr<Metric> MakeCcaMetric(const MetricOptions&) {
  return std::make_unique<CcaMetric>(Kind::kPlain, 1.0);
}
std::unique_ptr<Metric> MakeSvccaMetric(const MetricOptions& options) {
  return std::make_unique<CcaMetric>(Kind::kSingularVectors, options.svcca_variance);
}
std::unique_ptr<Metric> MakePwccaMetric(const MetricOptions&) {
  return std::make_unique<CcaMetric>(Kind::kProjectionWeighted, 1.0);
}

}  // namespace iat
