#include "similarity/tridiagonal_coordinates.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/status.h"
#include "similarity/tridiagonal.h"

namespace iat {
namespace {

// Stimuli whose leverages are worked out side by side, in as many registers as there are.
constexpr Eigen::Index kRows = 8;
using RowGroup = Eigen::Array<double, kRows, 1>;

// Adds z' (T + penalty I)^-1 z of kRows stimuli at kCount penalties. `z` holds kRows
// numbers a coordinate.
template <int kCount>
void AddLeverages(const double* z, Eigen::Index size, const TridiagonalFactor* factors,
                  RowGroup* leverage) {
  std::array<RowGroup, kCount> u, h;
  for (int l = 0; l < kCount; ++l) {
    u[l] = Eigen::Map<const RowGroup>(z);
    h[l] = u[l].square() * factors[l].inverse_pivot(0);
  }
  for (Eigen::Index k = 1; k < size; ++k) {
    const RowGroup x = Eigen::Map<const RowGroup>(z + k * kRows);
    for (int l = 0; l < kCount; ++l) {
      u[l] = x - factors[l].lower(k - 1) * u[l];
      h[l] += u[l].square() * factors[l].inverse_pivot(k);
    }
  }
  for (int l = 0; l < kCount; ++l) leverage[l] = h[l];
}

}  // namespace

absl::StatusOr<TridiagonalCoordinates> TridiagonalCoordinates::Make(
    const Eigen::MatrixXd& centred, Eigen::MatrixXd lower_gram) {
  TridiagonalCoordinates result;
  const Eigen::Index p = lower_gram.rows();
  result.mean_eigenvalue_ = lower_gram.trace() / static_cast<double>(p);
  IAT_ASSIGN_OR_RETURN(result.form_, Tridiagonalise(std::move(lower_gram)));
  result.axes_ = result.form_.Apply(false, Eigen::MatrixXd::Identity(p, p));
  result.form_.reflectors.resize(0, 0);  // as large as the axes
  result.rotated_ = Product(centred, result.axes_);
  return result;
}

Eigen::MatrixXd TridiagonalCoordinates::Project(const Eigen::MatrixXd& cross) const {
  return TransposedProduct(axes_, cross);
}

Eigen::MatrixXd TridiagonalCoordinates::Weights(
    const Eigen::MatrixXd& coefficients) const {
  return Product(axes_, coefficients);
}

Eigen::MatrixXd TridiagonalCoordinates::Solve(double penalty, Eigen::MatrixXd b) const {
  const TridiagonalFactor factor(form_, penalty);
  const Eigen::Index size = b.rows();
  if (size == 0 || b.cols() == 0) return b;
  // Targets side by side: a column at a time would wait for each multiplication.
  Eigen::MatrixXd x = b.transpose();
  for (Eigen::Index k = 1; k < size; ++k) {
    x.col(k) -= factor.lower(k - 1) * x.col(k - 1);
  }
  x.col(size - 1) *= factor.inverse_pivot(size - 1);
  for (Eigen::Index k = size - 1; k-- > 0;) {
    x.col(k) = x.col(k) * factor.inverse_pivot(k) - factor.lower(k) * x.col(k + 1);
  }
  return x.transpose();
}

Eigen::MatrixXd TridiagonalCoordinates::Freedom(
    const std::vector<double>& penalties) const {
  const Eigen::Index n = rotated_.rows(), size = rotated_.cols();
  const Eigen::Index num_penalties = static_cast<Eigen::Index>(penalties.size());
  std::vector<TridiagonalFactor> factors;
  for (const double penalty : penalties) factors.emplace_back(form_, penalty);
  Eigen::MatrixXd leverage(n, num_penalties);
  std::vector<RowGroup> group(num_penalties);
  Eigen::Array<double, kRows, Eigen::Dynamic> tile(kRows, size);
  for (Eigen::Index first = 0; first < n; first += kRows) {
    const Eigen::Index rows = std::min(kRows, n - first);
    tile.setZero();
    tile.topRows(rows) = rotated_.middleRows(first, rows).array();
    Eigen::Index l = 0;
    for (; l + 3 <= num_penalties; l += 3) {
      AddLeverages<3>(tile.data(), size, &factors[l], &group[l]);
    }
    for (; l < num_penalties; ++l) {
      AddLeverages<1>(tile.data(), size, &factors[l], &group[l]);
    }
    for (l = 0; l < num_penalties; ++l) {
      leverage.col(l).segment(first, rows) = group[l].head(rows).matrix();
    }
  }
  return (1.0 - 1.0 / static_cast<double>(n) - leverage.array()).max(kSmallestFreedom);
}

// ||y - Z b||^2 = ||y||^2 - q'b - penalty b'b, as T b = q - penalty b.
Eigen::MatrixXd TridiagonalCoordinates::TrainingErrors(
    const Eigen::RowVectorXd& total, const Eigen::MatrixXd& projected,
    const std::vector<double>& penalties) const {
  Eigen::MatrixXd training(penalties.size(), projected.cols());
  for (size_t l = 0; l < penalties.size(); ++l) {
    const Eigen::MatrixXd b = Solve(penalties[l], projected);
    training.row(static_cast<Eigen::Index>(l)) =
        total - projected.cwiseProduct(b).colwise().sum() -
        penalties[l] * b.colwise().squaredNorm();
  }
  return training.cwiseMax(0.0);
}

}  // namespace iat
