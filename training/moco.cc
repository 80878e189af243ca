#include "training/moco.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "base/status.h"
#include "models/torch.h"
#include "training/heads.h"

namespace iat {
namespace {

using torch::nn::functional::normalize;

// Batch norm needs two values to have a variance.
constexpr int64_t kSmallestGroup = 2;

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

// The first image of each group and the one after its last; sizes differ by one at most.
std::vector<std::pair<int64_t, int64_t>> Groups(int64_t num_images, int64_t wanted) {
  const int64_t count = std::clamp<int64_t>(num_images / kSmallestGroup, 1, wanted);
  std::vector<std::pair<int64_t, int64_t>> groups;
  for (int64_t g = 0; g < count; ++g) {
    groups.emplace_back(g * num_images / count, (g + 1) * num_images / count);
  }
  return groups;
}

// The head's output for all images, L2-normalised; batch norm sees a group at a time.
// Each group of each view (0 or 1) has dropout masks of its own.
torch::Tensor Embed(VisionModel& model, torch::nn::Sequential& head,
                    const torch::Tensor& images, int64_t num_groups, uint32_t view,
                    const TapContext& context) {
  std::vector<torch::Tensor> features;
  const auto groups = Groups(images.size(0), num_groups);
  const PartialStatistics statistics(model, static_cast<int64_t>(groups.size()));
  uint32_t pass = view;
  for (const auto& [begin, end] : groups) {
    TapContext own = context;
    RandomStream dropout(0, "");
    if (context.dropout != nullptr) {
      dropout = PassDropout(*context.dropout, pass);
      own.dropout = &dropout;
    }
    features.push_back(model.Forward(images.slice(0, begin, end), own));
    pass += 2;
  }
  return normalize(head->forward(torch::cat(features)));
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
  visitor.Integer("batch_norm_groups", batch_norm_groups, {.min = 1, .max = 1 << 16},
                  "parts of a batch that batch norm sees one at a time, keys in another "
                  "order than queries, so that statistics do not tell which key is "
                  "whose; 1: the whole batch");
}

torch::Tensor MocoLoss(const torch::Tensor& queries, const torch::Tensor& keys,
                       const torch::Tensor& queue, double temperature) {
  const auto positive = (queries * keys).sum(1, /*keepdim=*/true);
  const auto logits = torch::cat({positive, queries.mm(queue.t())}, 1) / temperature;
  // The positive is class 0.
  return -torch::log_softmax(logits, 1).select(1, 0).mean();
}

std::vector<int64_t> MocoKeyOrder(int64_t data_seed, int64_t step, int64_t num_images) {
  return RandomStream(data_seed, "key order", step).Permutation(num_images);
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
    : options_(options), data_seed_(setup.data_seed) {
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
  const auto queries =
      Embed(model, head_, views[0], options_.batch_norm_groups, 0, context);
  {
    const torch::NoGradGuard no_grad;
    const auto order =
        torch::tensor(MocoKeyOrder(data_seed_, batch.step, views[1].size(0)))
            .to(views[1].device());
    const auto keys = Embed(*key_model_, key_head_, views[1].index_select(0, order),
                            options_.batch_norm_groups, 1, context);
    keys_ = torch::empty_like(keys).index_copy_(0, order, keys);
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
