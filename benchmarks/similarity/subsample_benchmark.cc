// Ridge curves from shared work (similarity/nested_ridge.h) beside refitting every point
// by itself, on one thread, in one run.
//
//   subsample_benchmark stimuli|units NUM_FIT NUM_TEST NUM_SOURCE NUM_TARGET NUM_SIZES
//                       NUM_SAMPLES [NUM_REFITTED]
//
// Sizes are on a log scale, from 8 stimuli (4 units) to all. Three roads to the same
// curves:
//   nested    NestedRidge, all samples, scores included
//   FitRidge  each point from its own rows and columns, as a comparison would fit it:
//             eigenbasis, leave-one-out search, prediction
//   textbook  each point and each penalty of the grid by itself: Gram matrix, Cholesky
//             factor, leave-one-out errors from it, best penalty, prediction
// The separate roads refit the first NUM_REFITTED samples (all by default; textbook the
// first alone) and are scaled to all. Prints CPU seconds, ratios, and the largest
// difference in R2 from SolveRidge at equal penalties over the points that were refitted.

#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <numeric>
#include <string>
#include <vector>

#include "base/memory.h"
#include "base/parallel.h"
#include "base/random.h"
#include "base/status.h"
#include "similarity/linear_algebra.h"
#include "similarity/nested_ridge.h"
#include "similarity/r2.h"
#include "similarity/ridge.h"
#include "similarity/subsample.h"

