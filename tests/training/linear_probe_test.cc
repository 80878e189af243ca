#include "training/linear_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "models/torch.h"

namespace iat {
namespace {

using ::testing::HasSubstr;

// make_probe.py's problem.
constexpr int64_t kProbeImages = 90, kProbeTestImages = 8, kProbeFeatures = 7;
constexpr int kProbeClasses = 4;

torch::Tensor ProbeFeatures() {
  auto features =
      torch::empty({kProbeImages + kProbeTestImages, kProbeFeatures}, torch::kFloat64);
  auto at = features.accessor<double, 2>();
  for (int64_t i = 0; i < features.size(0); ++i) {
    for (int64_t j = 0; j < kProbeFeatures; ++j) {
      at[i][j] =
          std::sin(1.7 * i + 2.3 * j + 0.31 * i * j) + 0.3 * std::cos(0.9 * i * (j + 1));
    }
  }
  return features;
}

struct GoldenProbe {
  std::vector<int> labels;
  struct Fit {
    double penalty = 0.0, loss = 0.0;
    std::vector<double> log_probabilities;  // of the test images
  };
  std::vector<Fit> fits;
};

GoldenProbe ReadGoldenProbe() {
  const char* source = std::getenv("IAT_SOURCE_DIR");
  std::ifstream in(std::string(source == nullptr ? "." : source) +
                   "/tests/golden/training/probe.txt");
  GoldenProbe golden;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    if (kind == "labels") {
      for (int label = 0; words >> label;) golden.labels.push_back(label);
    } else if (kind == "loss") {
      auto& fit = golden.fits.emplace_back();
      words >> fit.penalty >> fit.loss;
    } else if (kind == "row") {
      for (double value = 0; words >> value;)
        golden.fits.back().log_probabilities.push_back(value);
    }
  }
  EXPECT_EQ(golden.fits.size(), 2u) << "run the tests through ctest";
  return golden;
}

// Classes around the axes of 12 dimensions, in random order; labels can be guessed
// with an accuracy that falls with the noise.
struct NoisySet {
  torch::Tensor features;
  std::vector<int> labels;
};
NoisySet NoisyClasses(int64_t n, int num_classes, double noise) {
  NoisySet set{noise * torch::randn({n, 12}), {}};
  for (int64_t i = 0; i < n; ++i) {
    const int label = torch::randint(num_classes, {1}).item<int>();
    set.features[i][label] += 1.0;
    set.labels.push_back(label);
  }
  return set;
}

TEST(SoftmaxRegressionTest, AgreesWithScikitLearn) {
  const GoldenProbe golden = ReadGoldenProbe();
  const auto features = ProbeFeatures();
  for (const auto& expected : golden.fits) {
    const SoftmaxRegression fit =
        FitSoftmaxRegression(features.slice(0, 0, kProbeImages), golden.labels,
                             kProbeClasses, expected.penalty, 1000, nullptr, 1e-10);
    EXPECT_TRUE(fit.converged) << fit.iterations;
    // Both stop at gradients below 1e-10 or so; the minimum is flat to second order.
    EXPECT_NEAR(fit.loss, expected.loss, 1e-12);
    const auto ours = fit.LogProbabilities(features.slice(0, kProbeImages)).flatten();
    ASSERT_EQ(ours.numel(), static_cast<int64_t>(expected.log_probabilities.size()));
    EXPECT_LT((ours - torch::tensor(expected.log_probabilities, torch::kFloat64))
                  .abs()
                  .max()
                  .item<double>(),
              1e-6);
  }
}

// The second road: LibTorch's own derivative of the loss is zero at the fit.
TEST(SoftmaxRegressionTest, TheGradientVanishesByAutogradToo) {
  const GoldenProbe golden = ReadGoldenProbe();
  const auto features = ProbeFeatures().slice(0, 0, kProbeImages);
  const double penalty = 0.01;
  const SoftmaxRegression fit = FitSoftmaxRegression(
      features, golden.labels, kProbeClasses, penalty, 1000, nullptr, 1e-9);
  auto weights = fit.weights.clone().requires_grad_();
  auto intercepts = fit.intercepts.clone().requires_grad_();
  const auto labels =
      torch::tensor(std::vector<int64_t>(golden.labels.begin(), golden.labels.end()));
  const auto loss = torch::nn::functional::cross_entropy(
                        torch::addmm(intercepts, features, weights), labels) +
                    penalty * weights.square().sum();
  loss.backward();
  EXPECT_NEAR(loss.item<double>(), fit.loss, 1e-13);
  EXPECT_LT(weights.grad().abs().max().item<double>(), 2e-9);
  EXPECT_LT(intercepts.grad().abs().max().item<double>(), 2e-9);
}

TEST(SoftmaxRegressionTest, AWarmStartArrivesAtTheSameMinimum) {
  const GoldenProbe golden = ReadGoldenProbe();
  const auto features = ProbeFeatures().slice(0, 0, kProbeImages);
  const auto cold = FitSoftmaxRegression(features, golden.labels, kProbeClasses, 0.001,
                                         1000, nullptr, 1e-9);
  const auto strong = FitSoftmaxRegression(features, golden.labels, kProbeClasses, 0.01,
                                           1000, nullptr, 1e-9);
  const auto warm = FitSoftmaxRegression(features, golden.labels, kProbeClasses, 0.001,
                                         1000, &strong, 1e-9);
  EXPECT_NEAR(warm.loss, cold.loss, 1e-13);
  EXPECT_LT((warm.weights - cold.weights).abs().max().item<double>(), 1e-6);
}

TEST(LinearProbeTest, FindsWhatIsThereAndGuessesWhereNothingIs) {
  torch::manual_seed(1);
  const NoisySet train = NoisyClasses(400, 4, 0.1), test = NoisyClasses(300, 4, 0.1);
  const auto probe =
      LinearProbe(train.features, train.labels, test.features, test.labels, {});
  ASSERT_TRUE(probe.ok()) << probe.status();
  EXPECT_EQ(probe->top1, 1.0);
  EXPECT_EQ(probe->num_correct, 300);
  EXPECT_EQ(probe->num_features, 12);
  EXPECT_EQ(probe->num_images, 400);
  EXPECT_TRUE(probe->converged);
  // Labels that have nothing to do with the features.
  const NoisySet other = NoisyClasses(300, 4, 0.1), noise = NoisyClasses(400, 4, 0.1);
  const auto guess =
      LinearProbe(train.features, noise.labels, test.features, other.labels, {});
  ASSERT_TRUE(guess.ok()) << guess.status();
  // Four deviations of 300 guesses at 1/4.
  EXPECT_NEAR(guess->top1, 0.25, 4 * std::sqrt(0.25 * 0.75 / 300));
}

// Neither the scale of a feature nor one that never changes makes a difference.
TEST(LinearProbeTest, FeaturesAreStandardised) {
  torch::manual_seed(2);
  const NoisySet train = NoisyClasses(300, 3, 0.8), test = NoisyClasses(200, 3, 0.8);
  const auto plain =
      LinearProbe(train.features, train.labels, test.features, test.labels, {});
  const auto change = [](const torch::Tensor& features) {
    auto scaled = features * torch::logspace(-3, 3, 12) + 5.0;
    return torch::cat({scaled.to(torch::kFloat64),
                       torch::full({features.size(0), 1}, 7.0, torch::kFloat64)},
                      1);
  };
  const auto changed = LinearProbe(change(train.features), train.labels,
                                   change(test.features), test.labels, {});
  ASSERT_TRUE(plain.ok() && changed.ok());
  EXPECT_EQ(plain->num_correct, changed->num_correct);
  EXPECT_EQ(plain->l2_penalty, changed->l2_penalty);
  EXPECT_GT(plain->top1, 0.5);
  EXPECT_LT(plain->top1, 1.0);
}

TEST(LinearProbeTest, ThePenaltyIsThatOfTheLeastHeldOutLogLoss) {
  torch::manual_seed(3);
  const NoisySet train = NoisyClasses(100, 3, 1.0), test = NoisyClasses(50, 3, 1.0);
  ProbeOptions options;
  const auto chosen =
      LinearProbe(train.features, train.labels, test.features, test.labels, options);
  ASSERT_TRUE(chosen.ok());
  // The same by hand: 80 images to fit, the last 20 to choose.
  const auto all = train.features.to(torch::kFloat64);
  const auto fit_part = all.slice(0, 0, 80);
  const auto mean = fit_part.mean(0), deviation = fit_part.std(0, /*unbiased=*/false);
  const auto standardise = [&](const torch::Tensor& x) { return (x - mean) / deviation; };
  const auto index =
      torch::tensor(std::vector<int64_t>(train.labels.begin() + 80, train.labels.end()));
  double best = 1e9, best_penalty = 0.0;
  for (int i = 0; i < 6; ++i) {
    const double penalty = std::pow(10.0, -i);
    const auto fit = FitSoftmaxRegression(
        standardise(fit_part), {train.labels.begin(), train.labels.begin() + 80}, 3,
        penalty, 1000);
    const double loss =
        torch::nll_loss(fit.LogProbabilities(standardise(all.slice(0, 80))), index)
            .item<double>();
    if (loss < best) {
      best = loss;
      best_penalty = penalty;
    }
  }
  EXPECT_NEAR(chosen->l2_penalty, best_penalty, 1e-12);
  EXPECT_FALSE(chosen->penalty_at_edge);
  options.largest_penalty = options.smallest_penalty = 0.5;
  options.num_penalties = 1;
  const auto only =
      LinearProbe(train.features, train.labels, test.features, test.labels, options);
  EXPECT_EQ(only->l2_penalty, 0.5);
  EXPECT_TRUE(only->penalty_at_edge);
}

TEST(LinearProbeTest, TooLittleIsRefusedWithItsNumbers) {
  torch::manual_seed(4);
  const NoisySet train = NoisyClasses(20, 3, 0.1), test = NoisyClasses(5, 3, 0.1);
  const auto one_class = LinearProbe(train.features, std::vector<int>(20, 1),
                                     test.features, test.labels, {});
  EXPECT_THAT(
      std::string(one_class.status().message()),
      HasSubstr("at least 2 classes, 10 images to learn from and one to be tested "
                "on; there are 1, 20 and 5"));
  EXPECT_FALSE(
      LinearProbe(train.features, train.labels, torch::empty({0, 12}), {}, {}).ok());
  ProbeOptions options;
  options.smallest_penalty = 2.0;
  EXPECT_THAT(std::string(options.Validate().message()),
              HasSubstr("smallest_penalty is 2; expected at most largest_penalty, 1"));
}

// Newcombe, Statistics in Medicine 17 (1998), table I: methods with their intervals.
TEST(WilsonIntervalTest, AgreesWithPublishedValues) {
  const auto expect = [](int64_t correct, int64_t n, double low, double high) {
    const ShareInterval interval = WilsonInterval(correct, n);
    EXPECT_NEAR(interval.low, low, 5e-5) << correct << " of " << n;
    EXPECT_NEAR(interval.high, high, 5e-5) << correct << " of " << n;
  };
  expect(81, 263, 0.2553, 0.3662);
  expect(15, 148, 0.0624, 0.1605);
  expect(0, 20, 0.0000, 0.1611);
  expect(1, 29, 0.0061, 0.1718);
}

}  // namespace
}  // namespace iat
