#include "training/moco.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "base/status.h"
#include "models/torch.h"
#include "training/heads.h"

namespace iat {
namespace {

using torch::nn::functional::normalize;

// Kaiming's normal initialisation for a ReLU.
void InitializeHead(torch::nn::Sequential& head, int64_t init_seed) {
  const torch::NoGradGuard no_grad;
  for (const auto& item : head->named_parameters()) {
    torch::Tensor value = item.value();
    if (value.dim() < 2) {
      value.zero_();
      continue;
    }
    const double deviation = std::sqrt(2.0 / static_cast<double>(value.size(1)));
    RandomStream stream(init_seed, absl::StrCat("init objective.head.", item.key()));
    torch::Tensor draws = torch::empty(value.sizes());
    float* out = draws.data_ptr<float>();
    for (int64_t i = 0; i < draws.numel(); ++i) {
      out[i] = static_cast<float>(deviation * stream.Normal());
    }
    value.copy_(draws);
  }
}

// follower <- momentum * follower + (1 - momentum) * leader; the same parameters in
// the same order.
void Follow(const torch::nn::Module& leader, const torch::nn::Module& follower,
            double momentum) {
  const auto from = leader.parameters(), to = follower.parameters();
  for (size_t i = 0; i < to.size(); ++i) {
    torch::Tensor(to[i]).mul_(momentum).add_(from[i], 1.0 - momentum);
  }
}

}  // namespace

void MocoOptions::Describe(OptionVisitor& visitor) {
  visitor.Number("temperature", temperature, {.min = 0.0, .min_excluded = true},
                 "divides inner products before the softmax");
  visitor.Number("key_momentum", key_momentum, {.min = 0.0, .max = 1.0},
                 "weight of the key network's old weights when it follows");
  visitor.Integer("queue_size", queue_size, {.min = 1, .max = 1 << 24},
                  "keys of past batches that repel; fewer than there are training "
                  "images, or each image meets its own");
  visitor.Integer("hidden_size", hidden_size, {.min = 2, .max = 1 << 16},
                  "width of the head's hidden layer");
  visitor.Integer("embedding_size", embedding_size, {.min = 2, .max = 1 << 16},
                  "dimensions of the embedding");
}

torch::Tensor MocoLoss(const torch::Tensor& queries, const torch::Tensor& keys,
                       const torch::Tensor& queue, double temperature) {
  const auto positive = (queries * keys).sum(1, /*keepdim=*/true);
  const auto logits = torch::cat({positive, queries.mm(queue.t())}, 1) / temperature;
  // The positive is class 0.
  return -torch::log_softmax(logits, 1).select(1, 0).mean();
}

TrainingRecipe MomentumContrast::Recipe() {
  return {.batch_size = 512,
          .rate_follows_batch = true,
          .schedule = {.learning_rate = 0.06, .schedule = "cosine", .step_epochs = {}},
          .augmentation = MocoAugmentation()};
}

absl::StatusOr<std::shared_ptr<Objective>> MomentumContrast::Create(
    const MocoOptions& options, const ObjectiveSetup& setup) {
  IAT_ASSIGN_OR_RETURN(std::shared_ptr<VisionModel> key_model,
                       CreateModel(setup.model_options, setup.init_seed));
  IAT_RETURN_IF_ERROR(LoadStateDict(*key_model, StateDict(setup.model), "the network"));
  return std::make_shared<MomentumContrast>(options, setup, std::move(key_model));
}

MomentumContrast::MomentumContrast(const MocoOptions& options,
                                   const ObjectiveSetup& setup,
                                   std::shared_ptr<VisionModel> key_model)
    : options_(options) {
  const ProjectorLayout layout{
      .sizes = {setup.model.num_features(), options.hidden_size, options.embedding_size},
      .batch_norm = false};
  head_ = register_module("head", MakeProjector(layout));
  InitializeHead(head_, setup.init_seed);
  key_head_ = register_module("key_head", MakeProjector(layout));
  InitializeHead(key_head_, setup.init_seed);
  key_model_ = register_module("key_model", std::move(key_model));
  for (torch::Tensor& parameter : key_head_->parameters()) {
    parameter.set_requires_grad(false);
  }
  for (torch::Tensor& parameter : key_model_->parameters()) {
    parameter.set_requires_grad(false);
  }
  auto queue = torch::empty({options.queue_size, options.embedding_size});
  RandomStream stream(setup.data_seed, "queue");
  float* values = queue.data_ptr<float>();
  for (int64_t i = 0; i < queue.numel(); ++i) {
    values[i] = static_cast<float>(stream.Normal());
  }
  queue_ = register_buffer("queue", normalize(queue));
  position_ = register_buffer("queue_position", torch::zeros({1}, torch::kInt64));
}

Objective::Result MomentumContrast::Loss(VisionModel& model, const TrainingBatch& batch,
                                         const TapContext& context) {
  const auto views = batch.images.chunk(2);
  const auto queries = normalize(head_->forward(model.Forward(views[0], context)));
  {
    const torch::NoGradGuard no_grad;
    TapContext key_context = context;
    RandomStream dropout(0, "");
    if (context.dropout != nullptr) {
      dropout = PassDropout(*context.dropout, 1);
      key_context.dropout = &dropout;
    }
    keys_ = normalize(key_head_->forward(key_model_->Forward(views[1], key_context)));
  }
  return {.loss = MocoLoss(queries, keys_, queue_, options_.temperature),
          .embeddings = queries.detach()};
}

void MomentumContrast::AfterStep(VisionModel& model, const TrainingBatch& /*batch*/,
                                 const Result& /*result*/) {
  const torch::NoGradGuard no_grad;
  Follow(model, *key_model_, options_.key_momentum);
  Follow(*head_, *key_head_, options_.key_momentum);
  // A batch larger than the queue leaves its last keys.
  const int64_t size = queue_.size(0);
  const auto keys = keys_.slice(0, std::max<int64_t>(0, keys_.size(0) - size));
  const auto rows = (torch::arange(keys.size(0), position_.options()) + position_) % size;
  queue_.index_copy_(0, rows, keys);
  position_.copy_((position_ + keys.size(0)) % size);
}

std::string MomentumContrast::CollapseAdvice() const {
  return absl::StrCat(
      "try a smaller training.learning_rate, training.moco_v2.key_momentum nearer 1 (it "
      "is ",
      options_.key_momentum, ") or fewer keys than there are training images");
}

}  // namespace iat
