#include "similarity/metric_data.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "similarity/linear_algebra.h"
#include "similarity/singular_values.h"

namespace iat {
namespace {

// Two tiles of 2 MB: the products in them run at BLAS's full speed.
constexpr Eigen::Index kTile = 512;

// Sum over pairs of tiles (first <= second) of one axis of length `size`; a pair off the
// diagonal stands for two.
template <typename Term>
double SumOverTilePairs(Eigen::Index size, Term term) {
  double sum = 0.0;
  for (Eigen::Index first = 0; first < size; first += kTile) {
    for (Eigen::Index second = first; second < size; second += kTile) {
      const double value = term(first, std::min(kTile, size - first), second,
                                std::min(kTile, size - second));
      sum += first == second ? value : 2.0 * value;
    }
  }
  return sum;
}

// A[first rows] * A[second rows]'.
void KernelTile(const Eigen::MatrixXd& a, Eigen::Index first, Eigen::Index num_first,
                Eigen::Index second, Eigen::Index num_second, Eigen::MatrixXd& tile) {
  tile.resize(num_first, num_second);
  cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, static_cast<int>(num_first),
              static_cast<int>(num_second), static_cast<int>(a.cols()), 1.0,
              a.data() + first, static_cast<int>(a.rows()), a.data() + second,
              static_cast<int>(a.rows()), 0.0, tile.data(), static_cast<int>(num_first));
}

// A[first columns]' * B[second columns].
void FeatureTile(const Eigen::MatrixXd& a, Eigen::Index first, Eigen::Index num_first,
                 const Eigen::MatrixXd& b, Eigen::Index second, Eigen::Index num_second,
                 Eigen::MatrixXd& tile) {
  tile.resize(num_first, num_second);
  MultiplyTile(true, num_first, num_second, a.rows(), a.data() + first * a.rows(),
               a.rows(), b.data() + second * b.rows(), b.rows(), tile.data(), num_first);
}

double FeatureSpace(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b) {
  Eigen::MatrixXd tile;
  if (&a == &b) {
    return SumOverTilePairs(
        a.cols(), [&](auto first, auto num_first, auto second, auto num_second) {
          FeatureTile(a, first, num_first, a, second, num_second, tile);
          return tile.squaredNorm();
        });
  }
  double sum = 0.0;
  for (Eigen::Index first = 0; first < a.cols(); first += kTile) {
    for (Eigen::Index second = 0; second < b.cols(); second += kTile) {
      FeatureTile(a, first, std::min(kTile, a.cols() - first), b, second,
                  std::min(kTile, b.cols() - second), tile);
      sum += tile.squaredNorm();
    }
  }
  return sum;
}

double KernelSpace(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b) {
  Eigen::MatrixXd of_a, of_b;
  return SumOverTilePairs(a.rows(),
                          [&](auto first, auto num_first, auto second, auto num_second) {
                            KernelTile(a, first, num_first, second, num_second, of_a);
                            if (&a == &b) return of_a.squaredNorm();
                            KernelTile(b, first, num_first, second, num_second, of_b);
                            return of_a.cwiseProduct(of_b).sum();
                          });
}

}  // namespace

absl::StatusOr<MetricData> MetricData::Make(Eigen::MatrixXd values, std::string name) {
  if (values.rows() < 2) {
    return absl::InvalidArgumentError(absl::StrCat(
        name, " has ", values.rows(), " stimuli; a metric needs at least 2"));
  }
  if (values.cols() == 0) {
    return absl::InvalidArgumentError(absl::StrCat(name, " has no units"));
  }
  if (!values.allFinite()) {
    for (Eigen::Index i = 0; i < values.rows(); ++i) {
      for (Eigen::Index j = 0; j < values.cols(); ++j) {
        if (std::isfinite(values(i, j))) continue;
        return absl::InvalidArgumentError(absl::StrCat(name, ": [", i, ", ", j, "] is ",
                                                       values(i, j),
                                                       "; expected finite responses"));
      }
    }
  }
  return MetricData(std::move(values), std::move(name));
}

const MetricData::Centred& MetricData::Centre() {
  if (centred_) return *centred_;
  Centred& c = centred_.emplace();
  // A power of two near the largest value, divided out exactly.
  int exponent = 0;
  std::frexp(values_.cwiseAbs().maxCoeff(), &exponent);
  c.values = values_ * std::ldexp(1.0, -exponent);
  for (Eigen::Index j = 0; j < c.values.cols(); ++j) {
    auto column = c.values.col(j).array();
    if (column.minCoeff() == column.maxCoeff()) {
      column.setZero();
      continue;
    }
    // Again, for units whose mean is far above their deviation.
    column -= column.mean();
    column -= column.mean();
  }
  const double norm = c.values.stableNorm();
  if (norm > 0.0) {
    c.values /= norm;
    c.norm = std::ldexp(norm, exponent);
  }
  return c;
}

const Eigen::MatrixXd& MetricData::centred() { return Centre().values; }
double MetricData::norm() { return Centre().norm; }

absl::Status MetricData::CheckVaries() {
  if (norm() > 0.0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(name_, ": none of its ", num_units(),
                                                 " units varies over the ", num_stimuli(),
                                                 " stimuli"));
}

absl::StatusOr<const ThinSvd*> MetricData::Svd() {
  if (!svd_) {
    IAT_ASSIGN_OR_RETURN(ThinSvd svd, DecomposeSingularValues(centred()));
    // Centring takes one dimension.
    const Eigen::Index rank =
        std::min(NumericalRank(svd.s, num_stimuli(), num_units()), num_stimuli() - 1);
    svd.u.conservativeResize(Eigen::NoChange, rank);
    svd.s.conservativeResize(rank);
    svd.v.conservativeResize(Eigen::NoChange, rank);
    svd_ = std::move(svd);
  }
  return &*svd_;
}

double SquaredCrossNorm(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b) {
  IAT_CHECK(a.rows() == b.rows(), "cross norm of matrices with different rows");
  const double n = static_cast<double>(a.rows());
  const double p = static_cast<double>(a.cols()), q = static_cast<double>(b.cols());
  // 2 n p q operations against n^2 (p + q).
  return 2.0 * p * q <= n * (p + q) ? FeatureSpace(a, b) : KernelSpace(a, b);
}

}  // namespace iat
