// One animal's responses as metrics read them, with what several metrics and several
// partners need of them, made when first asked for.
//
//   centred = (X - mean) / norm,   norm = ||X - mean||_F
//
// Shapes   X: stimuli x units (n x p).
// Scale    Divided by their Frobenius norm, responses of any scale from 1e-150 to 1e150
//          give the same metric; norm() gives the scale back.
// Constant A unit whose largest and smallest value are equal is exactly 0 in centred().
//
// Example:
//   auto source = MetricData::Make(x, "source"), target = MetricData::Make(y, "target");
//   auto metric = MakeMetric("cka", {});
//   auto value = (*metric)->Compare(*source, *target);

#ifndef IAT_SIMILARITY_METRIC_DATA_H_
#define IAT_SIMILARITY_METRIC_DATA_H_

#include <Eigen/Core>
#include <any>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <typeindex>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "similarity/dense_solvers.h"

namespace iat {

// For one thread.
class MetricData {
 public:
  // `name` stands for the responses in messages: "source", or a file. InvalidArgument:
  // fewer than 2 stimuli, no units, or values that are not finite (naming the first).
  static absl::StatusOr<MetricData> Make(Eigen::MatrixXd values, std::string name);

  const Eigen::MatrixXd& values() const { return values_; }
  const std::string& name() const { return name_; }
  Eigen::Index num_stimuli() const { return values_.rows(); }
  Eigen::Index num_units() const { return values_.cols(); }

  const Eigen::MatrixXd& centred();
  double norm();
  // InvalidArgument when no unit varies, so that norm() is 0.
  absl::Status CheckVaries();
  // Of centred(), the numerical rank's directions only (at most n - 1).
  absl::StatusOr<const ThinSvd*> Svd();

  // The part of type T, made by `make` (returning T) the first time.
  template <typename T, typename Make>
  const T& Shared(Make make) {
    std::any& slot = shared_[std::type_index(typeid(T))];
    if (!slot.has_value()) slot = std::make_shared<const T>(make());
    return *std::any_cast<const std::shared_ptr<const T>&>(slot);
  }

 private:
  struct Centred {
    Eigen::MatrixXd values;
    double norm = 0.0;
  };
  MetricData(Eigen::MatrixXd values, std::string name)
      : values_(std::move(values)), name_(std::move(name)) {}
  const Centred& Centre();

  Eigen::MatrixXd values_;
  std::string name_;
  std::optional<Centred> centred_;
  std::optional<ThinSvd> svd_;
  std::map<std::type_index, std::any> shared_;
};

// ||A'B||_F^2, which is also trace(AA' BB'), for A: n x p and B: n x q: in feature space
// (p x q) or in kernel space (n x n), whichever takes fewer operations, in tiles that are
// never all in memory.
double SquaredCrossNorm(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b);

}  // namespace iat

#endif  // IAT_SIMILARITY_METRIC_DATA_H_
