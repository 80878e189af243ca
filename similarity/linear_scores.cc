#include "similarity/linear_scores.h"

#include <cmath>
#include <limits>
#include <utility>

#include "base/status.h"
#include "similarity/block_products.h"
#include "similarity/centring.h"
#include "similarity/linear_algebra.h"

namespace iat {

LinearScores::LinearScores(const Eigen::MatrixXd& source, const Eigen::MatrixXd& target,
                           bool keep_stimuli)
    : keep_stimuli_(keep_stimuli), num_stimuli_(static_cast<double>(source.rows())) {
  IAT_CHECK(source.rows() == target.rows() && source.rows() > 0,
            "scores on no stimuli, or of a source and a target on different ones");
  CentredUnits x = CentreUnits(source), y = CentreUnits(target);
  source_mean_ = std::move(x.mean);
  target_mean_ = std::move(y.mean);
  total_ = y.values.colwise().squaredNorm();
  for (Eigen::Index j = 0; j < target.cols(); ++j) {
    scored_.push_back((target.col(j).array() != target(0, j)).any());
  }
  if (keep_stimuli || source.rows() <= source.cols()) {
    source_ = std::move(x.values);
    target_ = std::move(y.values);
    outside_ = Eigen::RowVectorXd::Zero(target.cols());
    return;
  }
  OrthogonalFactor factor = FactorOrthogonally(std::move(x.values), std::move(y.values));
  source_ = std::move(factor.upper);
  is_upper_ = true;
  target_ = factor.rotated.topRows(source.cols());
  outside_ =
      factor.rotated.bottomRows(source.rows() - source.cols()).colwise().squaredNorm();
}

Eigen::MatrixXd LinearScores::Fitted(Eigen::MatrixXd weights) const {
  if (!is_upper_) return Product(source_, weights);
  MultiplyByUpper(1.0, source_, weights);
  return weights;
}

LinearScores::Scores LinearScores::Score(const Eigen::MatrixXd& fitted,
                                         const Eigen::RowVectorXd& mean_residual) const {
  IAT_CHECK(fitted.rows() == target_.rows() && fitted.cols() == target_.cols() &&
                mean_residual.size() == fitted.cols(),
            "scores of predictions of another shape");
  Scores scores{Eigen::VectorXd(fitted.cols()), Eigen::VectorXd(fitted.cols())};
  for (Eigen::Index j = 0; j < fitted.cols(); ++j) {
    if (!scored_[j]) {
      scores.r2(j) = scores.r(j) = std::numeric_limits<double>::quiet_NaN();
      continue;
    }
    const auto c = target_.col(j), f = fitted.col(j);
    const double error = (c - f).squaredNorm() + outside_(j) +
                         num_stimuli_ * mean_residual(j) * mean_residual(j);
    scores.r2(j) = 1.0 - error / total_(j);
    const double length = f.norm();
    scores.r(j) = length > 0.0 ? c.dot(f) / length / std::sqrt(total_(j)) : 0.0;
  }
  return scores;
}

Eigen::MatrixXd LinearScores::Predictions(const Eigen::MatrixXd& fitted,
                                          const Eigen::RowVectorXd& mean_residual) const {
  IAT_CHECK(keep_stimuli_, "predictions from rows that are not stimuli");
  return fitted.rowwise() + (target_mean_ - mean_residual);
}

}  // namespace iat
