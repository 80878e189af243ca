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

absl::Status CheckTest(const Eigen::MatrixXd& source, const Eigen::MatrixXd& target,
                       Eigen::Index num_target_units) {
  if (source.rows() != target.rows() || source.rows() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("source has ", source.rows(), " test stimuli, target has ",
                     target.rows(), "; expected as many, and at least one"));
  }
  if (target.cols() != num_target_units) {
    return absl::InvalidArgumentError(
        absl::StrCat("target has ", num_target_units, " units on the fit stimuli and ",
                     target.cols(), " on the test stimuli"));
  }
  if (!source.allFinite()) {
    return absl::InvalidArgumentError("source has test values that are not finite");
  }
  if (!target.allFinite()) {
    return absl::InvalidArgumentError("target has test values that are not finite");
  }
  return absl::OkStatus();
}

// First row in which a column leaves the value it begins with; the number of rows where
// it never does.
std::vector<int64_t> FirstChanges(const Eigen::MatrixXd& values) {
  std::vector<int64_t> changes(values.cols());
  for (Eigen::Index j = 0; j < values.cols(); ++j) {
    int64_t i = 0;
    while (i < values.rows() && values(i, j) == values(0, j)) ++i;
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

std::vector<int64_t> FirstOf(const std::vector<int64_t>& order, int64_t size) {
  return {order.begin(), order.begin() + size};
}

std::vector<int64_t> All(int64_t size) {
  std::vector<int64_t> all(size);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

// The first `count` rows in an order, each matrix read a column at a time. While one
// column is read in that order, the next is fetched in the order of its memory, which is
// several times faster.
Eigen::MatrixXd FirstRows(const Eigen::MatrixXd& matrix,
                          const std::vector<int64_t>& order, int64_t count) {
  constexpr int64_t kGroup = 16, kLine = 8;  // rows; doubles in a line of the cache
  Eigen::MatrixXd rows(count, matrix.cols());
  if (count == 0) return rows;
  // Half as much of the nearest cache as the order itself.
  const std::vector<int32_t> places(order.begin(), order.begin() + count);
  // Of the next column, for every group of rows.
  const int64_t ahead = (matrix.rows() * kGroup / count / kLine + 1) * kLine;
  for (Eigen::Index j = 0; j < matrix.cols(); ++j) {
    const double* from = matrix.col(j).data();
    const double* next = matrix.col(std::min(j + 1, matrix.cols() - 1)).data();
    double* to = rows.col(j).data();
    int64_t fetched = 0;
    for (int64_t first = 0; first < count; first += kGroup) {
      const int64_t until = std::min<int64_t>(fetched + ahead, matrix.rows());
      for (; fetched < until; fetched += kLine) __builtin_prefetch(next + fetched);
      const int64_t last = std::min(first + kGroup, count);
      for (int64_t i = first; i < last; ++i) to[i] = from[places[i]];
    }
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

// Means of the first rows of a matrix, for rising numbers of rows: each row is read once.
class GrowingMeans {
 public:
  // `changes` of its columns. Both outlive it.
  GrowingMeans(const Eigen::MatrixXd& values, const std::vector<int64_t>& changes)
      : values_(values),
        changes_(changes),
        sum_(Eigen::RowVectorXd::Zero(values.cols())) {}

  // A constant unit's mean is its value, without rounding.
  Eigen::RowVectorXd Of(int64_t size) {
    sum_ += values_.middleRows(count_, size - count_).colwise().sum();
    count_ = size;
    Eigen::RowVectorXd means = sum_ / static_cast<double>(size);
    for (Eigen::Index j = 0; j < values_.cols(); ++j) {
      if (changes_[j] >= size) means(j) = values_(0, j);
    }
    return means;
  }

 private:
  const Eigen::MatrixXd& values_;
  const std::vector<int64_t>& changes_;
  Eigen::RowVectorXd sum_;
  int64_t count_ = 0;
};

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

// sum (x - c)(x - c)' and sum (x - c)(y - c_y)', and the same about the subset's means,
// which are given relative to c and c_y.
class Moments {
 public:
  Moments(Eigen::Index p, Eigen::Index t)
      : lower_(Eigen::MatrixXd::Zero(p, p)), cross_(Eigen::MatrixXd::Zero(p, t)) {}

  void Add(const MatrixView& source, const MatrixView& target) {
    AddLowerGram(source, false, lower_);
    AddTransposedProduct(source, target, cross_);
    count_ += static_cast<double>(source.rows());
  }
  Eigen::MatrixXd LowerCentred(const Eigen::RowVectorXd& source_mean) const {
    Eigen::MatrixXd gram = lower_;
    for (Eigen::Index j = 0; j < gram.cols(); ++j) {
      const Eigen::Index rows = gram.rows() - j;
      gram.col(j).tail(rows) -=
          (count_ * source_mean(j)) * source_mean.tail(rows).transpose();
    }
    return gram;
  }
  Eigen::MatrixXd CrossCentred(const Eigen::RowVectorXd& source_mean,
                               const Eigen::RowVectorXd& target_mean) const {
    return cross_ - (count_ * source_mean.transpose()) * target_mean;
  }

 private:
  Eigen::MatrixXd lower_, cross_;
  double count_ = 0.0;
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

absl::StatusOr<NestedRidge> NestedRidge::Make(const Eigen::MatrixXd& source_fit,
                                              const Eigen::MatrixXd& target_fit,
                                              const Eigen::MatrixXd& source_test,
                                              const Eigen::MatrixXd& target_test,
                                              RidgeOptions options,
                                              Predictions predictions) {
  IAT_RETURN_IF_ERROR(options.Validate());
  IAT_RETURN_IF_ERROR(CheckResponses(source_fit, target_fit));
  IAT_RETURN_IF_ERROR(CheckNumUnits(source_test, source_fit.cols()));
  IAT_RETURN_IF_ERROR(CheckTest(source_test, target_test, target_fit.cols()));
  return NestedRidge(
      CentreUnits(source_fit), CentreUnits(target_fit),
      LinearScores(source_test, target_test, predictions == Predictions::kKept),
      std::move(options));
}

RidgePoint NestedRidge::Scored(const Eigen::MatrixXd& fitted,
                               const Eigen::RowVectorXd& mean) const {
  const Eigen::RowVectorXd mean_residual = test_target_shift_ - mean;
  LinearScores::Scores scores = test_.Score(fitted, mean_residual);
  RidgePoint point;
  point.r2 = std::move(scores.r2);
  point.r = std::move(scores.r);
  if (test_.keeps_stimuli()) point.predicted = test_.Predictions(fitted, mean_residual);
  return point;
}

RidgePoint NestedRidge::MeanPoint(const Eigen::RowVectorXd& mean) const {
  RidgePoint point =
      Scored(Eigen::MatrixXd::Zero(test_.source().rows(), mean.size()), mean);
  SetChoice(std::vector<Eigen::Index>(mean.size(), 0), options_.Penalties(0.0), point);
  return point;
}

absl::StatusOr<RidgePoint> NestedRidge::Solve(Primal subset,
                                              const TargetView& target) const {
  if (!(subset.lower_gram.trace() > 0.0)) return MeanPoint(target.mean);
  IAT_ASSIGN_OR_RETURN(
      const TridiagonalCoordinates source,
      TridiagonalCoordinates::Make(subset.source, std::move(subset.lower_gram)));
  const std::vector<double> penalties = options_.Penalties(source.mean_eigenvalue());
  const Eigen::MatrixXd projected = TransposedProduct(source.axes(), subset.cross);
  const std::vector<Eigen::Index> choice =
      ChooseByLeaveOneOut(source, target, projected, penalties);
  Eigen::MatrixXd weights = Product(
      source.axes(),
      SolveEach(projected, choice, penalties, [&](double penalty, Eigen::MatrixXd z) {
        return source.Solve(penalty, std::move(z));
      }));
  const Eigen::RowVectorXd mean = target.mean + subset.test_shift * weights;
  Eigen::MatrixXd fitted;
  if (subset.test) {
    fitted = Eigen::MatrixXd::Zero(subset.test->rows(), weights.cols());
    AddProduct(*subset.test, weights, fitted);
  } else {
    fitted = test_.Fitted(std::move(weights));
  }
  RidgePoint point = Scored(fitted, mean);
  SetChoice(choice, penalties, point);
  return point;
}

// A test stimulus's centred kernel is k - mean over the stimuli of k - the kernel's
// column means + a number: weights that sum to 0, as those of centred targets do, leave
// the second and the last without effect. test_kernel is of centred test stimuli; what
// their mean adds is test_shift's.
absl::StatusOr<RidgePoint> NestedRidge::Solve(Dual subset,
                                              const TargetView& target) const {
  const Eigen::RowVectorXd kernel_mean = CentreKernel(subset.lower_kernel).transpose();
  if (!(subset.lower_kernel.trace() > 0.0)) return MeanPoint(target.mean);
  IAT_ASSIGN_OR_RETURN(
      const KernelCoordinates source,
      KernelCoordinates::Make(std::move(subset.lower_kernel), subset.num_units));
  const std::vector<double> penalties = options_.Penalties(source.mean_eigenvalue());
  const Eigen::MatrixXd projected =
      TransposedProduct(source.rotated(), target.values.rowwise() - target.mean);
  const std::vector<Eigen::Index> choice =
      ChooseByLeaveOneOut(source, target, projected, penalties);
  Eigen::MatrixXd weights =
      Product(source.rotated(), SolveEach(projected, choice, penalties,
                                          [&](double penalty, const Eigen::MatrixXd& z) {
                                            return source.Dual(penalty, z);
                                          }));
  const Eigen::RowVectorXd weight_mean = weights.colwise().mean();
  weights.rowwise() -= weight_mean;
  Eigen::MatrixXd fitted =
      Eigen::MatrixXd::Zero(subset.test_kernel.rows(), weights.cols());
  AddProduct(subset.test_kernel, weights, fitted);
  RidgePoint point =
      Scored(fitted, target.mean + (subset.test_shift - kernel_mean) * weights);
  SetChoice(choice, penalties, point);
  return point;
}

absl::StatusOr<RidgePoint> NestedRidge::FitByFolds(
    const std::vector<int64_t>& stimuli, const std::vector<int64_t>& units) const {
  IAT_ASSIGN_OR_RETURN(const SourceBasis basis,
                       SourceBasis::Make(source_.values(stimuli, units)));
  IAT_ASSIGN_OR_RETURN(const RidgeFit fit,
                       FitRidge(basis, target_.values(stimuli, Eigen::all), options_));
  const Eigen::MatrixXd& weights = fit.map.weights;
  RidgePoint point = Scored(
      Product(test_.source()(Eigen::all, units), weights),
      fit.map.target_mean + (test_source_shift_(units) - fit.map.source_mean) * weights);
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
                                      std::nullopt,
                                      test_source_shift_},
                               AllTargets()));
  } else {
    const Eigen::MatrixXd test_kernel = test_.Fitted(source_.values.transpose());
    IAT_ASSIGN_OR_RETURN(
        everything_, Solve(Dual{LowerGram(source_.values, true), num_units(), test_kernel,
                                test_source_shift_ * source_.values.transpose()},
                           AllTargets()));
  }
  return &*everything_;
}

absl::Status NestedRidge::OverStimuli(const std::vector<int64_t>& order,
                                      const std::vector<int64_t>& sizes,
                                      const RidgePointVisitor& visit) {
  const Eigen::Index p = source_.values.cols(), t = target_.values.cols();
  IAT_RETURN_IF_ERROR(CheckWalk("fit stimuli", num_stimuli(), 2, order, sizes));
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
  const std::vector<int64_t> changes = FirstChanges(source);
  const std::vector<int64_t> target_changes = FirstChanges(target);
  GrowingMeans source_means(source, changes), target_means(target, target_changes);
  const MatrixView dual_source = source.topRows(num_dual);
  const Eigen::MatrixXd kernel = LowerGram(dual_source, true);
  const Eigen::MatrixXd test_kernel = test_.Fitted(dual_source.transpose());
  const Eigen::RowVectorXd test_shift = test_source_shift_ * dual_source.transpose();
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
      const TargetView view{target.topRows(size), target_means.Of(size)};
      if (std::all_of(changes.begin(), changes.end(),
                      [&](int64_t change) { return change >= size; })) {
        point = MeanPoint(view.mean);
      } else if (size < p) {
        point = Solve(Dual{kernel.topLeftCorner(size, size), p,
                           test_kernel.leftCols(size), test_shift.head(size)},
                      view);
      } else {
        const int64_t added = size - num_added;
        moments.Add(source.middleRows(num_added, added),
                    target.middleRows(num_added, added));
        num_added = size;
        const MatrixView values = source.topRows(size);
        const Eigen::RowVectorXd mean = source_means.Of(size);
        Eigen::MatrixXd gram = moments.LowerCentred(mean);
        Eigen::MatrixXd cross = moments.CrossCentred(mean, view.mean);
        LeaveOutConstantUnits(changes, size, gram, cross);
        const double scale = Deviation(gram, size);
        const Eigen::MatrixXf scaled = ScaleCentred(values, mean, scale);
        const auto centred = [&]() -> Eigen::MatrixXd { return values.rowwise() - mean; };
        point = Solve(Primal{{scaled, scale, centred},
                             std::move(gram),
                             std::move(cross),
                             std::nullopt,
                             test_source_shift_ - mean},
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
  const Eigen::Index n = source_.values.rows();
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
  const Eigen::RowVectorXd shift = test_source_shift_(order);
  if (num_primal > 0) {
    scaled = FirstColumns(Scaled(), order, num_primal);
    gram = FirstRows(FirstColumns(Gram(), order, num_primal), order, num_primal);
    cross = FirstRows(Cross(), order, num_primal);
    primal_test = FirstColumns(test_.source(), order, num_primal);
  }
  Eigen::MatrixXd kernel, test_kernel;
  Eigen::RowVectorXd kernel_shift;
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
                           primal_test.leftCols(size),
                           shift.head(size)},
                    AllTargets());
    } else {
      if (num_added == 0) {
        kernel = Eigen::MatrixXd::Zero(n, n);
        test_kernel = Eigen::MatrixXd::Zero(test_.source().rows(), n);
        kernel_shift = Eigen::RowVectorXd::Zero(n);
      }
      const std::vector<int64_t> added(order.begin() + num_added, order.begin() + size);
      const Eigen::MatrixXd block = source_.values(Eigen::all, added);
      AddLowerGram(block, true, kernel);
      AddProduct(test_.source()(Eigen::all, added), block.transpose(), test_kernel);
      kernel_shift += test_source_shift_(added) * block.transpose();
      num_added = size;
      point = Solve(Dual{kernel, size, test_kernel, kernel_shift}, AllTargets());
    }
    if (!point.ok()) return point.status();
    point->size = size;
    IAT_RETURN_IF_ERROR(visit(*point));
  }
  return absl::OkStatus();
}

}  // namespace iat
