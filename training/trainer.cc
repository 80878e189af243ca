#include "training/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/fingerprint.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/status.h"
#include "base/version.h"
#include "models/safetensors.h"
#include "models/torch.h"
#include "models/torch_device.h"
#include "models/weight_import.h"
#include "training/batches.h"
#include "training/checkpoint.h"
#include "training/evaluation_images.h"
#include "training/quality.h"

namespace iat {
namespace {

namespace fs = std::filesystem;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// How convolutions of short types are fastest on a GPU.
void PutChannelsLast(const torch::nn::Module& module) {
  for (torch::Tensor parameter : module.parameters()) {
    if (parameter.dim() != 4) continue;
    parameter.set_data(parameter.contiguous(torch::MemoryFormat::ChannelsLast));
  }
}

class TrainingRun {
 public:
  explicit TrainingRun(const TrainingJob& job)
      : job_(job),
        options_(job.options),
        device_(job.device),
        rows_(ChooseHeldOut(*job.images, job.options.knn_images)),
        checkpoints_(job.folder, job.options.keep_last),
        metrics_(job.folder) {}

  absl::Status Run();

 private:
  absl::Status Prepare();
  absl::Status Resume();
  // False: the checkpoint is of another model, recipe or image set. After an error
  // the run is in no state to go on without another Prepare or Restore.
  absl::StatusOr<bool> Restore(const fs::path& path);
  absl::Status SaveCheckpoint();
  absl::Status SaveWeights() const;
  absl::Status Report(TrainingProgress progress, const EmbeddingSpread& spread);
  absl::Status Step();
  // Of the losses since the last row of the metrics. Waits for a GPU.
  absl::StatusOr<double> LossSum() const;
  // The loss of a step in [first, last].
  absl::Status NotFinite(double loss, int64_t first, int64_t last) const;
  bool UsesBfloat16() const {
    return options_.precision == "bfloat16" ||
           (options_.precision == "auto" && !device_.is_cpu());
  }
  // Puts both accuracies in; NaN where nothing is held out.
  void MeasureKnn(TrainingProgress& progress);
  torch::Tensor Features(const std::vector<int64_t>& rows);
  void Message(absl::string_view text) const {
    if (job_.message) job_.message(text);
  }

