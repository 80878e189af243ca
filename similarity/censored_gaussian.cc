#include "similarity/censored_gaussian.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/distributions.h"
#include "similarity/linear_algebra.h"
#include "similarity/normal_tail.h"

namespace iat {
namespace {

constexpr int kSweepsToFit = 20, kSweepsToUndo = 10;
// Rows of a tile, which stays in cache while all units pass over it.
constexpr Eigen::Index kTileRows = 64;
constexpr double kShrinkage = 0.1;

}  // namespace

NormalMoments MomentsBeforeRelu(double share_active, double mean_response) {
  // P(active) = Phi(a), E[response] = deviation (a Phi(a) + phi(a)), mean = a deviation.
  const double share = std::clamp(share_active, 1e-6, 1.0 - 1e-6);
  const double a = -std::numbers::sqrt2 * InverseErfc(2.0 * share);
  const double deviation = mean_response / (a * share + NormalDensity(a));
  return {a * deviation, deviation};
}

CensoredGaussian CensoredGaussian::Fit(const Eigen::MatrixXd& responses) {
  CensoredGaussian model;
  const Eigen::Index n = responses.rows();
  model.scale_ = Eigen::RowVectorXd::Ones(responses.cols());
  model.rectified_.assign(responses.cols(), false);
  std::vector<double> starts;
  for (Eigen::Index j = 0; j < responses.cols(); ++j) {
    const auto unit = responses.col(j).array();
    if (unit.minCoeff() == unit.maxCoeff()) continue;
    const double size = std::sqrt(unit.square().mean());
    model.units_.push_back(j);
    model.scale_(j) = size;
    model.rectified_[j] = unit.minCoeff() == 0.0;
    if (!model.rectified_[j]) {
      starts.push_back(0.0);
      continue;
    }
    const double share =
        static_cast<double>((unit > 0.0).count()) / static_cast<double>(n);
    const NormalMoments moments = MomentsBeforeRelu(share, unit.mean() / size);
    starts.push_back(moments.mean -
                     moments.deviation * InverseMills(moments.mean / moments.deviation));
  }
  model.start_ = Eigen::Map<const Eigen::VectorXd>(starts.data(), starts.size());
  if (model.units_.empty()) return model;
  const Eigen::MatrixXd scaled = model.Scaled(responses);
  Eigen::MatrixXd hidden = model.Start(scaled);
  Eigen::VectorXd variance = Eigen::VectorXd::Zero(hidden.cols());
  for (int sweep = 0; sweep < kSweepsToFit; ++sweep) {
    model.Estimate(hidden, variance);
    variance.setZero();
    model.Sweep(scaled, hidden, &variance);
    variance /= static_cast<double>(n);
  }
  return model;
}

Eigen::MatrixXd CensoredGaussian::Undo(const Eigen::MatrixXd& responses) const {
  Eigen::MatrixXd undone = responses;
  if (units_.empty()) return undone;
  const Eigen::MatrixXd scaled = Scaled(responses);
  Eigen::MatrixXd hidden = Start(scaled);
  for (int sweep = 0; sweep < kSweepsToUndo; ++sweep) Sweep(scaled, hidden, nullptr);
  for (size_t k = 0; k < units_.size(); ++k) {
    if (rectified_[units_[k]]) undone.col(units_[k]) = hidden.col(k) * scale_(units_[k]);
  }
  return undone;
}

Eigen::MatrixXd CensoredGaussian::Scaled(const Eigen::MatrixXd& responses) const {
  Eigen::MatrixXd scaled(responses.rows(), units_.size());
  for (size_t k = 0; k < units_.size(); ++k) {
    scaled.col(k) = responses.col(units_[k]) / scale_(units_[k]);
  }
  return scaled;
}

Eigen::MatrixXd CensoredGaussian::Start(const Eigen::MatrixXd& scaled) const {
  Eigen::MatrixXd hidden = scaled;
  for (size_t k = 0; k < units_.size(); ++k) {
    if (!rectified_[units_[k]]) continue;
    hidden.col(k) = (scaled.col(k).array() > 0.0).select(scaled.col(k), start_(k));
  }
  return hidden;
}

void CensoredGaussian::Estimate(const Eigen::MatrixXd& hidden,
                                const Eigen::VectorXd& variance) {
  const double n = static_cast<double>(hidden.rows());
  mean_ = hidden.colwise().mean();
  Eigen::MatrixXd covariance = LowerGram(hidden.rowwise() - mean_, /*outer=*/false) / n;
  covariance.diagonal() += variance;
  const double kept =
      1.0 - std::min(1.0, kShrinkage * static_cast<double>(hidden.cols()) / n);
  // The diagonal's own part of rounding keeps exact duplicates apart.
  const Eigen::VectorXd diagonal = covariance.diagonal() * (1.0 + 1e-9);
  covariance *= kept;
  covariance.diagonal() = diagonal;
  precision_ = covariance.selfadjointView<Eigen::Lower>().llt().solve(
      Eigen::MatrixXd::Identity(hidden.cols(), hidden.cols()));
}

void CensoredGaussian::Sweep(const Eigen::MatrixXd& responses, Eigen::MatrixXd& hidden,
                             Eigen::VectorXd* variance) const {
  for (Eigen::Index first = 0; first < hidden.rows(); first += kTileRows) {
    const Eigen::Index rows = std::min(kTileRows, hidden.rows() - first);
    Eigen::MatrixXd deviation = hidden.middleRows(first, rows).rowwise() - mean_;
    for (size_t k = 0; k < units_.size(); ++k) {
      if (!rectified_[units_[k]]) continue;
      const double inverse_precision = 1.0 / precision_(k, k);
      const double sigma = std::sqrt(inverse_precision);
      const Eigen::VectorXd pull = deviation * precision_.col(k);
      for (Eigen::Index i = 0; i < rows; ++i) {
        if (responses(first + i, k) > 0.0) continue;
        double& value = hidden(first + i, k);
        const double d = (value - pull(i) * inverse_precision) / sigma;
        const double mills = InverseMills(d);
        value = sigma * (d - mills);
        deviation(i, k) = value - mean_(k);
        if (variance != nullptr) {
          (*variance)(k) += inverse_precision * (1.0 + mills * (d - mills));
        }
      }
    }
  }
}

}  // namespace iat
