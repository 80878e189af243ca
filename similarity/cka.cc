#include "similarity/cka.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace iat {
namespace {

// Below this share of <K, K>, its debiased value is rounding.
constexpr double kRounding = 1e-12;

// What CKA needs of one animal.
struct Alignment {
  double with_itself = 0.0;  // <K, K>
  Eigen::VectorXd diagonal;  // of K; sums to 1
};

const Alignment& AlignmentOf(MetricData& data) {
  return data.Shared<Alignment>([&] {
    const Eigen::MatrixXd& x = data.centred();
    return Alignment{SquaredCrossNorm(x, x), x.rowwise().squaredNorm()};
  });
}

// Both traces are 1.
double Debias(double product, const Eigen::VectorXd& k, const Eigen::VectorXd& l) {
  const double n = static_cast<double>(k.size());
  return product - n / (n - 2.0) * k.dot(l) + 1.0 / ((n - 1.0) * (n - 2.0));
}

class CkaMetric : public Metric {
 public:
  explicit CkaMetric(bool debiased) : debiased_(debiased) {}

 protected:
  absl::StatusOr<MetricResult> Measure(MetricData& source,
                                       MetricData& target) const override {
    const Alignment& k = AlignmentOf(source);
    const Alignment& l = AlignmentOf(target);
    double cross = SquaredCrossNorm(source.centred(), target.centred());
    if (!debiased_) {
      return MetricResult{cross / std::sqrt(k.with_itself * l.with_itself), ""};
    }
    if (source.num_stimuli() < 4) {
      return absl::InvalidArgumentError(
          absl::StrCat("cka_debiased needs at least 4 stimuli; ", source.name(), " has ",
                       source.num_stimuli()));
    }
    cross = Debias(cross, k.diagonal, l.diagonal);
    IAT_ASSIGN_OR_RETURN(const double of_source, Own(source, k));
    IAT_ASSIGN_OR_RETURN(const double of_target, Own(target, l));
    return MetricResult{cross / std::sqrt(of_source * of_target), ""};
  }

 private:
  static absl::StatusOr<double> Own(const MetricData& data, const Alignment& alignment) {
    const double own =
        Debias(alignment.with_itself, alignment.diagonal, alignment.diagonal);
    if (own > kRounding * alignment.with_itself) return own;
    return absl::InvalidArgumentError(
        absl::StrCat(data.name(),
                     ": all pairs of stimuli are equally alike, so that "
                     "cka_debiased is not defined"));
  }

  const bool debiased_;
};

}  // namespace

std::unique_ptr<Metric> MakeCkaMetric(const MetricOptions&) {
  return std::make_unique<CkaMetric>(/*debiased=*/false);
}
std::unique_ptr<Metric> MakeCkaDebiasedMetric(const MetricOptions&) {
  return std::make_unique<CkaMetric>(/*debiased=*/true);
}

}  // namespace iat
