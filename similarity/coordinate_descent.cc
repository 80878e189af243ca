#include "similarity/coordinate_descent.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "absl/status/statusor.h"
#include "similarity/linear_algebra.h"

namespace iat {
namespace {

// Sweeps of one solution. Reached only where rounding keeps steps above the tolerance.
constexpr int kMaxSweeps = 10000;
// Of G_kk: less is left of a unit by those before it where it is a combination of them.
constexpr double kSmallestPivot = 1e-10;
// Changes of a factor, as a share of its rows, that a new factor costs less than.
constexpr double kMostChanges = 0.2;
// Share of l1 by which optimality may be missed: rounding of g.
constexpr double kOptimalityTolerance = 1e-9;

// sum += the columns of `matrix` times their factors, four at a time: the sum then moves
// through the cache a quarter as often.
void AddColumns(const Eigen::MatrixXd& matrix, const std::vector<Eigen::Index>& columns,
                const Eigen::VectorXd& factors, Eigen::VectorXd& sum) {
  const size_t size = columns.size(), whole = size - size % 4;
  for (size_t i = 0; i < whole; i += 4) {
    sum += factors(i) * matrix.col(columns[i]) +
           factors(i + 1) * matrix.col(columns[i + 1]) +
           factors(i + 2) * matrix.col(columns[i + 2]) +
           factors(i + 3) * matrix.col(columns[i + 3]);
  }
  for (size_t i = whole; i < size; ++i) sum += factors(i) * matrix.col(columns[i]);
}

double SoftThreshold(double value, double by) {
  if (value > by) return value - by;
  if (value < -by) return value + by;
  return 0.0;
}

}  // namespace

UpdatedCholesky::UpdatedCholesky(const Eigen::MatrixXd& gram)
    : gram_(gram), lower_(gram.rows(), gram.cols()) {}

void UpdatedCholesky::Match(const std::vector<Eigen::Index>& coordinates, double l2) {
  const auto wanted = [&](Eigen::Index k) {
    return std::binary_search(coordinates.begin(), coordinates.end(), k);
  };
  std::vector<Eigen::Index> sorted = coordinates_, added;
  std::sort(sorted.begin(), sorted.end());
  std::set_difference(coordinates.begin(), coordinates.end(), sorted.begin(),
                      sorted.end(), std::back_inserter(added));
  const auto num_removed = std::count_if(sorted.begin(), sorted.end(),
                                         [&](Eigen::Index k) { return !wanted(k); });
  const double num_changes =
      static_cast<double>(added.size()) + static_cast<double>(num_removed);
  if (l2 != l2_ || num_changes > kMostChanges * static_cast<double>(coordinates.size())) {
    l2_ = l2;
    if (Refactor(coordinates)) return;
    coordinates_.clear();
    added = coordinates;
  }
  for (size_t row = coordinates_.size(); row-- > 0;) {
    if (!wanted(coordinates_[row])) Remove(static_cast<Eigen::Index>(row));
  }
  for (const Eigen::Index k : added) Append(k);
}

// False where a coordinate has to be left out.
bool UpdatedCholesky::Refactor(const std::vector<Eigen::Index>& coordinates) {
  const Eigen::Index size = static_cast<Eigen::Index>(coordinates.size());
  Eigen::MatrixXd system = gram_(coordinates, coordinates);
  system.diagonal().array() += l2_;
  const Eigen::VectorXd diagonal = system.diagonal();
  const absl::StatusOr<Eigen::MatrixXd> factor = Cholesky(std::move(system));
  if (!factor.ok() ||
      (factor->diagonal().array().square() < kSmallestPivot * diagonal.array()).any()) {
    return false;
  }
  lower_.topLeftCorner(size, size) = *factor;
  coordinates_ = coordinates;
  return true;
}

void UpdatedCholesky::Append(Eigen::Index coordinate) {
  const Eigen::Index size = static_cast<Eigen::Index>(coordinates_.size());
  Eigen::VectorXd row = gram_.col(coordinate)(coordinates_);
  lower_.topLeftCorner(size, size).triangularView<Eigen::Lower>().solveInPlace(row);
  const double diagonal = gram_(coordinate, coordinate) + l2_;
  const double pivot = diagonal - row.squaredNorm();
  if (!(pivot >= kSmallestPivot * diagonal)) return;
  lower_.row(size).head(size) = row.transpose();
  lower_(size, size) = std::sqrt(pivot);
  coordinates_.push_back(coordinate);
}

// Without its row the factor has one column too many: rotations of neighbouring columns
// make it triangular again.
void UpdatedCholesky::Remove(Eigen::Index row) {
  coordinates_.erase(coordinates_.begin() + row);
  const Eigen::Index size = static_cast<Eigen::Index>(coordinates_.size());
  for (Eigen::Index j = 0; j <= row; ++j) {
    for (Eigen::Index i = row; i < size; ++i) lower_(i, j) = lower_(i + 1, j);
  }
  for (Eigen::Index j = row + 1; j <= size; ++j) {
    for (Eigen::Index i = j - 1; i < size; ++i) lower_(i, j) = lower_(i + 1, j);
  }
  for (Eigen::Index j = row; j < size; ++j) {
    const double a = lower_(j, j), b = lower_(j, j + 1), length = std::hypot(a, b);
    const double cosine = a / length, sine = b / length;
    double *first = &lower_(j, j), *second = &lower_(j, j + 1);
    for (Eigen::Index i = 0; i < size - j; ++i) {
      const double x = first[i], y = second[i];
      first[i] = cosine * x + sine * y;
      second[i] = cosine * y - sine * x;
    }
  }
}

void UpdatedCholesky::Solve(Eigen::VectorXd& vector) const {
  const auto lower = lower_.topLeftCorner(vector.size(), vector.size());
  lower.triangularView<Eigen::Lower>().solveInPlace(vector);
  lower.triangularView<Eigen::Lower>().transpose().solveInPlace(vector);
}

CoordinateDescent::CoordinateDescent(const Eigen::MatrixXd& gram,
                                     Eigen::VectorXd smallest_diagonal)
    : gram_(gram), smallest_diagonal_(std::move(smallest_diagonal)), factor_(gram) {}

// The largest G_kk step^2.
double CoordinateDescent::Sweep(const std::vector<Eigen::Index>& coordinates,
                                const ElasticNetPenalty& penalty, Vector w,
                                Vector g) const {
  double largest = 0.0;
  for (const Eigen::Index k : coordinates) {
    const double diagonal = gram_(k, k);
    const double value =
        SoftThreshold(g(k) + diagonal * w(k), penalty.l1) / (diagonal + penalty.l2);
    const double step = value - w(k);
    if (step == 0.0) continue;
    w(k) = value;
    g -= step * gram_.col(k);
    largest = std::max(largest, diagonal * step * step);
  }
  return largest;
}

void CoordinateDescent::MoveTogether(const ElasticNetPenalty& penalty, Vector w,
                                     Vector g) {
  std::vector<Eigen::Index> in_use;
  for (Eigen::Index k = 0; k < w.size(); ++k) {
    if (w(k) != 0.0) in_use.push_back(k);
  }
  if (in_use.empty()) return;
  factor_.Match(in_use, penalty.l2);
  const std::vector<Eigen::Index>& moved = factor_.coordinates();
  const size_t size = moved.size();
  Eigen::VectorXd descent(size);
  for (size_t i = 0; i < size; ++i) {
    const double value = w(moved[i]);
    descent(i) = g(moved[i]) - std::copysign(penalty.l1, value) - penalty.l2 * value;
  }
  Eigen::VectorXd step = descent;
  factor_.Solve(step);
  // Along the step by a share t the objective's slope is curvature (t - 1), as long as
  // no coordinate changes its sign; from there on it is 2 l1 |step_i| more.
  const double curvature = step.dot(descent);
  std::vector<std::pair<double, size_t>> crossings;
  for (size_t i = 0; i < size; ++i) {
    const double value = w(moved[i]);
    if ((value + step(i)) * value <= 0.0) crossings.push_back({-value / step(i), i});
  }
  std::sort(crossings.begin(), crossings.end());
  double share = 1.0;
  size_t stopped = size;
  for (const auto& [crossing, i] : crossings) {
    if (crossing >= share) break;
    share = std::max(share - 2.0 * penalty.l1 * std::abs(step(i)) / curvature, crossing);
    if (share == crossing) stopped = i;
  }
  if (!(curvature > 0.0)) return;
  step *= share;
  for (size_t i = 0; i < size; ++i) {
    double& value = w(moved[i]);
    if (i == stopped) step(i) = -value;
    value = i == stopped ? 0.0 : value + step(i);
  }
  Eigen::VectorXd change = Eigen::VectorXd::Zero(w.size());
  AddColumns(gram_, moved, step, change);
  g -= change;
}

void CoordinateDescent::Solve(const ElasticNetPenalty& penalty, double previous_l1,
                              double tolerance, Vector w, Vector g) {
  const Eigen::Index p = gram_.rows();
  std::vector<bool> is_candidate(p, false);
  std::vector<Eigen::Index> candidates;
  const auto add = [&](Eigen::Index k) {
    is_candidate[k] = true;
    candidates.push_back(k);
  };
  const double strong = 2.0 * penalty.l1 - previous_l1;
  for (Eigen::Index k = 0; k < p; ++k) {
    if (w(k) != 0.0 || (Usable(k) && std::abs(g(k)) >= strong)) add(k);
  }
  for (int sweeps = 0; sweeps < kMaxSweeps;) {
    while (sweeps++ < kMaxSweeps && Sweep(candidates, penalty, w, g) > tolerance) {
      MoveTogether(penalty, w, g);
    }
    const size_t before = candidates.size();
    for (Eigen::Index k = 0; k < p; ++k) {
      if (!is_candidate[k] && Usable(k) &&
          std::abs(g(k)) > penalty.l1 * (1.0 + kOptimalityTolerance)) {
        add(k);
      }
    }
    if (candidates.size() == before) return;
  }
}

// Moves to the optimum with the signs that w has; false, and nothing moved, where that
// is not the optimum or not well determined (duplicate units).
bool CoordinateDescent::Polish(const Eigen::VectorXd& c, const ElasticNetPenalty& penalty,
                               Vector w, Vector g) const {
  std::vector<Eigen::Index> in_use;
  for (Eigen::Index k = 0; k < w.size(); ++k) {
    if (w(k) != 0.0) in_use.push_back(k);
  }
  Eigen::MatrixXd system = gram_(in_use, in_use);
  system.diagonal().array() += penalty.l2;
  const Eigen::VectorXd old = w(in_use);
  const Eigen::LLT<Eigen::MatrixXd> cholesky(system);
  if (cholesky.info() != Eigen::Success) return false;
  const Eigen::VectorXd exact =
      cholesky.solve((c(in_use).array() - penalty.l1 * old.array().sign()).matrix());
  if (!((exact.array() * old.array()) > 0.0).all()) return false;
  Eigen::VectorXd residual = c;
  for (size_t k = 0; k < in_use.size(); ++k) residual -= exact(k) * gram_.col(in_use[k]);
  for (Eigen::Index k = 0; k < w.size(); ++k) {
    if (w(k) == 0.0 && Usable(k) &&
        std::abs(residual(k)) > penalty.l1 * (1.0 + kOptimalityTolerance)) {
      return false;
    }
  }
  for (size_t k = 0; k < in_use.size(); ++k) w(in_use[k]) = exact(k);
  g = residual;
  return true;
}

void CoordinateDescent::SolveExactly(const Eigen::VectorXd& c,
                                     const ElasticNetPenalty& penalty, double previous_l1,
                                     double tolerance, Vector w, Vector g) {
  // Signs are often right long before steps are small.
  for (int attempt = 0; attempt < 8; ++attempt, tolerance *= 1e-2) {
    Solve(penalty, previous_l1, tolerance, w, g);
    if (Polish(c, penalty, w, g)) return;
  }
}

}  // namespace iat
