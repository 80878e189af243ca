#include "similarity/nested_ridge.h"

#include <algorithm>
#include <limits>
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

// (Z'Z + penalty I)^-1 Z'y of each target at its own penalty.
Eigen::MatrixXd Coefficients(const RidgeCoordinates& source,
                             const Eigen::MatrixXd& projected,
                             const std::vector<Eigen::Index>& choice,
                             const std::vector<double>& penalties) {
  std::map<Eigen::Index, std::vector<Eigen::Index>> members;
  for (size_t j = 0; j < choice.size(); ++j) {
    members[choice[j]].push_back(static_cast<Eigen::Index>(j));
  }
  Eigen::MatrixXd coefficients(projected.rows(), projected.cols());
  for (const auto& [penalty, targets] : members) {
    coefficients(Eigen::all, targets) =
        source.Solve(penalties[penalty], projected(Eigen::all, targets));
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

void AddProduct(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b,
                Eigen::MatrixXd& sum) {
  const Eigen::MatrixXd product = Product(a, b);
  sum += product;
}

// sum (x - c)(x - c)', sum (x - c)(y - c_y)' and what takes off the subset's own means.
class Moments {
 public:
  Moments(Eigen::Index p, Eigen::Index t)
      : lower_(Eigen::MatrixXd::Zero(p, p)),
        cross_(Eigen::MatrixXd::Zero(p, t)),
        source_sum_(Eigen::VectorXd::Zero(p)),
        target_sum_(Eigen::RowVectorXd::Zero(t)) {}

  void Add(const Eigen::MatrixXd& source, const Eigen::MatrixXd& target) {
    lower_ += LowerGram(source, false);
    cross_ += TransposedProduct(source, target);
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

// Both kernels as they would be of responses less the mean over the fit stimuli.
void CentreKernels(Eigen::MatrixXd& kernel, Eigen::MatrixXd& test_kernel) {
  const Eigen::RowVectorXd mean = kernel.colwise().mean();
  const Eigen::VectorXd test_mean = test_kernel.rowwise().mean();
  kernel.rowwise() -= mean;
  kernel.colwise() -= mean.transpose();
  kernel.array() += mean.mean();
  test_kernel.colwise() -= test_mean;
  test_kernel.rowwise() -= mean;
  test_kernel.array() += mean.mean();
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
                                              const CentredUnits& target) const {
  IAT_ASSIGN_OR_RETURN(
      const TridiagonalCoordinates source,
      TridiagonalCoordinates::Make(subset.source, std::move(subset.lower_gram)));
  if (!(source.mean_eigenvalue() > 0.0)) {
    return MeanPoint(source_test_.rows(), options_, target.mean);
  }
  const std::vector<double> penalties = options_.Penalties(source.mean_eigenvalue());
  const Eigen::MatrixXd projected = source.Project(subset.cross);
  const std::vector<Eigen::Index> choice =
      ChooseByLeaveOneOut(source, target.values, projected, penalties);
  RidgePoint point;
  SetChoice(choice, penalties, point);
  point.predicted =
      Product(subset.source_test,
              source.Weights(Coefficients(source, projected, choice, penalties)));
  point.predicted.rowwise() += target.mean;
  return point;
}

// With K = U diag(s) U' the coordinates are Z = U diag(s)^1/2, and a test stimulus's are
// its row of the test kernel times U diag(s)^-1/2.
absl::StatusOr<RidgePoint> NestedRidge::Solve(Dual subset,
                                              const CentredUnits& target) const {
  const double mean_eigenvalue =
      subset.lower_kernel.trace() / static_cast<double>(subset.num_units);
  if (!(mean_eigenvalue > 0.0)) {
    return MeanPoint(source_test_.rows(), options_, target.mean);
  }
  IAT_ASSIGN_OR_RETURN(const SymmetricEigen eigen,
                       Eigendecompose(std::move(subset.lower_kernel)));
  const Eigen::Index n = eigen.values.size();
  const double floor = std::numeric_limits<double>::epsilon() * eigen.values(n - 1);
  Eigen::Index rank = 0;
  while (rank < n && eigen.values(n - 1 - rank) > floor) ++rank;
  const Eigen::VectorXd eigenvalues = eigen.values.tail(rank);
  const Eigen::VectorXd root = eigenvalues.cwiseSqrt();
  const Eigen::MatrixXd rotated = eigen.vectors.rightCols(rank) * root.asDiagonal();
  const PrincipalCoordinates source(rotated, eigenvalues, mean_eigenvalue);
  const std::vector<double> penalties = options_.Penalties(mean_eigenvalue);
  const Eigen::MatrixXd projected = TransposedProduct(rotated, target.values);
  const std::vector<Eigen::Index> choice =
      ChooseByLeaveOneOut(source, target.values, projected, penalties);
  RidgePoint point;
  SetChoice(choice, penalties, point);
  const Eigen::MatrixXd coefficients = root.cwiseInverse().asDiagonal() *
                                       Coefficients(source, projected, choice, penalties);
  point.predicted =
      Product(subset.test_kernel, Product(eigen.vectors.rightCols(rank), coefficients));
  point.predicted.rowwise() += target.mean;
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

absl::StatusOr<const RidgePoint*> NestedRidge::Everything() {
  if (everything_) return &*everything_;
  if (num_units() <= num_stimuli()) {
    IAT_ASSIGN_OR_RETURN(
        everything_,
        Solve(Primal{source_.values, Gram(), Cross(), source_test_}, target_));
  } else {
    IAT_ASSIGN_OR_RETURN(
        everything_,
        Solve(Dual{LowerGram(source_.values, true),
                   Product(source_test_, source_.values.transpose()), num_units()},
              target_));
  }
  return &*everything_;
}

absl::Status NestedRidge::OverStimuli(const std::vector<int64_t>& order,
                                      const std::vector<int64_t>& sizes,
                                      const RidgePointVisitor& visit) {
  const Eigen::Index p = source_.values.cols(), t = target_.values.cols();
  IAT_RETURN_IF_ERROR(CheckWalk("fit stimuli", num_stimuli(), 2, order, sizes));
  const std::vector<int64_t> changes = FirstChanges(source_.values, order);
  // The largest subset that is fitted in the dual, and its kernels.
  int64_t num_dual = 0;
  for (const int64_t size : sizes) {
    if (size < p && size < num_stimuli()) num_dual = size;
  }
  Eigen::MatrixXd kernel, test_kernel;
  if (num_dual > 0 && options_.selection != "kfold") {
    const Eigen::MatrixXd rows = source_.values(FirstOf(order, num_dual), Eigen::all);
    kernel = LowerGram(rows, true);
    FillUpper(kernel);
    test_kernel = Product(source_test_, rows.transpose());
  }
  Moments moments(num_dual < sizes.back() ? p : 0, t);
  int64_t num_added = 0;
  for (const int64_t size : sizes) {
    const std::vector<int64_t> rows = FirstOf(order, size);
    absl::StatusOr<RidgePoint> point;
    if (options_.selection == "kfold") {
      point = FitByFolds(rows, All(num_units()));
    } else if (size == num_stimuli()) {
      IAT_ASSIGN_OR_RETURN(const RidgePoint* everything, Everything());
      point = *everything;
    } else {
      CentredUnits target = CentreUnits(target_.values(rows, Eigen::all));
      if (std::all_of(changes.begin(), changes.end(),
                      [&](int64_t change) { return change >= size; })) {
        point = MeanPoint(source_test_.rows(), options_, target.mean);
      } else if (size < p) {
        Dual subset{kernel.topLeftCorner(size, size), test_kernel.leftCols(size), p};
        CentreKernels(subset.lower_kernel, subset.test_kernel);
        point = Solve(std::move(subset), target);
      } else {
        const std::vector<int64_t> added(order.begin() + num_added, order.begin() + size);
        moments.Add(source_.values(added, Eigen::all), target_.values(added, Eigen::all));
        num_added = size;
        CentredUnits source = CentreUnits(source_.values(rows, Eigen::all));
        Primal subset{std::move(source.values), moments.LowerCentred(),
                      moments.CrossCentred(), source_test_.rowwise() - source.mean};
        LeaveOutConstantUnits(changes, size, subset.lower_gram, subset.cross);
        point = Solve(std::move(subset), target);
      }
      if (point.ok()) point->predicted.rowwise() += target_.mean;
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
  Eigen::MatrixXd kernel, test_kernel;
  int64_t num_added = 0;
  for (const int64_t size : sizes) {
    const std::vector<int64_t> units = FirstOf(order, size);
    absl::StatusOr<RidgePoint> point;
    if (options_.selection == "kfold") {
      point = FitByFolds(All(n), units);
    } else if (size == num_units()) {
      IAT_ASSIGN_OR_RETURN(const RidgePoint* everything, Everything());
      point = *everything;
    } else if (size <= n) {
      point = Solve(Primal{source_.values(Eigen::all, units), Gram()(units, units),
                           Cross()(units, Eigen::all), source_test_(Eigen::all, units)},
                    target_);
    } else {
      if (num_added == 0) {
        kernel = Eigen::MatrixXd::Zero(n, n);
        test_kernel = Eigen::MatrixXd::Zero(num_test, n);
      }
      const std::vector<int64_t> added(order.begin() + num_added, order.begin() + size);
      const Eigen::MatrixXd block = source_.values(Eigen::all, added);
      kernel += LowerGram(block, true);
      AddProduct(source_test_(Eigen::all, added), block.transpose(), test_kernel);
      num_added = size;
      point = Solve(Dual{kernel, test_kernel, size}, target_);
    }
    if (!point.ok()) return point.status();
    point->size = size;
    IAT_RETURN_IF_ERROR(visit(*point));
  }
  return absl::OkStatus();
}

}  // namespace iat
