#include "similarity/batch_lbfgs.h"

#include <cmath>
#include <utility>

namespace iat {
namespace {

constexpr size_t kHistory = 10;
constexpr int kMaxEvaluations = 1000;
constexpr double kSufficientDecrease = 1e-4;
constexpr double kSmallestStep = 1e-10;
// Of the objective: what a descent may be hidden by.
constexpr double kRounding = 1e-14;
// Of the largest curvature: keeps flat directions finite.
constexpr double kSmallestCurvature = 1e-9;

}  // namespace

BatchLbfgs::BatchLbfgs(const Eigen::MatrixXd& starts, Eigen::Index num_penalised,
                       Evaluate evaluate)
    : num_penalised_(num_penalised),
      evaluate_(std::move(evaluate)),
      columns_(starts.cols()) {
  for (Eigen::Index c = 0; c < starts.cols(); ++c) columns_[c].x = starts.col(c);
}

Eigen::MatrixXd BatchLbfgs::Points(const std::vector<Eigen::Index>& columns) const {
  Eigen::MatrixXd points(columns_.front().x.size(), columns.size());
  for (size_t c = 0; c < columns.size(); ++c) points.col(c) = columns_[columns[c]].x;
  return points;
}

Eigen::ArrayXd BatchLbfgs::InversePreconditioner(const Column& column) const {
  Eigen::ArrayXd diagonal = column.curvature.array();
  diagonal = diagonal.max(kSmallestCurvature * diagonal.maxCoeff());
  diagonal.head(num_penalised_) += column.penalty;
  // Without any curvature: plain gradient steps.
  return (diagonal > 0.0).select(diagonal, 1.0).inverse();
}

void BatchLbfgs::SetPenalty(Column& column, double penalty) const {
  for (Pair& pair : column.pairs) {
    pair.change.head(num_penalised_) +=
        (penalty - column.penalty) * pair.step.head(num_penalised_);
    pair.inverse_product = 1.0 / pair.step.dot(pair.change);
  }
  std::erase_if(column.pairs, [](const Pair& pair) {
    return !(pair.inverse_product > 0.0) || !std::isfinite(pair.inverse_product);
  });
  column.penalty = penalty;
}

void BatchLbfgs::SetDirection(Column& column) const {
  const Eigen::ArrayXd preconditioner = InversePreconditioner(column);
  Eigen::VectorXd d = -column.gradient;
  std::vector<double> along(column.pairs.size());
  for (size_t k = column.pairs.size(); k-- > 0;) {
    const Pair& pair = column.pairs[k];
    along[k] = pair.inverse_product * pair.step.dot(d);
    d -= along[k] * pair.change;
  }
  d.array() *= preconditioner;
  if (!column.pairs.empty()) {
    const Pair& last = column.pairs.back();
    d /= last.inverse_product * (last.change.array().square() * preconditioner).sum();
  }
  for (size_t k = 0; k < column.pairs.size(); ++k) {
    const Pair& pair = column.pairs[k];
    d += (along[k] - pair.inverse_product * pair.change.dot(d)) * pair.step;
  }
  column.slope = column.gradient.dot(d);
  if (!(column.slope < 0.0)) {
    column.pairs.clear();
    d = -(column.gradient.array() * preconditioner).matrix();
    column.slope = column.gradient.dot(d);
  }
  column.direction = std::move(d);
  column.step = 1.0;
}

// False when the column has converged.
bool BatchLbfgs::BeginSearch(Column& column, double tolerance) const {
  column.gradient = column.loss_gradient;
  column.gradient.head(num_penalised_) += column.penalty * column.x.head(num_penalised_);
  column.objective =
      column.loss + 0.5 * column.penalty * column.x.head(num_penalised_).squaredNorm();
  const double distance =
      0.5 * (column.gradient.array().square() * InversePreconditioner(column)).sum();
  if (!(distance > tolerance)) return false;
  SetDirection(column);
  return true;
}

// Takes the trial point, or halves the step; false when the step has become too short.
bool BatchLbfgs::FinishSearch(Column& column, double loss,
                              const Eigen::VectorXd& gradient,
                              const Eigen::VectorXd& curvature) const {
  const double objective =
      loss + 0.5 * column.penalty * column.trial.head(num_penalised_).squaredNorm();
  const double allowed = column.objective +
                         kSufficientDecrease * column.step * column.slope +
                         kRounding * std::abs(column.objective);
  if (!(objective <= allowed)) {
    column.step *= 0.5;
    return column.step >= kSmallestStep;
  }
  Pair pair{column.trial - column.x, gradient - column.loss_gradient, 0.0};
  pair.change.head(num_penalised_) += column.penalty * pair.step.head(num_penalised_);
  const double product = pair.step.dot(pair.change);
  if (product > 1e-10 * pair.step.norm() * pair.change.norm()) {
    pair.inverse_product = 1.0 / product;
    if (column.pairs.size() == kHistory) column.pairs.erase(column.pairs.begin());
    column.pairs.push_back(std::move(pair));
  }
  column.x = column.trial;
  column.loss = loss;
  column.loss_gradient = gradient;
  column.curvature = curvature;
  column.step = 0.0;  // ended
  return true;
}

void BatchLbfgs::Solve(const std::vector<Eigen::Index>& columns,
                       const std::vector<double>& penalties, double tolerance) {
  std::vector<Eigen::Index> fresh;
  for (size_t c = 0; c < columns.size(); ++c) {
    SetPenalty(columns_[columns[c]], penalties[c]);
    if (!columns_[columns[c]].evaluated) fresh.push_back(columns[c]);
  }
  if (!fresh.empty()) {
    const Evaluation first = evaluate_(fresh, Points(fresh));
    for (size_t c = 0; c < fresh.size(); ++c) {
      Column& column = columns_[fresh[c]];
      column.loss = first.loss(c);
      column.loss_gradient = first.gradient.col(c);
      column.curvature = first.curvature.col(c);
      column.evaluated = true;
    }
  }
  std::vector<Eigen::Index> active;
  for (const Eigen::Index c : columns) {
    if (BeginSearch(columns_[c], tolerance)) active.push_back(c);
  }
  for (int evaluations = 0; !active.empty() && evaluations < kMaxEvaluations;
       ++evaluations) {
    Eigen::MatrixXd points(columns_[active.front()].x.size(), active.size());
    for (size_t c = 0; c < active.size(); ++c) {
      Column& column = columns_[active[c]];
      column.trial = column.x + column.step * column.direction;
      points.col(c) = column.trial;
    }
    const Evaluation evaluation = evaluate_(active, points);
    std::vector<Eigen::Index> still_active;
    for (size_t c = 0; c < active.size(); ++c) {
      Column& column = columns_[active[c]];
      if (!FinishSearch(column, evaluation.loss(c), evaluation.gradient.col(c),
                        evaluation.curvature.col(c))) {
        continue;
      }
      if (column.step > 0.0 || BeginSearch(column, tolerance)) {
        still_active.push_back(active[c]);
      }
    }
    active = std::move(still_active);
  }
}

}  // namespace iat
