#include "training/heads.h"

#include "models/torch.h"

namespace iat {
namespace {

// The momentum of a batch norm; null for other modules and for one that averages over
// all batches alike.
double* StatisticsMomentum(torch::nn::Module& module) {
  const auto of = [](auto* norm) {
    auto& momentum = norm->options.momentum();
    return momentum.has_value() ? &*momentum : nullptr;
  };
  if (auto* norm = module.as<torch::nn::BatchNorm1d>()) return of(norm);
  if (auto* norm = module.as<torch::nn::BatchNorm2d>()) return of(norm);
  return nullptr;
}

}  // namespace

torch::nn::Sequential MakeProjector(const ProjectorLayout& layout) {
  torch::nn::Sequential projector;
  const size_t layers = layout.sizes.size() - 1;
  for (size_t i = 0; i < layers; ++i) {
    const bool last = i + 1 == layers;
    const int64_t outputs = layout.sizes[i + 1];
    projector->push_back(
        torch::nn::Linear(torch::nn::LinearOptions(layout.sizes[i], outputs)
                              .bias(last ? layout.output_bias : layout.bias)));
    if (last ? layout.output_batch_norm : layout.batch_norm) {
      projector->push_back(torch::nn::BatchNorm1d(outputs));
    }
    if (!last) projector->push_back(torch::nn::ReLU(torch::nn::ReLUOptions(true)));
  }
  return projector;
}

RandomStream PassDropout(const RandomStream& step, uint32_t pass) {
  RandomStream stream = step;
  if (pass == 0) return stream;
  return RandomStream(stream.NextU64(), "dropout pass", pass);
}

PartialStatistics::PartialStatistics(const torch::nn::Module& network,
                                     int64_t num_parts) {
  for (const auto& module : network.modules(/*include_self=*/false)) {
    double* momentum = StatisticsMomentum(*module);
    if (momentum == nullptr) continue;
    norms_.emplace_back(module, *momentum);
    *momentum /= static_cast<double>(num_parts);
  }
}

PartialStatistics::~PartialStatistics() {
  for (const auto& [module, momentum] : norms_) *StatisticsMomentum(*module) = momentum;
}

std::vector<torch::Tensor> ForwardViews(VisionModel& model, const TrainingBatch& batch,
                                        int num_views, const TapContext& context) {
  std::vector<torch::Tensor> features;
  const auto views = batch.images.chunk(num_views);
  for (int view = 0; view < num_views; ++view) {
    TapContext pass = context;
    if (context.dropout == nullptr) {
      features.push_back(model.Forward(views[view], pass));
      continue;
    }
    const RandomStream dropout = PassDropout(*context.dropout, view);
    pass.dropout = &dropout;
    features.push_back(model.Forward(views[view], pass));
  }
  return features;
}

}  // namespace iat
