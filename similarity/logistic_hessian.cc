#include "similarity/logistic_hessian.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/status.h"
#include "similarity/linear_algebra.h"

namespace iat {
namespace {

// Of the summed w, what enters as it is, and from how many stimuli at least: where the
// classes are all but separable, a handful makes up the sum and all others decide along
// most axes.
constexpr double kCoupledShare = 0.99;
constexpr int64_t kLeastStimuli = 1024;
constexpr Eigen::Index kRowsTogether = 1024;  // multiplied at a time

// The weight (p (1 - p), so at most a quarter) down to which the largest make up the
// share, to one in 4096 of a quarter; so far below it that as much is taken, or more.
float SmallestCoupled(const Eigen::ArrayXf& weights) {
  constexpr int kBins = 4096;
  constexpr float kBinsPerWeight = 4.0f * kBins;
  struct Bin {
    double sum = 0.0;
    int64_t count = 0;
  };
  std::array<Bin, kBins> bins{};
  double total = 0.0;
  for (const float weight : weights) {
    Bin& bin = bins[std::min(static_cast<int>(weight * kBinsPerWeight), kBins - 1)];
    bin.sum += static_cast<double>(weight);
    ++bin.count;
    total += static_cast<double>(weight);
  }
  int bin = kBins;
  Bin taken;
  while (bin > 0 && (taken.sum < kCoupledShare * total || taken.count < kLeastStimuli)) {
    --bin;
    taken.sum += bins[bin].sum;
    taken.count += bins[bin].count;
  }
  return static_cast<float>(bin) / kBinsPerWeight;
}

}  // namespace

double FlooredCurvature(double curvature, const LogisticDesign& design) {
  return std::max(curvature, 1e-6 * static_cast<double>(design.num_stimuli()));
}

absl::StatusOr<LogisticHessian> LogisticHessian::Create(const LogisticDesign& design,
                                                        const Eigen::ArrayXf& weights,
                                                        double penalty,
                                                        Eigen::Index num_coupled) {
  const Eigen::Index size = design.num_coefficients(), n = design.num_stimuli();
  // Axes come in ascending order, and the intercept is the last.
  const Eigen::Index coupled = std::min(size, num_coupled + 1);
  const Eigen::Index single = size - coupled;
  const float smallest = SmallestCoupled(weights);
  Eigen::MatrixXf lower = Eigen::MatrixXf::Zero(coupled, coupled);
  Eigen::ArrayXf diagonal = Eigen::ArrayXf::Zero(size);
  Eigen::MatrixXf gathered(coupled, kRowsTogether);
  double left = 0.0;
  Eigen::Index filled = 0;
  for (Eigen::Index i = 0; i < n; ++i) {
    if (weights(i) >= smallest) {
      const Eigen::Map<const Eigen::VectorXf> z(design.tile<float>(0) + i * size, size);
      gathered.col(filled++) = std::sqrt(weights(i)) * z.tail(coupled);
      diagonal.head(single) += weights(i) * z.head(single).array().square();
    } else {
      left += static_cast<double>(weights(i));
    }
    if (filled == kRowsTogether || (i + 1 == n && filled > 0)) {
      AddOuterGram(gathered.leftCols(filled), lower);
      filled = 0;
    }
  }
  diagonal += (FlooredCurvature(left, design) * design.curvature()).cast<float>();
  diagonal.head(size - 1) += static_cast<float>(2.0 * penalty);
  lower.diagonal().array() += diagonal.tail(coupled);
  Eigen::ArrayXf inverse = diagonal.head(single).inverse();
  auto cholesky = Cholesky(lower);
  if (cholesky.ok()) return LogisticHessian(std::move(inverse), *std::move(cholesky));
  IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd exact,
                       Cholesky(Eigen::MatrixXd(lower.cast<double>())));
  return LogisticHessian(std::move(inverse), exact.cast<float>());
}

Eigen::VectorXd LogisticHessian::Solve(const Eigen::VectorXd& g) const {
  // Float32 has neither the range of a gradient near a minimum nor of one far from it.
  const double size = g.norm();
  if (!(size > 0.0)) return Eigen::VectorXd::Zero(g.size());
  Eigen::VectorXf solution = (g / size).cast<float>();
  solution.head(inverse_.size()).array() *= inverse_;
  auto coupled = solution.tail(cholesky_.rows());
  const auto lower = cholesky_.triangularView<Eigen::Lower>();
  lower.solveInPlace(coupled);
  lower.adjoint().solveInPlace(coupled);
  return solution.cast<double>() * size;
}

}  // namespace iat
