#include "training/linear_probe.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <limits>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "models/torch.h"

namespace iat {
namespace {

constexpr size_t kMemory = 10;  // pairs that L-BFGS remembers
constexpr double kSufficientDecrease = 1e-4;
constexpr double kCurvature = 0.9;
constexpr int kMostTrials = 40;  // of a line search

double Dot(const torch::Tensor& a, const torch::Tensor& b) {
  return (a * b).sum().item<double>();
}

// The objective over theta, (d + 1) x classes with the intercepts in the last row.
class SoftmaxLoss {
 public:
  SoftmaxLoss(const torch::Tensor& features, const std::vector<int>& labels,
              double l2_penalty)
      : features_(features),
        labels_(torch::tensor(std::vector<int64_t>(labels.begin(), labels.end()))),
        l2_penalty_(l2_penalty) {}

  double Evaluate(const torch::Tensor& theta, torch::Tensor& gradient) const {
    const int64_t d = features_.size(1), n = features_.size(0);
    const auto weights = theta.slice(0, 0, d);
    const auto log_p =
        torch::log_softmax(torch::addmm(theta[d], features_, weights), /*dim=*/1);
    const auto picked = log_p.gather(1, labels_.unsqueeze(1));
    auto residual = log_p.exp();
    residual.scatter_add_(1, labels_.unsqueeze(1), torch::full_like(picked, -1.0));
    residual.div_(static_cast<double>(n));
    gradient = torch::empty_like(theta);
    gradient.slice(0, 0, d).copy_(
        torch::addmm(weights, features_.t(), residual, 2.0 * l2_penalty_, 1.0));
    gradient[d].copy_(residual.sum(0));
    return -picked.mean().item<double>() + l2_penalty_ * Dot(weights, weights);
  }

 private:
  const torch::Tensor features_, labels_;
  const double l2_penalty_;
};

// The inverse Hessian's product with a gradient, from the last steps and the changes
// of gradient along them.
class InverseHessian {
 public:
  torch::Tensor Times(torch::Tensor vector) const {
    std::vector<double> alphas(pairs_.size());
    vector = vector.clone();
    for (size_t i = pairs_.size(); i-- > 0;) {
      alphas[i] = Dot(pairs_[i].step, vector) / pairs_[i].product;
      vector.sub_(pairs_[i].change, alphas[i]);
    }
    if (!pairs_.empty()) {
      const Pair& last = pairs_.back();
      vector.mul_(last.product / Dot(last.change, last.change));
    }
    for (size_t i = 0; i < pairs_.size(); ++i) {
      const double beta = Dot(pairs_[i].change, vector) / pairs_[i].product;
      vector.add_(pairs_[i].step, alphas[i] - beta);
    }
    return vector;
  }

  void Add(torch::Tensor step, torch::Tensor change) {
    const double product = Dot(step, change);
    if (product <= 0.0) return;  // rounding, at the minimum
    pairs_.push_back({std::move(step), std::move(change), product});
    if (pairs_.size() > kMemory) pairs_.pop_front();
  }

  bool empty() const { return pairs_.empty(); }
  void Clear() { pairs_.clear(); }

 private:
  struct Pair {
    torch::Tensor step, change;
    double product;
  };
  std::deque<Pair> pairs_;
};

struct Standardiser {
  torch::Tensor mean, scale;

