#include "similarity/shape.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "similarity/linear_algebra.h"
#include "similarity/singular_values.h"

namespace iat {
namespace {

constexpr double kSmallestEigenvalue = 1e-7;  // of lambda, as in netrep
// Above this cosine, 2 - 2 cosine has lost too many digits.
constexpr double kCloseCosine = 0.999;

// min over rotations of ||A Q - B||_F for A and B of norm 1.
absl::StatusOr<double> RotatedDistance(const Eigen::MatrixXd& a,
                                       const Eigen::MatrixXd& b) {
  Eigen::MatrixXd overlap = TransposedProduct(a, b);
  IAT_ASSIGN_OR_RETURN(const Eigen::VectorXd values, SingularValues(overlap));
  if (values.sum() < kCloseCosine) return std::sqrt(2.0 - 2.0 * values.sum());
  IAT_ASSIGN_OR_RETURN(const ThinSvd svd, DecomposeSingularValues(std::move(overlap)));
  // The narrower side is carried into the wider one, which keeps its norm.
  const Eigen::MatrixXd rotation = Product(svd.u, svd.v.transpose());
  return a.cols() <= b.cols() ? (Product(a, rotation) - b).norm()
                              : (Product(b, rotation.transpose()) - a).norm();
}

// Responses of norm 1 up to a rotation, in as few columns as is cheap.
absl::StatusOr<Eigen::MatrixXd> Reduced(MetricData& data) {
  if (data.num_units() < data.num_stimuli()) return data.centred();
  IAT_ASSIGN_OR_RETURN(const ThinSvd* svd, data.Svd());
  return Eigen::MatrixXd(svd->u * svd->s.asDiagonal());
}

absl::StatusOr<Eigen::MatrixXd> PartiallyWhitened(MetricData& data, double alpha) {
  if (alpha == 1.0) return Reduced(data);
  IAT_ASSIGN_OR_RETURN(const ThinSvd* svd, data.Svd());
  const Eigen::ArrayXd squares = svd->s.array().square();
  const Eigen::ArrayXd lambda = squares / squares.mean();
  const Eigen::VectorXd scales =
      lambda.sqrt() * (alpha + (1.0 - alpha) * lambda.max(kSmallestEigenvalue).rsqrt());
  return Eigen::MatrixXd(svd->u * scales.normalized().asDiagonal());
}

class ShapeAngularMetric : public Metric {
 public:
  explicit ShapeAngularMetric(double alpha) : alpha_(alpha) {}

 protected:
  absl::StatusOr<MetricResult> Measure(MetricData& source,
                                       MetricData& target) const override {
    IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd x, PartiallyWhitened(source, alpha_));
    IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd y, PartiallyWhitened(target, alpha_));
    IAT_ASSIGN_OR_RETURN(const double chord, RotatedDistance(x, y));
    return MetricResult{2.0 * std::asin(std::min(0.5 * chord, 1.0)), ""};
  }

 private:
  const double alpha_;
};

class ProcrustesDistanceMetric : public Metric {
 public:
  explicit ProcrustesDistanceMetric(bool raw) : raw_(raw) {}

 protected:
  absl::StatusOr<MetricResult> Measure(MetricData& source,
                                       MetricData& target) const override {
    IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd x, Reduced(source));
    IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd y, Reduced(target));
    IAT_ASSIGN_OR_RETURN(const double chord, RotatedDistance(x, y));
    if (!raw_) return MetricResult{chord, ""};
    // a^2 + b^2 - 2 a b cos = (a - b)^2 + a b chord^2.
    const double a = source.norm(), b = target.norm();
    return MetricResult{std::hypot(a - b, std::sqrt(a) * std::sqrt(b) * chord), ""};
  }

 private:
  const bool raw_;
};

}  // namespace

std::unique_ptr<Metric> MakeShapeAngularMetric(const MetricOptions& options) {
  return std::make_unique<ShapeAngularMetric>(options.shape_alpha);
}
std::unique_ptr<Metric> MakeProcrustesDistanceMetric(const MetricOptions& options) {
  return std::make_unique<ProcrustesDistanceMetric>(options.distance_scale == "raw");
}

}  // namespace iat
