#include "training/quality.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "models/torch.h"

namespace iat {
namespace {

constexpr double kVoteTemperature = 0.07;
constexpr int64_t kBlock = 256;  // rows of similarities held at once

}  // namespace

std::vector<double> KnnAccuracies(const torch::Tensor& reference_features,
                                  const std::vector<int>& reference_labels,
                                  const torch::Tensor& features,
                                  const std::vector<int>& labels,
                                  const std::vector<int64_t>& ks) {
  std::vector<double> accuracies(ks.size(), std::numeric_limits<double>::quiet_NaN());
  if (reference_labels.empty() || labels.empty() || ks.empty()) return accuracies;
  const torch::NoGradGuard no_grad;
  const auto references = torch::nn::functional::normalize(reference_features);
  const auto queries = torch::nn::functional::normalize(features);
  const int64_t most =
      std::min<int64_t>(*std::max_element(ks.begin(), ks.end()), references.size(0));
  std::vector<int64_t> correct(ks.size(), 0);
  for (int64_t begin = 0; begin < queries.size(0); begin += kBlock) {
    const auto block = queries.slice(0, begin, begin + kBlock);
    const auto [values, indices] = block.mm(references.t()).topk(most, 1);
    const auto similarity = values.contiguous();
    const auto neighbour = indices.contiguous();
    for (int64_t i = 0; i < block.size(0); ++i) {
      const float* value = similarity.data_ptr<float>() + i * most;
      const int64_t* index = neighbour.data_ptr<int64_t>() + i * most;
      for (size_t which = 0; which < ks.size(); ++which) {
        std::map<int, double> votes;  // ordered, so that ties have one winner
        for (int64_t j = 0; j < std::min(ks[which], most); ++j) {
          votes[reference_labels[index[j]]] +=
              std::exp((value[j] - 1.0) / kVoteTemperature);
        }
        const auto winner = std::max_element(
            votes.begin(), votes.end(),
            [](const auto& a, const auto& b) { return a.second < b.second; });
        correct[which] += winner->first == labels[begin + i];
      }
    }
  }
  for (size_t which = 0; which < ks.size(); ++which) {
    accuracies[which] =
        static_cast<double>(correct[which]) / static_cast<double>(labels.size());
  }
  return accuracies;
}

EmbeddingSpread MeasureSpread(const torch::Tensor& embeddings) {
  const torch::NoGradGuard no_grad;
  const auto values = embeddings.to(torch::kFloat64);
  const double n = static_cast<double>(values.size(0));
  const double d = static_cast<double>(values.size(1));
  const auto centred = values - values.mean(0, /*keepdim=*/true);
  EmbeddingSpread spread;
  spread.deviation =
      ((centred * centred).sum(0) / n).sqrt().mean().item<double>() * std::sqrt(d);
  // The smaller of the two Gram matrices has the same non-zero eigenvalues.
  const auto gram =
      values.size(0) < values.size(1) ? centred.mm(centred.t()) : centred.t().mm(centred);
  const auto eigenvalues = torch::linalg_eigvalsh(gram).clamp_min(0);
  const double total = eigenvalues.sum().item<double>();
  if (total > 0.0) {
    const auto share = eigenvalues / total;
    spread.effective_rank = std::exp(-torch::xlogy(share, share).sum().item<double>());
  }
  return spread;
}

}  // namespace iat
