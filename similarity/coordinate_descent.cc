#include "similarity/coordinate_descent.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <utility>

namespace iat {
namespace {

// Sweeps of one solution. Reached only where rounding keeps steps above the tolerance.
constexpr int kMaxSweeps = 10000;
// Share of l1 by which optimality may be missed: rounding of g.
constexpr double kOptimalityTolerance = 1e-9;

double SoftThreshold(double value, double by) {
  if (value > by) return value - by;
  if (value < -by) return value + by;
  return 0.0;
}

}  // namespace

CoordinateDescent::CoordinateDescent(const Eigen::MatrixXd& gram,
                                     Eigen::VectorXd smallest_diagonal)
    : gram_(gram), smallest_diagonal_(std::move(smallest_diagonal)) {}

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
      std::vector<Eigen::Index> in_use;
      for (const Eigen::Index k : candidates) {
        if (w(k) != 0.0) in_use.push_back(k);
      }
      while (sweeps++ < kMaxSweeps && Sweep(in_use, penalty, w, g) > tolerance) {
      }
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