  const TrainingJob& job_;
  const TrainingOptions& options_;
  torch::Device device_;
  HeldOut rows_;
  std::string fingerprint_;
  std::shared_ptr<VisionModel> model_;
  std::shared_ptr<Objective> objective_;
  std::unique_ptr<BatchMaker> batches_;
  std::unique_ptr<Optimizer> optimizer_;
  CheckpointFolder checkpoints_;
  TrainingMetrics metrics_;
  torch::Tensor embeddings_;  // of the last step
  int64_t step_ = 0;          // steps done
  int64_t num_steps_ = 0;
  torch::Tensor loss_sum_;  // since the last row of the metrics; float64, on the device
  int64_t steps_since_report_ = 0;
};

absl::Status TrainingRun::Prepare() {
  fingerprint_ = TrainingFingerprint(job_);
  IAT_ASSIGN_OR_RETURN(model_, CreateModel(job_.model, job_.animal.init_seed));
  model_->to(device_);
  if (!device_.is_cpu()) PutChannelsLast(*model_);
  loss_sum_ = torch::zeros({}, torch::TensorOptions(torch::kFloat64).device(device_));
  if (!job_.animal.trained) return absl::OkStatus();
  const int64_t num_images = static_cast<int64_t>(rows_.training.size());
  if (num_images < options_.batch_size) {
    return absl::InvalidArgumentError(absl::StrCat(
        num_images, " training images (", rows_.test.size(),
        " more are held out for the nearest-neighbour accuracy) do not fill one batch of "
        "training.batch_size = ",
        options_.batch_size, "; use more images or a smaller batch"));
  }
  IAT_ASSIGN_OR_RETURN(
      objective_, CreateObjective(options_.objective,
                                  {.model = *model_,
                                   .model_options = job_.model,
                                   .num_training_images = num_images,
                                   .num_labels = NumLabels(*job_.images, rows_.training),
                                   .init_seed = job_.animal.init_seed,
                                   .data_seed = job_.animal.data_seed}));
  objective_->to(device_);
  if (!device_.is_cpu()) PutChannelsLast(*objective_);
  batches_ = std::make_unique<BatchMaker>(
      *job_.images, rows_.training,
      BatchMaker::Options{.augmentation = options_.augmentation,
                          .data_seed = job_.animal.data_seed,
                          .batch_size = options_.batch_size,
                          .num_views = objective_->num_views(),
                          .device = device_});
  if (!batches_->device_status().ok()) {
    Message(absl::StrCat("augmenting on the CPU: ", batches_->device_status().message()));
  }
  num_steps_ = batches_->steps_per_epoch() * options_.epochs;
  std::vector<OptimizedParameter> parameters;
  for (const auto& item : model_->named_parameters()) {
    parameters.push_back({"model." + item.key(), item.value()});
  }
  for (const auto& item : objective_->named_parameters()) {
    parameters.push_back(
        {"objective." + item.key(), item.value(), objective_->RateOf(item.key())});
  }
  optimizer_ = std::make_unique<Optimizer>(options_.optimizer, parameters);
  return absl::OkStatus();
}

absl::Status TrainingRun::Resume() {
  std::vector<std::string> damages;
  bool of_another = false;
  for (const fs::path& path : checkpoints_.FurthestFirst(batches_->steps_per_epoch())) {
    const absl::StatusOr<bool> restored = Restore(path);
    if (!restored.ok()) {
      damages.emplace_back(restored.status().message());
    } else if (!*restored) {
      of_another = true;
    } else {
      for (const std::string& damage : damages) {
        Message(absl::StrCat(damage, "; going on from the checkpoint before it"));
      }
      Message(absl::StrCat("resuming at step ", step_, " of ", num_steps_));
      return absl::OkStatus();
    }
  }
  if (!damages.empty()) {
    Message(absl::StrCat("starting afresh: ", absl::StrJoin(damages, "; ")));
    step_ = 0;
    return Prepare();  // what a damaged checkpoint may have left half restored
  }
  if (of_another) {
    Message("starting afresh: the checkpoint is of another model, recipe or image set");
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> TrainingRun::Restore(const fs::path& path) {
  IAT_ASSIGN_OR_RETURN(TensorFile file, ReadTensors(path));
  if (file.metadata["fingerprint"] != fingerprint_) return false;
  int64_t step = 0, steps_since_report = 0;
  double loss_sum = 0.0;
  if (!absl::SimpleAtoi(file.metadata["step"], &step) ||
      !absl::SimpleAtod(file.metadata["loss_sum"], &loss_sum) ||
      !absl::SimpleAtoi(file.metadata["steps_since_report"], &steps_since_report)) {
    return absl::DataLossError(absl::StrCat(
        path.string(), ": step, loss_sum or steps_since_report is not a number"));
  }
  std::map<std::string, std::map<std::string, torch::Tensor>> parts;
  for (const auto& [name, tensor] : file.tensors) {
    const size_t dot = name.find('.');
    parts[name.substr(0, dot)][name.substr(dot + 1)] = tensor;
  }
  IAT_RETURN_IF_ERROR(LoadStateDict(*model_, parts["model"], path.string()));
  IAT_RETURN_IF_ERROR(LoadStateDict(*objective_, parts["objective"], path.string()));
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : optimizer_->state()) {
    const auto found = parts["optimizer"].find(name);
    if (found == parts["optimizer"].end() || found->second.sizes() != tensor.sizes()) {
      return absl::DataLossError(
          absl::StrCat(path.string(), ": no \"", name, "\" of the optimiser"));
    }
    torch::Tensor(tensor).copy_(found->second);
  }
  step_ = step;
  loss_sum_.fill_(loss_sum);
  steps_since_report_ = steps_since_report;
  metrics_.GoOnFrom(step, file.metadata["metrics"]);
  checkpoints_.GoOnFrom(path, step);
  return true;
}

absl::Status TrainingRun::SaveCheckpoint() {
  IAT_ASSIGN_OR_RETURN(const double loss_sum, LossSum());
  TensorFile file;
  for (const auto& [name, tensor] : StateDict(*model_))
    file.tensors["model." + name] = tensor;
  for (const auto& [name, tensor] : StateDict(*objective_)) {
    file.tensors["objective." + name] = tensor;
  }
  for (const auto& [name, tensor] : optimizer_->state()) {
    file.tensors["optimizer." + name] = tensor;
  }
  file.metadata = {{"fingerprint", fingerprint_},
                   {"step", absl::StrCat(step_)},
                   {"loss_sum", TomlNumber(loss_sum)},
                   {"steps_since_report", absl::StrCat(steps_since_report_)},
                   {"metrics", metrics_.csv()}};
  return checkpoints_.Save(step_, file);
}

absl::Status TrainingRun::SaveWeights() const {
  TensorFile file;
  file.tensors = StateDict(*model_);
  file.metadata = {
      {"fingerprint", fingerprint_},
      {"animal", job_.animal.name},
      {"architecture", job_.model.architecture},
      {"width", FormatNumber(job_.model.width)},
      {"init_seed", absl::StrCat(job_.animal.init_seed)},
      {"data_seed", absl::StrCat(job_.animal.data_seed)},
      {"objective", job_.animal.trained ? options_.objective.name : "untrained"},
      {"epochs", absl::StrCat(job_.animal.trained ? options_.epochs : 0)},
      {"training_images_sha256", job_.images->Fingerprint()},
      {"iat_version", std::string(Version())}};
  return WriteTensors(job_.folder / "weights.safetensors", file);
}

torch::Tensor TrainingRun::Features(const std::vector<int64_t>& rows) {
  return FeaturesOf(*model_, *job_.images, rows, device_);
}

void TrainingRun::MeasureKnn(TrainingProgress& progress) {
  if (rows_.test.empty()) return;
  std::vector<int64_t> references = rows_.training;
  RandomStream(0, "knn-references").Shuffle(references);
  references.resize(std::min<size_t>(references.size(), options_.knn_references));
  const std::vector<double> accuracies = KnnAccuracies(
      Features(references), LabelsOf(*job_.images, references), Features(rows_.test),
      LabelsOf(*job_.images, rows_.test), {1, options_.knn_k});
  progress.knn_top1 = accuracies[0];
  progress.knn_weighted_top1 = accuracies[1];
}

absl::Status TrainingRun::NotFinite(double loss, int64_t first, int64_t last) const {
  return absl::InvalidArgumentError(absl::StrCat(
      job_.animal.name, ": the loss is ", loss, " at step ",
      first < last ? absl::StrCat(first, " or one up to ", last) : absl::StrCat(last),
      "; try a smaller training.learning_rate or more training.warmup_epochs"));
}

absl::StatusOr<double> TrainingRun::LossSum() const {
  const double sum = loss_sum_.item<double>();
  if (!std::isfinite(sum)) return NotFinite(sum, step_ - steps_since_report_, step_ - 1);
  return sum;
}

absl::Status TrainingRun::Step() {
  IAT_ASSIGN_OR_RETURN(const TrainingBatch batch, batches_->Get(step_));
  const RandomStream dropout(job_.animal.data_seed, "dropout", step_);
  TapContext context{.dropout = options_.dropout ? &dropout : nullptr};
  if (UsesBfloat16()) context.autocast = torch::kBFloat16;
  const Objective::Result result = objective_->Loss(*model_, batch, context);
  const torch::Tensor loss = result.loss.detach().to(torch::kFloat64);
  if (device_.is_cpu() && !std::isfinite(loss.item<double>())) {
    return NotFinite(loss.item<double>(), step_, step_);
  }
  loss_sum_.add_(loss);
  result.loss.backward();
  optimizer_->Step(LearningRate(options_.schedule, step_, batches_->steps_per_epoch(),
                                options_.epochs));
  objective_->AfterStep(*model_, batch, result);
  embeddings_ = result.embeddings;
  ++step_;
  ++steps_since_report_;
  return absl::OkStatus();
}

absl::Status TrainingRun::Report(TrainingProgress progress,
                                 const EmbeddingSpread& spread) {
  progress.num_steps = num_steps_;
  progress.embedding_deviation = spread.deviation;
  progress.effective_rank = spread.effective_rank;
  progress.collapsed = spread.Collapsed();
  if (progress.collapsed && objective_) {
    progress.collapse_advice = objective_->CollapseAdvice();
  }
  IAT_RETURN_IF_ERROR(metrics_.Add(progress));
  if (job_.progress) job_.progress(progress);
  return absl::OkStatus();
}

absl::Status TrainingRun::Run() {
  IAT_RETURN_IF_ERROR(Prepare());
  if (!job_.animal.trained) {
    step_ = num_steps_ = 0;
    TrainingProgress start{.loss = kNan, .images_per_second = kNan};
    MeasureKnn(start);
    const EmbeddingSpread spread =
        MeasureSpread(torch::nn::functional::normalize(Features(
            {rows_.training.begin(),
             rows_.training.begin() + std::min<size_t>(rows_.training.size(), 256)})));
    IAT_RETURN_IF_ERROR(Report(start, spread));
    return SaveWeights();
  }
  IAT_RETURN_IF_ERROR(Resume());
  model_->train();
  objective_->train();
  using Clock = std::chrono::steady_clock;
  auto start = Clock::now();
  int64_t steps_timed = 0;
  while (step_ < num_steps_) {
    IAT_RETURN_IF_ERROR(Step());
    ++steps_timed;
    const bool stop = job_.stop != nullptr && job_.stop->load();
    const bool last = step_ == num_steps_;
    const bool epoch_end = step_ % batches_->steps_per_epoch() == 0;
    const int64_t epoch = (step_ - 1) / batches_->steps_per_epoch() + 1;
    const bool knn =
        last || (options_.knn_every > 0 && epoch_end && epoch % options_.knn_every == 0);
    // Rows stand at fixed steps, so that an interruption changes none of them.
    if (step_ % options_.log_every == 0 || knn) {
      IAT_ASSIGN_OR_RETURN(const double loss_sum, LossSum());
      const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
      TrainingProgress progress{
          .step = step_,
          .epoch = epoch,
          .loss = loss_sum / static_cast<double>(steps_since_report_),
          .learning_rate = LearningRate(options_.schedule, step_ - 1,
                                        batches_->steps_per_epoch(), options_.epochs),
          .images_per_second =
              static_cast<double>(steps_timed * options_.batch_size) / seconds};
      if (knn) MeasureKnn(progress);
      IAT_RETURN_IF_ERROR(Report(progress, MeasureSpread(embeddings_.to(torch::kCPU))));
      loss_sum_.zero_();
      steps_since_report_ = steps_timed = 0;
      start = Clock::now();
    }
    const bool keep = options_.keep_every_epochs > 0 && epoch_end &&
                      epoch % options_.keep_every_epochs == 0;
    if (last || stop || keep || step_ % options_.checkpoint_every == 0) {
      IAT_RETURN_IF_ERROR(SaveCheckpoint());
    }
    if (keep) IAT_RETURN_IF_ERROR(checkpoints_.KeepForGood(epoch));
    if (stop && !last) {
      return absl::CancelledError(absl::StrCat("stopped at step ", step_, " of ",
                                               num_steps_,
                                               "; the same command goes on from there"));
    }
  }
  return SaveWeights();
}

absl::Status ImportAnimal(const TrainingJob& job) {
  const std::string name = job.animal.imported.string();
  IAT_ASSIGN_OR_RETURN(ImportedWeights weights, ImportWeights(job.animal.imported));
  IAT_ASSIGN_OR_RETURN(const auto wanted, StateShapes(job.model));
  IAT_ASSIGN_OR_RETURN(const auto found, StateShapes(weights.model));
  if (wanted != found) {
    return absl::InvalidArgumentError(
        absl::StrCat(job.animal.name, ": ", name, " is ", weights.model.Name(),
                     ", the config's [model] ", job.model.Name(),
                     "; animals that are compared share one architecture"));
  }
  for (const absl::string_view line :
       absl::StrSplit(weights.Text(), '\n', absl::SkipEmpty())) {
    if (job.message) job.message(line);
  }
  IAT_ASSIGN_OR_RETURN(const std::string digest, Sha256OfFile(job.animal.imported));
  TensorFile file{.tensors = std::move(weights.state), .metadata = weights.metadata};
  file.metadata["fingerprint"] = TrainingFingerprint(job);
  file.metadata["animal"] = job.animal.name;
  file.metadata["architecture"] = job.model.architecture;
  file.metadata["width"] = FormatNumber(job.model.width);
  file.metadata["imported_from"] = name;
  file.metadata["imported_sha256"] = digest;
  file.metadata["iat_version"] = std::string(Version());
  return WriteTensors(job.folder / "weights.safetensors", file);
}

}  // namespace

TrainingOptions TrainingOptions::DefaultsFor(const std::string& objective) {
  TrainingOptions options;
  const TrainingRecipe recipe = RecipeOf(objective);
  options.objective.name = objective;
  options.epochs = recipe.epochs;
  options.batch_size = recipe.batch_size;
  options.optimizer = recipe.optimizer;
  options.schedule = recipe.schedule;
  options.augmentation = recipe.augmentation;
  return options;
}

void TrainingOptions::Describe(OptionVisitor& visitor) {
  const std::string before = objective.name;
  visitor.Choice("objective", objective.name, ObjectiveNames(),
                 "what the networks are trained to do; sets the defaults below");
  // A reader has just changed the objective: its recipe is what the other keys
  // start from.
  if (objective.name != before) *this = DefaultsFor(objective.name);
  visitor.Integer("epochs", epochs, {.min = 1, .max = 1'000'000},
                  "passes over the training images");
  const int64_t recipe_batch = batch_size;
  visitor.Integer("batch_size", batch_size, {.min = 2, .max = 1 << 20},
                  "images a step; the learning rates of simclr, moco_v2, simsiam, "
                  "barlow_twins and vicreg follow it unless they are given");
  if (batch_size != recipe_batch && RecipeOf(objective.name).rate_follows_batch) {
    schedule.learning_rate *=
        static_cast<double>(batch_size) / static_cast<double>(recipe_batch);
  }
  schedule.Describe(visitor);
  optimizer.Describe(visitor);
  visitor.Flag("dropout", dropout,
               "whether training drops half of the inputs of fc6 and fc7, as the "
               "published networks do; off is better for minutes of training");
  visitor.Choice("precision", precision, {"auto", "float32", "bfloat16"},
                 "type of the network's matrix products in training; auto: bfloat16 on a "
                 "GPU, float32 on the CPU");
  visitor.Integer("threads_per_model", threads_per_model, {.min = 1, .max = 1024},
                  "threads inside one network's arithmetic; part of the result");
  visitor.Integer("checkpoint_every", checkpoint_every, {.min = 1},
                  "steps between checkpoints");
  visitor.Integer("keep_last", keep_last, {.min = 1, .max = 1000},
                  "newest checkpoints kept; training goes on from the one before a "
                  "damaged one");
  visitor.Integer("keep_every_epochs", keep_every_epochs, {.min = 0},
                  "epochs between checkpoints kept for good; 0: none");
  visitor.Integer("log_every", log_every, {.min = 1},
                  "steps between rows of metrics.csv");
  visitor.Integer(
      "knn_images", knn_images, {.min = 0},
      "labelled images held out of training for the nearest-neighbour accuracy "
      "(at most a fifth)");
  visitor.Integer("knn_references", knn_references, {.min = 1},
                  "training images among which neighbours are sought");
  visitor.Integer("knn_k", knn_k, {.min = 1},
                  "neighbours that vote for knn_weighted_top1; knn_top1 asks the nearest "
                  "alone");
  visitor.Integer("knn_every", knn_every, {.min = 0},
                  "epochs between accuracies; 0: at the end only");
  objective.Describe(visitor);
  visitor.Table("augmentation", "random views of training images",
                [this](OptionVisitor& v) { augmentation.Describe(v); });
}

std::string TrainingFingerprint(const TrainingJob& job) {
  if (!job.animal.imported.empty()) {
    const auto digest = Sha256OfFile(job.animal.imported);
    return Sha256(absl::StrCat(OptionsText(job.model),
                               "imported = ", digest.ok() ? *digest : "missing", "\n"));
  }
  std::string text =
      absl::StrCat(OptionsText(job.model), "init_seed = ", job.animal.init_seed,
                   "\nimages = ", job.images->Fingerprint(), "\n");
  if (job.animal.trained) {
    // How often we look does not change what we look at.
    TrainingOptions recipe = job.options;
    const TrainingOptions defaults;
    recipe.checkpoint_every = defaults.checkpoint_every;
    recipe.keep_last = defaults.keep_last;
    recipe.keep_every_epochs = defaults.keep_every_epochs;
    recipe.log_every = defaults.log_every;
    recipe.knn_references = defaults.knn_references;
    recipe.knn_k = defaults.knn_k;
    recipe.knn_every = defaults.knn_every;
    // Nor does what belongs to another objective or optimiser.
    recipe.objective.chosen_only = true;
    recipe.optimizer.ForgetUnused();
    // Weights from before the keys were there keep their fingerprint.
    const std::string keys =
        absl::StrReplaceAll(OptionsText(recipe), {{"dropout = true\n", ""},
                                                  {"precision = \"auto\"\n", ""},
                                                  {"predictor_rate = 1.0\n", ""}});
    absl::StrAppend(&text, "data_seed = ", job.animal.data_seed, "\n", keys,
                    "device = ", job.device.substr(0, 4), "\n");
  }
  return Sha256(text);
}

bool IsTrained(const TrainingJob& job) {
  const auto metadata = ReadTensorMetadata(job.folder / "weights.safetensors");
  if (!metadata.ok()) return false;
  const auto found = metadata->find("fingerprint");
  return found != metadata->end() && found->second == TrainingFingerprint(job);
}

absl::Status Train(const TrainingJob& job) {
  KeepFreedMemory();
  torch::set_num_threads(static_cast<int>(job.options.threads_per_model));
  UseFullFloat32();
  try {
    if (!job.animal.imported.empty()) return ImportAnimal(job);
    return TrainingRun(job).Run();
  } catch (const c10::Error& error) {
    return absl::InternalError(
        absl::StrCat(job.animal.name, ": ", error.what_without_backtrace()));
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat(job.animal.name, ": ", error.what()));
  }
}

}  // namespace iat