namespace iat {
namespace {

double CpuSeconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

Eigen::MatrixXd Normal(Eigen::Index rows, Eigen::Index cols, uint64_t seed) {
  RandomStream stream(seed, "subsample benchmark");
  Eigen::MatrixXd matrix(rows, cols);
  for (double& value : matrix.reshaped()) value = stream.Normal();
  return matrix;
}

struct World {
  Eigen::MatrixXd source, target, source_test, target_test;
};

// Rectified responses to shared features of decaying strength, and noise of their own.
World MakeWorld(Eigen::Index num_fit, Eigen::Index num_test, Eigen::Index p,
                Eigen::Index t) {
  const Eigen::Index n = num_fit + num_test, num_features = 200;
  Eigen::MatrixXd features = Normal(n, num_features, 1);
  for (Eigen::Index k = 0; k < num_features; ++k) {
    features.col(k) /= std::pow(1.0 + static_cast<double>(k), 0.7);
  }
  const auto respond = [&](Eigen::Index units, uint64_t seed) -> Eigen::MatrixXd {
    return (Product(features, Normal(num_features, units, seed)) +
            0.3 * Normal(n, units, seed + 1))
        .cwiseMax(0.0);
  };
  const Eigen::MatrixXd source = respond(p, 2), target = respond(t, 4);
  return {source.topRows(num_fit), target.topRows(num_fit), source.bottomRows(num_test),
          target.bottomRows(num_test)};
}

struct Subset {
  std::vector<int64_t> rows, columns;
};

absl::StatusOr<Eigen::MatrixXd> FitAndPredict(const World& world, const Subset& subset) {
  IAT_ASSIGN_OR_RETURN(const SourceBasis basis,
                       SourceBasis::Make(world.source(subset.rows, subset.columns)));
  IAT_ASSIGN_OR_RETURN(
      const RidgeFit fit,
      FitRidge(basis, world.target(subset.rows, Eigen::all), RidgeOptions()));
  return fit.map.Predict(world.source_test(Eigen::all, subset.columns));
}

// Primal where there are at least as many stimuli as units, else on the kernel.
absl::StatusOr<Eigen::MatrixXd> TextbookPrediction(const World& world,
                                                   const Subset& subset) {
  const CentredUnits x = CentreUnits(world.source(subset.rows, subset.columns));
  const CentredUnits y = CentreUnits(world.target(subset.rows, Eigen::all));
  const Eigen::MatrixXd x_test =
      world.source_test(Eigen::all, subset.columns).rowwise() - x.mean;
  const Eigen::Index n = x.values.rows(), k = x.values.cols();
  const bool dual = k > n;
  const Eigen::MatrixXd gram = LowerGram(x.values, dual);
  const Eigen::MatrixXd right = dual ? y.values : TransposedProduct(x.values, y.values);
  Eigen::RowVectorXd best = Eigen::RowVectorXd::Constant(y.values.cols(), INFINITY);
  Eigen::MatrixXd chosen(right.rows(), right.cols());
  for (const double penalty :
       RidgeOptions().Penalties(gram.trace() / static_cast<double>(k))) {
    Eigen::MatrixXd shifted = gram;
    shifted.diagonal().array() += penalty;
    IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd lower, Cholesky(std::move(shifted)));
    const auto factor = lower.triangularView<Eigen::Lower>();
    Eigen::MatrixXd solution = factor.solve(right);
    factor.transpose().solveInPlace(solution);
    Eigen::MatrixXd error;
    Eigen::ArrayXd freedom;
    if (dual) {
      // 1 - h = penalty (K + penalty I)^-1_ii - 1/n.
      const Eigen::MatrixXd inverse = factor.solve(Eigen::MatrixXd::Identity(n, n));
      freedom = penalty * inverse.colwise().squaredNorm().transpose().array() -
                1.0 / static_cast<double>(n);
      error = penalty * solution;
    } else {
      const Eigen::MatrixXd half = factor.solve(x.values.transpose());
      freedom = 1.0 - 1.0 / static_cast<double>(n) -
                half.colwise().squaredNorm().transpose().array();
      error = y.values - Product(x.values, solution);
    }
    const Eigen::RowVectorXd squares =
        (error.array().colwise() / freedom.max(1e-12)).square().colwise().sum();
    for (Eigen::Index j = 0; j < squares.size(); ++j) {
      if (!(squares(j) < best(j))) continue;
      best(j) = squares(j);
      chosen.col(j) = solution.col(j);
    }
  }
  const Eigen::MatrixXd weights =
      dual ? TransposedProduct(x.values, chosen) : std::move(chosen);
  return (Product(x_test, weights).rowwise() + y.mean).eval();
}

absl::Status Run(int argc, char** argv) {
  if (argc < 8) {
    return absl::InvalidArgumentError(
        "usage: subsample_benchmark stimuli|units NUM_FIT NUM_TEST NUM_SOURCE NUM_TARGET "
        "NUM_SIZES NUM_SAMPLES [NUM_REFITTED]");
  }
  SetBlasThreads(1);
  KeepFreedMatrices();
  const bool is_stimuli = std::string(argv[1]) == "stimuli";
  const int64_t num_fit = std::atol(argv[2]), p = std::atol(argv[4]);
  const int64_t num_samples = std::atol(argv[7]);
  const int64_t num_refitted = argc > 8 ? std::atol(argv[8]) : num_samples;
  const World world = MakeWorld(num_fit, std::atol(argv[3]), p, std::atol(argv[5]));
  const int64_t most = is_stimuli ? num_fit : p;
  const std::vector<int64_t> sizes =
      LogSizes(is_stimuli ? 8 : 4, most, std::atol(argv[6]));

  // Points that are refitted are kept, to be compared.
  std::vector<std::vector<RidgePoint>> points(num_samples);
  std::vector<std::vector<int64_t>> orders;
  for (int64_t s = 0; s < num_samples; ++s) {
    orders.push_back(RandomStream(s, "subsample benchmark order").Permutation(most));
  }
  double start = CpuSeconds();
  IAT_ASSIGN_OR_RETURN(NestedRidge ridge,
                       NestedRidge::Make(world.source, world.target, world.source_test,
                                         world.target_test, RidgeOptions()));
  for (int64_t s = 0; s < num_samples; ++s) {
    const auto keep = [&](const RidgePoint& point) {
      if (s < num_refitted) points[s].push_back(point);
      return absl::OkStatus();
    };
    IAT_RETURN_IF_ERROR(is_stimuli ? ridge.OverStimuli(orders[s], sizes, keep)
                                   : ridge.OverUnits(orders[s], sizes, keep));
  }
  const double nested = CpuSeconds() - start;

  double separate = 0.0, textbook = 0.0, difference = 0.0;
  for (int64_t s = 0; s < num_refitted; ++s) {
    for (const RidgePoint& point : points[s]) {
      Subset subset;
      subset.rows.resize(num_fit);
      subset.columns.resize(p);
      std::iota(subset.rows.begin(), subset.rows.end(), 0);
      std::iota(subset.columns.begin(), subset.columns.end(), 0);
      (is_stimuli ? subset.rows : subset.columns)
          .assign(orders[s].begin(), orders[s].begin() + point.size);
      start = CpuSeconds();
      IAT_RETURN_IF_ERROR(FitAndPredict(world, subset).status());
      separate += CpuSeconds() - start;
      if (s == 0) {
        start = CpuSeconds();
        IAT_RETURN_IF_ERROR(TextbookPrediction(world, subset).status());
        textbook += CpuSeconds() - start;
      }
      IAT_ASSIGN_OR_RETURN(const SourceBasis basis,
                           SourceBasis::Make(world.source(subset.rows, subset.columns)));
      IAT_ASSIGN_OR_RETURN(
          const LinearMap map,
          SolveRidge(basis, world.target(subset.rows, Eigen::all), point.ridge_penalty));
      IAT_ASSIGN_OR_RETURN(const Eigen::MatrixXd predicted,
                           map.Predict(world.source_test(Eigen::all, subset.columns)));
      const Eigen::VectorXd expected = R2PerUnit(world.target_test, predicted);
      for (Eigen::Index j = 0; j < expected.size(); ++j) {
        if (!std::isnan(expected(j))) {
          difference = std::max(difference, std::abs(point.r2(j) - expected(j)));
        }
      }
    }
  }
  separate *= static_cast<double>(num_samples) / static_cast<double>(num_refitted);
  textbook *= static_cast<double>(num_samples);
  std::printf(
      "axis %s, %ld fit stimuli, %ld source units, %s target units, %zu sizes x %ld "
      "samples\n",
      argv[1], num_fit, p, argv[5], sizes.size(), num_samples);
  std::printf("nested    %9.2f CPU s\n", nested);
  if (num_refitted == 0) return absl::OkStatus();
  std::printf("FitRidge  %9.2f CPU s  %6.1f times\n", separate, separate / nested);
  std::printf("textbook  %9.2f CPU s  %6.1f times\n", textbook, textbook / nested);
  std::printf("largest difference in R2 at equal penalties %.1e\n", difference);
  return absl::OkStatus();
}

}  // namespace
}  // namespace iat

int main(int argc, char** argv) {
  const absl::Status status = iat::Run(argc, argv);
  if (!status.ok()) {
    std::cerr << status.message() << "\n";
    return 1;
  }
  return 0;
}
