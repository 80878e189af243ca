#include "similarity/metric_data.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "similarity/singular_values.h"

namespace iat {
namespace {

// Two tiles of 2 MB: the products in them run at BLAS's full speed.
constexpr Eigen::Index kTile = 512;

// Rows (outer) or columns of A, from `first` on.
struct Slice {
  const Eigen::MatrixXd& a;
  bool outer;
  Eigen::Index first, count;

  const double* data() const { return a.data() + first * (outer ? 1 : a.rows()); }
  int depth() const { return static_cast<int>(outer ? a.cols() : a.rows()); }
  int stride() const { return static_cast<int>(a.rows()); }
};

// Products of all of x with all of y.
void Multiply(const Slice& x, const Slice& y, Eigen::MatrixXd& tile) {
  tile.resize(x.count, y.count);
  cblas_dgemm(CblasColMajor, x.outer ? CblasNoTrans : CblasTrans,
              y.outer ? CblasTrans : CblasNoTrans, static_cast<int>(x.count),
              static_cast<int>(y.count), x.depth(), 1.0, x.data(), x.stride(), y.data(),
              y.stride(), 0.0, tile.data(), static_cast<int>(x.count));
}

// Products of x with itself: the lower triangle, above it 0.
void MultiplyWithItself(const Slice& x, Eigen::MatrixXd& tile) {
  tile.setZero(x.count, x.count);
  cblas_dsyrk(CblasColMajor, CblasLower, x.outer ? CblasNoTrans : CblasTrans,
              static_cast<int>(x.count), x.depth(), 1.0, x.data(), x.stride(), 0.0,
              tile.data(), static_cast<int>(x.count));
}

// Sum of the elementwise product of the Gram matrices of a and b (kernels of the rows, or
// outer = false of the columns, where a and b are one), by tiles of their lower halves.
double GramProduct(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b, bool outer) {
  const Eigen::Index size = outer ? a.rows() : a.cols();
  Eigen::MatrixXd of_a, of_b;
  double sum = 0.0;
  for (Eigen::Index first = 0; first < size; first += kTile) {
    const Eigen::Index num_first = std::min(kTile, size - first);
    for (Eigen::Index second = 0; second <= first; second += kTile) {
      const auto fill = [&](const Eigen::MatrixXd& matrix, Eigen::MatrixXd& tile) {
        const Slice rows{matrix, outer, first, num_first};
        if (first == second) return MultiplyWithItself(rows, tile);
        Multiply(rows, {matrix, outer, second, kTile}, tile);
      };
      fill(a, of_a);
      if (&a != &b) fill(b, of_b);
      const Eigen::MatrixXd& other = &a == &b ? of_a : of_b;
      sum += 2.0 * of_a.cwiseProduct(other).sum();
      if (first == second) sum -= of_a.diagonal().dot(other.diagonal());
    }
  }
  return sum;
}

double FeatureSpace(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b) {
  if (&a == &b) return GramProduct(a, a, /*outer=*/false);
  Eigen::MatrixXd tile;
  double sum = 0.0;
  for (Eigen::Index first = 0; first < a.cols(); first += kTile) {
    for (Eigen::Index second = 0; second < b.cols(); second += kTile) {
      Multiply({a, false, first, std::min(kTile, a.cols() - first)},
               {b, false, second, std::min(kTile, b.cols() - second)}, tile);
      sum += tile.squaredNorm();
    }
  }
  return sum;
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
  return 2.0 * p * q <= n * (p + q) ? FeatureSpace(a, b)
                                    : GramProduct(a, b, /*outer=*/true);
}

}  // namespace iat
