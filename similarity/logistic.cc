#include "similarity/logistic.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "base/status.h"
#include "similarity/linear_algebra.h"

namespace iat {
namespace {

constexpr size_t kHistory = 10;
constexpr int kMaxEvaluations = 2000;
constexpr double kSufficientDecrease = 1e-4;
constexpr double kSmallestStep = 1e-8;

struct Tolerances {
  double decrement;  // of g' M^-1 g / 2 a stimulus, where to stop
  double rounding;   // of the loss, relative
};
Tolerances TolerancesOf(LogisticBatch::Precision precision) {
  switch (precision) {
    case LogisticBatch::Precision::kFast:
      return {1e-6, 1e-6};
    case LogisticBatch::Precision::kFastFinal:
      return {1e-11, 1e-6};
    case LogisticBatch::Precision::kExact:
      break;
  }
  return {1e-16, 1e-14};
}

// Replaces margins by the gradient of the loss with respect to them, in place;
// classes c, u = c * margin:
//   loss = max(-u, 0) + log(1 + e),  e = exp(-|u|)
//   d loss / d margin = -c sigmoid(-u)
// log(1 + e) is summed as the log of a product: factors lie in [1, 2], and 32 of
// them fit a float.
template <typename Scalar>
void LossPass(const float* classes, Scalar* margins, double& loss, double& curvature) {
  constexpr int kLanes = 8;
  using Lanes = Eigen::Array<Scalar, kLanes, 1>;
  static_assert(LogisticDesign::kTileRows % kLanes == 0);
  static_assert(LogisticDesign::kTileRows / kLanes <= 64);
  Lanes hinge = Lanes::Zero(), product = Lanes::Ones(), variance = Lanes::Zero();
  for (Eigen::Index i = 0; i < LogisticDesign::kTileRows; i += kLanes) {
    Eigen::Map<Lanes> margin(margins + i);
    const Lanes c = Eigen::Map<const Eigen::Array<float, kLanes, 1>>(classes + i)
                        .template cast<Scalar>();
    const Lanes u = c * margin;
    const Lanes e = (-u.abs()).exp();
    const Lanes one_plus = e + Scalar(1);
    const Lanes q = e / one_plus;
    hinge += (-u).max(Scalar(0));
    product *= one_plus;
    variance += q * (Scalar(1) - q);
    margin = -c * (u >= Scalar(0)).select(q, Scalar(1) - q);
  }
  loss += static_cast<double>(hinge.sum()) + product.template cast<double>().log().sum();
  curvature += static_cast<double>(variance.sum());
}

}  // namespace

LogisticDesign::LogisticDesign(const SourceBasis& basis)
    : num_stimuli_(basis.num_stimuli()),
      num_tiles_((basis.num_stimuli() + kTileRows - 1) / kTileRows) {
  const Eigen::Index r = basis.rank(), size = r + 1;
  curvature_.resize(size);
  curvature_.head(r) = basis.eigenvalues().array() / static_cast<double>(num_stimuli_);
  curvature_(r) = 1.0;
  exact_ = Eigen::MatrixXd::Zero(kTileRows, num_tiles_ * size);
  for (Eigen::Index tile = 0; tile < num_tiles_; ++tile) {
    const Eigen::Index first = tile * kTileRows;
    const Eigen::Index rows = std::min(kTileRows, num_stimuli_ - first);
    exact_.block(0, tile * size, rows, r) = basis.rotated().middleRows(first, rows);
    exact_.block(0, tile * size + r, rows, 1).setOnes();
  }
  fast_ = exact_.cast<float>();
}

template <>
const float* LogisticDesign::tile<float>(Eigen::Index index) const {
  return fast_.data() + index * kTileRows * num_coefficients();
}
template <>
const double* LogisticDesign::tile<double>(Eigen::Index index) const {
  return exact_.data() + index * kTileRows * num_coefficients();
}

LogisticBatch::LogisticBatch(const LogisticDesign& design, const Eigen::MatrixXf& classes)
    : design_(design), columns_(classes.cols()) {
  IAT_CHECK(classes.rows() == design.num_stimuli(), "classes of other stimuli");
  const Eigen::Index padded = design.num_tiles() * LogisticDesign::kTileRows;
  classes_ = Eigen::MatrixXf::Zero(padded, classes.cols());
  classes_.topRows(classes.rows()) = classes;
  for (Eigen::Index j = 0; j < classes.cols(); ++j) {
    const double active = static_cast<double>((classes.col(j).array() > 0).count());
    const double inactive = static_cast<double>((classes.col(j).array() < 0).count());
    IAT_CHECK(active > 0 && inactive > 0, "a logistic regression needs both classes");
    Column& column = columns_[j];
    column.num_left_out = static_cast<double>(padded) - active - inactive;
    column.x = Eigen::VectorXd::Zero(design.num_coefficients());
    column.x(column.x.size() - 1) = std::log(active / inactive);
  }
}

void LogisticBatch::SetCoefficients(Eigen::Index column,
                                    const Eigen::VectorXd& coefficients) {
  columns_[column].x = coefficients;
  columns_[column].evaluated = false;
}

template <typename Scalar>
void LogisticBatch::Evaluate(const std::vector<Eigen::Index>& columns,
                             const Eigen::MatrixXd& points, Eigen::VectorXd& losses,
                             Eigen::VectorXd& curvatures,
                             Eigen::MatrixXd& gradients) const {
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic>;
  constexpr Eigen::Index kRows = LogisticDesign::kTileRows;
  const Eigen::Index size = design_.num_coefficients();
  const Eigen::Index m = static_cast<Eigen::Index>(columns.size());
  const Matrix point = points.cast<Scalar>();
  Matrix margins(kRows, m), part(size, m);
  losses = Eigen::VectorXd::Zero(m);
  curvatures = Eigen::VectorXd::Zero(m);
  gradients = Eigen::MatrixXd::Zero(size, m);
  for (Eigen::Index tile = 0; tile < design_.num_tiles(); ++tile) {
    const Scalar* z = design_.tile<Scalar>(tile);
    MultiplyTile(false, kRows, m, size, z, kRows, point.data(), size, margins.data(),
                 kRows);
    for (Eigen::Index j = 0; j < m; ++j) {
      LossPass(classes_.col(columns[j]).data() + tile * kRows, margins.col(j).data(),
               losses(j), curvatures(j));
    }
    MultiplyTile(true, size, m, kRows, z, kRows, margins.data(), kRows, part.data(),
                 size);
    gradients += part.template cast<double>();
  }
  for (Eigen::Index j = 0; j < m; ++j) {
    // What is left out has margin 0 in LossPass.
    const double left_out = columns_[columns[j]].num_left_out;
    losses(j) -= left_out * std::numbers::ln2;
    curvatures(j) -= left_out * 0.25;
  }
}

Eigen::ArrayXd LogisticBatch::InversePreconditioner(const Column& column) const {
  // A separated class has no curvature left; the floor keeps the intercept finite.
  const double floor = 1e-6 * static_cast<double>(design_.num_stimuli());
  Eigen::ArrayXd diagonal = std::max(column.curvature, floor) * design_.curvature();
  diagonal.head(diagonal.size() - 1) += 2.0 * column.penalty;
  return diagonal.inverse();
}

void LogisticBatch::SetPenalty(Column& column, double penalty) const {
  const Eigen::Index r = column.x.size() - 1;
  for (Pair& pair : column.pairs) {
    pair.change.head(r) += 2.0 * (penalty - column.penalty) * pair.step.head(r);
    pair.inverse_product = 1.0 / pair.step.dot(pair.change);
  }
  // A lower penalty may leave a pair that was measured in float32 without positive
  // curvature.
  std::erase_if(column.pairs, [](const Pair& pair) {
    return !(pair.inverse_product > 0.0) || !std::isfinite(pair.inverse_product);
  });
  column.penalty = penalty;
}

void LogisticBatch::SetDirection(Column& column) const {
  const Eigen::ArrayXd preconditioner = InversePreconditioner(column);
  Eigen::VectorXd d = -column.gradient;
  std::vector<double> alpha(column.pairs.size());
  for (size_t k = column.pairs.size(); k-- > 0;) {
    const Pair& pair = column.pairs[k];
    alpha[k] = pair.inverse_product * pair.step.dot(d);
    d -= alpha[k] * pair.change;
  }
  d.array() *= preconditioner;
  if (!column.pairs.empty()) {
    const Pair& last = column.pairs.back();
    d /= last.inverse_product * (last.change.array().square() * preconditioner).sum();
  }
  for (size_t k = 0; k < column.pairs.size(); ++k) {
    const Pair& pair = column.pairs[k];
    d += (alpha[k] - pair.inverse_product * pair.change.dot(d)) * pair.step;
  }
  column.slope = column.gradient.dot(d);
  if (!(column.slope < 0.0)) {
    column.pairs.clear();
    d = -(column.gradient.array() * preconditioner).matrix();
    column.slope = column.gradient.dot(d);
  }
  column.direction = d;
  column.step = 1.0;
}

int LogisticBatch::Solve(const std::vector<Eigen::Index>& columns,
                         const std::vector<double>& penalties, Precision precision) {
  const Tolerances tolerances = TolerancesOf(precision);
  const bool exact = precision == Precision::kExact;
  const double n = static_cast<double>(design_.num_stimuli());
  const Eigen::Index r = design_.num_coefficients() - 1;
  Eigen::MatrixXd points, gradients;
  Eigen::VectorXd losses, curvatures;
  int evaluations = 0;
  const auto evaluate = [&](const std::vector<Eigen::Index>& which) {
    ++evaluations;
    if (exact) {
      Evaluate<double>(which, points, losses, curvatures, gradients);
    } else {
      Evaluate<float>(which, points, losses, curvatures, gradients);
    }
  };

  std::vector<Eigen::Index> stale;
  for (size_t c = 0; c < columns.size(); ++c) {
    Column& column = columns_[columns[c]];
    SetPenalty(column, penalties[c]);
    if (!column.evaluated || column.evaluated_exactly != exact)
      stale.push_back(columns[c]);
  }
  if (!stale.empty()) {
    points.resize(r + 1, stale.size());
    for (size_t c = 0; c < stale.size(); ++c) points.col(c) = columns_[stale[c]].x;
    evaluate(stale);
    for (size_t c = 0; c < stale.size(); ++c) {
      Column& column = columns_[stale[c]];
      column.data_loss = losses(c);
      column.curvature = curvatures(c);
      column.data_gradient = gradients.col(c);
      column.evaluated = true;
      column.evaluated_exactly = exact;
    }
  }

  // Prepares the next search of a column; false when it has converged.
  const auto begin_search = [&](Column& column) {
    column.gradient = column.data_gradient;
    column.gradient.head(r) += 2.0 * column.penalty * column.x.head(r);
    column.loss = column.data_loss + column.penalty * column.x.head(r).squaredNorm();
    const double decrement =
        0.5 * (column.gradient.array().square() * InversePreconditioner(column)).sum();
    if (decrement <= tolerances.decrement * n) return false;
    SetDirection(column);
    return true;
  };
  std::vector<Eigen::Index> active;
  for (const Eigen::Index c : columns) {
    if (begin_search(columns_[c])) active.push_back(c);
  }
  while (!active.empty() && evaluations < kMaxEvaluations) {
    points.resize(r + 1, active.size());
    for (size_t c = 0; c < active.size(); ++c) {
      Column& column = columns_[active[c]];
      column.trial = column.x + column.step * column.direction;
      points.col(c) = column.trial;
    }
    evaluate(active);
    std::vector<Eigen::Index> still_active;
    for (size_t c = 0; c < active.size(); ++c) {
      Column& column = columns_[active[c]];
      const double loss = losses(c) + column.penalty * column.trial.head(r).squaredNorm();
      const double allowed = column.loss +
                             kSufficientDecrease * column.step * column.slope +
                             tolerances.rounding * column.loss;
      if (!(loss <= allowed)) {
        column.step *= 0.5;
        // Rounding hides any further descent.
        if (column.step >= kSmallestStep) still_active.push_back(active[c]);
        continue;
      }
      Pair pair{column.trial - column.x, gradients.col(c) - column.data_gradient, 0.0};
      pair.change.head(r) += 2.0 * column.penalty * pair.step.head(r);
      const double product = pair.step.dot(pair.change);
      if (product > 1e-10 * pair.step.norm() * pair.change.norm()) {
        pair.inverse_product = 1.0 / product;
        if (column.pairs.size() == kHistory) column.pairs.erase(column.pairs.begin());
        column.pairs.push_back(std::move(pair));
      }
      column.x = column.trial;
      column.data_loss = losses(c);
      column.curvature = curvatures(c);
      column.data_gradient = gradients.col(c);
      if (begin_search(column)) still_active.push_back(active[c]);
    }
    active = std::move(still_active);
  }
  return evaluations;
}

Eigen::MatrixXf LogisticBatch::Margins(const std::vector<Eigen::Index>& columns) const {
  constexpr Eigen::Index kRows = LogisticDesign::kTileRows;
  const Eigen::Index size = design_.num_coefficients();
  const Eigen::Index m = static_cast<Eigen::Index>(columns.size());
  Eigen::MatrixXf points(size, m), tile_margins(kRows, m);
  for (Eigen::Index j = 0; j < m; ++j)
    points.col(j) = columns_[columns[j]].x.cast<float>();
  Eigen::MatrixXf margins(design_.num_stimuli(), m);
  for (Eigen::Index tile = 0; tile < design_.num_tiles(); ++tile) {
    const Eigen::Index first = tile * kRows;
    const Eigen::Index rows = std::min(kRows, design_.num_stimuli() - first);
    MultiplyTile(false, kRows, m, size, design_.tile<float>(tile), kRows, points.data(),
                 size, tile_margins.data(), kRows);
    margins.middleRows(first, rows) = tile_margins.topRows(rows);
  }
  return margins;
}

}  // namespace iat
