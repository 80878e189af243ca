#include "similarity/nested_ridge.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "similarity/leave_one_out.h"
#include "similarity/linear_algebra.h"
#include "similarity/ridge.h"
#include "similarity/tridiagonal_coordinates.h"

namespace iat {
namespace {

absl::Status CheckWalk(absl::string_view what, int64_t num, int64_t least,
                       const std::vector<int64_t>& order,
                       const std::vector<int64_t>& sizes) {
  std::vector<bool> seen(num, false);
  bool once = static_cast<int64_t>(order.size()) == num;
  for (const int64_t i : order) {
    once = once && i >= 0 && i < num && !seen[i];
    if (once) seen[i] = true;
  }
  if (!once) {
    return absl::InvalidArgumentError(
        absl::StrCat("the order of ", what, " does not hold each of the ", num, " once"));
  }
  if (sizes.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("there are no sizes of ", what));
  }
  int64_t last = least - 1;
  for (const int64_t size : sizes) {
    if (size <= last || size > num) {
      return absl::InvalidArgumentError(absl::StrCat("sizes of ", what, " have ", size,
                                                     "; expected rising sizes from ",
                                                     least, " to ", num));
    }
    last = size;
  }
  return absl::OkStatus();
}

// First place in `order` at which a column leaves the value it begins with; the number
// of rows where it never does.
std::vector<int64_t> FirstChanges(const Eigen::MatrixXd& values,
                                  const std::vector<int64_t>& order) {
  std::vector<int64_t> changes(values.cols());
  for (Eigen::Index j = 0; j < values.cols(); ++j) {
    int64_t i = 0;
    while (i < static_cast<int64_t>(order.size()) &&
           values(order[i], j) == values(order[0], j)) {
      ++i;
    }
    changes[j] = i;
  }
  return changes;
}

// Choices as penalties, and how many lie at an end of the grid.
void SetChoice(const std::vector<Eigen::Index>& choice,
               const std::vector<double>& penalties, RidgePoint& point) {
  point.ridge_penalty.resize(static_cast<Eigen::Index>(choice.size()));
  for (size_t j = 0; j < choice.size(); ++j) {
    point.ridge_penalty(static_cast<Eigen::Index>(j)) = penalties[choice[j]];
    point.num_at_edge +=
        penalties.size() > 1 &&
        (choice[j] == 0 || choice[j] + 1 == static_cast<Eigen::Index>(penalties.size()));
  }
}

// solve(penalty, Z'y) of each target at its own penalty.
template <typename Solver>
Eigen::MatrixXd SolveEach(const Eigen::MatrixXd& projected,
                          const std::vector<Eigen::Index>& choice,
                          const std::vector<double>& penalties, const Solver& solve) {
  std::map<Eigen::Index, std::vector<Eigen::Index>> members;
  for (size_t j = 0; j < choice.size(); ++j) {
    members[choice[j]].push_back(static_cast<Eigen::Index>(j));
  }
  Eigen::MatrixXd coefficients(projected.rows(), projected.cols());
  for (const auto& [penalty, targets] : members) {
    coefficients(Eigen::all, targets) =
        solve(penalties[penalty], projected(Eigen::all, targets));
  }
  return coefficients;
}

// A source that never varies predicts the mean, at the first penalty of a grid of zeros.
RidgePoint MeanPoint(Eigen::Index num_test, const RidgeOptions& options,
                     const Eigen::RowVectorXd& target_mean) {
  RidgePoint point;
  point.predicted = target_mean.replicate(num_test, 1);
  SetChoice(std::vector<Eigen::Index>(target_mean.size(), 0), options.Penalties(0.0),
            point);
  return point;
}

std::vector<int64_t> FirstOf(const std::vector<int64_t>& order, int64_t size) {
  return {order.begin(), order.begin() + size};
}

std::vector<int64_t> All(int64_t size) {
  std::vector<int64_t> all(size);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

// The first `count` rows in an order, each matrix read a column at a time.
Eigen::MatrixXd FirstRows(const Eigen::MatrixXd& matrix,
                          const std::vector<int64_t>& order, int64_t count) {
  Eigen::MatrixXd rows(count, matrix.cols());
  for (Eigen::Index j = 0; j < matrix.cols(); ++j) {
    const double* from = matrix.col(j).data();
    double* to = rows.col(j).data();
    for (int64_t i = 0; i < count; ++i) to[i] = from[order[i]];
  }
  return rows;
}

template <typename Scalar>
using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;

template <typename Scalar>
Matrix<Scalar> FirstColumns(const Matrix<Scalar>& matrix,
                            const std::vector<int64_t>& order, int64_t count) {
  Matrix<Scalar> columns(matrix.rows(), count);
  for (int64_t j = 0; j < count; ++j) columns.col(j) = matrix.col(order[j]);
  return columns;
}

// A constant unit's mean is its value, without rounding.
Eigen::RowVectorXd Means(const MatrixView& values) {
  Eigen::RowVectorXd means = values.colwise().mean();
  for (Eigen::Index j = 0; j < values.cols(); ++j) {
    Eigen::Index i = 1;
    while (i < values.rows() && values(i, j) == values(0, j)) ++i;
    if (i == values.rows()) means(j) = values(0, j);
  }
  return means;
}

// (values - mean) / scale in float32.
Eigen::MatrixXf ScaleCentred(const MatrixView& values, const Eigen::RowVectorXd& mean,
                             double scale) {
  Eigen::MatrixXf scaled(values.rows(), values.cols());
  const double factor = 1.0 / scale;
  for (Eigen::Index j = 0; j < values.cols(); ++j) {
    const double* from = values.col(j).data();
    float* to = scaled.col(j).data();
    for (Eigen::Index i = 0; i < values.rows(); ++i) {
      to[i] = static_cast<float>((from[i] - mean(j)) * factor);
    }
  }
  return scaled;
}

// One deviation of the source, by a Gram matrix of it.
double Deviation(const Eigen::MatrixXd& gram, Eigen::Index num_stimuli) {
  return std::sqrt(gram.trace() / static_cast<double>(gram.rows() * num_stimuli));
}

// sum (x - c)(x - c)', sum (x - c)(y - c_y)' and what takes off the subset's own means.
class Moments {
 public:
  Moments(Eigen::Index p, Eigen::Index t)
      : lower_(Eigen::MatrixXd::Zero(p, p)),
        cross_(Eigen::MatrixXd::Zero(p, t)),
        source_sum_(Eigen::VectorXd::Zero(p)),
        target_sum_(Eigen::RowVectorXd::Zero(t)) {}

  void Add(const MatrixView& source, const MatrixView& target) {
    AddLowerGram(source, false, lower_);
    AddTransposedProduct(source, target, cross_);
    source_sum_ += source.colwise().sum().transpose();
    target_sum_ += target.colwise().sum();
    count_ += source.rows();
  }
  Eigen::MatrixXd LowerCentred() const {
    Eigen::MatrixXd gram = lower_;
    for (Eigen::Index j = 0; j < gram.cols(); ++j) {
      gram.col(j).tail(gram.rows() - j) -= source_sum_.tail(gram.rows() - j) *
                                           (source_sum_(j) / static_cast<double>(count_));
    }
    return gram;
  }
  Eigen::MatrixXd CrossCentred() const {
    return cross_ - source_sum_ * (target_sum_ / static_cast<double>(count_));
  }

 private:
  Eigen::MatrixXd lower_, cross_;
  Eigen::VectorXd source_sum_;
  Eigen::RowVectorXd target_sum_;
  Eigen::Index count_ = 0;
};

// What a unit that does not change among the first `size` stimuli has instead of
// rounding.
void LeaveOutConstantUnits(const std::vector<int64_t>& changes, int64_t size,
                           Eigen::MatrixXd& gram, Eigen::MatrixXd& cross) {
  for (Eigen::Index j = 0; j < gram.cols(); ++j) {
    if (changes[j] < size) continue;
    gram.row(j).setZero();
    gram.col(j).setZero();
    cross.row(j).setZero();
  }
}

// The lower triangle of a kernel as it would be of responses less the mean over its
// stimuli. Returns the mean of every column of what it was.
Eigen::VectorXd CentreKernel(Eigen::MatrixXd& lower) {
  const Eigen::Index n = lower.rows();
  Eigen::VectorXd mean = lower.diagonal();
  for (Eigen::Index j = 0; j < n; ++j) {
    mean(j) += lower.col(j).tail(n - 1 - j).sum();
    mean.tail(n - 1 - j) += lower.col(j).tail(n - 1 - j);
  }
  mean /= static_cast<double>(n);
  const double mean_of_means = mean.mean();
  for (Eigen::Index j = 0; j < n; ++j) {
    lower.col(j).tail(n - j).array() -=
        mean.tail(n - j).array() + (mean(j) - mean_of_means);
  }
  return mean;
}

// Whole symmetric matrix from its lower triangle.
void FillUpper(Eigen::MatrixXd& lower) {
  lower.triangularView<Eigen::StrictlyUpper>() = lower.transpose();
}

}  // namespace

absl::StatusOr<NestedRidge> NestedRidge::Make(Eigen::MatrixXd source_fit,
                                              const Eigen::MatrixXd& target_fit,
                                              Eigen::MatrixXd source_test,
                                              RidgeOptions options) {
  IAT_RETURN_IF_ERROR(options.Validate());
  IAT_RETURN_IF_ERROR(CheckResponses(source_fit, target_fit));
  IAT_RETURN_IF_ERROR(CheckNumUnits(source_test, source_fit.cols()));
  if (!source_test.allFinite()) {
    return absl::InvalidArgumentError("source has test values that are not finite");
  }
  NestedRidge ridge;
  ridge.options_ = std::move(options);
  ridge.source_ = CentreUnits(source_fit);
  ridge.target_ = CentreUnits(target_fit);
  ridge.source_test_ = std::move(source_test);
  ridge.source_test_.rowwise() -= ridge.source_.mean;
  return ridge;
}

absl::StatusOr<RidgePoint> NestedRidge::Solve(Primal subset,
                                              const TargetView& target) const {
  const Eigen::RowVectorXd target_mean = target.mean + target_.mean;
  if (!(subset.lower_gram.trace() > 0.0)) {
    return MeanPoint(source_test_.rows(), options_, target_mean);
  }
  IAT_ASSIGN_OR_RETURN(
      const TridiagonalCoordinates source,
      TridiagonalCoordinates::Make(subset.source, std::move(subset.lower_gram)));
  const std::vector<double> penalties = options_.Penalties(source.mean_eigenvalue());
  const Eigen::MatrixXd projected = TransposedProduct(source.axes(), subset.cross);
  const std::vector<Eigen::Index> choice =
      ChooseByLeaveOneOut(source, target, projected, penalties);
  RidgePoint point;
  SetChoice(choice, penalties, point);
  const Eigen::MatrixXd weights = Product(
      source.axes(),
      SolveEach(projected, choice, penalties, [&](double penalty, Eigen::MatrixXd z) {
        return source.Solve(penalty, std::move(z));
      }));
  const Eigen::RowVectorXd offset = target_mean - subset.source_mean * weights;
  point.predicted = offset.replicate(subset.source_test.rows(), 1);
  AddProduct(subset.source_test, weights, point.predicted);
  return point;
}

// A test stimulus's centred kernel is k - mean over the stimuli of k - the kernel's
// column means + a number: weights that sum to 0, as those of centred targets do, leave
// the second and the last without effect.
absl::StatusOr<RidgePoint> NestedRidge::Solve(Dual subset,
                                              const TargetView& target) const {
  const Eigen::RowVectorXd target_mean = target.mean + target_.mean;
  const Eigen::RowVectorXd kernel_mean = CentreKernel(subset.lower_kernel).transpose();
  if (!(subset.lower_kernel.trace() > 0.0)) {
    return MeanPoint(source_test_.rows(), options_, target_mean);
  }
  IAT_ASSIGN_OR_RETURN(
      const KernelCoordinates source,
      KernelCoordinates::Make(std::move(subset.lower_kernel), subset.num_units));
  const std::vector<double> penalties = options_.Penalties(source.mean_eigenvalue());
  const Eigen::MatrixXd projected =
      TransposedProduct(source.rotated(), target.values.rowwise() - target.mean);
  const std::vector<Eigen::Index> choice =
      ChooseByLeaveOneOut(source, target, projected, penalties);
  RidgePoint point;
  SetChoice(choice, penalties, point);
  Eigen::MatrixXd weights =
      Product(source.rotated(), SolveEach(projected, choice, penalties,
                                          [&](double penalty, const Eigen::MatrixXd& z) {
                                            return source.Dual(penalty, z);
                                          }));
  const Eigen::RowVectorXd weight_mean = weights.colwise().mean();
  weights.rowwise() -= weight_mean;
  const Eigen::RowVectorXd offset = target_mean - kernel_mean * weights;
  point.predicted = offset.replicate(subset.test_kernel.rows(), 1);
  AddProduct(subset.test_kernel, weights, point.predicted);
  return point;
}

absl::StatusOr<RidgePoint> NestedRidge::FitByFolds(
    const std::vector<int64_t>& stimuli, const std::vector<int64_t>& units) const {
  IAT_ASSIGN_OR_RETURN(const SourceBasis basis,
                       SourceBasis::Make(source_.values(stimuli, units)));
  IAT_ASSIGN_OR_RETURN(const RidgeFit fit,
                       FitRidge(basis, target_.values(stimuli, Eigen::all), options_));
  RidgePoint point;
  IAT_ASSIGN_OR_RETURN(point.predicted, fit.map.Predict(source_test_(Eigen::all, units)));
  point.predicted.rowwise() += target_.mean;
  point.ridge_penalty = fit.ridge_penalty;
  point.num_at_edge = fit.num_at_edge;
  return point;
}

const Eigen::MatrixXd& NestedRidge::Gram() {
  if (!gram_) {
    gram_ = LowerGram(source_.values, false);
    FillUpper(*gram_);
  }
  return *gram_;
}

const Eigen::MatrixXd& NestedRidge::Cross() {
  if (!cross_) cross_ = TransposedProduct(source_.values, target_.values);
  return *cross_;
}

const Eigen::MatrixXf& NestedRidge::Scaled() {
  if (!scaled_) {
    const double deviation = Deviation(Gram(), num_stimuli());
    if (deviation > 0.0) scale_ = deviation;
    scaled_ = ScaleCentred(source_.values, Eigen::RowVectorXd::Zero(num_units()), scale_);
  }
  return *scaled_;
}

TargetView NestedRidge::AllTargets() const {
  return {target_.values, Eigen::RowVectorXd::Zero(target_.values.cols())};
}

absl::StatusOr<const RidgePoint*> NestedRidge::Everything() {
  if (everything_) return &*everything_;
  if (num_units() <= num_stimuli()) {
    const Eigen::MatrixXf& scaled = Scaled();
    IAT_ASSIGN_OR_RETURN(everything_,
                         Solve(Primal{{scaled, scale_, [&] { return source_.values; }},
                                      Gram(),
                                      Cross(),
                                      Eigen::RowVectorXd::Zero(num_units()),
                                      source_test_},
                               AllTargets()));
  } else {
    const Eigen::MatrixXd test_kernel = Product(source_test_, source_.values.transpose());
    IAT_ASSIGN_OR_RETURN(everything_, Solve(Dual{LowerGram(source_.values, true),
                                                 test_kernel, num_units()},
                                            AllTargets()));
  }
  return &*everything_;
}

absl::Status NestedRidge::OverStimuli(const std::vector<int64_t>& order,
                                      const std::vector<int64_t>& sizes,
                                      const RidgePointVisitor& visit) {
  const Eigen::Index p = source_.values.cols(), t = target_.values.cols();
  IAT_RETURN_IF_ERROR(CheckWalk("fit stimuli", num_stimuli(), 2, order, sizes));
  const std::vector<int64_t> changes = FirstChanges(source_.values, order);
  // The largest subset that is less than everything, and the largest that is fitted in
  // the dual.
  int64_t most = 0, num_dual = 0;
  for (const int64_t size : sizes) {
    if (size == num_stimuli() || options_.selection == "kfold") continue;
    most = size;
    if (size < p) num_dual = size;
  }
  const Eigen::MatrixXd source = FirstRows(source_.values, order, most);
  const Eigen::MatrixXd target = FirstRows(target_.values, order, most);
  const MatrixView dual_source = source.topRows(num_dual);
  const Eigen::MatrixXd kernel = LowerGram(dual_source, true);
  const Eigen::MatrixXd test_kernel = Product(source_test_, dual_source.transpose());
  Moments moments(most > num_dual ? p : 0, t);
  int64_t num_added = 0;
  for (const int64_t size : sizes) {
    absl::StatusOr<RidgePoint> point;
    if (options_.selection == "kfold") {
      point = FitByFolds(FirstOf(order, size), All(num_units()));
    } else if (size == num_stimuli()) {
      IAT_ASSIGN_OR_RETURN(const RidgePoint* everything, Everything());
      point = *everything;
    } else {
      const MatrixView targets = target.topRows(size);
      const TargetView view{targets, Means(targets)};
      if (std::all_of(changes.begin(), changes.end(),
                      [&](int64_t change) { return change >= size; })) {
        point = MeanPoint(source_test_.rows(), options_, view.mean + target_.mean);
      } else if (size < p) {
        point = Solve(
            Dual{kernel.topLeftCorner(size, size), test_kernel.leftCols(size), p}, view);
      } else {
        const int64_t added = size - num_added;
        moments.Add(source.middleRows(num_added, added),
                    target.middleRows(num_added, added));
        num_added = size;
        const MatrixView values = source.topRows(size);
        const Eigen::RowVectorXd mean = Means(values);
        Eigen::MatrixXd gram = moments.LowerCentred(), cross = moments.CrossCentred();
        LeaveOutConstantUnits(changes, size, gram, cross);
        const double scale = Deviation(gram, size);
        const Eigen::MatrixXf scaled = ScaleCentred(values, mean, scale);
        const auto centred = [&]() -> Eigen::MatrixXd { return values.rowwise() - mean; };
        point = Solve(Primal{{scaled, scale, centred},
                             std::move(gram),
                             std::move(cross),
                             mean,
                             source_test_},
                      view);
      }
    }
    if (!point.ok()) return point.status();
    point->size = size;
    IAT_RETURN_IF_ERROR(visit(*point));
  }
  return absl::OkStatus();
}

absl::Status NestedRidge::OverUnits(const std::vector<int64_t>& order,
                                    const std::vector<int64_t>& sizes,
                                    const RidgePointVisitor& visit) {
  const Eigen::Index n = source_.values.rows(), num_test = source_test_.rows();
  IAT_RETURN_IF_ERROR(CheckWalk("source units", num_units(), 1, order, sizes));
  // The largest subset that is less than everything and fitted in the primal, in order.
  int64_t num_primal = 0;
  for (const int64_t size : sizes) {
    if (size < num_units() && size <= n && options_.selection != "kfold") {
      num_primal = size;
    }
  }
  Eigen::MatrixXf scaled;
  Eigen::MatrixXd gram, cross, primal_test;
  if (num_primal > 0) {
    scaled = FirstColumns(Scaled(), order, num_primal);
    gram = FirstRows(FirstColumns(Gram(), order, num_primal), order, num_primal);
    cross = FirstRows(Cross(), order, num_primal);
    primal_test = FirstColumns(source_test_, order, num_primal);
  }
  Eigen::MatrixXd kernel, test_kernel;
  int64_t num_added = 0;
  for (const int64_t size : sizes) {
    absl::StatusOr<RidgePoint> point;
    if (options_.selection == "kfold") {
      point = FitByFolds(All(n), FirstOf(order, size));
    } else if (size == num_units()) {
      IAT_ASSIGN_OR_RETURN(const RidgePoint* everything, Everything());
      point = *everything;
    } else if (size <= n) {
      const auto centred = [&] { return FirstColumns(source_.values, order, size); };
      point = Solve(Primal{{scaled, scale_, centred},
                           gram.topLeftCorner(size, size),
                           cross.topRows(size),
                           Eigen::RowVectorXd::Zero(size),
                           primal_test.leftCols(size)},
                    AllTargets());
    } else {
      if (num_added == 0) {
        kernel = Eigen::MatrixXd::Zero(n, n);
        test_kernel = Eigen::MatrixXd::Zero(num_test, n);
      }
      const std::vector<int64_t> added(order.begin() + num_added, order.begin() + size);
      const Eigen::MatrixXd block = source_.values(Eigen::all, added);
      AddLowerGram(block, true, kernel);
      AddProduct(source_test_(Eigen::all, added), block.transpose(), test_kernel);
      num_added = size;
      point = Solve(Dual{kernel, test_kernel, size}, AllTargets());
    }
    if (!point.ok()) return point.status();
    point->size = size;
    IAT_RETURN_IF_ERROR(visit(*point));
  }
  return absl::OkStatus();
}

}  // namespace iat
