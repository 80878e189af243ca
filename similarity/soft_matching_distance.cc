#include "similarity/soft_matching_distance.h"

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "similarity/linear_algebra.h"
#include "similarity/optimal_transport.h"

namespace iat {
namespace {

// sum_ij P_ij ||x_i - y_j||^2 from the differences themselves: exactly 0 for units that
// agree, where squared norms less twice the product leave their rounding.
double TransportCost(const Eigen::MatrixXd& x, const Eigen::MatrixXd& y,
                     const Eigen::MatrixXd& plan) {
  double cost = 0.0;
  for (Eigen::Index j = 0; j < plan.cols(); ++j) {
    for (Eigen::Index i = 0; i < plan.rows(); ++i) {
      if (plan(i, j) > 0.0) cost += plan(i, j) * (x.col(i) - y.col(j)).squaredNorm();
    }
  }
  return cost;
}

// The smallest cost of moving x's units onto y's.
absl::StatusOr<double> SmallestCost(const Eigen::MatrixXd& x, const Eigen::MatrixXd& y) {
  Eigen::MatrixXd cost = -2.0 * TransposedProduct(x, y);
  cost.colwise() += x.colwise().squaredNorm().transpose();
  cost.rowwise() += y.colwise().squaredNorm();
  IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd plan, UniformTransport(cost));
  return TransportCost(x, y, plan);
}

class SoftMatchingDistanceMetric : public Metric {
 public:
  explicit SoftMatchingDistanceMetric(bool raw) : raw_(raw) {}

 protected:
  absl::StatusOr<MetricResult> Measure(MetricData& source,
                                       MetricData& target) const override {
    // Raw: both in units of the larger norm, so that no square overflows.
    const double largest = std::max(source.norm(), target.norm());
    const auto scaled = [&](MetricData& data) -> Eigen::MatrixXd {
      return data.centred() * (raw_ ? data.norm() / largest
                                    : std::sqrt(static_cast<double>(data.num_units())));
    };
    IAT_ASSIGN_OR_RETURN(const double cost, SmallestCost(scaled(source), scaled(target)));
    return MetricResult{std::sqrt(cost) * (raw_ ? largest : 1.0), ""};
  }

 private:
  const bool raw_;
};

// Units of norm 1, without those that never vary.
Eigen::MatrixXd Directions(MetricData& data) {
  const Eigen::MatrixXd& x = data.centred();
  std::vector<Eigen::Index> varying;
  for (Eigen::Index j = 0; j < x.cols(); ++j) {
    if ((x.col(j).array() != 0.0).any()) varying.push_back(j);
  }
  Eigen::MatrixXd directions = x(Eigen::all, varying);
  for (Eigen::Index j = 0; j < directions.cols(); ++j)
    directions.col(j).stableNormalize();
  return directions;
}

std::string LeftOut(const MetricData& data, Eigen::Index num_varying) {
  const Eigen::Index constant = data.num_units() - num_varying;
  if (constant == 0) return "";
  return absl::StrCat(data.name(), ": ", constant, " of ", data.num_units(),
                      " units never vary and are left out");
}

class SoftMatchingCorrelationMetric : public Metric {
 protected:
  absl::StatusOr<MetricResult> Measure(MetricData& source,
                                       MetricData& target) const override {
    const Eigen::MatrixXd x = Directions(source), y = Directions(target);
    IAT_ASSIGN_OR_RETURN(const double cost, SmallestCost(x, y));
    const std::string of_source = LeftOut(source, x.cols());
    const std::string of_target = LeftOut(target, y.cols());
    // ||x - y||^2 = 2 - 2 correlation.
    return MetricResult{
        1.0 - 0.5 * cost,
        absl::StrCat(of_source, of_source.empty() || of_target.empty() ? "" : "; ",
                     of_target)};
  }
};

}  // namespace

std::unique_ptr<Metric> MakeSoftMatchingDistanceMetric(const MetricOptions& options) {
  return std::make_unique<SoftMatchingDistanceMetric>(options.distance_scale == "raw");
}
std::unique_ptr<Metric> MakeSoftMatchingCorrelationMetric(const MetricOptions&) {
  return std::make_unique<SoftMatchingCorrelationMetric>();
}

}  // namespace iat
