#include "training/instance_recognition.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "models/device_random.h"
#include "models/torch.h"

namespace iat {
namespace {

constexpr double kEpsilon = 1e-7;
// The published constant belongs to ImageNet's 1,281,167 training images.
constexpr double kPartitionPerImage = 2876934.2 / 1281167.0;

// v_i . bank_j for the columns asked for. Below this many images per noise index
// one product with the whole bank is cheaper than gathering its rows.
constexpr int64_t kDenseBankFactor = 16;

torch::Tensor InnerProducts(const torch::Tensor& embeddings, const torch::Tensor& bank,
                            const torch::Tensor& columns) {
  if (bank.size(0) <= kDenseBankFactor * columns.size(1)) {
    return embeddings.mm(bank.t()).gather(1, columns);
  }
  const auto rows = bank.index_select(0, columns.flatten())
                        .view({columns.size(0), columns.size(1), bank.size(1)});
  return rows.bmm(embeddings.unsqueeze(2)).squeeze(2);
}

}  // namespace

void InstanceRecognitionOptions::Describe(OptionVisitor& visitor) {
  visitor.Number("temperature", temperature, {.min = 0.0, .min_excluded = true},
                 "divides inner products before the exponential");
  visitor.Integer("num_noise", num_noise, {.min = 1, .max = 1 << 20},
                  "noise images drawn for each sample");
  visitor.Number("bank_momentum", bank_momentum,
                 {.min = 0.0, .max = 1.0, .max_excluded = true},
                 "weight of the old entry when the memory bank is updated");
  visitor.Integer("bank_steps", bank_steps, {.min = 0, .max = 1 << 30},
                  "steps over which an entry keeps at least that weight, where an epoch "
                  "has fewer; 0: as published, whatever the size of the set");
  visitor.Integer("embedding_size", embedding_size, {.min = 2, .max = 1 << 16},
                  "dimensions of the embedding");
}

torch::Tensor InstanceRecognitionLoss(const torch::Tensor& embeddings,
                                      const torch::Tensor& bank,
                                      const torch::Tensor& indices,
                                      const torch::Tensor& noise, double temperature) {
  const double num_images = static_cast<double>(bank.size(0));
  const double noise_rate = static_cast<double>(noise.size(1)) / num_images;  // m * P_n
  const double log_partition = std::log(kPartitionPerImage * num_images);
  const auto columns = torch::cat({indices.unsqueeze(1), noise}, 1);
  const auto log_probabilities =
      InnerProducts(embeddings, bank, columns) / temperature - log_partition;
  const auto log_total = (log_probabilities.exp() + (noise_rate + kEpsilon)).log();
  // Not the logarithm of the exponential, which is -inf where that underflows.
  const auto positive = (log_probabilities.select(1, 0) - log_total.select(1, 0)).sum();
  const auto negative = std::log(noise_rate) * static_cast<double>(noise.numel()) -
                        log_total.slice(1, 1).sum();
  return -(positive + negative) / static_cast<double>(embeddings.size(0));
}

TrainingRecipe InstanceRecognition::Recipe() {
  return {};  // the published one is where TrainingRecipe starts from
}

absl::StatusOr<std::shared_ptr<Objective>> InstanceRecognition::Create(
    const InstanceRecognitionOptions& options, const ObjectiveSetup& setup) {
  return std::make_shared<InstanceRecognition>(options, setup.model.num_features(),
                                               setup.num_training_images, setup.init_seed,
                                               setup.data_seed);
}

InstanceRecognition::InstanceRecognition(const InstanceRecognitionOptions& options,
                                         int64_t num_features,
                                         int64_t num_training_images, int64_t init_seed,
                                         int64_t data_seed)
    : options_(options),
      data_seed_(data_seed),
      head_(register_module("head",
                            torch::nn::Linear(num_features, options.embedding_size))) {
  InitializeParameters(*this, init_seed, "objective.");
  auto bank = torch::empty({num_training_images, options.embedding_size});
  const double bound = 1.0 / std::sqrt(static_cast<double>(options.embedding_size) / 3.0);
  RandomStream stream(data_seed, "bank");
  float* values = bank.data_ptr<float>();
  for (int64_t i = 0; i < bank.numel(); ++i) {
    values[i] = static_cast<float>(stream.Uniform(-bound, bound));
  }
  bank_ = register_buffer("bank", torch::nn::functional::normalize(bank));
}

Objective::Result InstanceRecognition::Loss(VisionModel& model,
                                            const TrainingBatch& batch,
                                            const TapContext& context) {
  const auto embeddings =
      torch::nn::functional::normalize(head_(model.Forward(batch.images, context)));
  const auto noise =
      RandomIntegers(RandomStream(data_seed_, "noise", batch.step), bank_.size(0),
                     {batch.indices.size(0), options_.num_noise}, embeddings.device());
  return {.loss = InstanceRecognitionLoss(embeddings, bank_, batch.indices, noise,
                                          options_.temperature),
          .embeddings = embeddings.detach()};
}

void InstanceRecognition::AfterStep(VisionModel& /*model*/, const TrainingBatch& batch,
                                    const Result& result) {
  const torch::NoGradGuard no_grad;
  const double momentum = BankMomentum(batch.indices.size(0));
  const auto mixed = bank_.index_select(0, batch.indices) * momentum +
                     result.embeddings * (1.0 - momentum);
  bank_.index_copy_(0, batch.indices, torch::nn::functional::normalize(mixed));
}

double InstanceRecognition::BankMomentum(int64_t batch_size) const {
  if (options_.bank_steps == 0) return options_.bank_momentum;
  const double epoch_steps =
      static_cast<double>(bank_.size(0)) / static_cast<double>(batch_size);
  return std::pow(options_.bank_momentum,
                  std::min(1.0, epoch_steps / static_cast<double>(options_.bank_steps)));
}

std::string InstanceRecognition::CollapseAdvice() const {
  return absl::StrCat(
      "the memory bank has followed the embeddings into one direction: try more "
      "training.instance_recognition.bank_steps (it is ",
      options_.bank_steps, "), a smaller training.learning_rate or more images");
}

}  // namespace iat
