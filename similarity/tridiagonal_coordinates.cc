#include "similarity/tridiagonal_coordinates.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/status.h"
#include "similarity/block_products.h"
#include "similarity/tridiagonal.h"

namespace iat {
namespace {

// Stimuli whose leverages are worked out side by side, in as many registers as there are.
constexpr Eigen::Index kRows = 8;
using RowGroup = Eigen::Array<double, kRows, 1>;

// Stimuli that are rotated to float32 at a time, in columns that do not all fall on the
// same cache lines.
constexpr Eigen::Index kTile = 256;
constexpr Eigen::Index kStride = kTile + TridiagonalLeverages::kRowMultiple;

// What 1 - h keeps at least wherever leverages come from float32, whose rounding leaves
// them uncertain by some 1e-6.
constexpr double kSmallestFloatFreedom = 0.05;

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

std::vector<TridiagonalFactor> Factors(const Tridiagonal& form,
                                       const std::vector<double>& penalties) {
  std::vector<TridiagonalFactor> factors;
  factors.reserve(penalties.size());
  for (const double penalty : penalties) factors.emplace_back(form, penalty);
  return factors;
}

// z_i' (T + penalty I)^-1 z_i: rows of Z x penalties.
Eigen::MatrixXd Leverages(const std::vector<TridiagonalFactor>& factors,
                          const Eigen::MatrixXd& rotated) {
  const Eigen::Index n = rotated.rows(), size = rotated.cols();
  const Eigen::Index num_penalties = static_cast<Eigen::Index>(factors.size());
  Eigen::MatrixXd leverage(n, num_penalties);
  std::vector<RowGroup> group(num_penalties);
  Eigen::Array<double, kRows, Eigen::Dynamic> tile(kRows, size);
  for (Eigen::Index first = 0; first < n; first += kRows) {
    const Eigen::Index rows = std::min(kRows, n - first);
    tile.setZero();
    tile.topRows(rows) = rotated.middleRows(first, rows).array();
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
  return leverage;
}

}  // namespace

absl::StatusOr<TridiagonalCoordinates> TridiagonalCoordinates::Make(
    Source source, Eigen::MatrixXd lower_gram) {
  TridiagonalCoordinates result(std::move(source));
  result.mean_eigenvalue_ = lower_gram.trace() / static_cast<double>(lower_gram.rows());
  IAT_ASSIGN_OR_RETURN(result.form_, Tridiagonalise(std::move(lower_gram)));
  result.axes_ = Axes(result.form_);
  result.form_.reflectors.resize(0, 0);  // as large as the axes
  return result;
}

const Eigen::MatrixXd& TridiagonalCoordinates::rotated() const {
  if (!rotated_) rotated_ = Product(source_.centred(), axes_);
  return *rotated_;
}

Eigen::MatrixXd TridiagonalCoordinates::Solve(double penalty,
                                              Eigen::MatrixXd projected) const {
  return SolveColumns(TridiagonalFactor(form_, penalty), projected);
}

Eigen::MatrixXd TridiagonalCoordinates::Freedom(
    const std::vector<double>& penalties) const {
  const Eigen::MatrixXd leverage = Leverages(Factors(form_, penalties), rotated());
  return (1.0 - 1.0 / static_cast<double>(leverage.rows()) - leverage.array())
      .max(kSmallestFreedom);
}

// ||y - Z b||^2 = ||y||^2 - q'b - penalty b'b, as T b = q - penalty b.
Eigen::MatrixXd TridiagonalCoordinates::TrainingErrors(
    const Eigen::RowVectorXd& total, const Eigen::MatrixXd& projected,
    const std::vector<double>& penalties) const {
  const TridiagonalForms forms = QuadraticForms(Factors(form_, penalties), projected);
  const Eigen::Map<const Eigen::VectorXd> penalty(
      penalties.data(), static_cast<Eigen::Index>(penalties.size()));
  Eigen::MatrixXd training = -forms.once - penalty.asDiagonal() * forms.twice;
  training.rowwise() += total;
  return training.cwiseMax(0.0);
}

FloatCoordinates TridiagonalCoordinates::InFloat(
    double scale, const std::vector<double>& penalties) const {
  const Eigen::Index n = source_.scaled.rows(), size = axes_.rows();
  const Eigen::Index num_penalties = static_cast<Eigen::Index>(penalties.size());
  const Eigen::MatrixXf axes = (axes_ * (source_.scale / scale)).cast<float>();
  Tridiagonal form;
  form.diagonal = form_.diagonal / (scale * scale);
  form.off_diagonal = form_.off_diagonal / (scale * scale);
  std::vector<double> scaled_penalties = penalties;
  for (double& penalty : scaled_penalties) penalty /= scale * scale;
  const TridiagonalLeverages leverages(Factors(form, scaled_penalties));

  FloatCoordinates result;
  result.rotated.resize(n, size);
  Eigen::MatrixXd freedom(n, num_penalties);
  Eigen::MatrixXf tile = Eigen::MatrixXf::Zero(kStride, size);
  Eigen::MatrixXf leverage(kTile, num_penalties);
  for (Eigen::Index first = 0; first < n; first += kTile) {
    const Eigen::Index rows = std::min(kTile, n - first);
    MultiplyTile(false, rows, size, size, source_.scaled.data() + first, n, axes.data(),
                 size, tile.data(), kStride);
    leverages.Compute(kTile, tile.data(), kStride, leverage.data());
    result.rotated.middleRows(first, rows) = tile.topRows(rows);
    freedom.middleRows(first, rows) = leverage.topRows(rows).cast<double>();
  }
  freedom = 1.0 - 1.0 / static_cast<double>(n) - freedom.array();
  if (freedom.minCoeff() > kSmallestFloatFreedom) result.freedom = std::move(freedom);
  return result;
}

// The constant direction, which centred responses do not have, would take 1/n of what
// 1 - h is left: an eigenvalue of its own keeps that from cancelling.
absl::StatusOr<KernelCoordinates> KernelCoordinates::Make(Eigen::MatrixXd lower_kernel,
                                                          Eigen::Index num_units) {
  KernelCoordinates result;
  const double n = static_cast<double>(lower_kernel.rows()), trace = lower_kernel.trace();
  result.mean_eigenvalue_ = trace / static_cast<double>(num_units);
  result.constant_eigenvalue_ = trace / n;
  lower_kernel.array() += result.constant_eigenvalue_ / n;
  IAT_ASSIGN_OR_RETURN(result.form_, Tridiagonalise(std::move(lower_kernel)));
  result.axes_ = Axes(result.form_);
  result.form_.reflectors.resize(0, 0);
  return result;
}

Eigen::MatrixXd KernelCoordinates::Solve(double penalty,
                                         Eigen::MatrixXd projected) const {
  projected -= penalty * Dual(penalty, projected);
  return projected;
}

Eigen::MatrixXd KernelCoordinates::Dual(double penalty,
                                        const Eigen::MatrixXd& projected) const {
  return SolveColumns(TridiagonalFactor(form_, penalty), projected);
}

Eigen::MatrixXd KernelCoordinates::Freedom(const std::vector<double>& penalties) const {
  Eigen::MatrixXd freedom = Leverages(Factors(form_, penalties), axes_);
  for (Eigen::Index l = 0; l < freedom.cols(); ++l) {
    const double constant = 1.0 / ((constant_eigenvalue_ + penalties[l]) *
                                   static_cast<double>(freedom.rows()));
    freedom.col(l) = (penalties[l] * (freedom.col(l).array() - constant))
                         .max(kSmallestFreedom)
                         .matrix();
  }
  return freedom;
}

Eigen::MatrixXd KernelCoordinates::TrainingErrors(
    const Eigen::RowVectorXd&, const Eigen::MatrixXd& projected,
    const std::vector<double>& penalties) const {
  Eigen::MatrixXd training = QuadraticForms(Factors(form_, penalties), projected).twice;
  for (size_t l = 0; l < penalties.size(); ++l) {
    training.row(static_cast<Eigen::Index>(l)) *= penalties[l] * penalties[l];
  }
  return training;
}

}  // namespace iat