  explicit Standardiser(const torch::Tensor& features)
      : mean(features.mean(0, /*keepdim=*/true)) {
    const auto deviation = features.var(0, /*unbiased=*/false, /*keepdim=*/true).sqrt();
    // A feature that never changes says nothing: 0 throughout.
    scale = torch::where(deviation > 1e-12, deviation.reciprocal(),
                         torch::zeros_like(deviation));
  }
  torch::Tensor operator()(const torch::Tensor& features) const {
    return (features - mean) * scale;
  }
};

double LogLoss(const SoftmaxRegression& fit, const torch::Tensor& features,
               const std::vector<int>& labels) {
  const auto index = torch::tensor(std::vector<int64_t>(labels.begin(), labels.end()));
  return -fit.LogProbabilities(features)
              .gather(1, index.unsqueeze(1))
              .mean()
              .item<double>();
}

// From the strongest down.
std::vector<double> Penalties(const ProbeOptions& options) {
  std::vector<double> penalties;
  for (int64_t i = 0; i < options.num_penalties; ++i) {
    const double t =
        options.num_penalties == 1
            ? 0.0
            : static_cast<double>(i) / static_cast<double>(options.num_penalties - 1);
    penalties.push_back(options.largest_penalty *
                        std::pow(options.smallest_penalty / options.largest_penalty, t));
  }
  return penalties;
}

}  // namespace

torch::Tensor SoftmaxRegression::LogProbabilities(const torch::Tensor& features) const {
  return torch::log_softmax(torch::addmm(intercepts, features, weights), /*dim=*/1);
}

SoftmaxRegression FitSoftmaxRegression(const torch::Tensor& features,
                                       const std::vector<int>& labels, int num_classes,
                                       double l2_penalty, int max_iterations,
                                       const SoftmaxRegression* start, double tolerance) {
  const torch::NoGradGuard no_grad;
  const int64_t d = features.size(1);
  const SoftmaxLoss objective(features, labels, l2_penalty);
  auto theta = torch::zeros({d + 1, num_classes}, torch::kFloat64);
  if (start != nullptr) {
    theta.slice(0, 0, d).copy_(start->weights);
    theta[d].copy_(start->intercepts);
  }
  torch::Tensor gradient;
  double value = objective.Evaluate(theta, gradient);
  SoftmaxRegression fit;
  InverseHessian inverse_hessian;
  const auto is_small = [&] { return gradient.abs().max().item<double>() <= tolerance; };
  while (!is_small() && fit.iterations < max_iterations) {
    ++fit.iterations;
    auto direction = -inverse_hessian.Times(gradient);
    double slope = Dot(gradient, direction);
    if (slope >= 0.0) {  // rounding
      inverse_hessian.Clear();
      direction = -gradient;
      slope = Dot(gradient, direction);
    }
    // The first step knows no scale yet.
    double step = inverse_hessian.empty() ? std::min(1.0, 1.0 / std::sqrt(-slope)) : 1.0;
    double low = 0.0, high = std::numeric_limits<double>::infinity();
    torch::Tensor next, next_gradient;
    double next_value = value;
    bool found = false;
    for (int trial = 0; trial < kMostTrials && !found; ++trial) {
      next = theta + step * direction;
      next_value = objective.Evaluate(next, next_gradient);
      if (!(next_value <= value + kSufficientDecrease * step * slope)) {
        high = step;
      } else if (Dot(next_gradient, direction) < kCurvature * slope) {
        low = step;
      } else {
        found = true;
        break;
      }
      step = std::isinf(high) ? 2.0 * low : 0.5 * (low + high);
    }
    if (!found) break;  // nothing left that float64 can tell apart
    inverse_hessian.Add(next - theta, next_gradient - gradient);
    theta = next;
    gradient = next_gradient;
    value = next_value;
  }
  fit.converged = is_small();
  fit.loss = value;
  fit.weights = theta.slice(0, 0, d).contiguous();
  fit.intercepts = theta[d].contiguous();
  return fit;
}

void ProbeOptions::Describe(OptionVisitor& visitor) {
  visitor.Choices("layers", layers,
                  {"conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"},
                  "layers whose features are read, each by a probe of its own");
  visitor.Choice("stage", stage, {"pre_relu", "post_relu"},
                 "before or after the ReLU; of a convolution every position");
  visitor.Integer("num_images", num_images, {.min = 10},
                  "labelled training images the probe learns from, at most");
  visitor.Number("largest_penalty", largest_penalty, {.min = 0.0, .min_excluded = true},
                 "strongest L2 penalty tried, per image, on standardised features");
  visitor.Number("smallest_penalty", smallest_penalty, {.min = 0.0, .min_excluded = true},
                 "weakest");
  visitor.Integer("num_penalties", num_penalties, {.min = 1, .max = 100},
                  "log-spaced between the two");
  visitor.Integer("max_iterations", max_iterations, {.min = 1}, "of L-BFGS, each fit");
}

absl::Status ProbeOptions::Validate() const {
  if (layers.empty()) {
    return absl::InvalidArgumentError("layers is []; expected at least one layer");
  }
  if (smallest_penalty > largest_penalty) {
    return absl::InvalidArgumentError(
        absl::StrCat("smallest_penalty is ", smallest_penalty,
                     "; expected at most largest_penalty, ", largest_penalty));
  }
  return absl::OkStatus();
}

absl::StatusOr<ProbeResult> LinearProbe(const torch::Tensor& features,
                                        const std::vector<int>& labels,
                                        const torch::Tensor& test_features,
                                        const std::vector<int>& test_labels,
                                        const ProbeOptions& options) {
  const torch::NoGradGuard no_grad;
  const int64_t n = features.size(0);
  const std::set<int> classes(labels.begin(), labels.end());
  if (classes.size() < 2 || n < 10 || test_labels.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a linear probe needs at least 2 classes, 10 images to learn from and one to be "
        "tested on; there are ",
        classes.size(), ", ", n, " and ", test_labels.size()));
  }
  const int num_classes =
      1 + std::max(*classes.rbegin(),
                   *std::max_element(test_labels.begin(), test_labels.end()));
  const auto all = features.to(torch::kFloat64);
  const int64_t num_fit = n - n / 5;
  const std::vector<int> fit_labels(labels.begin(), labels.begin() + num_fit);
  const std::vector<int> chosen_by_labels(labels.begin() + num_fit, labels.end());
  ProbeResult result;
  const std::vector<double> penalties = Penalties(options);
  const int most = static_cast<int>(options.max_iterations);
  {
    const auto raw = all.slice(0, 0, num_fit);
    const Standardiser standardise(raw);
    const auto fit_features = standardise(raw);
    const auto chosen_by = standardise(all.slice(0, num_fit, n));
    double best = std::numeric_limits<double>::infinity();
    double before = best;
    int rises = 0;
    SoftmaxRegression fit;
    for (size_t i = 0; i < penalties.size() && rises < 2; ++i) {
      fit = FitSoftmaxRegression(fit_features, fit_labels, num_classes, penalties[i],
                                 most, i == 0 ? nullptr : &fit);
      const double loss = LogLoss(fit, chosen_by, chosen_by_labels);
      rises = loss > before ? rises + 1 : 0;
      before = loss;
      if (loss >= best) continue;
      best = loss;
      result.l2_penalty = penalties[i];
      result.penalty_at_edge = i == 0 || i + 1 == penalties.size();
    }
  }
  const Standardiser standardise(all);
  const SoftmaxRegression fit = FitSoftmaxRegression(
      standardise(all), labels, num_classes, result.l2_penalty, most);
  const auto guesses =
      fit.LogProbabilities(standardise(test_features.to(torch::kFloat64))).argmax(1);
  std::map<int, int64_t> counts;
  for (size_t i = 0; i < test_labels.size(); ++i) {
    result.num_correct +=
        guesses[static_cast<int64_t>(i)].item<int64_t>() == test_labels[i];
    ++counts[test_labels[i]];
  }
  result.num_features = features.size(1);
  result.num_images = n;
  result.num_test_images = static_cast<int64_t>(test_labels.size());
  const auto commonest =
      std::max_element(counts.begin(), counts.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  const double num_test = static_cast<double>(result.num_test_images);
  result.chance = static_cast<double>(commonest->second) / num_test;
  result.top1 = static_cast<double>(result.num_correct) / num_test;
  const ShareInterval interval =
      WilsonInterval(result.num_correct, result.num_test_images);
  result.low = interval.low;
  result.high = interval.high;
  result.iterations = fit.iterations;
  result.converged = fit.converged;
  return result;
}

ShareInterval WilsonInterval(int64_t correct, int64_t n) {
  constexpr double z = 1.959963984540054;  // the normal's 97.5 % quantile
  const double k = static_cast<double>(correct), m = static_cast<double>(n);
  const double centre = (k + z * z / 2) / (m + z * z);
  const double half = z / (m + z * z) * std::sqrt(k * (m - k) / m + z * z / 4);
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

}  // namespace iat
